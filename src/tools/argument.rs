//! The arguments of tools as data: one table drives the schema, the decoding and the errors.

use serde_json::{Value, json};

use super::Object;

/// One argument of a tool.
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it means, in at most 50 characters.
    pub about: &'static str,
    /// Whether the tool refuses a call without it.
    pub required: bool,
}

/// What an argument takes.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A string.
    Text,
    /// One of these strings; the first is the default.
    Choice(&'static [&'static str]),
    /// A whole number between two bounds, both taken.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// The size of the answer in tokens: like an integer, but what is too large is lowered with a warning.
    Budget,
    /// A number from 0 to 1.
    Share,
    /// True or false; false is the default.
    Flag,
    /// A list of strings.
    Texts,
    /// A list of some of these strings.
    Choices(&'static [&'static str]),
    /// An object of whole numbers, named by the caller.
    Integers,
    /// A list of objects with these fields.
    Items(&'static [Argument]),
    /// An object with whatever is in it; nothing inside is decoded or checked.
    Raw,
    /// A list of such objects.
    Objects,
}

impl Argument {
    /// An argument that may be left out.
    pub(crate) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about, required: false }
    }

    /// An argument that must be given.
    pub(crate) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about, required: true }
    }

    fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        schema.insert("description".to_owned(), self.about.into());
        Value::Object(schema)
    }
}

impl Kind {
    /// What the argument must be, in words that follow "must be".
    pub(crate) fn words(self) -> String {
        match self {
            Self::Text => "a string".to_owned(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::Integer { min, max: i64::MAX } => format!("a whole number from {min}"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Budget => "a whole number from 500 to 10000".to_owned(),
            Self::Share => "a number from 0 to 1".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Texts => "an array of strings".to_owned(),
            Self::Choices(choices) => format!("an array of some of {}", choices.join(", ")),
            Self::Integers => "an object of whole numbers".to_owned(),
            Self::Items(_) | Self::Objects => "an array of objects".to_owned(),
            Self::Raw => "an object".to_owned(),
        }
    }

    fn schema(self) -> Object {
        let schema = match self {
            Self::Text => json!({"type": "string"}),
            Self::Choice(choices) => json!({"type": "string", "enum": choices}),
            Self::Integer { min, max: i64::MAX } => json!({"type": "integer", "minimum": min}),
            Self::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Budget => json!({"type": "integer", "minimum": 500, "maximum": 10_000}),
            Self::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Self::Choices(choices) => {
                json!({"type": "array", "items": {"type": "string", "enum": choices}})
            }
            Self::Integers => json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            Self::Items(fields) => json!({"type": "array", "items": object_schema(&[fields])}),
            Self::Raw => json!({"type": "object"}),
            Self::Objects => json!({"type": "array", "items": {"type": "object"}}),
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Object::new(),
        }
    }
}

/// The JSON Schema of an object with these fields: flat, closed, without references, unions or formats, because
/// several clients turn those into strings.
pub(crate) fn object_schema(groups: &[&[Argument]]) -> Object {
    let arguments = || groups.iter().copied().flatten();
    let properties: Object =
        arguments().map(|argument| (argument.name.to_owned(), argument.schema())).collect();
    let required: Vec<&str> =
        arguments().filter(|argument| argument.required).map(|argument| argument.name).collect();
    let mut schema = Object::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

/// One field of an answer.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its JSON Schema type; empty where any JSON may stand.
    pub json_type: &'static str,
    /// What it means, where the name does not say it; else empty.
    pub about: &'static str,
}

impl Field {
    fn schema(&self) -> Value {
        let mut schema = match self.json_type {
            "" => json!({}),
            json_type => json!({"type": json_type}),
        };
        if let Some(members) = schema.as_object_mut().filter(|_| !self.about.is_empty()) {
            members.insert("description".to_owned(), self.about.into());
        }
        schema
    }

    /// A field.
    pub(crate) const fn new(name: &'static str, json_type: &'static str) -> Self {
        Self { name, json_type, about: "" }
    }
}

/// What the rows of a page have in common.
pub(crate) const CONSTANT: Field =
    Field { name: "constant", json_type: "object", about: "The same in every row of this page only" };

/// The JSON Schema of an answer: an object with `error` among its properties and nothing required.
///
/// Of the fields that every answer may have only `error` is told: a model pays for this in every conversation, once a
/// tool, and the instructions say how to use the others.
pub(crate) fn answer_schema(fields: &[Field]) -> Object {
    const ERROR: &Field = &Field::new("error", "object");
    let properties: Object =
        std::iter::once(ERROR).chain(fields).map(|field| (field.name.to_owned(), field.schema())).collect();
    let mut schema = Object::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema
}

/// The most rows one answer may be asked for.
pub(crate) const LIMIT_MAX: i64 = 1_000;
/// The rows of an answer when nothing else is asked for.
pub(crate) const LIMIT_DEFAULT: usize = 50;
/// The hits of a search when nothing else is asked for.
pub(crate) const HITS_DEFAULT: usize = 10;

/// Which events: the arguments that every reading tool shares.
pub(crate) const FILTER: &[Argument] = &[
    Argument::optional("entity_id", Kind::Text, "Entity; a trailing * means prefix"),
    Argument::optional("event_type", Kind::Text, "Event type; a trailing * means prefix"),
    Argument::optional("since", Kind::Text, "From: RFC 3339, a date or now-7d"),
    Argument::optional("until", Kind::Text, "Before this time"),
    Argument::optional("where", Kind::Texts, "Conditions, ANDed, like payload.total > 5"),
    Argument::optional("as_of", Kind::Text, "What had happened by this time"),
    Argument::optional("known_at", Kind::Text, "What was recorded by this time"),
    Argument::optional("as_of_position", POSITION, "Up to this position"),
    BRANCH,
    Argument::optional("time_zone", Kind::Text, "IANA zone of dates and answers; UTC"),
    Argument::optional("refine", Kind::Text, "query_id to start from; what you give replaces"),
    Argument::optional("clear", Kind::Texts, "Its arguments to drop"),
];

/// How many rows, and going on.
pub(crate) const PAGE: &[Argument] = &[
    Argument::optional("limit", Kind::Integer { min: 1, max: LIMIT_MAX }, "Most rows; 50"),
    Argument::optional("cursor", Kind::Text, "next_cursor of an answer; send it alone"),
];

/// How rows are shown.
pub(crate) const FORMAT: &[Argument] = &[Argument::optional(
    "response_format",
    Kind::Choice(&["concise", "detailed"]),
    "concise: a table; detailed: whole events",
)];

/// How large the answer may be.
pub(crate) const BUDGET: &[Argument] =
    &[Argument::optional("max_tokens", Kind::Budget, "Size of the answer; 5000")];

/// Payloads as of the newest schema.
pub(crate) const UPCAST: Argument =
    Argument::optional("upcast", Kind::Flag, "Payloads as of the newest schema version");

/// The branch to read.
pub(crate) const BRANCH: Argument = Argument::optional("branch", Kind::Text, "Branch; main");

/// A position in a branch.
pub(crate) const POSITION: Kind = Kind::Integer { min: 0, max: i64::MAX };
