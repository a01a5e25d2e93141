//! Text and numbers: limits, patterns, formats.

use serde_json::{Map, Value};

use super::compare::Comparison;
use super::kind::Kind;
use crate::event::quote;

/// What a limit's differences are called.
pub(super) struct Limit {
    pub word: &'static str,
    /// Whether it bounds from above.
    pub is_upper: bool,
    pub added: Kind,
    pub removed: Kind,
    pub increased: Kind,
    pub decreased: Kind,
}

const MAX_LENGTH: Limit = Limit {
    word: "maxLength",
    is_upper: true,
    added: Kind::MaxLengthAdded,
    removed: Kind::MaxLengthRemoved,
    increased: Kind::MaxLengthIncreased,
    decreased: Kind::MaxLengthDecreased,
};

const MIN_LENGTH: Limit = Limit {
    word: "minLength",
    is_upper: false,
    added: Kind::MinLengthAdded,
    removed: Kind::MinLengthRemoved,
    increased: Kind::MinLengthIncreased,
    decreased: Kind::MinLengthDecreased,
};

const MAXIMUM: Limit = Limit {
    word: "maximum",
    is_upper: true,
    added: Kind::MaximumAdded,
    removed: Kind::MaximumRemoved,
    increased: Kind::MaximumIncreased,
    decreased: Kind::MaximumDecreased,
};

const MINIMUM: Limit = Limit {
    word: "minimum",
    is_upper: false,
    added: Kind::MinimumAdded,
    removed: Kind::MinimumRemoved,
    increased: Kind::MinimumIncreased,
    decreased: Kind::MinimumDecreased,
};

const EXCLUSIVE_MAXIMUM: Limit = Limit {
    word: "exclusiveMaximum",
    is_upper: true,
    added: Kind::ExclusiveMaximumAdded,
    removed: Kind::ExclusiveMaximumRemoved,
    increased: Kind::ExclusiveMaximumIncreased,
    decreased: Kind::ExclusiveMaximumDecreased,
};

const EXCLUSIVE_MINIMUM: Limit = Limit {
    word: "exclusiveMinimum",
    is_upper: false,
    added: Kind::ExclusiveMinimumAdded,
    removed: Kind::ExclusiveMinimumRemoved,
    increased: Kind::ExclusiveMinimumIncreased,
    decreased: Kind::ExclusiveMinimumDecreased,
};

pub(super) fn compare_text(
    comparison: &mut Comparison<'_>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) {
    compare_count(comparison, &MAX_LENGTH, old, new);
    compare_count(comparison, &MIN_LENGTH, old, new);
    let words = [
        ("pattern", Kind::PatternAdded, Kind::PatternRemoved, Kind::PatternChanged),
        ("format", Kind::FormatAdded, Kind::FormatRemoved, Kind::FormatChanged),
    ];
    for (word, added, removed, changed) in words {
        let text = |schema: &Map<String, Value>| schema.get(word).and_then(Value::as_str).map(quote);
        let (kind, reason) = match (text(old), text(new)) {
            (None, Some(is)) => (added, format!("{word} {is} was added: other texts were taken before")),
            (Some(was), None) => (removed, format!("{word} {was} was removed")),
            (Some(was), Some(is)) if was != is => (changed, format!("{word} was {was} and is {is}")),
            _ => continue,
        };
        comparison.at(&[word], |inner| inner.note(kind, reason));
    }
}

