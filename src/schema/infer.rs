//! What shape do these payloads have? A schema that takes all of them, and what stands out.
//!
//! - A member is required when every object of its place has it.
//! - Text becomes an `enum` when it repeats few values often, or gets a `format` when all of it is a date, a time, a UUID or an
//!   address of mail.
//! - An object is closed (`additionalProperties: false`), so that members can be added later without breaking readers; one with
//!   more than 64 different members is a map, whose members must fit one schema.
//!
//! **Invariant:** every payload that was looked at fits what is proposed.

use serde_json::{Map, Value, json};

use super::check::{is_date, is_date_time, is_uuid};

/// The most events that are looked at to propose a schema: 10,000.
pub const SAMPLE_EVENTS_MAX: usize = 10_000;
/// More different members than these make an object a map.
const MEMBERS_MAX: usize = 64;
/// The most levels of objects and arrays that are described; what lies deeper may be anything.
const LEVELS_MAX: usize = 8;
/// The most values of an `enum`.
const VALUES_MAX: usize = 12;
/// The longest value of an `enum`, in bytes.
const VALUE_BYTES_MAX: usize = 40;
/// How often each value of an `enum` must stand there on average.
const REPEATS_MIN: u64 = 8;
/// The most places that are noted.
const NOTES_MAX: usize = 20;

/// What payloads have shown so far.
#[derive(Default)]
pub struct Inference {
    shape: Shape,
}

/// Something that stands out at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where, as a path of payloads.
    pub path: String,
    /// What.
    pub what: String,
}

/// What was seen at one place.
#[derive(Default)]
struct Shape {
    seen: u64,
    nulls: u64,
    booleans: u64,
    integers: u64,
    fractions: u64,
    texts: Texts,
    objects: u64,
    members: Vec<(String, Shape)>,
    /// There were more different members than are kept.
    is_map: bool,
    arrays: u64,
    items: Option<Box<Shape>>,
    /// What lies here was too deep to be looked at.
    is_cut: bool,
}

#[derive(Default)]
struct Texts {
    seen: u64,
    dates: u64,
    times: u64,
    uuids: u64,
    mails: u64,
    /// The values, in the order of their first; emptied when there are too many.
    values: Vec<String>,
    is_free: bool,
}

impl Inference {
    /// Looks at a payload.
    pub fn look(&mut self, payload: &Value) {
        self.shape.look(payload, 0);
    }

    /// How many were looked at.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.shape.seen
    }

    /// The schema that takes all of them.
    #[must_use]
    pub fn schema(&self) -> Value {
        let mut schema = self.shape.schema();
        if let Some(members) = schema.as_object_mut() {
            let mut whole = Map::new();
            whole.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
            whole.append(members);
            *members = whole;
        }
        schema
    }

    /// Places where values are of several types, or null here and there; at most 20.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        self.shape.note("payload", &mut notes);
        notes.truncate(NOTES_MAX);
        notes
    }
}

