//! Which ways do most take? For a funnel whose steps nobody knows yet.

use std::collections::HashMap;

use serde_json::Value;

use super::number::share;
use super::outcome::{Drawing, Outcome};
use super::question::Question;
use super::seen::{Dictionary, Symbol};
use super::sequences::Stories;

/// The steps of a way that are looked at: 8.
const STEPS_MAX: usize = 8;
/// The ways that are shown: 10; the first three also as ready calls.
const PATHS_SHOWN: usize = 10;
const READY_MAX: usize = 3;

/// The commonest ways: the types of a key in order of their first occurrence.
pub(crate) fn paths(stories: &Stories, names: &Dictionary, question: &Question) -> Outcome {
    let mut counts: HashMap<Vec<Symbol>, u64> = HashMap::new();
    let mut keys = 0_u64;
    for story in stories.each() {
        keys += 1;
        let mut path: Vec<Symbol> = Vec::new();
        for point in story {
            if path.len() == STEPS_MAX {
                break;
            }
            if !path.contains(&point.event_type) {
                path.push(point.event_type);
            }
        }
        *counts.entry(path).or_default() += 1;
    }
    let written = |path: &[Symbol]| -> Vec<String> {
        path.iter().map(|symbol| names.types.text(*symbol).to_owned()).collect()
    };
    let mut paths: Vec<(Vec<String>, u64)> = counts.iter().map(|(path, n)| (written(path), *n)).collect();
    paths.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut outcome = Outcome::with_columns(&["path", "keys", "share"]);
    outcome.fact("paths", paths.len());
    for (path, n) in paths.iter().take(PATHS_SHOWN) {
        outcome.rows.push(vec![Value::from(path.join(" > ")), (*n).into(), share(*n, keys)]);
    }
    outcome.paths =
        paths.into_iter().map(|(path, _)| path).filter(|path| path.len() > 1).take(READY_MAX).collect();
    outcome.drawing = Some(Drawing::bars(&[0], 1));
    outcome.definition = format!(
        "for each {}, its event types in order of their first occurrence, the first {STEPS_MAX}; give steps for a funnel",
        question.key_name()
    );
    outcome
}

#[cfg(test)]
mod tests {
    use crate::analysis::Analysis;
    use crate::analysis::fixture::{log, question};

    #[test]
    fn the_commonest_way_comes_first_and_can_be_sent() {
        let text = "a:s@0 a:s@1 a:e@2 b:s@0 b:e@3 c:s@0 c:m@1 c:e@2 d:s@0";
        let outcome = log(text).ask(&question(Analysis::Funnel));
        assert_eq!((&outcome.rows[0][0], &outcome.rows[0][1]), (&"s > e".into(), &2.into()));
        assert_eq!(outcome.paths, [vec!["s", "e"], vec!["s", "m", "e"]]);
        assert_eq!(outcome.facts["paths"], 3);
    }
}
