//! Which fields do the payloads of an event type have, of which type, and what stands in them?
//!
//! The types are inferred from a sample. A value that turns out not to be of the column's type reads as NULL and is counted,
//! so that the answer can say so; its text is always to be had with `payload->>'field'`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringViewBuilder};
use datafusion::arrow::datatypes::DataType;
use serde_json::Value;

use super::columns::{FieldBuilder, PayloadField, is_stored_name};
use crate::event::filter::{Extraction, Step};

/// The most fields of a payload that become columns: 200, in the order in which they were met.
const FIELDS_MAX: usize = 200;
/// How deep payloads are taken apart; what lies deeper is a column of JSON text.
const DEPTH_MAX: usize = 4;

/// What a column of a payload field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// Whole numbers of 64 bits, also where they stand in strings.
    Integer,
    /// Numbers, also where they stand in strings.
    Number,
    /// True or false.
    Flag,
    /// Text; of numbers, lists and objects their JSON.
    Text,
}

impl FieldKind {
    pub(super) const fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Text => DataType::Utf8View,
        }
    }

    /// The narrowest kind that holds both.
    const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer, Self::Integer) => Self::Integer,
            (Self::Flag, Self::Flag) => Self::Flag,
            (Self::Integer | Self::Number, Self::Integer | Self::Number) => Self::Number,
            _ => Self::Text,
        }
    }

    /// The kind of one value; `None` of null.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) => Some(Self::Flag),
            Value::Number(number) => Some(of_digits(&number.to_string())),
            Value::String(text) if is_plain_number(text) => Some(of_digits(text)),
            _ => Some(Self::Text),
        }
    }
}

fn of_digits(digits: &str) -> FieldKind {
    match (digits.parse::<i64>(), digits.parse::<f64>()) {
        (Ok(_), _) => FieldKind::Integer,
        // A whole number that 64 bits do not hold would lose digits.
        (_, Ok(_)) if digits.contains(['.', 'e', 'E']) => FieldKind::Number,
        _ => FieldKind::Text,
    }
}

/// Whether a string is a number as JSON writes it: `12`, not `012`, `+12` or `12 EUR`, which are names.
fn is_plain_number(text: &str) -> bool {
    text.len() <= 32 && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && is_json_number(text)
}

fn is_json_number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok()
}

/// The fields that payloads of one type have.
#[derive(Default)]
pub(super) struct Inferred {
    found: Vec<(Vec<String>, Option<FieldKind>)>,
}

impl Inferred {
    /// Looks at one payload.
    pub(super) fn add(&mut self, payload: &Value) {
        if let Value::Object(_) = payload {
            self.walk(&mut Vec::new(), payload);
        }
    }

    fn walk(&mut self, path: &mut Vec<String>, value: &Value) {
        match value {
            Value::Object(members) if path.len() < DEPTH_MAX && (path.is_empty() || !members.is_empty()) => {
                for (key, member) in members {
                    path.push(key.clone());
                    self.walk(path, member);
                    path.pop();
                }
            }
            _ => self.note(path, FieldKind::of(value)),
        }
    }

    fn note(&mut self, path: &[String], kind: Option<FieldKind>) {
        let Some(known) = self.kind_of(path) else { return };
        *known = match (*known, kind) {
            (Some(known), Some(kind)) => Some(known.with(kind)),
            (known, kind) => known.or(kind),
        };
    }

    /// What is known of a field, which is noted if there is room for one more.
    fn kind_of(&mut self, path: &[String]) -> Option<&mut Option<FieldKind>> {
        let known = self.found.iter().position(|(known, _)| known == path);
        if known.is_none() && self.found.len() < FIELDS_MAX {
            self.found.push((path.to_vec(), None));
        }
        let at = known.unwrap_or(self.found.len().saturating_sub(1));
        self.found.get_mut(at).filter(|(found, _)| found == path).map(|(_, kind)| kind)
    }

    /// Takes the types of a registered schema for what it declares, whatever stands in the payloads: what does not fit reads as
    /// NULL.
    pub(super) fn declare(&mut self, schema: &Value) {
        self.walk_schema(&mut Vec::new(), schema);
    }

