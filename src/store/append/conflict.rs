//! What an append expects, and how the answer reads when it does not hold.

use serde_json::json;

use super::call::Append;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Expected, Position, Version};

/// Checks one expectation against the entity's current version.
///
/// # Errors
/// `Conflict` (`version_conflict`) with both versions.
pub(crate) fn check_expected(entity_id: &EntityId, expected: Expected, current: Version) -> Result<()> {
    if expected.is_met_by(current) {
        return Ok(());
    }
    let (wanted, number) = match expected {
        Expected::New => ("it to be new".to_owned(), json!(0)),
        Expected::Exactly(version) => (format!("version {version}"), json!(version.get())),
        Expected::Exists => ("it to exist".to_owned(), json!(-1)),
        Expected::Any => ("anything".to_owned(), json!(null)),
    };
    let found = match current {
        Version::ZERO => "it has no event".to_owned(),
        version => format!("it is at {version}"),
    };
    let remedy = match (expected, current) {
        (Expected::Exactly(version), current) if version < current => {
            format!("read from version {} and retry", version.next())
        }
        (Expected::New, _) => "read it, or choose another id".to_owned(),
        _ => "read it and retry with its version".to_owned(),
    };
    let name = serde_json::Value::from(entity_id.as_str());
    let message = format!("append to entity {name}: expected {wanted} but {found}; {remedy}");
    Err(Error::new(ErrorKind::Conflict, "version_conflict", message)
        .with("entity_id", entity_id.as_str())
        .with("expected_version", number)
        .with("current_version", current.get()))
}

/// The answer when an event matches the condition.
pub(crate) fn condition(position: Position) -> Error {
    let message = format!(
        "append: the event at position {position} matches fail_if_exists; read it, decide again, and retry with fail_if_exists_after {position}"
    );
    Error::new(ErrorKind::Conflict, "condition_conflict", message).with("position", position.get())
}

/// What held when a batch went in, kept with it; `None` when nothing was expected.
pub(crate) fn describe(append: &Append) -> Option<String> {
    if append.expected.is_empty() && append.condition.is_none() {
        return None;
    }
    let expected: serde_json::Map<_, _> = append
        .expected
        .iter()
        .map(|(id, expected)| {
            let number = match expected {
                Expected::New => json!(0),
                Expected::Exactly(version) => json!(version.get()),
                Expected::Exists => json!(-1),
                Expected::Any => json!(null),
            };
            (id.to_string(), number)
        })
        .collect();
    let condition = append.condition.as_ref().map(
        |condition| json!({ "fail_if_exists": condition.filter.to_string(), "after": condition.after.get() }),
    );
    Some(json!({ "expected": expected, "condition": condition }).to_string())
}
