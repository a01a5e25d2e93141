//! Schemas and payloads by chance, for property tests.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Schemas of the keywords that a plan knows, and of one that it does not.
pub(crate) fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!(true)),
        Just(json!(false)),
        prop::sample::subsequence(
            vec!["null", "boolean", "string", "object", "array", "integer", "number"],
            1..3
        )
        .prop_map(|types| json!({"type": types})),
        (-3_i32..4, 0_i32..5).prop_map(|(low, more)| json!({"minimum": low, "exclusiveMaximum": low + more})),
        (1_u32..4).prop_map(|multiple| json!({"type": "number", "multipleOf": multiple})),
        (0_u32..3, 0_u32..4).prop_map(|(least, most)| json!({"minLength": least, "maxLength": most})),
        prop::sample::select(vec!["date", "date-time", "uuid", "email", "time"])
            .prop_map(|format| json!({"format": format})),
        Just(json!({"enum": ["a", null, 1, [1]]})),
        Just(json!({"const": false})),
        Just(json!({"pattern": "^a"})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (prop::collection::btree_map("[ab]", inner.clone(), 0..3), any::<bool>(), prop::sample::subsequence(vec!["a", "b", "c"], 0..2))
                .prop_map(|(members, open, required)| json!({"properties": members, "additionalProperties": open, "required": required})),
            (inner.clone(), 0_u32..3).prop_map(|(item, most)| json!({"items": item, "maxItems": most})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"anyOf": all})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"allOf": all})),
            inner.clone().prop_map(|other| json!({"additionalProperties": other, "maxProperties": 2})),
            inner.clone().prop_map(|other| json!({"not": other})),
            // Of different types: by the rules a value that fits one alternative more is not looked for.
            (inner.clone(), inner.clone()).prop_map(|(member, item)| json!({"oneOf": [
                {"type": "object", "properties": {"a": member}},
                {"type": "array", "items": item},
            ]})),
            (prop::collection::vec(inner.clone(), 1..3), inner.clone())
                .prop_map(|(first, others)| json!({"prefixItems": first, "items": others})),
            (inner.clone(), inner.clone())
                .prop_map(|(some, others)| json!({"patternProperties": {"^a": some}, "additionalProperties": others})),
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(named, some, open)| json!({
                "properties": {"a": named}, "patternProperties": {"a|b": some}, "additionalProperties": open,
            })),
            inner.prop_map(|some| json!({"dependentSchemas": {"a": some}, "dependentRequired": {"b": ["a"]}})),
        ]
    })
    .prop_flat_map(|schema| {
        let named = json!({"$defs": {"d": schema}, "properties": {"a": {"$ref": "#/$defs/d"}}, "required": ["a"]});
        let whole = if schema.is_object() { schema } else { json!({"properties": {"a": schema}}) };
        prop_oneof![4 => Just(whole), 1 => Just(named)]
    })
}

pub(crate) fn any_payload() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "1.0",
            "2.5",
            "-3",
            "1e2",
            "12345678901234567890123",
            "3.0000000000000001",
            "\"\"",
            "\"a\"",
            "\"ab\"",
            "\"\\u0061\"",
            "\"ü\"",
            "\"2026-02-28\"",
            "\"2024-02-29T23:59:59.5+01:00\"",
            "\"2026-02-29T00:00:00Z\"",
            "\"0195d2a8-7c1e-7000-8000-000000000001\"",
            "\"a@b.example\"",
            "\"10:00:00Z\"",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(("[abc]", inner.clone()), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!(" \"{name}\" : {value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{} ]", items.join(" , "))),
        ]
    })
}
