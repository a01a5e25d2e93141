//! Objects: members added, removed and required, under open, closed and partially open content models.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::compare::Comparison;
use super::kind::Kind;
use super::resolve::{is_everything, is_nothing};
use super::scalar::{Limit, compare_count};
use crate::event::quote;
use crate::schema::check::Pattern;

const MAX_PROPERTIES: Limit = Limit {
    word: "maxProperties",
    is_upper: true,
    added: Kind::MaxPropertiesAdded,
    removed: Kind::MaxPropertiesRemoved,
    increased: Kind::MaxPropertiesIncreased,
    decreased: Kind::MaxPropertiesDecreased,
};

const MIN_PROPERTIES: Limit = Limit {
    word: "minProperties",
    is_upper: false,
    added: Kind::MinPropertiesAdded,
    removed: Kind::MinPropertiesRemoved,
    increased: Kind::MinPropertiesIncreased,
    decreased: Kind::MinPropertiesDecreased,
};

static EVERYTHING: Value = Value::Bool(true);

/// What a schema says of members that it does not name.
struct Content<'a> {
    properties: Option<&'a Map<String, Value>>,
    patterns: Option<&'a Map<String, Value>>,
    others: &'a Value,
    required: BTreeSet<&'a str>,
}

impl<'a> Content<'a> {
    fn of(schema: &'a Map<String, Value>) -> Self {
        let required = schema.get("required").and_then(Value::as_array);
        Self {
            properties: schema.get("properties").and_then(Value::as_object),
            patterns: schema
                .get("patternProperties")
                .and_then(Value::as_object)
                .filter(|all| !all.is_empty()),
            others: schema.get("additionalProperties").unwrap_or(&EVERYTHING),
            required: required.into_iter().flatten().filter_map(Value::as_str).collect(),
        }
    }

    fn is_open(&self) -> bool {
        self.patterns.is_none() && is_everything(self.others)
    }

    fn is_closed(&self) -> bool {
        self.patterns.is_none() && is_nothing(self.others)
    }

    fn property(&self, name: &str) -> Option<&'a Value> {
        self.properties.and_then(|properties| properties.get(name))
    }

    /// What a member that is not named must be: all that its name's patterns say, or else what all others must be.
    fn coverings(&self, name: &str) -> Vec<&'a Value> {
        let patterns = self.patterns.into_iter().flatten();
        let by_pattern: Vec<&Value> =
            patterns.filter(|(pattern, _)| has_pattern(name, pattern)).map(|(_, schema)| schema).collect();
        if by_pattern.is_empty() { vec![self.others] } else { by_pattern }
    }
}

fn has_pattern(name: &str, pattern: &str) -> bool {
    Pattern::new(pattern).is_some_and(|pattern| pattern.is_in(name))
}

pub(super) fn compare(comparison: &mut Comparison<'_>, old: &Map<String, Value>, new: &Map<String, Value>) {
    compare_count(comparison, &MAX_PROPERTIES, old, new);
    compare_count(comparison, &MIN_PROPERTIES, old, new);
    let (was, is) = (Content::of(old), Content::of(new));
    compare_others(comparison, was.others, is.others);
    compare_properties(comparison, &was, &is);
    compare_patterns(comparison, &was, &is);
    compare_required(comparison, &was, &is);
    compare_dependencies(comparison, old, new);
}

fn compare_others(comparison: &mut Comparison<'_>, old: &Value, new: &Value) {
    let words = match (is_nothing(old), is_nothing(new), is_everything(old), is_everything(new)) {
        (true, true, ..) | (_, _, true, true) => return,
        (true, false, ..) => {
            (Kind::AdditionalPropertiesAdded, "members that are not named were refused, and are taken now")
        }
        (false, true, ..) => {
            (Kind::AdditionalPropertiesRemoved, "members that are not named were taken, and are refused now")
        }
        (_, _, false, true) => {
            (Kind::AdditionalPropertiesExtended, "members that are not named may be anything now")
        }
        (_, _, true, false) => (
            Kind::AdditionalPropertiesNarrowed,
            "members that are not named could be anything, and must fit a schema now",
        ),
        _ => return comparison.within(&["additionalProperties"], old, new),
    };
    comparison.at(&["additionalProperties"], |inner| inner.note(words.0, words.1.to_owned()));
}

