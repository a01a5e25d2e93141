//! Does it rise or fall? The slope of Theil and Sen, which outliers do not move, and the test of Mann and Kendall.
//!
//! Sources: Sen, Estimates of the regression coefficient based on Kendall's tau (JASA 63, 1968), also for the confidence
//! interval; Kendall, Rank Correlation Methods (1975), for the variance with ties.

use serde_json::Value;

use super::number::{count, float, number, rounded};
use super::outcome::{Drawing, Outcome};
use super::quantile::{median, quantile, sorted};
use super::question::Question;
use super::series::Grid;

/// The fewest buckets that a trend is made of: 4.
const BUCKETS_MIN: usize = 4;
/// The most: 1,000, the newest; every pair of them is looked at.
const BUCKETS_MAX: usize = 1_000;
/// The normal quantile of a two-sided confidence of 95 %.
const Z_95: f64 = 1.959_963_984_540_054;
/// The significance at which a trend is called one.
const P_MAX: f64 = 0.05;

/// What a line does over time.
struct Trend {
    slope: f64,
    low: f64,
    high: f64,
    p: f64,
    from: f64,
    to: f64,
}

/// The trend of each group.
pub(crate) fn trend(grid: &Grid, question: &Question) -> Outcome {
    let by = question.by.as_deref();
    let columns: Vec<&str> = by
        .into_iter()
        .chain(["buckets", "per_bucket", "low", "high", "p", "direction", "fitted_from", "fitted_to"])
        .collect();
    let mut outcome = Outcome::with_columns(&columns);
    let whole: Vec<usize> =
        (0..).zip(&grid.starts).filter(|(_, start)| question.is_whole(**start)).map(|(at, _)| at).collect();
    let left_out = whole.len().saturating_sub(BUCKETS_MAX);
    if left_out > 0 {
        outcome.notes.push(format!("only the newest {BUCKETS_MAX} buckets; give a longer bucket for all"));
    }
    for (name, values) in &grid.lines {
        let points: Vec<(f64, f64)> = whole
            .iter()
            .skip(left_out)
            .filter_map(|at| Some((float(count(*at)), values.get(*at).copied().flatten()?)))
            .collect();
        let mut row: Vec<Value> = Vec::new();
        if by.is_some() {
            row.push(name.as_deref().map_or(Value::Null, Value::from));
        }
        row.push(points.len().into());
        match fit(&points) {
            None => {
                row.extend([Value::Null, Value::Null, Value::Null, Value::Null, "too few buckets".into()]);
            }
            Some(trend) => row.extend(told(&trend)),
        }
        row.resize(columns.len(), Value::Null);
        outcome.rows.push(row);
    }
    let slope = columns.iter().position(|column| *column == "per_bucket").unwrap_or(0);
    outcome.drawing = by.map(|_| Drawing::bars(&[0], slope));
    outcome.definition = format!(
        "Theil-Sen slope of {} per {} in {} with its 95 % interval; p of Mann-Kendall (two-sided, ties corrected); buckets that are not \
         over, or cut by since or until, are left out",
        question.measure(),
        question.bucket.name(),
        question.zone.name()
    );
    outcome
}

fn told(trend: &Trend) -> [Value; 7] {
    let direction = match trend {
        Trend { p, .. } if *p >= P_MAX => "none",
        Trend { slope, .. } if *slope > 0.0 => "up",
        Trend { slope, .. } if *slope < 0.0 => "down",
        _ => "none",
    };
    let short = |value: f64| number(format!("{value:.4e}").parse().unwrap_or(value));
    [
        short(trend.slope),
        short(trend.low),
        short(trend.high),
        rounded(trend.p),
        direction.into(),
        short(trend.from),
        short(trend.to),
    ]
}

