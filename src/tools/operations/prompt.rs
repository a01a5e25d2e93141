//! `prompt`: a workflow's page for this store.

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::{Error, Result};
use crate::tools::{Object, workflows};

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "prompt", run };

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let missing =
        || Error::invalid("missing_argument", "get prompt: name is missing; give a workflow's name");
    let name = arguments.get("name").and_then(|name| name.as_str()).ok_or_else(missing)?;
    let given = arguments.get("arguments").and_then(|given| given.as_object()).cloned().unwrap_or_default();
    let page = workflows::prompt(engine, name, &given)?;
    let mut result = Object::new();
    result.insert("text".to_owned(), page.into());
    Ok(result)
}