fn compare_properties(comparison: &mut Comparison<'_>, was: &Content<'_>, is: &Content<'_>) {
    for (name, old) in was.properties.into_iter().flatten() {
        match is.property(name) {
            Some(new) => comparison.within(&["properties", name], old, new),
            None => comparison.at(&["properties", name], |inner| removed(inner, name, old, is)),
        }
    }
    for (name, new) in is.properties.into_iter().flatten() {
        if was.property(name).is_none() {
            comparison.at(&["properties", name], |inner| added(inner, name, new, was, is));
        }
    }
}

/// A member that only the older schema names.
fn removed(comparison: &mut Comparison<'_>, name: &str, old: &Value, is: &Content<'_>) {
    let quoted = quote(name);
    let (kind, reason) = if is.is_open() {
        (Kind::PropertyRemovedFromOpen, format!("{quoted} is not named any more, and may be anything"))
    } else if is.is_closed() {
        if is_nothing(old) {
            (Kind::FalsePropertyRemovedFromClosed, format!("{quoted} was refused, and still is"))
        } else {
            let reason =
                format!("{quoted} is not named any more, and members that are not named are refused");
            (Kind::PropertyRemovedFromClosed, reason)
        }
    } else if is.coverings(name).into_iter().all(|covering| comparison.reads(old, covering)) {
        (
            Kind::PropertyRemovedCovered,
            format!("{quoted} is not named any more, and fits what others must be"),
        )
    } else {
        (
            Kind::PropertyRemovedNotCovered,
            format!("{quoted} is not named any more, and does not fit what others must be"),
        )
    };
    comparison.note(kind, reason);
}

/// A member that only the newer schema names.
fn added(comparison: &mut Comparison<'_>, name: &str, new: &Value, was: &Content<'_>, is: &Content<'_>) {
    let quoted = quote(name);
    let is_required = is.required.contains(name) && !was.required.contains(name);
    if was.is_open() {
        let (kind, reason) = if is_everything(new) {
            (Kind::EmptyPropertyAddedToOpen, format!("{quoted} is named now, and may be anything as before"))
        } else {
            let reason = format!(
                "{quoted} could be anything before, because members that are not named are taken; additionalProperties: false in \
                 the version before would have made this safe"
            );
            (Kind::PropertyAddedToOpen, reason)
        };
        return comparison.note(kind, reason);
    }
    if !was.is_closed() {
        let is_covered = was.coverings(name).into_iter().any(|covering| comparison.reads(covering, new));
        let (kind, reason) = if is_covered {
            (Kind::PropertyAddedCovered, format!("{quoted} is named now, and takes what others had to be"))
        } else {
            (
                Kind::PropertyAddedNotCovered,
                format!("{quoted} is named now, and does not take all that others could be"),
            )
        };
        comparison.note(kind, reason);
    }
    let (kind, reason) = match (is_required, new.get("default").is_some()) {
        (false, _) => (Kind::OptionalPropertyAddedToUnopen, format!("{quoted} was added and may be absent")),
        (true, true) => {
            (Kind::RequiredPropertyWithDefaultAddedToUnopen, format!("{quoted} was added with a default"))
        }
        (true, false) => {
            let reason = format!(
                "{quoted} was added and must be there, which it is not in older data; make it optional, or give it a default"
            );
            (Kind::RequiredPropertyAddedToUnopen, reason)
        }
    };
    comparison.note(kind, reason);
}

/// Members that must be there, of those that both schemas know or neither names.
fn compare_required(comparison: &mut Comparison<'_>, was: &Content<'_>, is: &Content<'_>) {
    for name in is.required.difference(&was.required) {
        // Of one that is new to a model that is not open, this was said where it was added.
        if !was.is_open() && was.property(name).is_none() && is.property(name).is_some() {
            continue;
        }
        let has_default = is.property(name).is_some_and(|schema| schema.get("default").is_some());
        let (kind, reason) = if has_default {
            (
                Kind::RequiredAttributeWithDefaultAdded,
                format!("{} must be there now, and has a default", quote(name)),
            )
        } else {
            let reason = format!("{} could be absent, and must be there now", quote(name));
            (Kind::RequiredAttributeAdded, reason)
        };
        comparison.at(&["required", name], |inner| inner.note(kind, reason));
    }
    for name in was.required.difference(&is.required) {
        let reason = format!("{} had to be there, and may be absent now", quote(name));
        comparison.at(&["required", name], |inner| inner.note(Kind::RequiredAttributeRemoved, reason));
    }
}

