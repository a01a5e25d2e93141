//! Who came back? Keys put together by when they were first seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::number::share;
use super::outcome::{Drawing, Outcome};
use super::question::Question;
use super::sequences::Stories;
use crate::error::{Error, Result};

/// The buckets behind the first that are shown: 12.
const PERIODS_MAX: usize = 12;
/// The most cohorts: 1,000.
const COHORTS_MAX: usize = 1_000;

/// A row for each bucket in which keys were first seen; how many of them were seen again, bucket by bucket.
///
/// # Errors
/// `Invalid` (`too_many_buckets`).
pub(crate) fn cohorts(stories: &Stories, question: &Question) -> Result<Outcome> {
    let buckets = buckets(stories, question)?;
    let places: HashMap<i64, usize> = buckets.iter().copied().zip(0..).collect();
    let mut cohorts: BTreeMap<usize, (u64, [u64; PERIODS_MAX])> = BTreeMap::new();
    for story in stories.each() {
        let place = |at: i64| places.get(&question.bucket.start(at, question.zone)).copied();
        let Some(first) = story.first().and_then(|point| place(point.at)) else { continue };
        let again: BTreeSet<usize> =
            story.iter().filter_map(|point| place(point.at)?.checked_sub(first)).collect();
        let (size, active) = cohorts.entry(first).or_default();
        *size += 1;
        for period in again.into_iter().filter_map(|period| period.checked_sub(1)) {
            if let Some(active) = active.get_mut(period) {
                *active += 1;
            }
        }
    }
    let shown = buckets.len().saturating_sub(1).min(PERIODS_MAX);
    let mut outcome = Outcome { columns: vec!["cohort".to_owned(), "keys".to_owned()], ..Outcome::default() };
    outcome.columns.extend((1..=shown).map(|period| format!("+{period}")));
    for (first, (size, active)) in cohorts {
        let Some(start) = buckets.get(first) else { continue };
        let mut row = vec![Value::from(question.bucket.label(*start, question.zone)), size.into()];
        for (period, active) in (1..=shown).zip(active) {
            // What lies behind the last bucket is not zero: it is not known yet.
            let is_known = first + period < buckets.len();
            row.push(if is_known { share(active, size) } else { Value::Null });
        }
        outcome.rows.push(row);
    }
    outcome.drawing = Some(Drawing::bars(&[0], 1));
    outcome.definition = format!(
        "each {} belongs to the {} (in {}) of its first event here; +n is the share of them with an event n {}s later",
        question.key_name(),
        question.bucket.name(),
        question.zone.name(),
        question.bucket.name()
    );
    Ok(outcome)
}

/// Where the buckets from the first to the last event begin.
fn buckets(stories: &Stories, question: &Question) -> Result<Vec<i64>> {
    let times = || stories.points().iter().map(|point| point.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(Vec::new()) };
    let mut starts = vec![question.bucket.start(first, question.zone)];
    while let Some(next) = starts.last().map(|start| question.bucket.next(*start, question.zone)) {
        if next > last {
            break;
        }
        if starts.len() >= COHORTS_MAX {
            let message = format!(
                "make cohorts of a {}: there would be more than {COHORTS_MAX}; give a longer bucket, or since and until",
                question.bucket.name()
            );
            return Err(Error::invalid("too_many_buckets", message).with("argument", "bucket"));
        }
        starts.push(next);
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::fixture::{DAY, log, question};
    use crate::analysis::{Analysis, Bucket, Question};

    #[test]
    fn each_cohort_is_followed_as_far_as_time_has_come() {
        let asked = Question { bucket: Bucket::Day, ..question(Analysis::Cohorts) };
        let text = format!("a:x@0 b:x@1 a:y@{0} c:x@{0} c:x@{0} b:x@{1} c:x@{1} c:x@{1}", DAY, 2 * DAY);
        let outcome = log(&text).ask(&asked);
        assert_eq!(outcome.columns, ["cohort", "keys", "+1", "+2"]);
        let rows = [
            [json!("1970-01-01"), json!(2), json!(0.5), json!(0.5)],
            [json!("1970-01-02"), json!(1), json!(1), json!(null)],
        ];
        assert_eq!(outcome.rows, rows);
    }
}
