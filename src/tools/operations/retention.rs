//! `retention_list`, `retention_set`, `retention_clear`, `retention_run`: how long payloads are kept.

use serde_json::{Value, json};

use super::Operation;
use crate::engine::{Caller, Engine, check_writes};
use crate::error::{Error, Result};
use crate::store::RetentionPolicy;
use crate::tools::Object;

/// The operations.
pub(super) const LIST: Operation = Operation { name: "retention_list", run: list };
pub(super) const SET: Operation = Operation { name: "retention_set", run: set };
pub(super) const CLEAR: Operation = Operation { name: "retention_clear", run: clear };
pub(super) const RUN: Operation = Operation { name: "retention_run", run };

#[expect(clippy::unnecessary_wraps, reason = "every operation has this signature")]
fn list(engine: &Engine, _arguments: &Object, _caller: &Caller) -> Result<Object> {
    let policies = engine.store().retention().iter().map(|policy| json!(policy)).collect();
    Ok(Object::from_iter([("policies".to_owned(), Value::Array(policies))]))
}

fn set(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    check_writes(caller)?;
    let number = |name: &str| arguments.get(name).and_then(Value::as_u64);
    engine.store().set_retention(RetentionPolicy {
        event_type: event_type(arguments)?.to_owned(),
        max_age_seconds: number("max_age_seconds"),
        max_events: number("max_events"),
        max_bytes: number("max_bytes"),
    })?;
    list(engine, arguments, caller)
}

fn clear(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    check_writes(caller)?;
    let is_found = engine.store().clear_retention(event_type(arguments)?)?;
    Ok(Object::from_iter([("cleared".to_owned(), is_found.into())]))
}

fn run(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    let dry_run = arguments.get("dry_run").and_then(Value::as_bool).unwrap_or(false);
    if !dry_run {
        check_writes(caller)?;
    }
    let emptied = engine.store().apply_retention(dry_run)?;
    let emptied = emptied
        .iter()
        .map(|one| json!({"policy": one.policy, "events": one.events, "bytes": one.bytes}))
        .collect();
    Ok(Object::from_iter([("emptied".to_owned(), Value::Array(emptied))]))
}

fn event_type(arguments: &Object) -> Result<&str> {
    let given = arguments.get("event_type").and_then(Value::as_str);
    given.ok_or_else(|| Error::invalid("bad_argument", "event_type is missing or not a string"))
}