pub(super) fn compare_numbers(
    comparison: &mut Comparison<'_>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) {
    let (was, is) = (Bounds::of(old), Bounds::of(new));
    let by_other = |bound: Option<f64>, holds: &dyn Fn(f64, f64) -> bool, limit: Option<f64>| {
        bound.zip(limit).is_some_and(|(bound, limit)| holds(bound, limit))
    };
    // What the other kind of bound refused already is no news.
    if !by_other(was.below, &|bound, limit| bound <= limit, is.most) || was.most.is_some() {
        compare_limit(comparison, &MAXIMUM, was.most, is.most);
    }
    if !by_other(was.above, &|bound, limit| bound >= limit, is.least) || was.least.is_some() {
        compare_limit(comparison, &MINIMUM, was.least, is.least);
    }
    if !by_other(was.most, &|bound, limit| bound < limit, is.below) || was.below.is_some() {
        compare_limit(comparison, &EXCLUSIVE_MAXIMUM, was.below, is.below);
    }
    if !by_other(was.least, &|bound, limit| bound > limit, is.above) || was.above.is_some() {
        compare_limit(comparison, &EXCLUSIVE_MINIMUM, was.above, is.above);
    }
    compare_multiples(comparison, number(old, "multipleOf"), number(new, "multipleOf"));
}

/// Compares a limit that counts something.
pub(super) fn compare_count(
    comparison: &mut Comparison<'_>,
    limit: &Limit,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) {
    // At least none is no limit.
    let count = |schema| number(schema, limit.word).filter(|count| limit.is_upper || *count > 0.0);
    compare_limit(comparison, limit, count(old), count(new));
}

fn compare_limit(comparison: &mut Comparison<'_>, limit: &Limit, old: Option<f64>, new: Option<f64>) {
    let word = limit.word;
    let beyond = if limit.is_upper { "above" } else { "below" };
    let (kind, reason) = match (old, new) {
        (None, Some(is)) => {
            (limit.added, format!("{word} {is} was added: what lies {beyond} was taken before"))
        }
        (Some(was), None) => (limit.removed, format!("{word} {was} was removed")),
        (Some(was), Some(is)) if is > was => (limit.increased, format!("{word} rose from {was} to {is}")),
        (Some(was), Some(is)) if is < was => (limit.decreased, format!("{word} fell from {was} to {is}")),
        _ => return,
    };
    comparison.at(&[word], |inner| inner.note(kind, reason));
}

fn compare_multiples(comparison: &mut Comparison<'_>, old: Option<f64>, new: Option<f64>) {
    let is_multiple = |of: f64, number: f64| of != 0.0 && (number / of).fract() == 0.0;
    let (kind, reason) = match (old, new) {
        (None, Some(is)) => {
            (Kind::MultipleOfAdded, format!("multipleOf {is} was added: other numbers were taken before"))
        }
        (Some(was), None) => (Kind::MultipleOfRemoved, format!("multipleOf {was} was removed")),
        (Some(was), Some(is)) if (was - is).abs() < f64::EPSILON => return,
        (Some(was), Some(is)) if is_multiple(is, was) => {
            (Kind::MultipleOfReduced, format!("multipleOf fell from {was} to {is}, which divides it"))
        }
        (Some(was), Some(is)) if is_multiple(was, is) => {
            (Kind::MultipleOfExpanded, format!("multipleOf rose from {was} to {is}: fewer numbers are taken"))
        }
        (Some(was), Some(is)) => (Kind::MultipleOfChanged, format!("multipleOf was {was} and is {is}")),
        (None, None) => return,
    };
    comparison.at(&["multipleOf"], |inner| inner.note(kind, reason));
}

/// The bounds of numbers; where draft 4 says that a bound is exclusive, it is.
struct Bounds {
    least: Option<f64>,
    most: Option<f64>,
    above: Option<f64>,
    below: Option<f64>,
}

impl Bounds {
    fn of(schema: &Map<String, Value>) -> Self {
        let is_exclusive = |word: &str| schema.get(word).and_then(Value::as_bool) == Some(true);
        let (least, most) = (number(schema, "minimum"), number(schema, "maximum"));
        let (is_above, is_below) = (is_exclusive("exclusiveMinimum"), is_exclusive("exclusiveMaximum"));
        Self {
            least: least.filter(|_| !is_above),
            most: most.filter(|_| !is_below),
            above: if is_above { least } else { number(schema, "exclusiveMinimum") },
            below: if is_below { most } else { number(schema, "exclusiveMaximum") },
        }
    }
}

fn number(schema: &Map<String, Value>, word: &str) -> Option<f64> {
    schema.get(word).and_then(Value::as_f64)
}
