//! Schemas made of schemas: `oneOf` and `anyOf` (sums), `allOf` (products), `not`, and lists of types.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::compare::Comparison;
use super::kind::Kind;
use super::resolve::as_object;

const SUMS: [&str; 2] = ["oneOf", "anyOf"];
const COMBINING: [&str; 4] = ["oneOf", "anyOf", "allOf", "not"];

/// Compares two schemas, what combines them first.
pub(super) fn compare(comparison: &mut Comparison<'_>, old: &Value, new: &Value) {
    compare_not(comparison, old, new);
    compare_second_sum(comparison, old, new);
    match (sum_of(old), sum_of(new)) {
        (None, None) => compare_products(comparison, old, new),
        (Some((_, old_parts)), None) => {
            let base = without(old, &COMBINING);
            let reads =
                old_parts.iter().all(|part| comparison.reads(&joined(&base, part), &without_not(new)));
            if !reads {
                let reason = "took any of several shapes, but not all of them fit now".to_owned();
                comparison.note(Kind::SumTypeNarrowed, reason);
            }
        }
        (None, Some((word, new_parts))) => {
            compare_products(comparison, old, &Value::Object(without(new, &SUMS)));
            let singles = by_type(old);
            let fits = |comparison: &mut Comparison<'_>, single: &Value| {
                new_parts.iter().any(|part| comparison.reads(single, part))
            };
            if singles.iter().all(|single| fits(comparison, single)) {
                comparison.at(&[word], |inner| {
                    inner.note(Kind::SumTypeExtended, "one shape became one of several".to_owned());
                });
            } else {
                let reason = "what it took fits none of the alternatives for certain".to_owned();
                comparison.at(&[word], |inner| inner.note(Kind::TypeChanged, reason));
            }
        }
        (Some((old_word, old_parts)), Some((new_word, new_parts))) => {
            let (was, is) = (without(old, &SUMS), without(new, &SUMS));
            compare_products(comparison, &Value::Object(was), &Value::Object(is));
            compare_sums(comparison, (old_word, old_parts), (new_word, new_parts));
        }
    }
}

/// Of a schema with both kinds of alternatives the second is compared as a whole.
fn compare_second_sum(comparison: &mut Comparison<'_>, old: &Value, new: &Value) {
    let has_both = |schema: &Value| SUMS.iter().all(|word| schema.get(*word).is_some());
    if (has_both(old) || has_both(new)) && old.get("anyOf") != new.get("anyOf") && new.get("anyOf").is_some()
    {
        let reason =
            "anyOf beside oneOf is another; it cannot be told whether it takes what it took".to_owned();
        comparison.at(&["anyOf"], |inner| inner.note(Kind::CombinedTypeChanged, reason));
    }
}

/// The alternatives of a schema; with both kinds of them the first counts.
fn sum_of(schema: &Value) -> Option<(&'static str, &Vec<Value>)> {
    SUMS.into_iter().find_map(|word| Some((word, schema.get(word)?.as_array()?)))
}

fn compare_sums(
    comparison: &mut Comparison<'_>,
    (old_word, old_parts): (&'static str, &[Value]),
    (new_word, new_parts): (&'static str, &[Value]),
) {
    if old_word != new_word {
        let (kind, reason) = match new_word {
            // One of them fitted: so any of them does.
            "anyOf" => (Kind::CombinedTypeExtended, "exactly one had to fit, and any may now"),
            _ => (Kind::CombinedTypeChanged, "any could fit, but exactly one must now"),
        };
        comparison.at(&[new_word], |inner| inner.note(kind, reason.to_owned()));
    }
    let mut lost = Vec::new();
    for (at, part) in old_parts.iter().enumerate() {
        // The one in the same place first: it is the likeliest, and its differences are those to tell of.
        let same = new_parts.get(at).into_iter();
        let others = new_parts.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, part)| part);
        if !same.chain(others).any(|other| comparison.reads(part, other)) {
            lost.push(at);
        }
    }
    comparison.at(&[new_word], |inner| match (lost.as_slice(), old_parts.len(), new_parts.len()) {
        ([], before, after) if after > before => {
            inner.note(Kind::SumTypeExtended, format!("takes {after} shapes, and took {before}"));
        }
        ([], ..) => {}
        (lost, before, after) if after < before => {
            inner.note(
                Kind::SumTypeNarrowed,
                format!("took {before} shapes, and {} of them fit none of the {after} now", lost.len()),
            );
        }
        ([at], before, after) if before == after => {
            let (Some(was), Some(is)) = (old_parts.get(*at), new_parts.get(*at)) else { return };
            inner.note(
                Kind::CombinedTypeSubschemasChanged,
                format!("alternative {} of {before} is not read any more", at + 1),
            );
            inner.within(&[&at.to_string()], was, is);
        }
        (lost, ..) => {
            inner.note(
                Kind::CombinedTypeSubschemasChanged,
                format!("{} of the alternatives are not read any more", lost.len()),
            );
        }
    });
}

