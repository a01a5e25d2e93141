//! What many events add up to: a count, a sum, a percentile; exactly, or from a sketch of bounded size.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use hyperloglogplus::{HyperLogLog, HyperLogLogPlus};
use tdigests::{Centroid, TDigest};

use super::number::{count, float};
use super::quantile::{quantile, sorted};
use super::seen::Seen;
use crate::error::{Error, Result};
use crate::event::{nearest, quote};

/// The registers of a sketch of distinct values: 2¹⁴, for a standard error of 1.04/√2¹⁴ = 0.8 %.
const REGISTERS_LOG2: u8 = 14;
/// The values that weigh as much as the registers of a sketch: 1,500.
const SKETCH_VALUES: usize = 1_500;
/// The centroids of a digest: 200, each of 1 % of the values at most, so that a rank is off by some 0.5 %.
const CENTROIDS_MAX: usize = 200;
/// The values that wait before a digest takes them in: 2,000.
const WAITING_MAX: usize = 2_000;

const NAMES: [&str; 11] =
    ["count", "distinct", "sum", "mean", "min", "max", "p50", "p90", "p95", "p99", "median"];

/// What is made of the events of a group or bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Aggregate {
    /// How many events.
    #[default]
    Count,
    /// How many different values; without a value, how many different keys.
    Distinct,
    Sum,
    Mean,
    Min,
    Max,
    /// A percentile, 0 to 100.
    Percentile(f64),
}

impl Aggregate {
    /// Reads `count`, `mean`, `p95` …
    ///
    /// # Errors
    /// `Invalid` (`bad_aggregate`) with what there is.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wanted = text.trim().to_ascii_lowercase();
        let percent = || wanted.strip_prefix('p')?.parse().ok().filter(|p| (0.0..=100.0).contains(p));
        Ok(match wanted.as_str() {
            "count" => Self::Count,
            "distinct" => Self::Distinct,
            "sum" => Self::Sum,
            "mean" | "avg" => Self::Mean,
            "min" => Self::Min,
            "max" => Self::Max,
            "median" => Self::Percentile(50.0),
            _ => Self::Percentile(percent().ok_or_else(|| {
                let message = format!(
                    "read aggregate {}: it is count, distinct, sum, mean, min, max or a percentile such as p95",
                    quote(text)
                );
                let near = nearest(&wanted, NAMES, 2);
                Error::invalid("bad_aggregate", message).with("argument", "aggregate").with("nearest", near)
            })?),
        })
    }

    /// How it is written.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Distinct => "distinct".to_owned(),
            Self::Sum => "sum".to_owned(),
            Self::Mean => "mean".to_owned(),
            Self::Min => "min".to_owned(),
            Self::Max => "max".to_owned(),
            Self::Percentile(p) => format!("p{p}"),
        }
    }

    /// Whether it is made of numbers, so that a value must be named.
    pub(crate) fn needs_value(self) -> bool {
        !matches!(self, Self::Count | Self::Distinct)
    }

    /// What of nothing is zero; of nothing there is no mean.
    pub(crate) fn of_nothing(self) -> Option<f64> {
        matches!(self, Self::Count | Self::Distinct | Self::Sum).then_some(0.0)
    }

    /// How far off it is when it is made from a sketch; `None` when it is exact anyway.
    pub(crate) fn error(self, approximate: bool) -> Option<&'static str> {
        match self {
            Self::Distinct if approximate => Some("distinct: ±0.8 % standard error (HyperLogLog++, 2^14)"),
            Self::Percentile(_) if approximate => {
                Some("percentile: its rank is within 1 % (t-digest, 200 centroids)")
            }
            _ => None,
        }
    }
}

/// An aggregate under way.
pub(crate) enum Fold {
    Count(u64),
    Distinct(HashSet<u64>),
    /// The sketch, and how many values it is counted as holding: its registers are as large as 1,500.
    Sketch(Box<Sketch>, usize),
    /// The sum, what rounding lost of it (Neumaier 1974), and how many; for sum and mean.
    Sum {
        sum: f64,
        lost: f64,
        count: u64,
        is_mean: bool,
    },
    Min(Option<f64>),
    Max(Option<f64>),
    Values(Vec<f64>, f64),
    Digest(Digest, f64),
    /// An aggregate that could not be begun.
    Nothing,
}