impl Shape {
    fn look(&mut self, value: &Value, level: usize) {
        self.seen += 1;
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.booleans += 1,
            Value::Number(number) => {
                let is_whole = number.to_string().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                if is_whole { self.integers += 1 } else { self.fractions += 1 }
            }
            Value::String(text) => self.texts.look(text),
            Value::Array(items) => {
                self.arrays += 1;
                if level >= LEVELS_MAX {
                    self.is_cut = true;
                    return;
                }
                let shape = self.items.get_or_insert_default();
                for item in items {
                    shape.look(item, level + 1);
                }
            }
            Value::Object(members) => {
                self.objects += 1;
                if level >= LEVELS_MAX {
                    self.is_cut = true;
                    return;
                }
                for (name, member) in members {
                    self.look_at_member(name, member, level);
                }
            }
        }
    }

    fn look_at_member(&mut self, name: &str, member: &Value, level: usize) {
        if !self.is_map {
            let known = self.members.iter().position(|(known, _)| known == name);
            if known.is_none() && self.members.len() >= MEMBERS_MAX {
                self.become_map();
            } else {
                let at = known.unwrap_or(self.members.len());
                if known.is_none() {
                    self.members.push((name.to_owned(), Self::default()));
                }
                if let Some((_, shape)) = self.members.get_mut(at) {
                    shape.look(member, level + 1);
                }
                return;
            }
        }
        if let Some((_, all)) = self.members.first_mut() {
            all.look(member, level + 1);
        }
    }

    /// From here on all members are of one shape.
    fn become_map(&mut self) {
        self.is_map = true;
        let mut all = Self::default();
        for (_, shape) in std::mem::take(&mut self.members) {
            all.join(shape);
        }
        self.members.push((String::new(), all));
    }

    fn join(&mut self, other: Self) {
        self.seen += other.seen;
        self.nulls += other.nulls;
        self.booleans += other.booleans;
        self.integers += other.integers;
        self.fractions += other.fractions;
        self.texts.join(other.texts);
        self.objects += other.objects;
        self.arrays += other.arrays;
        self.is_cut |= other.is_cut;
        if let Some(items) = other.items {
            self.items.get_or_insert_default().join(*items);
        }
        if other.is_map && !self.is_map {
            self.become_map();
        }
        for (name, shape) in other.members {
            let known =
                if self.is_map { Some(0) } else { self.members.iter().position(|(known, _)| *known == name) };
            match known.and_then(|at| self.members.get_mut(at)) {
                Some((_, own)) => own.join(shape),
                None => self.members.push((name, shape)),
            }
        }
        if !self.is_map && self.members.len() > MEMBERS_MAX {
            self.become_map();
        }
    }

    fn schema(&self) -> Value {
        let types = self.types();
        let mut schema = Map::new();
        match types.as_slice() {
            [] => return json!({}),
            [one] => drop(schema.insert("type".to_owned(), (*one).into())),
            several => drop(schema.insert("type".to_owned(), several.to_vec().into())),
        }
        if self.texts.seen > 0 {
            self.texts.describe(&mut schema, self.nulls > 0, self.seen == self.texts.seen + self.nulls);
        }
        if self.is_cut {
            return Value::Object(schema);
        }
        if let Some(items) = self.items.as_ref().filter(|items| items.seen > 0) {
            schema.insert("items".to_owned(), items.schema());
        }
        if self.objects > 0 {
            self.describe_members(&mut schema);
        }
        Value::Object(schema)
    }

    fn describe_members(&self, schema: &mut Map<String, Value>) {
        if self.is_map {
            let all = self.members.first().map_or_else(|| json!({}), |(_, shape)| shape.schema());
            schema.insert("additionalProperties".to_owned(), all);
            return;
        }
        let properties: Map<String, Value> =
            self.members.iter().map(|(name, shape)| (name.clone(), shape.schema())).collect();
        let always = self.members.iter().filter(|(_, shape)| shape.seen == self.objects);
        let required: Vec<&str> = always.map(|(name, _)| name.as_str()).collect();
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema.insert("additionalProperties".to_owned(), false.into());
    }

    fn types(&self) -> Vec<&'static str> {
        let number = if self.fractions > 0 { "number" } else { "integer" };
        let all = [
            ("object", self.objects),
            ("array", self.arrays),
            ("string", self.texts.seen),
            (number, self.integers + self.fractions),
            ("boolean", self.booleans),
            ("null", self.nulls),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).map(|(name, _)| name).collect()
    }

    fn note(&self, path: &str, notes: &mut Vec<Note>) {
        let types = self.types();
        let real: Vec<&str> = types.iter().copied().filter(|name| *name != "null").collect();
        if real.len() > 1 {
            notes
                .push(Note { path: path.to_owned(), what: format!("is {} here and there", real.join(", ")) });
        }
        if self.nulls > 0 {
            let what = format!("is null {} of {} times", self.nulls, self.seen);
            notes.push(Note { path: path.to_owned(), what });
        }
        if self.is_map {
            let what = format!("has more than {MEMBERS_MAX} different members: it is a map");
            notes.push(Note { path: path.to_owned(), what });
        } else {
            for (name, shape) in &self.members {
                shape.note(&format!("{path}.{name}"), notes);
            }
        }
        if let Some(items) = &self.items {
            items.note(&format!("{path}[*]"), notes);
        }
    }
}

impl Texts {
    fn look(&mut self, text: &str) {
        self.seen += 1;
        self.dates += u64::from(is_date(text));
        self.times += u64::from(is_date_time(text));
        self.uuids += u64::from(is_uuid(text));
        self.mails += u64::from(is_mail(text));
        if self.is_free || self.values.iter().any(|known| known == text) {
            return;
        }
        self.values.push(text.to_owned());
        self.check_values();
    }

    fn check_values(&mut self) {
        if self.values.len() > VALUES_MAX || self.values.iter().any(|value| value.len() > VALUE_BYTES_MAX) {
            self.is_free = true;
            self.values.clear();
        }
    }

    fn join(&mut self, other: Self) {
        self.seen += other.seen;
        self.dates += other.dates;
        self.times += other.times;
        self.uuids += other.uuids;
        self.mails += other.mails;
        self.is_free |= other.is_free;
        for value in other.values {
            if !self.values.contains(&value) {
                self.values.push(value);
            }
        }
        if self.is_free {
            self.values.clear();
        }
        self.check_values();
    }

