//! What happened in each day, week or month?

use std::fmt::Write as _;

use serde_json::Value;

use super::number::number_or_null;
use super::outcome::{Drawing, Outcome};
use super::question::Question;
use super::series::Grid;

/// The buckets of a grid as rows.
pub(crate) fn time_series(grid: &Grid, question: &Question) -> Outcome {
    let mut outcome = Outcome { columns: vec![question.bucket.name()], ..Outcome::default() };
    for (name, _) in &grid.lines {
        outcome.columns.push(match name {
            Some(name) => name.clone(),
            None if question.by.is_some() => "(none)".to_owned(),
            None => question.measure(),
        });
    }
    for (at, start) in grid.starts.iter().enumerate() {
        let label = Value::from(question.bucket.label(*start, question.zone));
        let values = grid.lines.iter().map(|(_, values)| number_or_null(values.get(at).copied().flatten()));
        outcome.rows.push([label].into_iter().chain(values).collect());
    }
    outcome.drawing = Some(Drawing::lines(1..outcome.columns.len()));
    let gaps = if question.aggregate.of_nothing().is_some() { "0" } else { "null" };
    outcome.definition = format!(
        "{} per {} of timestamp in {}; buckets without events are {gaps}",
        question.measure(),
        question.bucket.name(),
        question.zone.name()
    );
    if let Some(by) = &question.by {
        let _ = write!(outcome.definition, "; a column for each of the commonest values of {by}");
    }
    if let Some(last) = grid.starts.last()
        && question.bucket.next(*last, question.zone) > question.now.as_micros()
    {
        outcome.fact("unfinished", question.bucket.label(*last, question.zone));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::fixture::{DAY, log, question};
    use crate::analysis::{Aggregate, Analysis, Bucket};

    #[test]
    fn gaps_are_filled_and_what_has_no_value_is_null() {
        let mut asked = question(Analysis::TimeSeries);
        asked.bucket = Bucket::Day;
        let text = format!("a:x@0=4 b:y@5=6 a:x@{}=1", 3 * DAY);
        let outcome = log(&text).ask(&asked);
        assert_eq!(outcome.columns, ["day", "count"]);
        let counts: Vec<_> = outcome.rows.iter().map(|row| row[1].clone()).collect();
        assert_eq!(counts, [json!(2), json!(0), json!(0), json!(1)]);
        assert_eq!(outcome.rows[2][0], "1970-01-03");
        asked.aggregate = Aggregate::Mean;
        asked.value = Some("payload.v".to_owned());
        let means: Vec<_> = log(&text).ask(&asked).rows.iter().map(|row| row[1].clone()).collect();
        assert_eq!(means, [json!(5), json!(null), json!(null), json!(1)]);
    }

    #[test]
    fn the_smaller_groups_are_added_up() {
        let mut asked = question(Analysis::TimeSeries);
        asked.by = Some("payload.g".to_owned());
        let events: Vec<String> =
            (0..12).flat_map(|group| (0..=group).map(move |n| format!("a:x@{n}/g{group:02}"))).collect();
        let outcome = log(&events.join(" ")).ask(&asked);
        assert_eq!(outcome.columns.len(), 10);
        assert_eq!(outcome.columns[1..3], ["g11", "g10"]);
        assert_eq!(outcome.columns[9], "4 others");
        assert_eq!(outcome.rows[0][9], 1 + 2 + 3 + 4);
    }

    #[test]
    fn too_fine_a_bucket_is_refused_before_it_fills_the_memory() {
        let mut asked = question(Analysis::TimeSeries);
        asked.bucket = Bucket::parse("1s").expect("a bucket");
        let error = log(&format!("a:x@0 a:x@{}", 9 * DAY)).try_ask(&asked).expect_err("too many");
        assert_eq!(error.code(), "too_many_buckets");
    }
}
