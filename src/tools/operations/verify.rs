//! `verify`: proves that what is stored is what was written, and builds anew what can be.

use serde_json::{Value, json};

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::{ErrorKind, Result};
use crate::store::Damage;
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "verify", run };

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let is_repair = arguments.get("repair").and_then(Value::as_bool).unwrap_or(false);
    let (report, refusal) = match is_repair.then(|| engine.repair()) {
        // What is wrong is told all the same.
        Some(Err(error)) if error.kind() == ErrorKind::Denied => (engine.verify(), Some(error.to_string())),
        Some(report) => (report?, None),
        None => (engine.verify(), None),
    };
    let mut result = Object::new();
    result.insert("events".to_owned(), report.events.into());
    result.insert("files".to_owned(), report.files.into());
    result.insert("damage".to_owned(), report.damage.iter().map(place).collect());
    result.insert("repaired".to_owned(), report.repaired.iter().map(place).collect());
    result.extend(refusal.map(|refusal| ("not_repaired".to_owned(), refusal.into())));
    Ok(result)
}

fn place(damage: &Damage) -> Value {
    json!({
        "file": damage.file,
        "offset": damage.offset,
        "first_position": damage.first_position.get(),
        "last_position": damage.last_position.get(),
        "derived": damage.is_derived(),
        "reason": damage.reason,
    })
}
