//! What differs between two schemas, keyword by keyword.

use serde_json::{Map, Value};

use super::kind::Kind;
use super::resolve::{is_everything, is_nothing, reference, resolved};
use super::{array, combined, object, scalar};
use crate::event::quote;
use crate::schema::check::Checker;

/// The most pairs of subschemas that are compared: 20,000.
const STEPS_MAX: u32 = 20_000;
/// How deep schemas are compared: 64 levels of subschemas.
const LEVELS_MAX: usize = 64;
/// The most differences that are reported: 200.
const FOUND_MAX: usize = 200;

/// Keywords whose every change is a break, because nothing simpler is known of them.
const OPAQUE: [&str; 12] = [
    "contains",
    "minContains",
    "maxContains",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contentEncoding",
    "contentMediaType",
    "$dynamicRef",
    "$recursiveRef",
];

pub(super) const NULL: u8 = 1;
pub(super) const BOOLEAN: u8 = 2;
pub(super) const STRING: u8 = 4;
pub(super) const OBJECT: u8 = 8;
pub(super) const ARRAY: u8 = 16;
pub(super) const INTEGER: u8 = 32;
/// Numbers that are not whole.
pub(super) const FRACTION: u8 = 64;
const EVERY_TYPE: u8 = 127;

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where in the schema, as a JSON pointer fragment (`#/properties/total`).
    pub path: String,
    /// What kind of difference.
    pub kind: Kind,
    /// What it means, with both values.
    pub reason: String,
}

/// What of `new` differs from `old`, seen by data that `old` took: at most 200 differences, compatible ones among them.
#[must_use]
pub fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut comparison = Comparison {
        old_root: old,
        new_root: new,
        // The whole is being compared: who refers to it need not begin again.
        open: vec![("#".to_owned(), "#".to_owned())],
        found: Vec::new(),
        path: "#".to_owned(),
        steps_left: STEPS_MAX,
        levels: 0,
    };
    comparison.compare(old, new);
    comparison.found
}

/// A comparison under way.
pub(super) struct Comparison<'a> {
    old_root: &'a Value,
    new_root: &'a Value,
    /// The pairs of references that are being compared further up.
    open: Vec<(String, String)>,
    found: Vec<Difference>,
    path: String,
    steps_left: u32,
    levels: usize,
}