/// Fits a trend to points in order of time.
fn fit(points: &[(f64, f64)]) -> Option<Trend> {
    if points.len() < BUCKETS_MIN {
        return None;
    }
    let mut slopes = Vec::new();
    let mut score = 0_i64;
    for (at, (x, y)) in points.iter().enumerate() {
        for (later, higher) in points.iter().skip(at + 1) {
            slopes.push((higher - y) / (later - x));
            score += i64::from(higher > y) - i64::from(higher < y);
        }
    }
    let slopes = sorted(slopes);
    let slope = quantile(&slopes, 0.5)?;
    let deviation = variance(points).sqrt();
    // Ranks of the bounds among the slopes, rounded and counted as SciPy counts them.
    let pairs = float(count(slopes.len()));
    let rank = |offset: f64| (pairs / 2.0 + offset * Z_95 * deviation / 2.0).round_ties_even();
    let at_rank = |rank: f64| quantile(&slopes, rank.clamp(0.0, pairs - 1.0) / (pairs - 1.0));
    let (low, high) = (at_rank(rank(-1.0) - 1.0)?, at_rank(rank(1.0))?);
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (first, last) = (*xs.first()?, *xs.last()?);
    let intercept = median(ys)? - slope * median(xs)?;
    let score = super::number::float_us(score);
    let z = if deviation == 0.0 || score == 0.0 { 0.0 } else { (score - score.signum()) / deviation };
    let at = |x: f64| intercept + slope * x;
    Some(Trend { slope, low, high, p: two_sided(z), from: at(first), to: at(last) })
}

/// The variance of Kendall's score, ties among the values taken into account.
fn variance(points: &[(f64, f64)]) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let values = sorted(points.iter().map(|(_, y)| *y).collect());
    let ties: f64 = values.chunk_by(|a, b| a >= b).map(|tied| term(float(count(tied.len())))).sum();
    (term(float(count(points.len()))) - ties) / 18.0
}

/// The probability of a normal deviate at least as far from zero: Abramowitz and Stegun, Handbook of Mathematical
/// Functions (1964), 7.1.26, to 1.5 × 10⁻⁷.
fn two_sided(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let polynomial = terms.into_iter().fold(0.0, |sum, term| sum * t + term) * t;
    (polynomial * (-x * x).exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{DAY, log, question};
    use crate::analysis::{Analysis, Bucket};

    fn line(values: &[f64]) -> Trend {
        let points: Vec<(f64, f64)> = (0_u32..).map(f64::from).zip(values.iter().copied()).collect();
        fit(&points).expect("enough")
    }

    #[test]
    fn a_line_has_its_own_slope_and_one_outlier_does_not_move_it() {
        let straight = line(&[1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0]);
        assert!((straight.slope - 2.0).abs() < 1e-9 && straight.p < 0.001, "{}", straight.p);
        assert!((straight.from - 1.0).abs() < 1e-9 && (straight.to - 15.0).abs() < 1e-9);
        let hit = line(&[1.0, 3.0, 5.0, 700.0, 9.0, 11.0, 13.0, 15.0]);
        assert!((hit.slope - 2.0).abs() < 0.1 && hit.low <= hit.slope && hit.slope <= hit.high);
    }

    #[test]
    fn what_goes_up_and_down_has_no_trend() {
        let none = line(&[5.0, 1.0, 5.0, 1.0, 5.0, 1.0, 5.0, 1.0]);
        assert!(none.p > 0.2 && none.low <= 0.0 && none.high >= 0.0, "{} {} {}", none.p, none.low, none.high);
        assert!((line(&[3.0; 6]).p - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_p_value_is_that_of_the_tables() {
        assert!((two_sided(1.959_964) - 0.05).abs() < 1e-6);
        assert!((two_sided(2.575_829) - 0.01).abs() < 1e-6);
        // Kendall's score of a strictly rising five is 10, its variance 16 2/3.
        let points: Vec<(f64, f64)> = (0..5).map(|n| (f64::from(n), f64::from(n))).collect();
        assert!((variance(&points) - 50.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_bucket_that_is_not_over_is_left_out() {
        let mut asked = question(Analysis::Trend);
        asked.bucket = Bucket::Day;
        let events: Vec<String> =
            (0..6).flat_map(|day| (0..=day).map(move |n| format!("a:x@{}", day * DAY + n))).collect();
        let mut outcome = log(&events.join(" ")).ask(&asked);
        assert_eq!((&outcome.rows[0][0], &outcome.rows[0][1]), (&6.into(), &1.into()));
        assert_eq!(outcome.rows[0][5], "up");
        asked.now = crate::event::Timestamp::from_micros((5 * DAY + 1) * 1_000_000);
        outcome = log(&events.join(" ")).ask(&asked);
        assert_eq!(outcome.rows[0][0], 5);
        asked.now = crate::event::Timestamp::from_micros(DAY * 1_000_000);
        assert_eq!(log(&events.join(" ")).ask(&asked).rows[0][5], "too few buckets");
    }
}
