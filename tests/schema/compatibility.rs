//! Every rule of compatibility, as a pair of schemas, the mode, the verdict and the reason: `compatibility.jsonl`, a row a fact.
//!
//! The rules are those that the Confluent Schema Registry documents for JSON Schema; a row says what this store answers. The kind and the
//! path of a row are those of the first difference against the newer schema.

use std::collections::HashSet;

use allsource::schema::{Mode, judge};
use serde_json::{Value, json};

fn cases() -> Vec<Value> {
    include_str!("compatibility.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

#[track_caller]
fn check(about: &str) {
    for case in cases().iter().filter(|case| case["about"] == about) {
        let mode = case["mode"].as_str().and_then(Mode::from_name).expect("a mode");
        let verdicts = judge(&[(1, &case["old"])], &case["new"], mode);
        let told: Vec<(&str, &str)> =
            verdicts.iter().map(|one| (one.difference.kind.name(), one.difference.path.as_str())).collect();
        let verdict = if told.is_empty() { "compatible" } else { "incompatible" };
        let (kind, path) = told.first().copied().unzip();
        let found = json!([verdict, kind, path]);
        assert_eq!(found, json!([case["verdict"], case["kind"], case["path"]]), "{case} {told:?}");
        assert!(verdicts.iter().all(|one| !one.difference.reason.is_empty()), "{case}");
    }
}

#[test]
fn members_come_and_go_by_the_content_model() {
    check("members");
}

#[test]
fn types_and_values_widen_and_never_narrow() {
    check("types");
}

#[test]
fn limits_of_text_and_numbers_loosen_and_never_tighten() {
    check("scalars");
}

#[test]
fn arrays_and_tuples_follow_their_content_model() {
    check("items");
}

#[test]
fn combined_schemas_and_references_are_followed() {
    check("combined");
}

#[test]
fn there_are_at_least_eighty_cases_and_each_says_something_else() {
    let cases = cases();
    let facts: HashSet<&str> = cases.iter().filter_map(|case| case["fact"].as_str()).collect();
    assert!(facts.len() == cases.len() && cases.len() >= 80, "{} cases", cases.len());
    let known = ["members", "types", "scalars", "items", "combined"];
    assert!(cases.iter().all(|case| case["about"].as_str().is_some_and(|about| known.contains(&about))));
}

#[test]
fn transitive_modes_look_at_every_earlier_version() {
    let schema = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (first, second) = (schema(r#"{"type":"number"}"#), schema(r#"{"type":"integer"}"#));
    let third = schema(r#"{"type":"integer"}"#);
    let earlier = [(1, &first), (2, &second)];
    let versions =
        |mode| judge(&earlier, &third, mode).iter().map(|verdict| verdict.version).collect::<Vec<_>>();
    assert_eq!(versions(Mode::Backward), [] as [u32; 0]);
    assert_eq!(versions(Mode::BackwardTransitive), [1]);
    assert_eq!(versions(Mode::FullTransitive), [1]);
    let fourth = schema(r#"{"type":"number"}"#);
    let forward: Vec<(u32, bool)> = judge(&earlier, &fourth, Mode::ForwardTransitive)
        .iter()
        .map(|one| (one.version, one.is_forward))
        .collect();
    assert_eq!(forward, [(2, true)]);
}

#[test]
fn a_comparison_that_would_explode_ends_as_a_break() {
    let mut wide = r#"{"type":"string"}"#.to_owned();
    for _ in 0..12 {
        wide = format!(r#"{{"anyOf":[{{"items":{wide}}},{{"items":{wide}}}]}}"#);
        if wide.len() > 40_000 {
            break;
        }
    }
    let old: Value = serde_json::from_str(&wide).expect("JSON");
    let new: Value = serde_json::from_str(&wide.replace("string", "integer")).expect("JSON");
    assert!(!judge(&[(1, &old)], &new, Mode::Backward).is_empty());
}