    /// Adds what holds for all texts; `is_alone`: besides null there is nothing else here.
    fn describe(&self, schema: &mut Map<String, Value>, has_nulls: bool, is_alone: bool) {
        let formats =
            [("date-time", self.times), ("date", self.dates), ("uuid", self.uuids), ("email", self.mails)];
        if let Some((format, _)) = formats.into_iter().find(|(_, count)| *count == self.seen) {
            schema.insert("format".to_owned(), format.into());
            return;
        }
        let is_repeated = self.seen >= REPEATS_MIN * (self.values.len() as u64);
        if is_alone && !self.values.is_empty() && is_repeated {
            let mut values: Vec<Value> = self.values.iter().map(|value| value.as_str().into()).collect();
            if has_nulls {
                values.push(Value::Null);
            }
            schema.insert("enum".to_owned(), Value::Array(values));
        }
    }
}

/// Whether a text is an address of mail in its plainest form: what every validator takes.
fn is_mail(text: &str) -> bool {
    let is_word = |part: &str, also: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
            && !part.starts_with(['.', '-'])
            && !part.ends_with(['.', '-'])
            && !part.contains("..")
    };
    text.len() <= 100
        && text.split_once('@').is_some_and(|(name, host)| {
            name.len() <= 60
                && is_word(name, "._-+")
                && is_word(host, ".-")
                && host.contains('.')
                && host.split('.').all(|label| is_word(label, "-"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check::Checker;

    #[track_caller]
    fn check(payloads: &[Value], expected: &Value) -> Inference {
        let mut inference = Inference::default();
        for payload in payloads {
            inference.look(payload);
        }
        let mut schema = inference.schema();
        let checker = Checker::compile(&schema.to_string()).expect("a schema");
        for payload in payloads {
            assert_eq!(checker.violations(&payload.to_string()), [], "{payload} {schema}");
        }
        schema.as_object_mut().expect("an object").shift_remove("$schema");
        assert_eq!(schema, *expected);
        inference
    }

    #[test]
    fn types_requirements_and_numbers_are_found() {
        check(
            &[json!({"a": 1, "b": "x"}), json!({"a": 2.5}), json!({"a": 3, "c": [1, 2]})],
            &json!({
                "type": "object",
                "properties": {"a": {"type": "number"}, "b": {"type": "string"}, "c": {"type": "array", "items": {"type": "integer"}}},
                "required": ["a"],
                "additionalProperties": false,
            }),
        );
    }

    #[test]
    fn few_values_that_repeat_are_an_enum_and_formats_are_known() {
        let payload = |n: usize| {
            json!({
                "state": if n.is_multiple_of(3) { Value::Null } else { ["open", "paid"][n % 2].into() },
                "at": format!("2026-02-{:02}T10:00:00Z", n % 28 + 1),
                "by": format!("user{n}@shop.example"),
            })
        };
        let payloads: Vec<Value> = (0..30).map(payload).collect();
        let inference = check(
            &payloads,
            &json!({
                "type": "object",
                "properties": {
                    "state": {"type": ["string", "null"], "enum": ["paid", "open", null]},
                    "at": {"type": "string", "format": "date-time"},
                    "by": {"type": "string", "format": "email"},
                },
                "required": ["state", "at", "by"],
                "additionalProperties": false,
            }),
        );
        let note = Note { path: "payload.state".to_owned(), what: "is null 10 of 30 times".to_owned() };
        assert_eq!(inference.notes(), [note]);
    }

    #[test]
    fn an_object_of_many_members_is_a_map() {
        let payload: Map<String, Value> = (0..100).map(|n| (format!("user-{n}"), json!({"n": n}))).collect();
        let inner = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
        check(&[Value::Object(payload)], &json!({"type": "object", "additionalProperties": inner}));
    }

    #[test]
    fn mixed_types_are_taken_and_noted() {
        let inference = check(
            &[json!({"a": 1}), json!({"a": "1"}), json!({"a": {"b": true}})],
            &json!({
                "type": "object",
                "properties": {"a": {
                    "type": ["object", "string", "integer"],
                    "properties": {"b": {"type": "boolean"}}, "required": ["b"], "additionalProperties": false,
                }},
                "required": ["a"],
                "additionalProperties": false,
            }),
        );
        assert_eq!(inference.notes().len(), 1);
    }

    #[test]
    fn what_is_too_deep_may_be_anything() {
        let mut deep = json!(1);
        for _ in 0..30 {
            deep = json!({"a": deep});
        }
        let mut inference = Inference::default();
        inference.look(&deep);
        let schema = inference.schema().to_string();
        assert!(
            schema.len() < 2_000 && Checker::compile(&schema).expect("a schema").is_valid(&deep.to_string())
        );
    }
}
