//! What is odd about these events? Each finding with an event to look at.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::number::{count, float, float_us, number, seconds, share};
use super::outcome::Outcome;
use super::quantile::{median, quantile, sorted};
use super::question::Question;
use super::seen::{Dictionary, Seen, Symbol};
use crate::event::{Position, Timestamp};

/// The most events that are held at once: 4,000,000.
const MOMENTS_MAX: usize = 4_000_000;
/// The findings of one sort that are shown: 3.
const SHOWN_MAX: usize = 3;
/// A type is rare below one in a thousand, when it has no more than ten events.
const RARE_SHARE: f64 = 0.001;
const RARE_MAX: u64 = 10;
/// A silence is one when it is ten times as long as the longest of a hundred usual ones.
const GAP_FACTOR: f64 = 10.0;
/// A minute is a burst when it holds five times as many events as the fullest of a hundred, and twenty at least.
const BURST_FACTOR: f64 = 5.0;
const BURST_MIN: u64 = 20;
/// A type drifts when its share in the second half of the events differs by five points.
const DRIFT_MIN: f64 = 0.05;
/// A key is large when it has ten times as many events as the largest of a hundred.
const LARGE_FACTOR: f64 = 10.0;
/// A number is an outlier this many robust deviations from the median.
const OUTLIER_SCORE: f64 = 8.0;
const MAD_SCALE: f64 = 1.4826;
const MINUTE_US: i64 = 60_000_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    at: i64,
    position: Position,
    event_type: Symbol,
}

/// What the events show on the way through them.
#[derive(Default)]
pub(crate) struct Profile {
    moments: Vec<Moment>,
    keys: HashMap<Symbol, (u64, Position)>,
    numbers: Vec<(f64, Position, Symbol)>,
    latest: Option<i64>,
    /// How many happened before what was stored before them, by how much at most, and which.
    late: (u64, i64, Position),
}

/// The findings, in the order in which they are looked for.
struct Findings<'a> {
    outcome: Outcome,
    names: &'a Dictionary,
    question: &'a Question,
}

impl Findings<'_> {
    fn add(&mut self, finding: &str, what: impl Into<Value>, found: Value, usual: Value, position: Position) {
        self.outcome.rows.push(vec![finding.into(), what.into(), found, usual, position.get().into()]);
        self.outcome.places.push(position);
    }

    fn time(&self, at: i64) -> String {
        Timestamp::from_micros(at).in_zone(self.question.zone).to_string()
    }
}

impl Profile {
    pub(crate) fn take(&mut self, seen: &Seen) -> bool {
        let Seen { position, event_type, .. } = *seen;
        let at = seen.timestamp.as_micros();
        self.moments.push(Moment { at, position, event_type });
        let key = self.keys.entry(seen.key).or_default();
        *key = (key.0 + 1, position);
        self.numbers.extend(seen.number.map(|number| (number, position, seen.key)));
        let latest = self.latest.unwrap_or(at);
        if at < latest {
            self.late.0 += 1;
            if latest - at > self.late.1 {
                (self.late.1, self.late.2) = (latest - at, position);
            }
        }
        self.latest = Some(latest.max(at));
        self.moments.len() < MOMENTS_MAX
    }

    pub(crate) fn finish(mut self, names: &Dictionary, question: &Question) -> Outcome {
        self.moments.sort_unstable();
        let outcome = Outcome::with_columns(&["finding", "what", "found", "usual", "position"]);
        let mut findings = Findings { outcome, names, question };
        self.types(&mut findings);
        self.drift(&mut findings);
        self.gaps(&mut findings);
        self.bursts(&mut findings);
        self.large_keys(&mut findings);
        self.outliers(&mut findings);
        let events = count(self.moments.len());
        if self.late.0 > 0 {
            let by = format!("stored behind later ones, by up to {} s", self.late.1 / 1_000_000);
            findings.add("late events", by, self.late.0.into(), events.into(), self.late.2);
        }
        let mut outcome = findings.outcome;
        outcome.fact("events", events);
        outcome.fact("keys", self.keys.len());
        outcome.definition = format!(
            "rare type: under 0.1 % and at most {RARE_MAX}; drift: share in the second half by time differs by 5 points; gap: {GAP_FACTOR} × p99 \
             of the seconds between events; burst: a minute with {BURST_FACTOR} × p99; large key: {LARGE_FACTOR} × p99 of events; outlier: {OUTLIER_SCORE} robust \
             deviations from the median of {}",
            question.value.as_deref().unwrap_or("value, if one is given")
        );
        outcome
    }

