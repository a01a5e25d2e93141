//! What follows what? The directly-follows graph (van der Aalst, Process Mining, 2016), with how long it took.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::number::{count, seconds, share};
use super::outcome::{Drawing, Outcome};
use super::quantile::{quantile, sorted};
use super::question::Question;
use super::seen::{Dictionary, Names, Symbol};
use super::sequences::Stories;
use crate::analysis::number::float_us;

/// The types that are named at which stories begin and end: 10.
const ENDS_SHOWN: usize = 10;

/// The edges of the graph, the most frequent first.
pub(crate) fn transitions(stories: &Stories, names: &Dictionary, question: &Question) -> Outcome {
    let mut edges: HashMap<(Symbol, Symbol), Vec<f64>> = HashMap::new();
    let mut leaving: HashMap<Symbol, u64> = HashMap::new();
    let (mut starts, mut ends) = (HashMap::new(), HashMap::new());
    let mut keys = 0_u64;
    for story in stories.each() {
        keys += 1;
        for (from, to) in story.iter().zip(story.iter().skip(1)) {
            *leaving.entry(from.event_type).or_default() += 1;
            let wait = float_us(to.at.saturating_sub(from.at));
            edges.entry((from.event_type, to.event_type)).or_default().push(wait);
        }
        if let (Some(first), Some(last)) = (story.first(), story.last()) {
            *starts.entry(first.event_type).or_insert(0_u64) += 1;
            *ends.entry(last.event_type).or_insert(0_u64) += 1;
        }
    }
    let mut outcome = Outcome::with_columns(&["from", "to", "count", "share", "median_s", "p95_s"]);
    outcome.fact("keys", keys);
    outcome.fact("edges", edges.len());
    outcome.fact("starts", commonest(&starts, &names.types));
    outcome.fact("ends", commonest(&ends, &names.types));
    let text = |symbol: Symbol| names.types.text(symbol);
    let mut edges: Vec<_> = edges.into_iter().collect();
    edges.sort_by(|((a, b), waits), ((c, d), others)| {
        others.len().cmp(&waits.len()).then_with(|| (text(*a), text(*b)).cmp(&(text(*c), text(*d))))
    });
    for ((from, to), waits) in edges {
        let times = count(waits.len());
        let all = leaving.get(&from).copied().unwrap_or(0);
        let waits = sorted(waits);
        outcome.rows.push(vec![
            text(from).into(),
            text(to).into(),
            times.into(),
            share(times, all),
            seconds(quantile(&waits, 0.5)),
            seconds(quantile(&waits, 0.95)),
        ]);
    }
    outcome.drawing = Some(Drawing::bars(&[0, 1], 2));
    outcome.definition = format!(
        "for each {}, each event and the next by timestamp (then position); share of what follows from; seconds between the two",
        question.key_name()
    );
    outcome
}

/// Types with how often, the most frequent first; the rest counted.
fn commonest(counts: &HashMap<Symbol, u64>, types: &Names) -> Value {
    let mut counts: Vec<(&str, u64)> = counts.iter().map(|(symbol, n)| (types.text(*symbol), *n)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let rest: u64 = counts.iter().skip(ENDS_SHOWN).map(|(_, n)| n).sum();
    let mut shown: Map<String, Value> =
        counts.iter().take(ENDS_SHOWN).map(|(name, n)| ((*name).to_owned(), (*n).into())).collect();
    if rest > 0 {
        shown.insert("…".to_owned(), rest.into());
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use crate::analysis::Analysis;
    use crate::analysis::fixture::{log, question};

    #[test]
    fn each_pair_of_neighbours_is_an_edge() {
        let outcome = log("a:s@0 b:s@1 a:t@10 b:t@21 a:t@70 b:e@31").ask(&question(Analysis::Transitions));
        let rows: Vec<_> = outcome.rows.iter().map(|row| (&row[0], &row[1], &row[2], &row[4])).collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0], (&json!("s"), &json!("t"), &json!(2), &json!(15)));
        assert!(rows.contains(&(&json!("t"), &json!("t"), &json!(1), &json!(60))));
        assert_eq!(outcome.facts["starts"], json!({"s": 2}));
        assert_eq!(outcome.facts["ends"], json!({"e": 1, "t": 1}));
    }

    #[test]
    fn what_was_stored_late_stands_where_it_happened() {
        let outcome = log("a:s@0 a:e@9 a:m@5").ask(&question(Analysis::Transitions));
        let edges: Vec<_> = outcome.rows.iter().map(|row| (&row[0], &row[1])).collect();
        assert_eq!(edges, [(&json!("m"), &json!("e")), (&json!("s"), &json!("m"))]);
    }

    proptest! {
        #[test]
        fn the_graph_is_that_of_the_plainest_loop(
            events in proptest::collection::vec((0_u8..5, 0_u8..4, 0_i64..30), 0..120),
        ) {
            let text: Vec<String> = events.iter().map(|(key, kind, at)| format!("k{key}:t{kind}@{at}")).collect();
            let outcome = log(&text.join(" ")).ask(&question(Analysis::Transitions));
            let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
            for key in 0..5 {
                let mut story: Vec<_> = events.iter().filter(|event| event.0 == key).collect();
                story.sort_by_key(|event| event.2);
                for pair in story.windows(2) {
                    *expected.entry((format!("t{}", pair[0].1), format!("t{}", pair[1].1))).or_default() += 1;
                }
            }
            let text = |value: &serde_json::Value| value.as_str().expect("a name").to_owned();
            let found: BTreeMap<_, _> = outcome
                .rows
                .iter()
                .map(|row| ((text(&row[0]), text(&row[1])), row[2].as_u64().expect("a count")))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
