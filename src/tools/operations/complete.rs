//! `complete`: the names that begin with what someone has typed.

use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine, MAIN};
use crate::error::{Error, Result};
use crate::event::quote;
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "complete", run };

/// The names in an answer when nothing else is asked for, which is also what MCP takes at most.
const VALUES_DEFAULT: usize = 100;
/// The most names in an answer.
const VALUES_MAX: usize = 1_000;

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let prefix = text("prefix").unwrap_or("");
    let limit = arguments.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let max = limit.unwrap_or(VALUES_DEFAULT).min(VALUES_MAX);
    let snapshot = engine.store().snapshot();
    let values: Vec<String> = match text("kind").unwrap_or("") {
        "entity_id" => snapshot.entity_ids(prefix, max)?.iter().map(ToString::to_string).collect(),
        "event_type" => {
            let types = snapshot.stats()?.event_types;
            let names = types.iter().map(|one| one.event_type.as_str());
            names.filter(|name| name.starts_with(prefix)).take(max).map(str::to_owned).collect()
        }
        "branch" => {
            let forks = engine.live_forks()?.into_iter().map(|id| id.to_string());
            let names = [MAIN.to_owned()].into_iter().chain(forks);
            names.filter(|name| name.starts_with(prefix)).take(max).collect()
        }
        other => {
            let message = format!("complete {}: kind is entity_id, event_type or branch", quote(other));
            return Err(Error::invalid("bad_argument", message).with("argument", "kind"));
        }
    };
    let mut result = Object::new();
    result.insert("values".to_owned(), values.into());
    Ok(result)
}
