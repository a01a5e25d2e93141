//! Which buckets are unlike what was to be expected? Each is compared with the median of its season.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Timelike};
use serde_json::Value;

use super::aggregate::Aggregate;
use super::calendar::Bucket;
use super::number::{number, rounded};
use super::outcome::{Drawing, Outcome};
use super::quantile::{mean, median};
use super::question::Question;
use super::series::Grid;

/// From here on a bucket is one: the threshold of Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993).
const SCORE_MIN: f64 = 3.5;
/// Makes a median absolute deviation comparable to a standard deviation.
const MAD_SCALE: f64 = 1.4826;
/// The same for a mean absolute deviation.
const MEAN_SCALE: f64 = 1.2533;
/// A season is used when each of its places was seen so often on average: 3 times.
const SEASON_REPEATS_MIN: usize = 3;

/// What repeats itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Season {
    HourOfWeek,
    HourOfDay,
    Weekday,
    Month,
    None,
}

impl Season {
    fn name(self) -> &'static str {
        match self {
            Self::HourOfWeek => "hour of the week",
            Self::HourOfDay => "hour of the day",
            Self::Weekday => "weekday",
            Self::Month => "month",
            Self::None => "none",
        }
    }

    /// The finest season that these buckets repeat often enough.
    fn of(bucket: Bucket, buckets: usize) -> Self {
        let candidates: &[(Self, usize)] = match bucket {
            Bucket::Hour => &[(Self::HourOfWeek, 168), (Self::HourOfDay, 24)],
            Bucket::Minute => &[(Self::HourOfDay, 1_440)],
            Bucket::Day => &[(Self::Weekday, 7)],
            Bucket::Month | Bucket::Quarter => &[(Self::Month, 12)],
            _ => &[],
        };
        let is_seen = |(_, places): &&(Self, usize)| buckets >= places * SEASON_REPEATS_MIN;
        candidates.iter().find(is_seen).map_or(Self::None, |(season, _)| *season)
    }

    /// The place of the bucket that begins at `start`.
    fn place(self, start: i64, question: &Question) -> u32 {
        let Some(time) = DateTime::from_timestamp_micros(start) else { return 0 };
        let time = time.with_timezone(&question.zone);
        match self {
            Self::HourOfWeek => time.weekday().num_days_from_monday() * 24 + time.hour(),
            Self::HourOfDay => time.hour(),
            Self::Weekday => time.weekday().num_days_from_monday(),
            Self::Month => time.month(),
            Self::None => 0,
        }
    }
}

/// The buckets that stand out, the furthest first.
pub(crate) fn anomalies(grid: &Grid, question: &Question) -> Outcome {
    let by = question.by.as_deref();
    let bucket = question.bucket.name();
    let columns: Vec<&str> = by.into_iter().chain([bucket.as_str(), "value", "expected", "score"]).collect();
    let mut outcome = Outcome::with_columns(&columns);
    let whole: Vec<usize> =
        (0..).zip(&grid.starts).filter(|(_, start)| question.is_whole(**start)).map(|(at, _)| at).collect();
    let season = Season::of(question.bucket, whole.len());
    let mut found: Vec<(f64, Vec<Value>)> = Vec::new();
    for (name, values) in &grid.lines {
        let points: Vec<(i64, f64)> = whole
            .iter()
            .filter_map(|at| Some((*grid.starts.get(*at)?, values.get(*at).copied().flatten()?)))
            .collect();
        for (start, value, expected, score) in scored(&points, season, question) {
            let mut row: Vec<Value> = Vec::new();
            if by.is_some() {
                row.push(name.as_deref().map_or(Value::Null, Value::from));
            }
            row.push(question.bucket.label(start, question.zone).into());
            row.extend([number(value), number(expected), rounded(score)]);
            found.push((score, row));
        }
    }
    found.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    outcome.rows = found.into_iter().map(|(_, row)| row).collect();
    outcome.fact("buckets", whole.len());
    outcome.fact("season", season.name());
    let label = columns.len() - 4;
    outcome.drawing = Some(Drawing::bars(&[label], label + 1));
    let least = match question.aggregate {
        Aggregate::Count => ", at least the square root of expected",
        _ => "",
    };
    outcome.definition = format!(
        "{} per {bucket} in {}; expected is the median of the same season, score the distance in robust deviations (1.4826 × MAD of all \
         residuals{least}); shown from {SCORE_MIN} on; buckets that are not over are left out",
        question.measure(),
        question.zone.name()
    );
    outcome
}

/// The buckets that are far from the median of their place in the season: start, value, expected, score.
fn scored(points: &[(i64, f64)], season: Season, question: &Question) -> Vec<(i64, f64, f64, f64)> {
    let mut places: HashMap<u32, Vec<f64>> = HashMap::new();
    for (start, value) in points {
        places.entry(season.place(*start, question)).or_default().push(*value);
    }
    let medians: HashMap<u32, f64> =
        places.into_iter().filter_map(|(place, values)| Some((place, median(values)?))).collect();
    let expected = |start: i64| medians.get(&season.place(start, question)).copied().unwrap_or(0.0);
    let residuals: Vec<f64> = points.iter().map(|(start, value)| (value - expected(*start)).abs()).collect();
    let spread = match median(residuals.clone()) {
        Some(mad) if mad > 0.0 => MAD_SCALE * mad,
        // More than half lie exactly where expected: the others must not be infinitely far off.
        _ => MEAN_SCALE * mean(&residuals).unwrap_or(0.0),
    };
    points
        .iter()
        .filter_map(|(start, value)| {
            let expected = expected(*start);
            let least = if question.aggregate == Aggregate::Count { expected.max(1.0).sqrt() } else { 0.0 };
            let scale = spread.max(least);
            let score = if scale > 0.0 { (value - expected) / scale } else { 0.0 };
            (score.abs() >= SCORE_MIN).then_some((*start, *value, expected, score))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::fixture::{DAY, log, question};
    use crate::analysis::{Analysis, Bucket, Outcome};

    /// Five weeks of ten events on working days and one at weekends, but for the day named.
    fn weeks(odd_day: i64, events: i64) -> Outcome {
        let count = |day: i64| match day {
            day if day == odd_day => events,
            // 1970-01-01 was a Thursday.
            day if (day + 3) % 7 >= 5 => 1,
            _ => 10,
        };
        let text: Vec<String> =
            (0..35).flat_map(|day| (0..count(day)).map(move |n| format!("a:x@{}", day * DAY + n))).collect();
        let mut asked = question(Analysis::Anomalies);
        asked.bucket = Bucket::Day;
        log(&text.join(" ")).ask(&asked)
    }

    #[test]
    fn a_full_sunday_is_odd_although_a_full_monday_is_not() {
        assert!(weeks(4, 10).rows.is_empty(), "a Monday");
        let outcome = weeks(3, 10);
        assert_eq!(outcome.rows.len(), 1);
        assert_eq!(outcome.rows[0][..3], [json!("1970-01-04"), json!(10), json!(1)]);
        assert_eq!(outcome.facts["season"], "weekday");
    }

    #[test]
    fn what_varies_by_chance_is_not_odd() {
        assert!(weeks(4, 13).rows.is_empty());
        assert_eq!(weeks(4, 60).rows.len(), 1);
    }
}