pub(crate) type Sketch = HyperLogLogPlus<u64, BuildHasherDefault<Hashed>>;

/// The hash of what is a hash already.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A t-digest (Dunning and Ertl 2019), and the values that wait to go in.
#[derive(Default)]
pub(crate) struct Digest {
    centroids: Vec<Centroid>,
    waiting: Vec<f64>,
}

impl Digest {
    fn push(&mut self, value: f64) {
        self.waiting.push(value);
        if self.waiting.len() >= WAITING_MAX {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.centroids.extend(self.waiting.drain(..).map(|value| Centroid::new(value, 1.0)));
        // The digest refuses to be made of nothing.
        if !self.centroids.is_empty() {
            let mut digest = TDigest::from_centroids(std::mem::take(&mut self.centroids));
            digest.compress(CENTROIDS_MAX);
            self.centroids = digest.centroids().to_vec();
        }
    }

    fn quantile(mut self, q: f64) -> Option<f64> {
        self.settle();
        (!self.centroids.is_empty()).then(|| TDigest::from_centroids(self.centroids).estimate_quantile(q))
    }
}

impl Fold {
    /// Begins one.
    pub(crate) fn new(aggregate: Aggregate, approximate: bool) -> Self {
        match aggregate {
            Aggregate::Count => Self::Count(0),
            Aggregate::Distinct if approximate => {
                HyperLogLogPlus::new(REGISTERS_LOG2, BuildHasherDefault::default())
                    .map_or(Self::Nothing, |sketch| Self::Sketch(Box::new(sketch), 0))
            }
            Aggregate::Distinct => Self::Distinct(HashSet::new()),
            Aggregate::Sum | Aggregate::Mean => {
                Self::Sum { sum: 0.0, lost: 0.0, count: 0, is_mean: aggregate == Aggregate::Mean }
            }
            Aggregate::Min => Self::Min(None),
            Aggregate::Max => Self::Max(None),
            Aggregate::Percentile(p) if approximate => Self::Digest(Digest::default(), p / 100.0),
            Aggregate::Percentile(p) => Self::Values(Vec::new(), p / 100.0),
        }
    }

    /// Takes an event in; says how many more values it holds now.
    pub(crate) fn take(&mut self, seen: &Seen) -> usize {
        match self {
            Self::Count(count) => *count += 1,
            Self::Distinct(values) => return seen.hash.map_or(0, |hash| usize::from(values.insert(hash))),
            Self::Sketch(sketch, held) => {
                let Some(hash) = seen.hash else { return 0 };
                sketch.insert(&hash);
                if *held < SKETCH_VALUES {
                    *held += 1;
                    return 1;
                }
            }
            _ => return seen.number.map_or(0, |number| self.take_number(number)),
        }
        0
    }

    fn take_number(&mut self, number: f64) -> usize {
        match self {
            Self::Sum { sum, lost, count, .. } => {
                add(sum, lost, number);
                *count += 1;
            }
            Self::Min(least) => *least = Some(least.map_or(number, |least| least.min(number))),
            Self::Max(most) => *most = Some(most.map_or(number, |most| most.max(number))),
            Self::Values(values, _) => {
                values.push(number);
                return 1;
            }
            Self::Digest(digest, _) => {
                digest.push(number);
                // Until it settled it grows.
                return usize::from(digest.centroids.is_empty());
            }
            _ => {}
        }
        0
    }