/// Compares schemas without alternatives: each part of a product must hold.
fn compare_products(comparison: &mut Comparison<'_>, old: &Value, new: &Value) {
    let (was, is) = (parts_of(old), parts_of(new));
    let (old_base, new_base) = (without(old, &["allOf", "not"]), without(new, &["allOf", "not"]));
    if was.is_empty() && is.is_empty() {
        return comparison.compare_keywords(&old_base, &new_base);
    }
    // Parts that stand in both need no look; what is left of the old is merged, for all of it holds.
    let fresh: Vec<&Value> = is.iter().filter(|part| !was.contains(part)).collect();
    let merged = was.iter().fold(old_base, |all, part| merge(&all, &as_object(part)));
    let merged_value = Value::Object(merged.clone());
    comparison.compare_keywords(&merged, &new_base);
    let mut lost = 0_usize;
    for part in &fresh {
        let is_held =
            was.iter().any(|known| comparison.reads(known, part)) || comparison.reads(&merged_value, part);
        lost += usize::from(!is_held);
    }
    comparison.at(&["allOf"], |inner| {
        if lost > 0 && is.len() > was.len() {
            inner.note(
                Kind::ProductTypeExtended,
                format!("{lost} more schemas must fit, which were not asked for"),
            );
        } else if lost > 0 {
            inner.note(
                Kind::CombinedTypeSubschemasChanged,
                format!("{lost} of the schemas that must fit are others"),
            );
        } else if was.len() > is.len() {
            inner.note(
                Kind::ProductTypeNarrowed,
                format!("{} schemas must fit, and {} had to", is.len(), was.len()),
            );
        }
    });
}

fn compare_not(comparison: &mut Comparison<'_>, old: &Value, new: &Value) {
    let (kind, reason) = match (old.get("not"), new.get("not")) {
        (None, None) => return,
        (None, Some(_)) => (Kind::NotTypeExtended, "not was added: what it names was taken before"),
        (Some(_), None) => (Kind::NotTypeNarrowed, "not was removed"),
        // It refuses less when what it refuses now was refused before.
        (Some(was), Some(is)) if comparison.reads(is, was) => {
            if was == is {
                return;
            }
            (Kind::NotTypeNarrowed, "it refuses less")
        }
        (Some(_), Some(_)) => (Kind::NotTypeExtended, "it refuses other values than before"),
    };
    comparison.at(&["not"], |inner| inner.note(kind, reason.to_owned()));
}

fn parts_of(schema: &Value) -> Vec<Value> {
    schema.get("allOf").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn without(schema: &Value, words: &[&str]) -> Map<String, Value> {
    let members: Cow<'_, Map<String, Value>> = as_object(schema);
    members
        .iter()
        .filter(|(name, _)| !words.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn without_not(schema: &Value) -> Value {
    Value::Object(without(schema, &["not"]))
}

/// A schema and one of its alternatives, as one.
fn joined(base: &Map<String, Value>, part: &Value) -> Value {
    if base.is_empty() {
        return part.clone();
    }
    if part.get("$ref").is_some() {
        let mut both = base.clone();
        both.insert("allOf".to_owned(), Value::Array(vec![part.clone()]));
        return Value::Object(both);
    }
    Value::Object(merge(base, &as_object(part)))
}

/// Two schemas that both hold, as one: members and requirements of both, else what the second says.
fn merge(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let mut both = one.clone();
    for (name, value) in other {
        match (both.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(more)) if name == "properties" => {
                known.extend(more.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            }
            (Some(Value::Array(known)), Value::Array(more)) if name == "required" => {
                known.extend(more.iter().cloned());
            }
            (_, value) => {
                both.insert(name.clone(), value.clone());
            }
        }
    }
    both
}

/// A schema of several types as one schema for each.
fn by_type(schema: &Value) -> Vec<Value> {
    let types = schema.get("type").and_then(Value::as_array).filter(|types| types.len() > 1);
    let Some(types) = types else { return vec![schema.clone()] };
    let single = |name: &Value| {
        let mut single = as_object(schema).into_owned();
        single.insert("type".to_owned(), name.clone());
        Value::Object(single)
    };
    types.iter().map(single).collect()
}