fn compare_patterns(comparison: &mut Comparison<'_>, was: &Content<'_>, is: &Content<'_>) {
    for (pattern, old) in was.patterns.into_iter().flatten() {
        if let Some(new) = is.patterns.and_then(|patterns| patterns.get(pattern)) {
            comparison.within(&["patternProperties", pattern], old, new);
        } else if !comparison.reads(old, is.others) {
            let reason = format!("members like {} do not fit what others must be", quote(pattern));
            comparison.at(&["patternProperties", pattern], |inner| {
                inner.note(Kind::PatternPropertyRemoved, reason);
            });
        }
    }
    for (pattern, new) in is.patterns.into_iter().flatten() {
        if was.patterns.is_some_and(|patterns| patterns.contains_key(pattern)) {
            continue;
        }
        // It holds for members that were named before, too.
        let properties = was.properties.into_iter().flatten();
        let concerned = properties.filter(|(name, _)| has_pattern(name, pattern)).map(|(_, schema)| schema);
        let others = was.patterns.into_iter().flatten().map(|(_, schema)| schema).chain([was.others]);
        if !concerned.chain(others).all(|old| comparison.reads(old, new)) {
            let reason = format!("members like {} could be something else before", quote(pattern));
            comparison
                .at(&["patternProperties", pattern], |inner| inner.note(Kind::PatternPropertyAdded, reason));
        }
    }
}

/// What must be there, or hold, when a member is there; drafts before 2019-09 say both in one keyword.
#[derive(Default)]
struct Dependencies<'a> {
    names: BTreeMap<&'a str, BTreeSet<&'a str>>,
    schemas: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Dependencies<'a> {
    fn of(schema: &'a Map<String, Value>) -> Self {
        let mut all = Self::default();
        for word in ["dependencies", "dependentRequired", "dependentSchemas"] {
            for (name, value) in schema.get(word).and_then(Value::as_object).into_iter().flatten() {
                match value {
                    Value::Array(names) => {
                        all.names.insert(name, names.iter().filter_map(Value::as_str).collect());
                    }
                    Value::String(one) => {
                        all.names.insert(name, [one.as_str()].into());
                    }
                    schema => drop(all.schemas.insert(name, schema)),
                }
            }
        }
        all
    }
}

fn compare_dependencies(comparison: &mut Comparison<'_>, old: &Map<String, Value>, new: &Map<String, Value>) {
    let (was, is) = (Dependencies::of(old), Dependencies::of(new));
    for (name, after) in &is.names {
        let empty = BTreeSet::new();
        let before = was.names.get(name).unwrap_or(&empty);
        let kind = match (before.is_empty(), after.is_superset(before), before.is_superset(after)) {
            (_, true, true) => continue,
            (true, ..) => Kind::DependencyArrayAdded,
            (_, true, false) => Kind::DependencyArrayExtended,
            (_, false, true) => Kind::DependencyArrayNarrowed,
            (_, false, false) => Kind::DependencyArrayChanged,
        };
        let names: Vec<String> = after.iter().map(|name| quote(name)).collect();
        let reason = format!("with {} there must be {} now", quote(name), names.join(", "));
        comparison.at(&["dependencies", name], |inner| inner.note(kind, reason));
    }
    for name in was.names.keys().filter(|name| !is.names.contains_key(*name)) {
        let reason = format!("nothing need be there with {} any more", quote(name));
        comparison.at(&["dependencies", name], |inner| inner.note(Kind::DependencyArrayRemoved, reason));
    }
    for (name, after) in &is.schemas {
        if let Some(before) = was.schemas.get(name) {
            comparison.within(&["dependencies", name], before, after);
            continue;
        }
        let reason = format!("with {} a schema must fit now", quote(name));
        comparison.at(&["dependencies", name], |inner| inner.note(Kind::DependencySchemaAdded, reason));
    }
    for name in was.schemas.keys().filter(|name| !is.schemas.contains_key(*name)) {
        let reason = format!("no schema need fit with {} any more", quote(name));
        comparison.at(&["dependencies", name], |inner| inner.note(Kind::DependencySchemaRemoved, reason));
    }
}
