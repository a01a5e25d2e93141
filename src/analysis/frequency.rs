//! How often does each event type, or each value of a field, occur?

use std::collections::HashMap;

use serde_json::Value;

use super::aggregate::{Aggregate, Fold};
use super::number::{number_or_null, share};
use super::outcome::{Drawing, Outcome};
use super::question::Question;
use super::seen::{Dictionary, Seen, Symbol};

/// The most values that the folds of one call hold: 4,000,000.
pub(super) const HELD_MAX: usize = 4_000_000;

/// Events counted by type or by group.
pub(crate) struct Frequency {
    aggregate: Aggregate,
    approximate: bool,
    by_group: bool,
    groups: HashMap<Option<Symbol>, (u64, Fold)>,
    held: usize,
}

impl Frequency {
    pub(crate) fn new(question: &Question) -> Self {
        Self {
            aggregate: question.aggregate,
            approximate: question.approximate,
            by_group: question.by.is_some(),
            groups: HashMap::new(),
            held: 0,
        }
    }

    pub(crate) fn take(&mut self, seen: &Seen) -> bool {
        let group = if self.by_group { seen.by } else { Some(seen.event_type) };
        let fresh = || (0, Fold::new(self.aggregate, self.approximate));
        let (count, fold) = self.groups.entry(group).or_insert_with(fresh);
        *count += 1;
        self.held += fold.take(seen);
        self.held < HELD_MAX
    }

    pub(crate) fn finish(self, names: &Dictionary, question: &Question) -> Outcome {
        let heading = question.by.as_deref().unwrap_or("event_type");
        let mut outcome = Outcome::with_columns(&[heading, "count", "share"]);
        let has_measure = self.aggregate != Aggregate::Count;
        if has_measure {
            outcome.columns.push(question.measure());
        }
        let total: u64 = self.groups.values().map(|(count, _)| count).sum();
        let names = if self.by_group { &names.groups } else { &names.types };
        let text = |group: Option<Symbol>| group.map(|group| names.text(group));
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| text(a.0).cmp(&text(b.0))));
        outcome.fact("groups", groups.len());
        for (group, (count, fold)) in groups {
            let mut row =
                vec![text(group).map_or(Value::Null, Value::from), count.into(), share(count, total)];
            if has_measure {
                row.push(number_or_null(fold.finish()));
            }
            outcome.rows.push(row);
        }
        outcome.drawing = Some(Drawing::bars(&[0], if has_measure { 3 } else { 1 }));
        outcome.definition = format!("events grouped by {heading}; share of all events counted here");
        outcome
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::Analysis;
    use crate::analysis::fixture::{log, question};

    #[test]
    fn types_are_counted_the_commonest_first() {
        let outcome = log("a:x@1 b:y@2 a:x@3 b:x@4").ask(&question(Analysis::Frequency));
        assert_eq!(outcome.columns, ["event_type", "count", "share"]);
        assert_eq!(outcome.rows, [[json!("x"), json!(3), json!(0.75)], [json!("y"), json!(1), json!(0.25)]]);
    }

    #[test]
    fn a_field_is_counted_with_what_it_adds_up_to() {
        let mut asked = question(Analysis::Frequency);
        asked.by = Some("payload.g".to_owned());
        asked.value = Some("payload.v".to_owned());
        asked.aggregate = crate::analysis::Aggregate::Mean;
        let outcome = log("a:x@1/g=10 b:y@2/h=3 a:x@3/g=20 b:x@4").ask(&asked);
        assert_eq!(outcome.columns, ["payload.g", "count", "share", "mean(payload.v)"]);
        let rows = [
            [json!("g"), json!(2), json!(0.5), json!(15)],
            [json!(null), json!(1), json!(0.25), json!(null)],
            [json!("h"), json!(1), json!(0.25), json!(3)],
        ];
        assert_eq!(outcome.rows, rows);
    }
}
