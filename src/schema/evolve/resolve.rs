//! What does a `$ref` mean? Local references only; a schema with others is not taken in the first place.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Words beside a `$ref` that assert nothing.
const SILENT: [&str; 9] = [
    "title",
    "description",
    "default",
    "examples",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$defs",
];

/// A schema as an object: `true` is `{}`, `false` is `{"not": {}}`, what is none is `{}`.
pub(super) fn as_object(schema: &Value) -> Cow<'_, Map<String, Value>> {
    match schema {
        Value::Object(members) => Cow::Borrowed(members),
        Value::Bool(false) => {
            let mut nothing = Map::new();
            nothing.insert("not".to_owned(), Value::Object(Map::new()));
            Cow::Owned(nothing)
        }
        _ => Cow::Owned(Map::new()),
    }
}

/// Whether a schema takes every value.
pub(super) fn is_everything(schema: &Value) -> bool {
    match schema {
        Value::Bool(takes) => *takes,
        Value::Object(members) => members.keys().all(|name| SILENT.contains(&name.as_str())),
        _ => true,
    }
}

/// Whether a schema takes no value.
pub(super) fn is_nothing(schema: &Value) -> bool {
    match schema {
        Value::Bool(takes) => !takes,
        Value::Object(members) => members.get("not").is_some_and(is_everything),
        _ => false,
    }
}

/// The text of a reference, if the schema is one.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)
}

/// What a reference leads to, with what stands beside it; the schema itself when it is none, or leads nowhere.
///
/// Drafts before 2019-09 ignore what stands beside `$ref`; there it is an error in all but name, so it counts in all drafts.
pub(super) fn resolved<'a>(schema: &'a Value, root: &'a Value) -> Cow<'a, Value> {
    let Some(target) = reference(schema).and_then(|text| look_up(text, root)) else {
        return Cow::Borrowed(schema);
    };
    let beside = as_object(schema);
    let asserts = |name: &str| name != "$ref" && !SILENT.contains(&name);
    if !beside.keys().any(|name| asserts(name)) {
        return Cow::Borrowed(target);
    }
    let own: Map<String, Value> = beside
        .iter()
        .filter(|(name, _)| name.as_str() != "$ref")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut both = Map::new();
    both.insert("allOf".to_owned(), Value::Array(vec![target.clone(), Value::Object(own)]));
    Cow::Owned(Value::Object(both))
}

fn look_up<'a>(text: &str, root: &'a Value) -> Option<&'a Value> {
    let fragment = text.strip_prefix('#')?;
    if fragment.is_empty() {
        return Some(root);
    }
    if fragment.starts_with('/') {
        return root.pointer(&decoded(fragment));
    }
    anchored(fragment, root)
}

/// The part of the schema that calls itself so.
fn anchored<'a>(name: &str, schema: &'a Value) -> Option<&'a Value> {
    match schema {
        Value::Object(members) => {
            let is_it = ["$anchor", "$dynamicAnchor"]
                .iter()
                .any(|word| members.get(*word).and_then(Value::as_str) == Some(name));
            if is_it { Some(schema) } else { members.values().find_map(|member| anchored(name, member)) }
        }
        Value::Array(items) => items.iter().find_map(|item| anchored(name, item)),
        _ => None,
    }
}

/// A fragment without its percent signs.
fn decoded(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
