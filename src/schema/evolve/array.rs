//! Arrays: what items must be, one by one (`prefixItems`) and all others (`items`).
//!
//! Drafts before 2020-12 say `items: [..]` and `additionalItems`; both spellings are read as one.

use serde_json::{Map, Value};

use super::compare::Comparison;
use super::kind::Kind;
use super::resolve::{is_everything, is_nothing};
use super::scalar::{Limit, compare_count};

const MAX_ITEMS: Limit = Limit {
    word: "maxItems",
    is_upper: true,
    added: Kind::MaxItemsAdded,
    removed: Kind::MaxItemsRemoved,
    increased: Kind::MaxItemsIncreased,
    decreased: Kind::MaxItemsDecreased,
};

const MIN_ITEMS: Limit = Limit {
    word: "minItems",
    is_upper: false,
    added: Kind::MinItemsAdded,
    removed: Kind::MinItemsRemoved,
    increased: Kind::MinItemsIncreased,
    decreased: Kind::MinItemsDecreased,
};

static EVERYTHING: Value = Value::Bool(true);

struct Items<'a> {
    first: &'a [Value],
    others: &'a Value,
}

impl<'a> Items<'a> {
    fn of(schema: &'a Map<String, Value>) -> Self {
        let list = |word: &str| schema.get(word).and_then(Value::as_array);
        if let Some(first) = list("prefixItems") {
            return Self { first, others: schema.get("items").unwrap_or(&EVERYTHING) };
        }
        match list("items") {
            Some(first) => Self { first, others: schema.get("additionalItems").unwrap_or(&EVERYTHING) },
            None => Self { first: &[], others: schema.get("items").unwrap_or(&EVERYTHING) },
        }
    }
}

pub(super) fn compare(comparison: &mut Comparison<'_>, old: &Map<String, Value>, new: &Map<String, Value>) {
    compare_count(comparison, &MAX_ITEMS, old, new);
    compare_count(comparison, &MIN_ITEMS, old, new);
    let is_unique =
        |schema: &Map<String, Value>| schema.get("uniqueItems").and_then(Value::as_bool) == Some(true);
    match (is_unique(old), is_unique(new)) {
        (false, true) => comparison.at(&["uniqueItems"], |inner| {
            inner.note(Kind::UniqueItemsAdded, "the same item could be there twice before".to_owned());
        }),
        (true, false) => comparison.at(&["uniqueItems"], |inner| {
            inner.note(Kind::UniqueItemsRemoved, "the same item may be there twice now".to_owned());
        }),
        _ => {}
    }
    let (was, is) = (Items::of(old), Items::of(new));
    for (at, (before, after)) in was.first.iter().zip(is.first).enumerate() {
        comparison.within(&["items", &at.to_string()], before, after);
    }
    for (at, before) in was.first.iter().enumerate().skip(is.first.len()) {
        comparison.at(&["items", &at.to_string()], |inner| removed(inner, before, is.others));
    }
    for (at, after) in is.first.iter().enumerate().skip(was.first.len()) {
        comparison.at(&["items", &at.to_string()], |inner| added(inner, after, was.others));
    }
    compare_others(comparison, &was, &is);
}

fn compare_others(comparison: &mut Comparison<'_>, was: &Items<'_>, is: &Items<'_>) {
    let (old, new) = (was.others, is.others);
    if was.first.is_empty() && is.first.is_empty() {
        // All items are others: a schema for them is no longer or shorter list.
        match (is_everything(old), is_everything(new)) {
            (true, true) => {}
            (true, false) => comparison.at(&["items"], |inner| {
                inner
                    .note(Kind::SchemaAdded, "items could be anything, and must fit a schema now".to_owned());
            }),
            (false, true) => comparison.at(&["items"], |inner| {
                inner.note(Kind::SchemaRemoved, "items may be anything now".to_owned());
            }),
            (false, false) => comparison.within(&["items"], old, new),
        }
        return;
    }
    let (kind, reason) = match (is_nothing(old), is_nothing(new), is_everything(old), is_everything(new)) {
        (true, true, ..) | (_, _, true, true) => return,
        (true, false, ..) => (Kind::AdditionalItemsAdded, "more items were refused, and are taken now"),
        (false, true, ..) => (Kind::AdditionalItemsRemoved, "more items were taken, and are refused now"),
        (_, _, false, true) => (Kind::AdditionalItemsExtended, "more items may be anything now"),
        (_, _, true, false) => {
            (Kind::AdditionalItemsNarrowed, "more items could be anything, and must fit a schema now")
        }
        _ => return comparison.within(&["additionalItems"], old, new),
    };
    comparison.at(&["additionalItems"], |inner| inner.note(kind, reason.to_owned()));
}

/// An item that only the older schema names.
fn removed(comparison: &mut Comparison<'_>, old: &Value, others: &Value) {
    let (kind, reason) = if is_everything(others) {
        (Kind::ItemRemovedFromOpen, "is not named any more, and may be anything")
    } else if is_nothing(others) {
        if is_nothing(old) {
            (Kind::FalseItemRemovedFromClosed, "was refused, and still is")
        } else {
            (Kind::ItemRemovedFromClosed, "is not named any more, and more items are refused")
        }
    } else if comparison.reads(old, others) {
        (Kind::ItemRemovedCovered, "is not named any more, and fits what others must be")
    } else {
        (Kind::ItemRemovedNotCovered, "is not named any more, and does not fit what others must be")
    };
    comparison.note(kind, format!("the item {reason}"));
}

/// An item that only the newer schema names.
fn added(comparison: &mut Comparison<'_>, new: &Value, others: &Value) {
    let (kind, reason) = if is_everything(others) {
        if is_everything(new) {
            (Kind::EmptyItemAddedToOpen, "is named now, and may be anything as before")
        } else {
            (Kind::ItemAddedToOpen, "could be anything before, because more items were taken")
        }
    } else if is_nothing(others) {
        (Kind::ItemAddedToClosed, "was added; it may be absent")
    } else if comparison.reads(others, new) {
        (Kind::ItemAddedCovered, "is named now, and takes what others had to be")
    } else {
        (Kind::ItemAddedNotCovered, "is named now, and does not take all that others could be")
    };
    comparison.note(kind, format!("the item {reason}"));
}