    fn walk_schema(&mut self, path: &mut Vec<String>, schema: &Value) {
        let properties =
            schema.get("properties").and_then(Value::as_object).filter(|_| path.len() < DEPTH_MAX);
        if let Some(properties) = properties {
            for (name, property) in properties {
                path.push(name.clone());
                self.walk_schema(path, property);
                path.pop();
            }
        } else if let Some(kind) = declared(schema).filter(|_| !path.is_empty())
            && let Some(known) = self.kind_of(path)
        {
            *known = Some(kind);
        }
    }

    /// The columns: each is named by its path, with `payload.` before it where an event has a column of that name.
    pub(super) fn finish(self) -> Vec<PayloadField> {
        let named = |(path, kind): (Vec<String>, Option<FieldKind>)| {
            let plain = path.join(".");
            let name = if is_stored_name(&plain) { format!("payload.{plain}") } else { plain };
            let steps = path.into_iter().map(Step::Key).collect();
            PayloadField { name, steps, kind: kind.unwrap_or(FieldKind::Text) }
        };
        let mut fields: Vec<PayloadField> = Vec::with_capacity(self.found.len());
        for field in self.found.into_iter().map(named) {
            if !fields.iter().any(|known| known.name == field.name) {
                fields.push(field);
            }
        }
        fields
    }
}

/// The kind that a schema declares by its `type`, null apart; `None` when it names none or several.
fn declared(schema: &Value) -> Option<FieldKind> {
    let names: Vec<&str> = match schema.get("type")? {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let mut names = names.into_iter().filter(|name| *name != "null");
    match (names.next()?, names.next()) {
        ("integer", None) => Some(FieldKind::Integer),
        ("number", None) => Some(FieldKind::Number),
        ("boolean", None) => Some(FieldKind::Flag),
        (_, None) => Some(FieldKind::Text),
        _ => None,
    }
}

/// The fields of many payloads, each read in one pass.
pub(super) struct Fields {
    extraction: Extraction,
    columns: Vec<(usize, FieldBuilder)>,
    /// How many values were not of their column's type.
    pub misfits: u64,
}

impl Fields {
    pub(super) fn new(fields: Vec<PayloadField>) -> Self {
        let mut extraction = Extraction::default();
        let columns = fields
            .into_iter()
            .map(|field| {
                let builder = match field.kind {
                    FieldKind::Integer => FieldBuilder::Integer(Int64Builder::new()),
                    FieldKind::Number => FieldBuilder::Number(Float64Builder::new()),
                    FieldKind::Flag => FieldBuilder::Flag(BooleanBuilder::new()),
                    FieldKind::Text => FieldBuilder::Text(StringViewBuilder::new()),
                };
                (extraction.add(&field.steps), builder)
            })
            .collect();
        Self { extraction, columns, misfits: 0 }
    }

    /// Adds the row of a payload.
    pub(super) fn push(&mut self, payload: &str) {
        let found = self.extraction.extract(payload);
        for (slot, builder) in &mut self.columns {
            let raw = found.get(*slot).copied().flatten().filter(|raw| *raw != "null");
            let fits = match builder {
                FieldBuilder::Integer(builder) => {
                    let value = raw.and_then(|raw| unquoted(raw).parse().ok());
                    builder.append_option(value);
                    value.is_some()
                }
                FieldBuilder::Number(builder) => {
                    let value = raw.map(unquoted).filter(|raw| is_json_number(raw));
                    let value = value.and_then(|raw| raw.parse::<f64>().ok());
                    builder.append_option(value);
                    value.is_some()
                }
                FieldBuilder::Flag(builder) => {
                    let value = raw.and_then(|raw| raw.parse().ok());
                    builder.append_option(value);
                    value.is_some()
                }
                FieldBuilder::Text(builder) => {
                    push_text(builder, raw);
                    true
                }
            };
            self.misfits += u64::from(raw.is_some() && !fits);
        }
    }

    pub(super) fn finish(self) -> Vec<ArrayRef> {
        let finished = |(_, builder)| -> ArrayRef {
            match builder {
                FieldBuilder::Integer(mut builder) => Arc::new(builder.finish()),
                FieldBuilder::Number(mut builder) => Arc::new(builder.finish()),
                FieldBuilder::Flag(mut builder) => Arc::new(builder.finish()),
                FieldBuilder::Text(mut builder) => Arc::new(builder.finish()),
            }
        };
        self.columns.into_iter().map(finished).collect()
    }
}

/// What stands between the quotes of a string.
fn unquoted(raw: &str) -> &str {
    raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw)
}