    /// Takes in what another of the same sort took.
    pub(crate) fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Distinct(values), Self::Distinct(more)) => values.extend(more),
            // Both have the same registers, which is all that merging asks for.
            (Self::Sketch(sketch, _), Self::Sketch(more, _)) => drop(sketch.merge(&more)),
            (Self::Sum { sum, lost, count, .. }, Self::Sum { sum: more, lost: also, count: others, .. }) => {
                add(sum, lost, more);
                add(sum, lost, also);
                *count += others;
            }
            (Self::Min(least), Self::Min(other)) => {
                *least = least.zip(other).map(|(a, b)| a.min(b)).or(*least).or(other);
            }
            (Self::Max(most), Self::Max(other)) => {
                *most = most.zip(other).map(|(a, b)| a.max(b)).or(*most).or(other);
            }
            (Self::Values(values, _), Self::Values(more, _)) => values.extend(more),
            (Self::Digest(digest, _), Self::Digest(mut more, _)) => {
                digest.centroids.append(&mut more.centroids);
                digest.waiting.append(&mut more.waiting);
                digest.settle();
            }
            _ => {}
        }
    }

    /// What came out; `None` when there is no such thing of nothing.
    pub(crate) fn finish(self) -> Option<f64> {
        match self {
            Self::Count(count) => Some(float(count)),
            Self::Distinct(values) => Some(float(count(values.len()))),
            Self::Sketch(mut sketch, _) => Some(sketch.count().round()),
            Self::Sum { sum, lost, count, is_mean: true } => (count > 0).then(|| (sum + lost) / float(count)),
            Self::Sum { sum, lost, .. } => Some(sum + lost),
            Self::Min(value) | Self::Max(value) => value,
            Self::Values(values, q) => quantile(&sorted(values), q),
            Self::Digest(digest, q) => digest.quantile(q),
            Self::Nothing => None,
        }
    }
}

fn add(sum: &mut f64, lost: &mut f64, number: f64) {
    let next = *sum + number;
    *lost += if sum.abs() >= number.abs() { (*sum - next) + number } else { (number - next) + *sum };
    *sum = next;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::measured;

    fn fold(aggregate: &str, approximate: bool, values: impl IntoIterator<Item = f64>) -> Fold {
        let mut fold = Fold::new(Aggregate::parse(aggregate).expect("an aggregate"), approximate);
        for value in values {
            fold.take(&measured(value));
        }
        fold
    }

    #[track_caller]
    fn check(aggregate: &str, expected: f64) {
        let values = [4.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(fold(aggregate, false, values).finish(), Some(expected), "{aggregate}");
        let mut first = fold(aggregate, false, values[..2].to_vec());
        first.merge(fold(aggregate, false, values[2..].to_vec()));
        assert_eq!(first.finish(), Some(expected), "{aggregate} merged");
    }

    #[test]
    fn each_aggregate_is_what_it_is_called() {
        check("count", 5.0);
        check("distinct", 4.0);
        check("sum", 14.0);
        check("avg", 2.8);
        check("min", 1.0);
        check("max", 4.0);
        check("median", 3.0);
        check("p25", 2.0);
    }

    #[test]
    fn of_nothing_there_is_a_count_but_no_mean() {
        for name in ["mean", "min", "max", "p95"] {
            assert_eq!(fold(name, false, []).finish(), None);
            assert_eq!(fold(name, true, []).finish(), None);
        }
        assert_eq!(fold("sum", false, []).finish(), Some(0.0));
        assert_eq!(Aggregate::parse("p101").expect_err("no percentile").code(), "bad_aggregate");
    }

    #[test]
    fn a_sum_of_cents_is_what_it_adds_up_to() {
        assert_eq!(fold("sum", false, std::iter::repeat_n(0.1, 1_000_000)).finish(), Some(100_000.0));
    }

    #[test]
    fn a_sketch_holds_little_however_much_it_takes() {
        for (aggregate, most) in [("distinct", SKETCH_VALUES), ("p95", WAITING_MAX)] {
            let mut fold = Fold::new(Aggregate::parse(aggregate).expect("an aggregate"), true);
            let held: usize = (0..50_000).map(|n| fold.take(&measured(f64::from(n)))).sum();
            assert!(held <= most, "{aggregate} holds {held}");
        }
    }

    #[test]
    fn a_sketch_is_as_near_as_it_says() {
        for size in [100_u32, 10_000, 300_000] {
            let values = || (0..size).map(|n| f64::from(n.wrapping_mul(2_654_435_761) % size));
            let exact = fold("distinct", false, values()).finish().expect("a count");
            let near = fold("distinct", true, values()).finish().expect("a count");
            // Three standard errors.
            assert!((near - exact).abs() <= exact * 0.024, "{near} of {exact}");
            for q in [1.0, 25.0, 50.0, 95.0, 99.0] {
                let found = fold(&format!("p{q}"), true, (0..size).map(f64::from)).finish().expect("a value");
                let rank = found / f64::from(size - 1);
                assert!((rank - q / 100.0).abs() <= 0.01, "p{q} of {size} is at {rank}");
            }
        }
    }
}
