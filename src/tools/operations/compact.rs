//! `compact`: makes segments of everything, at once.

use serde_json::Value;

use super::{Operation, answer};
use crate::engine::{Caller, Engine};
use crate::error::Result;
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "compact", run };

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let store = engine.store();
    let done = match arguments.get("hot_window_bytes").and_then(Value::as_u64) {
        Some(bytes) => store.compact_to(bytes)?,
        None => store.compact()?,
    };
    Ok(answer([
        ("sealed", done.sealed),
        ("retired", done.retired),
        ("merged", done.merged),
        ("segments", done.segments),
        ("bytes_before", done.bytes_before),
        ("bytes_after", done.bytes_after),
    ]))
}