    fn types(&self, findings: &mut Findings<'_>) {
        let mut types: HashMap<Symbol, (u64, Position)> = HashMap::new();
        for moment in &self.moments {
            let entry = types.entry(moment.event_type).or_default();
            *entry = (entry.0 + 1, moment.position);
        }
        let usual = median(types.values().map(|(n, _)| float(*n)).collect()).unwrap_or(0.0);
        let bound = float(count(self.moments.len())) * RARE_SHARE;
        let mut rare: Vec<_> =
            types.into_iter().filter(|(_, (n, _))| *n <= RARE_MAX && float(*n) < bound).collect();
        rare.sort_by_key(|(_, (n, position))| (*n, *position));
        for (symbol, (n, position)) in rare.into_iter().take(SHOWN_MAX) {
            findings.add(
                "rare type",
                findings.names.types.text(symbol),
                n.into(),
                number(usual.round()),
                position,
            );
        }
    }

    fn drift(&self, findings: &mut Findings<'_>) {
        let (before, after) = self.moments.split_at(self.moments.len() / 2);
        if before.is_empty() {
            return;
        }
        let mut types: HashMap<Symbol, (u64, u64, Position)> = HashMap::new();
        for moment in before {
            let entry = types.entry(moment.event_type).or_default();
            (entry.0, entry.2) = (entry.0 + 1, moment.position);
        }
        for moment in after.iter().rev() {
            let entry = types.entry(moment.event_type).or_default();
            (entry.1, entry.2) = (entry.1 + 1, moment.position);
        }
        let (first, second) = (count(before.len()), count(after.len()));
        let moved = |(a, b, _): &(u64, u64, Position)| float(*b) / float(second) - float(*a) / float(first);
        let mut types: Vec<_> = types.into_iter().filter(|(_, one)| moved(one).abs() >= DRIFT_MIN).collect();
        types.sort_by(|a, b| moved(&b.1).abs().total_cmp(&moved(&a.1).abs()).then_with(|| a.0.cmp(&b.0)));
        for (symbol, (a, b, position)) in types.into_iter().take(SHOWN_MAX) {
            let name = findings.names.types.text(symbol);
            findings.add("drift", name, share(b, second), share(a, first), position);
        }
    }