impl Comparison<'_> {
    /// Compares two subschemas at the current path.
    pub(super) fn compare(&mut self, old: &Value, new: &Value) {
        if self.steps_left == 0 || self.levels >= LEVELS_MAX {
            let is_known = self.found.iter().any(|one| one.kind == Kind::TooDeep);
            if !is_known {
                self.note(Kind::TooDeep, "it is too deep or too wide to be compared to its end".to_owned());
            }
            return;
        }
        self.steps_left -= 1;
        self.levels += 1;
        let pair = reference(old).zip(reference(new)).map(|(old, new)| (old.to_owned(), new.to_owned()));
        let is_open = pair.as_ref().is_some_and(|pair| self.open.contains(pair));
        if !is_open {
            let is_pushed = pair.is_some();
            self.open.extend(pair);
            let (was, is) = (resolved(old, self.old_root), resolved(new, self.new_root));
            let leads_on =
                |asked: &Value, found: &Value| reference(asked).is_some() && reference(found).is_some();
            if leads_on(old, &was) || leads_on(new, &is) {
                self.compare(&was, &is);
            } else {
                self.compare_resolved(&was, &is);
            }
            if is_pushed {
                self.open.pop();
            }
        }
        self.levels -= 1;
    }

    fn compare_resolved(&mut self, old: &Value, new: &Value) {
        if is_nothing(old) {
            return;
        }
        if is_everything(new) {
            if !is_everything(old) {
                self.note(Kind::SchemaRemoved, "it takes every value now".to_owned());
            }
            return;
        }
        if is_nothing(new) {
            return self.note(Kind::TypeNarrowed, "it takes no value any more".to_owned());
        }
        let found = self.found.len();
        combined::compare(self, old, new);
        let breaks = |one: &Difference| one.kind.breaks();
        let is_worse = self.found.get(found..).is_some_and(|own| own.iter().any(breaks));
        // A few values can simply be tried.
        if is_worse && takes_each(old, new) {
            let mut at = 0;
            self.found.retain(|one| {
                at += 1;
                at <= found || !breaks(one)
            });
        }
    }

    /// Compares everything but what combines schemas.
    pub(super) fn compare_keywords(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let was = types_before(old, new);
        if !self.compare_types(was, new) {
            return;
        }
        self.compare_values(old, new);
        if was & STRING != 0 {
            scalar::compare_text(self, old, new);
        }
        if was & (INTEGER | FRACTION) != 0 {
            scalar::compare_numbers(self, old, new);
        }
        if was & OBJECT != 0 {
            object::compare(self, old, new);
        }
        if was & ARRAY != 0 {
            array::compare(self, old, new);
        }
        self.compare_opaque(old, new);
    }

    /// Compares inner schemas at a path below the current one.
    pub(super) fn within(&mut self, steps: &[&str], old: &Value, new: &Value) {
        self.at(steps, |inner| inner.compare(old, new));
    }

    /// Does something at a path below the current one.
    pub(super) fn at(&mut self, steps: &[&str], what: impl FnOnce(&mut Self)) {
        let len = self.path.len();
        for step in steps {
            self.path.push('/');
            self.path.push_str(&step.replace('~', "~0").replace('/', "~1"));
        }
        what(self);
        self.path.truncate(len);
    }

    /// Whether `new` takes all that `old` took, as far as can be told.
    pub(super) fn reads(&mut self, old: &Value, new: &Value) -> bool {
        let before = std::mem::take(&mut self.found);
        self.compare(old, new);
        let own = std::mem::replace(&mut self.found, before);
        !own.iter().any(|one| one.kind.breaks())
    }

    /// Notes a difference at the current path.
    pub(super) fn note(&mut self, kind: Kind, reason: String) {
        if self.found.len() < FOUND_MAX {
            self.found.push(Difference { path: self.path.clone(), kind, reason });
        }
    }

    /// Whether there are values of a type that both take.
    fn compare_types(&mut self, was: u8, new: &Map<String, Value>) -> bool {
        let is = types_of(new).unwrap_or(EVERY_TYPE);
        if was == is {
            return true;
        }
        let (before, after) = (type_names(was), type_names(is));
        self.at(&["type"], |inner| {
            if was & !is == 0 {
                inner.note(Kind::TypeExtended, format!("took {before}, and takes {after}"));
            } else if is & !was == 0 {
                inner.note(Kind::TypeNarrowed, format!("took {before}, but takes only {after} now"));
            } else {
                inner.note(Kind::TypeChanged, format!("took {before}, but takes {after} now"));
            }
        });
        was & is != 0
    }

    fn compare_values(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (was, is) = match (values_of(old), values_of(new)) {
            (None, None) => return,
            (Some(_), None) => {
                let reason = "took only the values listed, and takes others too".to_owned();
                return self.at(&["enum"], |inner| inner.note(Kind::EnumArrayExtended, reason));
            }
            (None, Some(is)) => {
                let reason = format!("took other values too, but only {} now", listed(&is));
                return self.at(&["enum"], |inner| inner.note(Kind::EnumArrayNarrowed, reason));
            }
            (Some(was), Some(is)) => (was, is),
        };
        let gone: Vec<&Value> = was.iter().copied().filter(|value| !is.contains(value)).collect();
        let fresh: Vec<&Value> = is.iter().copied().filter(|value| !was.contains(value)).collect();
        let (kind, reason) = match (gone.is_empty(), fresh.is_empty()) {
            (true, true) => return,
            (true, false) => (Kind::EnumArrayExtended, format!("takes {} too", listed(&fresh))),
            (false, true) => (Kind::EnumArrayNarrowed, format!("does not take {} any more", listed(&gone))),
            (false, false) => {
                let reason = format!("takes {} in the place of {}", listed(&fresh), listed(&gone));
                (Kind::EnumArrayChanged, reason)
            }
        };
        let word = if old.contains_key("const") && new.contains_key("const") { "const" } else { "enum" };
        self.at(&[word], |inner| inner.note(kind, reason));
    }

    fn compare_opaque(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        for word in OPAQUE {
            let (kind, reason) = match (old.get(word), new.get(word)) {
                (None, Some(_)) => {
                    (Kind::KeywordAdded, format!("{word} was added: what it refuses was taken before"))
                }
                // Without it an item must be there, and another branch counts.
                (Some(_), None) if ["minContains", "if", "then", "else"].contains(&word) && has_rest(new) => {
                    (Kind::KeywordChanged, format!("{word} was removed, but what belongs to it was not"))
                }
                (Some(_), None) => (Kind::KeywordRemoved, format!("{word} was removed")),
                (Some(was), Some(is)) if was != is => (
                    Kind::KeywordChanged,
                    format!("{word} is another; it cannot be told whether it takes what it took"),
                ),
                _ => continue,
            };
            self.at(&[word], |inner| inner.note(kind, reason));
        }
        for word in ["propertyNames"] {
            match (old.get(word), new.get(word)) {
                (None, Some(is)) => {
                    let everything = Value::Bool(true);
                    if !self.reads(&everything, is) {
                        let reason = format!("{word} was added: names that it refuses were taken before");
                        self.at(&[word], |inner| inner.note(Kind::KeywordAdded, reason));
                    }
                }
                (Some(_), None) => {
                    self.at(&[word], |inner| inner.note(Kind::KeywordRemoved, format!("{word} was removed")));
                }
                (Some(was), Some(is)) => self.within(&[word], was, is),
                (None, None) => {}
            }
        }
    }
}

