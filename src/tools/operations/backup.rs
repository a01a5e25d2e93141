//! `backup`: copies the store into a directory while it is in use.

use std::path::Path;

use super::{Operation, answer};
use crate::engine::{Caller, Engine};
use crate::error::{Error, Result};
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "backup", run };

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let dir = arguments.get("dir").and_then(serde_json::Value::as_str).map(Path::new);
    let dir = dir.filter(|dir| dir.is_absolute()).ok_or_else(|| {
        let message = "back up: the argument dir is missing or not an absolute path; give one, for the process that has the \
                       store may have another current directory";
        Error::invalid("bad_argument", message)
    })?;
    let done = engine.store().backup(dir)?;
    Ok(answer([
        ("through", done.through.get()),
        ("kept", done.kept),
        ("linked", done.linked),
        ("copied", done.copied),
        ("copied_bytes", done.copied_bytes),
        ("removed", done.removed),
    ]))
}
