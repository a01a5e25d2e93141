//! What is found compatible is: no payload fits the older schema and not the newer.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Kind, differences};
use crate::schema::check::Checker;
use crate::schema::fixture::{any_payload, any_schema};

/// Changes one place of a schema a little, as people do.
fn edited() -> impl Strategy<Value = (Value, Value)> {
    let edits = prop::sample::select(vec![
        json!({"additionalProperties": false}),
        json!({"additionalProperties": true}),
        json!({"properties": {"a": {"type": "integer"}}}),
        json!({"properties": {"a": {"type": ["integer", "null"]}, "b": {}}}),
        json!({"required": []}),
        json!({"type": ["object", "string"]}),
        json!({"maxProperties": 3}),
        json!({"items": {"type": "number"}}),
        json!({"patternProperties": {"^a": {"type": "number"}}}),
        json!({"additionalProperties": {"type": "integer"}}),
        json!({"prefixItems": [{"type": "number"}]}),
        json!({"dependentRequired": {"a": ["b"]}}),
        json!({"propertyNames": {"maxLength": 1}}),
        json!({"enum": [{"a": 1}, "a", null, 1]}),
        json!({"anyOf": [{"type": "object"}, {"type": "string"}, {"type": "number"}]}),
        json!({"not": {"type": "null"}}),
        json!({"minimum": 0}),
    ]);
    (any_schema(), prop::collection::vec(edits, 0..3), any::<bool>()).prop_map(
        |(schema, edits, is_reversed)| {
            let mut other = schema.clone();
            for edit in edits {
                let members = edit.as_object().into_iter().flatten();
                other
                    .as_object_mut()
                    .expect("an object")
                    .extend(members.map(|(name, value)| (name.clone(), value.clone())));
            }
            if is_reversed { (other, schema) } else { (schema, other) }
        },
    )
}

#[track_caller]
fn check(old: &Value, new: &Value, payloads: &[String]) -> Result<(), TestCaseError> {
    let found = differences(old, new);
    let breaks: Vec<&str> = found.iter().filter(|one| one.kind.breaks()).map(|one| one.kind.name()).collect();
    if !breaks.is_empty() {
        return Ok(());
    }
    let compiled = |schema: &Value| Checker::compile(&schema.to_string()).expect("a schema");
    let (reads_old, reads_new) = (compiled(old), compiled(new));
    for payload in payloads {
        prop_assert!(
            !reads_old.is_valid(payload) || reads_new.is_valid(payload),
            "payload {}\n old {}\n new {}\n found {:?}",
            payload,
            old,
            new,
            found
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn what_the_older_schema_took_a_compatible_one_takes(
        (old, new) in edited(),
        payloads in prop::collection::vec(any_payload(), 12),
    ) {
        check(&old, &new, &payloads)?;
    }

    #[test]
    fn any_two_schemas_are_compared_soundly(
        old in any_schema(),
        new in any_schema(),
        payloads in prop::collection::vec(any_payload(), 12),
    ) {
        check(&old, &new, &payloads)?;
    }

    #[test]
    fn no_schema_differs_from_itself(schema in any_schema()) {
        let breaks: Vec<Kind> =
            differences(&schema, &schema).iter().map(|one| one.kind).filter(|kind| kind.breaks()).collect();
        prop_assert!(breaks.is_empty(), "{} {:?}", schema, breaks);
    }
}