/// Whether parts of a conditional, or a `contains`, are there.
fn has_rest(schema: &Map<String, Value>) -> bool {
    ["if", "then", "else", "contains"].iter().any(|word| schema.contains_key(*word))
}

/// Whether `new` takes every one of the few values that `old` took.
fn takes_each(old: &Value, new: &Value) -> bool {
    let Some(values) = old.as_object().and_then(values_of) else { return false };
    // What it refers to lies elsewhere.
    let text = new.to_string();
    !text.contains("Ref\"")
        && !text.contains("$ref")
        && Checker::compile(&text)
            .is_ok_and(|checker| values.iter().all(|value| checker.is_valid(&value.to_string())))
}

/// The values that a schema lists.
pub(super) fn values_of(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(values)) => Some(values.iter().collect()),
        (None, None) => None,
    }
}

/// The types of the data that `old` took, told by its values where `new` asks for a type and `old` does not.
fn types_before(old: &Map<String, Value>, new: &Map<String, Value>) -> u8 {
    let by_values = || {
        let values = values_of(old).filter(|_| new.contains_key("type"))?;
        Some(values.into_iter().fold(0, |types, value| types | type_of(value)))
    };
    types_of(old).or_else(by_values).unwrap_or(EVERY_TYPE)
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::String(_) => STRING,
        Value::Object(_) => OBJECT,
        Value::Array(_) => ARRAY,
        Value::Number(number) => {
            if number.as_f64().is_some_and(|number| number.fract() == 0.0) {
                INTEGER
            } else {
                FRACTION
            }
        }
    }
}

/// The types that a schema names; `None` when it names none.
fn types_of(schema: &Map<String, Value>) -> Option<u8> {
    let bits = |name: &Value| match name.as_str() {
        Some("null") => NULL,
        Some("boolean") => BOOLEAN,
        Some("string") => STRING,
        Some("object") => OBJECT,
        Some("array") => ARRAY,
        Some("integer") => INTEGER,
        Some("number") => INTEGER | FRACTION,
        _ => 0,
    };
    match schema.get("type")? {
        Value::Array(names) => Some(names.iter().fold(0, |types, name| types | bits(name))),
        name => Some(bits(name)),
    }
}

fn type_names(types: u8) -> String {
    if types == EVERY_TYPE {
        return "any type".to_owned();
    }
    let is_number = types & FRACTION != 0;
    let names = [
        ("null", types & NULL != 0),
        ("boolean", types & BOOLEAN != 0),
        ("string", types & STRING != 0),
        ("object", types & OBJECT != 0),
        ("array", types & ARRAY != 0),
        ("integer", types & INTEGER != 0 && !is_number),
        ("number", is_number),
    ];
    let present: Vec<&str> = names.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
    if present.is_empty() { "no type".to_owned() } else { present.join(" or ") }
}

/// Values in a sentence, at most six.
fn listed(values: &[&Value]) -> String {
    const SHOWN_MAX: usize = 6;
    let shown: Vec<String> = values
        .iter()
        .take(SHOWN_MAX)
        .map(|value| value.as_str().map_or_else(|| quote(&value.to_string()), quote))
        .collect();
    match values.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}
