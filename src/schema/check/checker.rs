//! A schema, compiled.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ReferencingError, Retrieve, Uri, ValidationError, Validator};
use serde_json::{Value, json};

use super::plan::Plan;
use super::violation::Violation;
use super::walk::fits;
use crate::error::{Error, Result};
use crate::event::{is_deeper_than, quote};

/// The largest schema: 64 KiB of JSON.
pub const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// The deepest schema: 64 levels of JSON.
pub const SCHEMA_LEVELS_MAX: usize = 64;
/// The most violations that are named of one payload: 5.
pub const VIOLATIONS_MAX: usize = 5;
/// The largest compiled regular expression: 1 MiB.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// How often a regular expression may turn back before the text counts as no match: 100,000 times.
const REGEX_BACKTRACKS_MAX: usize = 100_000;

/// A compiled schema. Formats are asserted; the draft is that of `$schema`, or else 2020-12.
pub struct Checker {
    validator: Validator,
    plan: Option<Plan>,
}

impl Checker {
    /// Compiles a schema: JSON of at most 64 KiB and 64 levels, an object.
    ///
    /// # Errors
    /// `Invalid`: `schema_too_large`, `schema_too_deep`, `bad_schema` (with the place), `remote_ref` (a `$ref` that leads out
    /// of the schema), `unknown_draft`.
    pub fn compile(schema: &str) -> Result<Self> {
        let schema = read_schema(schema)?;
        let validator = build(&schema)?;
        let plan = Plan::of(&schema, &|leaf| leaf_validator(&schema, leaf));
        Ok(Self { validator, plan })
    }

    /// Whether a payload fits.
    #[must_use]
    pub fn is_valid(&self, json: &str) -> bool {
        if self.plan.as_ref().is_some_and(|plan| fits(json, plan)) {
            return true;
        }
        serde_json::from_str::<Value>(json).is_ok_and(|value| self.validator.is_valid(&value))
    }

    /// What is wrong with a payload, at most five things; nothing when it fits.
    #[must_use]
    pub fn violations(&self, json: &str) -> Vec<Violation> {
        if self.plan.as_ref().is_some_and(|plan| fits(json, plan)) {
            return Vec::new();
        }
        match serde_json::from_str::<Value>(json) {
            Ok(value) => self
                .validator
                .iter_errors(&value)
                .take(VIOLATIONS_MAX)
                .map(|error| Violation::of(&error))
                .collect(),
            Err(error) => vec![Violation {
                path: String::new(),
                keyword: "type".to_owned(),
                reason: format!("is not JSON: {error}"),
            }],
        }
    }

    /// Whether payloads are looked at without being parsed into a tree first.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.plan.is_some()
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (&Validator, Option<&Plan>) {
        (&self.validator, self.plan.as_ref())
    }
}

/// The schema as a tree, within the limits.
///
/// # Errors
/// `Invalid`: `schema_too_large`, `schema_too_deep`, `bad_schema`.
pub(crate) fn read_schema(text: &str) -> Result<Value> {
    if text.len() > SCHEMA_BYTES_MAX {
        let message = format!(
            "the schema is {} bytes but at most {SCHEMA_BYTES_MAX} are taken; split it by event type, or move repeated parts into $defs",
            text.len()
        );
        return Err(Error::invalid("schema_too_large", message).with("bytes_max", SCHEMA_BYTES_MAX));
    }
    if is_deeper_than(text.as_bytes(), SCHEMA_LEVELS_MAX) {
        let message = format!(
            "the schema is nested more than {SCHEMA_LEVELS_MAX} levels deep; move inner parts into $defs and refer to them"
        );
        return Err(Error::invalid("schema_too_deep", message).with("levels_max", SCHEMA_LEVELS_MAX));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(schema) if schema.is_object() => Ok(schema),
        Ok(_) => {
            Err(Error::invalid("bad_schema", "the schema is no JSON object; give {\"type\": \"object\", …}"))
        }
        Err(error) => Err(Error::invalid("bad_schema", format!("the schema is not JSON: {error}"))),
    }
}

/// A text pattern of a schema.
pub(crate) struct Pattern(Validator);

impl Pattern {
    /// Compiles a pattern; `None` when it is none.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        options().build(&json!({"pattern": pattern})).ok().map(Self)
    }

    /// Whether a name has the pattern in it.
    pub(crate) fn is_in(&self, name: &str) -> bool {
        self.0.is_valid(&Value::from(name))
    }
}

fn options() -> jsonschema::ValidationOptions<'static> {
    let patterns =
        PatternOptions::fancy_regex().backtrack_limit(REGEX_BACKTRACKS_MAX).size_limit(REGEX_BYTES_MAX);
    jsonschema::options().should_validate_formats(true).with_pattern_options(patterns).with_retriever(Nothing)
}

/// A validator of one keyword about text, by the draft of the whole schema.
fn leaf_validator(schema: &Value, mut leaf: Value) -> Option<Validator> {
    if let (Some(members), Some(draft)) = (leaf.as_object_mut(), schema.get("$schema")) {
        members.insert("$schema".to_owned(), draft.clone());
    }
    options().build(&leaf).ok()
}

fn build(schema: &Value) -> Result<Validator> {
    options().build(schema).map_err(|error| explained(&error))
}

fn explained(error: &ValidationError<'_>) -> Error {
    if let ValidationErrorKind::Referencing(error) = error.kind() {
        return match error {
            ReferencingError::Unretrievable { uri, .. } => {
                let message = format!(
                    "the schema refers to {}, which lies outside of it; nothing is fetched: copy it into $defs and refer to \
                     \"#/$defs/…\"",
                    quote(uri)
                );
                Error::invalid("remote_ref", message).with("ref", uri.as_str())
            }
            ReferencingError::UnknownSpecification { specification } => {
                let message = format!(
                    "the schema's $schema is {}; known are drafts 4, 6, 7, 2019-09 and 2020-12: \
                     \"https://json-schema.org/draft/2020-12/schema\"",
                    quote(specification)
                );
                Error::invalid("unknown_draft", message)
            }
            other => Error::invalid("bad_schema", format!("a $ref of the schema leads nowhere: {other}")),
        };
    }
    let Violation { path, reason, .. } = Violation::of(error);
    let place =
        if path.is_empty() { "the schema".to_owned() } else { format!("the schema at {}", quote(&path)) };
    Error::invalid("bad_schema", format!("{place} {reason}")).with("path", path)
}

/// Fetches nothing.
struct Nothing;

impl Retrieve for Nothing {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("nothing outside of the schema is fetched".into())
    }
}
