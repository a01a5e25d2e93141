//! The plan and the validator never disagree, and violations say what is wrong.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::checker::{Checker, SCHEMA_BYTES_MAX};
use super::walk::fits;
use crate::schema::fixture::{any_payload, any_schema};

fn compiled(schema: &Value) -> Checker {
    Checker::compile(&schema.to_string()).expect("a schema")
}

#[track_caller]
fn check(schema: &Value, payload: &str, expected: &[&str]) {
    let checker = compiled(schema);
    let violations = checker.violations(payload);
    let said: Vec<String> = violations.iter().map(|one| one.sentence("the payload")).collect();
    assert_eq!(said, expected);
    assert_eq!(checker.is_valid(payload), expected.is_empty());
}

#[track_caller]
fn refused(schema: &str, code: &str) {
    match Checker::compile(schema) {
        Ok(_) => panic!("{schema} was taken"),
        Err(error) => assert_eq!(error.code(), code, "{error}"),
    }
}

fn order() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "total": {"type": "number", "minimum": 0},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
            "state": {"enum": ["open", "paid"]},
            "at": {"type": "string", "format": "date-time"},
            "note": {"type": ["string", "null"], "maxLength": 5},
        },
        "required": ["id", "total"],
        "additionalProperties": false,
    })
}

#[test]
fn violations_name_place_keyword_and_both_values() {
    let id = r#""id":"0195d2a8-7c1e-7000-8000-000000000001""#;
    check(&order(), &format!("{{{id},\"total\":12.5,\"at\":\"2026-02-28T10:00:00Z\"}}"), &[]);
    check(&order(), &format!("{{{id}}}"), &["the payload lacks \"total\""]);
    check(
        &order(),
        &format!("{{{id},\"total\":\"12\"}}"),
        &["\"/total\" is \"12\", which is string; the type must be number"],
    );
    check(&order(), &format!("{{{id},\"total\":-1}}"), &["\"/total\" is -1; it must be at least 0"]);
    check(
        &order(),
        &format!("{{{id},\"total\":1,\"state\":\"gone\"}}"),
        &["\"/state\" is \"gone\"; it must be one of \"open\", \"paid\""],
    );
    check(
        &order(),
        &format!("{{{id},\"total\":1,\"at\":\"2026-02-30T10:00:00Z\"}}"),
        &["\"/at\" is \"2026-02-30T10:00:00Z\", which is no date-time"],
    );
    check(
        &order(),
        &format!("{{{id},\"total\":1,\"lines\":[{{\"sku\":7}}]}}"),
        &["\"/lines/0/sku\" is 7, which is number; the type must be string"],
    );
    check(
        &order(),
        &format!("{{{id},\"total\":1,\"toal\":2}}"),
        &["the payload has \"toal\", which the schema does not know"],
    );
    check(
        &order(),
        &format!("{{{id},\"total\":1,\"note\":\"too long\"}}"),
        &["\"/note\" is \"too long\"; it must have at most 5 characters"],
    );
}

#[test]
fn a_schema_that_leads_out_of_itself_is_refused() {
    refused(r#"{"$ref": "https://example.com/order.json"}"#, "remote_ref");
    refused(r#"{"properties": {"a": {"$ref": "file:///etc/passwd"}}}"#, "remote_ref");
    refused(r##"{"properties": {"a": {"$ref": "#/$defs/gone"}}}"##, "bad_schema");
    let local = json!({"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}});
    check(&local, r#"{"a":"x"}"#, &["\"/a\" is \"x\", which is string; the type must be integer"]);
}

#[test]
fn what_is_no_schema_or_too_large_is_refused() {
    refused("[]", "bad_schema");
    refused("{", "bad_schema");
    refused(r#"{"type": "strng"}"#, "bad_schema");
    refused(r#"{"pattern": "("}"#, "bad_schema");
    refused(&format!("{{\"title\":\"{}\"}}", "x".repeat(SCHEMA_BYTES_MAX)), "schema_too_large");
    let deep = format!("{}{{}}{}", r#"{"not":"#.repeat(70), "}".repeat(70));
    refused(&deep, "schema_too_deep");
}

#[test]
fn earlier_drafts_are_read_by_their_own_rules() {
    let draft4 = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"n": {"minimum": 3, "exclusiveMinimum": true}},
    });
    check(&draft4, r#"{"n":4}"#, &[]);
    check(&draft4, r#"{"n":3}"#, &["\"/n\" is 3; it must be above 3"]);
    let draft7 = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "string"}, {"type": "integer"}],
    });
    check(&draft7, r#"["a",1]"#, &[]);
    refused(r#"{"$schema": "https://example.com/my-own"}"#, "unknown_draft");
}

/// `^(a+)+$` over thirty a's and a b takes an hour where every way is tried.
#[test]
fn a_pattern_that_explodes_ends() {
    let schema = json!({"properties": {"a": {"pattern": "^(a+)+$(?=b)"}}});
    assert!(!compiled(&schema).is_valid(&format!("{{\"a\":\"{}b\"}}", "a".repeat(40))));
}

#[test]
fn long_numbers_and_escapes_are_understood() {
    let schema =
        json!({"properties": {"n": {"type": "integer"}, "ü\"": {"enum": ["a\"b"]}}, "required": ["n"]});
    check(&schema, r#"{"n":12345678901234567890123}"#, &[]);
    check(&schema, r#"{"n":1.0,"\u00fc\"":"a\u0022b"}"#, &[]);
    // The last of two members of one name counts.
    check(&schema, r#"{"n":"x","n":1}"#, &[]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn what_the_plan_takes_the_validator_takes(schema in any_schema(), payload in any_payload()) {
        let checker = compiled(&schema);
        let (validator, plan) = checker.parts();
        let value: Value = serde_json::from_str(&payload).expect("JSON");
        let is_valid = validator.is_valid(&value);
        if let Some(plan) = plan {
            prop_assert!(!fits(&payload, plan) || is_valid, "{} {}", schema, payload);
        }
        prop_assert_eq!(checker.is_valid(&payload), is_valid);
        prop_assert_eq!(checker.violations(&payload).is_empty(), is_valid);
    }

    #[test]
    fn no_text_makes_the_walk_fail(schema in any_schema(), payload in "[\\[\\]{}\",:a1\\\\ntf. -]{0,24}") {
        let checker = compiled(&schema);
        let (_, plan) = checker.parts();
        let _ = plan.map(|plan| fits(&payload, plan));
    }
}