fn push_text(builder: &mut StringViewBuilder, raw: Option<&str>) {
    let Some(raw) = raw else { return builder.append_null() };
    if !raw.starts_with('"') {
        builder.append_value(raw);
    } else if raw.contains('\\') {
        builder.append_option(serde_json::from_str::<String>(raw).ok());
    } else {
        builder.append_value(unquoted(raw));
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::datatypes::{Float64Type, Int64Type};
    use serde_json::json;

    use super::*;

    fn inferred(payloads: &[Value]) -> Vec<PayloadField> {
        let mut inferred = Inferred::default();
        for payload in payloads {
            inferred.add(payload);
        }
        inferred.finish()
    }

    #[track_caller]
    fn check(payloads: &[Value], expected: &[(&str, FieldKind)]) {
        let fields = inferred(payloads);
        let found: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.kind)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_narrowest_type_that_holds_all_is_chosen() {
        use FieldKind::{Flag, Integer, Number, Text};
        check(
            &[
                json!({"a": 1, "b": 1, "c": true, "d": "x", "e": null}),
                json!({"a": 2, "b": 2.5, "c": null, "d": 3}),
            ],
            &[("a", Integer), ("b", Number), ("c", Flag), ("d", Text), ("e", Text)],
        );
        check(
            &[json!({"a": "12", "b": "012", "c": "-1.5", "d": "1 EUR"})],
            &[("a", Integer), ("b", Text), ("c", Number), ("d", Text)],
        );
        check(&[serde_json::from_str(r#"{"a": 12345678901234567890123}"#).expect("JSON")], &[("a", Text)]);
    }

    #[test]
    fn nested_objects_become_dotted_columns_and_lists_stay_json() {
        let payload = json!({"user": {"name": "x", "address": {"zip": "1"}}, "items": [1], "version": 3});
        check(
            &[payload],
            &[
                ("user.name", FieldKind::Text),
                ("user.address.zip", FieldKind::Integer),
                ("items", FieldKind::Text),
                ("payload.version", FieldKind::Integer),
            ],
        );
        check(&[json!([1]), json!("x"), json!(null)], &[]);
    }

    #[test]
    fn a_registered_schema_says_what_a_column_holds() {
        use FieldKind::{Flag, Integer, Number, Text};

        let mut inferred = Inferred::default();
        inferred.add(&json!({"n": "12", "code": "7", "extra": 1}));
        inferred.declare(&json!({"properties": {
            "n": {"type": ["number", "null"]},
            "code": {"type": "string"},
            "late": {"type": "integer"},
            "in": {"type": "object", "properties": {"flag": {"type": "boolean"}}},
            "any": {"type": ["integer", "string"]},
        }}));
        let fields = inferred.finish();
        let found: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.kind)).collect();
        assert_eq!(
            found,
            [("n", Number), ("code", Text), ("extra", Integer), ("late", Integer), ("in.flag", Flag)]
        );
    }

    #[test]
    fn values_of_another_type_read_as_null_and_are_counted() {
        let mut fields = Fields::new(inferred(&[json!({"n": 1, "x": 1.5, "t": "a", "f": true})]));
        for payload in [
            r#"{"n": 7, "x": "2.5", "t": "q\"", "f": false}"#,
            r#"{"n": "seven", "x": [1], "t": {"k": 1}}"#,
            "null",
        ] {
            fields.push(payload);
        }
        assert_eq!(fields.misfits, 2);
        let columns = fields.finish();
        let numbers = columns[0].as_primitive::<Int64Type>();
        assert_eq!((numbers.value(0), numbers.is_null(1), numbers.is_null(2)), (7, true, true));
        assert!((columns[1].as_primitive::<Float64Type>().value(0) - 2.5).abs() < f64::EPSILON);
        let texts = columns[2].as_string_view();
        assert_eq!((texts.value(0), texts.value(1), texts.is_null(2)), ("q\"", r#"{"k": 1}"#, true));
        assert!(!columns[3].as_boolean().value(0) && columns[3].is_null(1));
    }
}
