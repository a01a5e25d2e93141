//! `verify`: proves that what is stored is what was written.

use serde_json::{Value, json};

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::Result;
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "verify", run };

#[expect(clippy::unnecessary_wraps, reason = "every operation has this signature")]
fn run(engine: &Engine, _arguments: &Object, _caller: &Caller) -> Result<Object> {
    let report = engine.verify();
    let damage: Vec<Value> = report
        .damage
        .iter()
        .map(|damage| {
            json!({
                "file": damage.file,
                "offset": damage.offset,
                "first_position": damage.first_position.get(),
                "last_position": damage.last_position.get(),
                "reason": damage.reason,
            })
        })
        .collect();
    let mut result = Object::new();
    result.insert("events".to_owned(), report.events.into());
    result.insert("files".to_owned(), report.files.into());
    result.insert("damage".to_owned(), damage.into());
    Ok(result)
}