    fn gaps(&self, findings: &mut Findings<'_>) {
        let gap = |(a, b): (&Moment, &Moment)| (float_us(b.at.saturating_sub(a.at)), a.at, *b);
        let mut gaps: Vec<(f64, i64, Moment)> =
            self.moments.iter().zip(self.moments.iter().skip(1)).map(gap).collect();
        let Some(usual) = quantile(&sorted(gaps.iter().map(|(gap, ..)| *gap).collect()), 0.99) else {
            return;
        };
        gaps.retain(|(gap, ..)| *gap > usual * GAP_FACTOR && *gap > 0.0);
        gaps.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.2.cmp(&b.2)));
        for (gap, from, moment) in gaps.into_iter().take(SHOWN_MAX) {
            let what = format!("{} to {}", findings.time(from), findings.time(moment.at));
            findings.add("gap (s)", what, seconds(Some(gap)), seconds(Some(usual)), moment.position);
        }
    }

    fn bursts(&self, findings: &mut Findings<'_>) {
        let minute = |moment: &Moment| moment.at.div_euclid(MINUTE_US);
        let minutes: Vec<(u64, Moment)> = self
            .moments
            .chunk_by(|a, b| minute(a) == minute(b))
            .filter_map(|minute| Some((count(minute.len()), *minute.first()?)))
            .collect();
        let Some(usual) = quantile(&sorted(minutes.iter().map(|(n, _)| float(*n)).collect()), 0.99) else {
            return;
        };
        let mut bursts: Vec<_> = minutes
            .into_iter()
            .filter(|(n, _)| *n >= BURST_MIN && float(*n) > usual * BURST_FACTOR)
            .collect();
        bursts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (n, moment) in bursts.into_iter().take(SHOWN_MAX) {
            let what = findings.time(minute(&moment) * MINUTE_US);
            findings.add(
                "burst (events in a minute)",
                what,
                n.into(),
                number(usual.round()),
                moment.position,
            );
        }
    }

    fn large_keys(&self, findings: &mut Findings<'_>) {
        let sizes = sorted(self.keys.values().map(|(n, _)| float(*n)).collect());
        let Some(usual) = quantile(&sizes, 0.99) else { return };
        let mut large: Vec<_> =
            self.keys.iter().filter(|(_, (n, _))| float(*n) > usual * LARGE_FACTOR).collect();
        large.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(b.0)));
        for (symbol, (n, position)) in large.into_iter().take(SHOWN_MAX) {
            let name = findings.names.keys.text(*symbol);
            findings.add("large key", name, (*n).into(), number(usual.round()), *position);
        }
    }

    fn outliers(&self, findings: &mut Findings<'_>) {
        let Some(middle) = median(self.numbers.iter().map(|(value, ..)| *value).collect()) else { return };
        let distances = self.numbers.iter().map(|(value, ..)| (value - middle).abs()).collect();
        let Some(spread) = median(distances).filter(|mad| *mad > 0.0).map(|mad| mad * MAD_SCALE) else {
            return;
        };
        let score = |value: f64| (value - middle).abs() / spread;
        let mut far: Vec<_> =
            self.numbers.iter().filter(|(value, ..)| score(*value) > OUTLIER_SCORE).collect();
        far.sort_by(|a, b| score(b.0).total_cmp(&score(a.0)).then_with(|| a.1.cmp(&b.1)));
        // One of each key: most carry the same number from event to event.
        let mut met = HashSet::new();
        far.retain(|(.., key)| met.len() < SHOWN_MAX && met.insert(*key));
        let what = findings.question.value.clone().unwrap_or_default();
        for (value, position, _) in far {
            findings.add("outlier", what.as_str(), number(*value), number(middle), *position);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::Analysis;
    use crate::analysis::fixture::{log, question};

    #[test]
    fn every_oddity_is_found_with_an_event_to_look_at() {
        let mut events: Vec<String> = (0..3_000)
            .map(|n| format!("k{}:{}@{}={}", n % 200, ["a", "b"][n / 2_000], n * 60, n % 10))
            .collect();
        events[700] = format!("k0:a@{}=5000", 700 * 60);
        events[1_400] = format!("k0:odd@{}=1", 1_400 * 60);
        events.extend((0..900).map(|n| format!("big:b@{}=3", 400_000 + n / 20)));
        events.push("k1:b@100=4".to_owned());
        let mut asked = question(Analysis::Profile);
        asked.value = Some("payload.v".to_owned());
        let outcome = log(&events.join(" ")).ask(&asked);
        let found: Vec<(&str, &str, u64)> = outcome
            .rows
            .iter()
            .map(|row| {
                let text = |at: usize| row[at].as_str().expect("a text");
                (text(0), text(1), row[4].as_u64().expect("a position"))
            })
            .collect();
        assert!(found.contains(&("rare type", "odd", 1_401)), "{found:?}");
        assert!(found.iter().any(|(finding, what, _)| (*finding, *what) == ("drift", "a")), "{found:?}");
        assert!(found.contains(&("outlier", "payload.v", 701)), "{found:?}");
        assert!(found.contains(&("large key", "big", 3_900)), "{found:?}");
        assert!(found.iter().any(|(finding, _, at)| *finding == "gap (s)" && *at == 3_001), "{found:?}");
        assert!(
            found.iter().any(|(finding, _, at)| finding.starts_with("burst") && *at == 3_001),
            "{found:?}"
        );
        assert_eq!(
            found.last(),
            Some(&("late events", "stored behind later ones, by up to 399944 s", 3_901))
        );
        assert_eq!(outcome.places.len(), outcome.rows.len());
    }
}
