//! How long does it take, from one event to another or from the first to the last?

use std::collections::HashMap;

use serde_json::{Value, json};

use super::number::{count, float_us, seconds};
use super::outcome::{Drawing, Outcome};
use super::quantile::{mean, quantile, sorted};
use super::question::Question;
use super::seen::{Dictionary, Names, Symbol};
use super::sequences::{Point, Stories};
use crate::event::NamePattern;

/// The keys that are named because they took longest: 3.
const SLOWEST_MAX: usize = 3;

#[derive(Default)]
struct Group {
    took: Vec<f64>,
    open: u64,
}

/// The durations, a row for each group, the largest first.
pub(crate) fn duration(stories: &Stories, names: &Dictionary, question: &Question) -> Outcome {
    let ends = match question.steps.as_slice() {
        [from, to] => Some((matching(from, &names.types), matching(to, &names.types))),
        _ => None,
    };
    let mut groups: HashMap<Option<Symbol>, Group> = HashMap::new();
    let mut slowest: Vec<(f64, Symbol)> = Vec::new();
    for story in stories.each() {
        let Some((first, last)) = stretch(story, ends.as_ref()) else { continue };
        let group = groups.entry(first.by).or_default();
        let Some(last) = last else {
            group.open += 1;
            continue;
        };
        let took = float_us(last.at.saturating_sub(first.at));
        group.took.push(took);
        slowest.push((took, first.key));
        if slowest.len() > 64 * SLOWEST_MAX {
            keep_slowest(&mut slowest);
        }
    }
    keep_slowest(&mut slowest);
    let mut outcome = rows(groups, names, question, ends.is_some());
    let told =
        slowest.iter().map(|(took, key)| json!({"key": names.keys.text(*key), "s": seconds(Some(*took))}));
    outcome.fact("slowest", told.collect::<Vec<Value>>());
    outcome.definition = match question.steps.as_slice() {
        [from, to] => format!(
            "for each {}, seconds from its first {} by timestamp (then position) to the first {} behind it; open: none came yet",
            question.key_name(),
            text(from),
            text(to)
        ),
        _ => format!(
            "for each {}, seconds from its first to its last event; one event alone is 0",
            question.key_name()
        ),
    };
    outcome
}

fn text(pattern: &NamePattern) -> String {
    match pattern {
        NamePattern::Exact(name) => name.clone(),
        NamePattern::Prefix(stem) => format!("{stem}*"),
    }
}

fn matching(pattern: &NamePattern, types: &Names) -> Vec<Symbol> {
    types.iter().filter(|(_, name)| pattern.matches(name)).map(|(symbol, _)| symbol).collect()
}

/// The first event, and the last unless it did not come yet.
fn stretch<'s>(
    story: &'s [Point],
    ends: Option<&(Vec<Symbol>, Vec<Symbol>)>,
) -> Option<(&'s Point, Option<&'s Point>)> {
    let Some((from, to)) = ends else { return story.first().map(|first| (first, story.last())) };
    let mut rest = story.iter();
    let first = rest.find(|point| from.contains(&point.event_type))?;
    Some((first, rest.find(|point| to.contains(&point.event_type))))
}

fn keep_slowest(slowest: &mut Vec<(f64, Symbol)>) {
    slowest.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    slowest.truncate(SLOWEST_MAX);
}

fn rows(
    groups: HashMap<Option<Symbol>, Group>,
    names: &Dictionary,
    question: &Question,
    can_be_open: bool,
) -> Outcome {
    let by = question.by.as_deref();
    let mut columns: Vec<&str> = by.into_iter().chain(["count"]).collect();
    if can_be_open {
        columns.push("open");
    }
    columns.extend(["min_s", "median_s", "p95_s", "p99_s", "max_s", "mean_s"]);
    let mut outcome = Outcome::with_columns(&columns);
    let name = |group: Option<Symbol>| group.map(|group| names.groups.text(group));
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| {
        let size = |group: &Group| count(group.took.len()) + group.open;
        size(&b.1).cmp(&size(&a.1)).then_with(|| name(a.0).cmp(&name(b.0)))
    });
    for (group, Group { took, open }) in groups {
        let mut row: Vec<Value> = Vec::new();
        if by.is_some() {
            row.push(name(group).map_or(Value::Null, Value::from));
        }
        row.push(took.len().into());
        if can_be_open {
            row.push(open.into());
        }
        let average = mean(&took);
        let took = sorted(took);
        row.extend([0.0, 0.5, 0.95, 0.99, 1.0].map(|q| seconds(quantile(&took, q))));
        row.push(seconds(average));
        outcome.rows.push(row);
    }
    let median = columns.iter().position(|column| *column == "median_s").unwrap_or(0);
    outcome.drawing = by.map(|_| Drawing::bars(&[0], median));
    outcome
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::fixture::{log, question};
    use crate::analysis::{Analysis, Question};
    use crate::event::NamePattern;

    #[test]
    fn whole_stories_last_from_their_first_to_their_last_event() {
        let outcome = log("a:x@0 b:x@5 a:y@10 c:x@7 b:y@25").ask(&question(Analysis::Duration));
        assert_eq!(outcome.columns, ["count", "min_s", "median_s", "p95_s", "p99_s", "max_s", "mean_s"]);
        assert_eq!(
            outcome.rows,
            [[3.into(), 0.into(), 10.into(), json!(19), json!(19.8), 20.into(), 10.into()]]
        );
        assert_eq!(outcome.facts["slowest"][0], json!({"key": "b", "s": 20}));
    }

    #[test]
    fn between_two_types_what_has_not_ended_is_open() {
        let steps = ["x", "y"].map(NamePattern::parse).to_vec();
        let asked = Question { steps, by: Some("payload.g".to_owned()), ..question(Analysis::Duration) };
        let outcome = log("a:y@0/p a:x@1/p b:x@5/q a:y@10/p b:x@6/q b:y@7/q c:z@1/q").ask(&asked);
        assert_eq!(outcome.columns[..3], ["payload.g", "count", "open"]);
        let row = |group: &str, took: i64| {
            let took = json!(took);
            let mut row = vec![json!(group), json!(1), json!(0)];
            row.extend(std::iter::repeat_n(took, 6));
            row
        };
        assert_eq!(outcome.rows, [row("p", 9), row("q", 2)]);
        let never =
            Question { steps: ["x", "n"].map(NamePattern::parse).to_vec(), ..question(Analysis::Duration) };
        let outcome = log("a:x@1 b:x@2").ask(&never);
        assert_eq!(
            (&outcome.rows[0][0], &outcome.rows[0][1], &outcome.rows[0][2]),
            (&json!(0), &json!(2), &json!(null))
        );
    }
}
