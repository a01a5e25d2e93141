//! What an append expects, and how the answer reads when it does not hold.

use serde_json::{Value, json};

use super::call::{Append, AppendCondition};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Expected, Filter, Position, Version};

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
    let name = Value::from(entity_id.as_str());
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
    if append.expected.is_empty() && append.conditions.is_empty() {
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
    let said = |condition: &AppendCondition| json!({ "fail_if_exists": condition.filter.to_string(), "after": condition.after.get() });
    let conditions = match append.conditions.as_slice() {
        [] => json!(null),
        [one] => said(one),
        several => several.iter().map(said).collect(),
    };
    Some(json!({ "expected": expected, "condition": conditions }).to_string())
}

impl AppendCondition {
    /// Reads back the conditions that held when a batch went in.
    ///
    /// # Errors
    /// `Corrupt` when they are not what was written.
    pub(crate) fn read_all(described: Option<&str>) -> Result<Vec<Self>> {
        let Some(described) = described else { return Ok(Vec::new()) };
        let unread = || {
            Error::new(
                ErrorKind::Corrupt,
                "log_damaged",
                "read the conditions of an append: they are not what was written",
            )
        };
        let mut described: Value = serde_json::from_str(described).map_err(|_| unread())?;
        let all = match described.get_mut("condition").map(Value::take).unwrap_or_default() {
            Value::Null => Vec::new(),
            Value::Array(several) => several,
            one => vec![one],
        };
        let read = |one: &Value| {
            let filter = Filter::from_canonical(one.get("fail_if_exists")?.as_str()?).ok()?;
            Some(Self { filter, after: Position::new(one.get("after")?.as_u64()?) })
        };
        all.iter().map(|one| read(one).ok_or_else(unread)).collect()
    }
}
