//! What is wrong with a payload, in words.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::event::quote;

/// The most alternatives that a reason names.
const NAMED_MAX: usize = 8;

/// One thing that is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, as a JSON pointer; empty for the whole payload.
    pub path: String,
    /// The keyword of the schema that does not hold.
    pub keyword: String,
    /// What is wrong, with both values; follows the path.
    pub reason: String,
}

impl Violation {
    /// The first thing that the crate found, in our words: its own repeat whole documents.
    pub(super) fn of(error: &ValidationError<'_>) -> Self {
        use ValidationErrorKind as Kind;
        let found = shown(error.instance());
        let reason = match error.kind() {
            Kind::Type { .. } => format!(
                "is {found}, which is {}; the type must be {}",
                type_of(error.instance()),
                types(error)
            ),
            Kind::Required { property } => format!("lacks {}", shown(property)),
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                format!("has {}, which the schema does not know", names(unexpected))
            }
            Kind::Enum { options } => format!("is {found}; it must be one of {}", alternatives(options)),
            Kind::Constant { expected_value } => format!("is {found}; it must be {}", shown(expected_value)),
            Kind::Minimum { limit } => format!("is {found}; it must be at least {}", shown(limit)),
            Kind::Maximum { limit } => format!("is {found}; it must be at most {}", shown(limit)),
            Kind::ExclusiveMinimum { limit } => format!("is {found}; it must be above {}", shown(limit)),
            Kind::ExclusiveMaximum { limit } => format!("is {found}; it must be below {}", shown(limit)),
            Kind::MultipleOf { multiple_of } => format!("is {found}; it must be a multiple of {multiple_of}"),
            Kind::MinLength { limit } => format!("is {found}; it must have at least {limit} characters"),
            Kind::MaxLength { limit } => format!("is {found}; it must have at most {limit} characters"),
            Kind::MinItems { limit } => format!("must have at least {limit} items"),
            Kind::MaxItems { limit } => format!("must have at most {limit} items"),
            Kind::AdditionalItems { limit } => {
                format!("has more than the {limit} items that the schema knows")
            }
            Kind::MinProperties { limit } => format!("must have at least {limit} members"),
            Kind::MaxProperties { limit } => format!("must have at most {limit} members"),
            Kind::UniqueItems => "has the same item twice".to_owned(),
            Kind::Contains => "has no item, or too many, of the kind that it must contain".to_owned(),
            Kind::Format { format } => format!("is {found}, which is no {format}"),
            Kind::Pattern { pattern } => format!("is {found}, which does not match {}", quote(pattern)),
            Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
                format!("is {found}, which fits none of the alternatives")
            }
            Kind::OneOfMultipleValid { .. } => {
                format!("is {found}, which fits more than one of the alternatives")
            }
            Kind::Not { .. } => format!("is {found}, which is what it must not be"),
            Kind::FalseSchema => "must not be there".to_owned(),
            Kind::PropertyNames { error } => format!("has a member whose name {}", Self::of(error).reason),
            other => format!("is {found}, against {}", other.keyword()),
        };
        Self {
            path: error.instance_path().as_str().to_owned(),
            keyword: error.kind().keyword().to_owned(),
            reason,
        }
    }

    /// Where and what, in one sentence; the whole is called `whole`.
    #[must_use]
    pub fn sentence(&self, whole: &str) -> String {
        match self.path.as_str() {
            "" => format!("{whole} {}", self.reason),
            path => format!("{} {}", quote(path), self.reason),
        }
    }
}

/// A value in a sentence: text quoted, the rest as JSON, all of it short.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(number) => {
            let digits = number.to_string();
            if digits.len() <= 40 { digits } else { quote(&digits) }
        }
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn types(error: &ValidationError<'_>) -> String {
    use jsonschema::error::TypeKind;
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(one) } => one.to_string(),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(set) } => {
            let names: Vec<String> = set.iter().map(|one| one.to_string()).collect();
            names.join(" or ")
        }
        _ => String::new(),
    }
}

fn names(unexpected: &[String]) -> String {
    let shown: Vec<String> = unexpected.iter().take(NAMED_MAX).map(|name| quote(name)).collect();
    with_rest(&shown, unexpected.len())
}

fn alternatives(options: &Value) -> String {
    let all = options.as_array().map_or(&[][..], Vec::as_slice);
    let named: Vec<String> = all.iter().take(NAMED_MAX).map(shown).collect();
    with_rest(&named, all.len())
}

fn with_rest(shown: &[String], count: usize) -> String {
    let rest = match count.saturating_sub(shown.len()) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("{}{rest}", shown.join(", "))
}
