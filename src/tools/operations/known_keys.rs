//! `known_keys`: which appends the store has, by their idempotency keys.

use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::{Error, Result};
use crate::event::{IdempotencyKey, Position};
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "known_keys", run };

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let snapshot = engine.store().snapshot();
    let keys = arguments.get("keys").and_then(Value::as_array);
    let positions = keys
        .into_iter()
        .flatten()
        .map(|key| {
            let key = key
                .as_str()
                .ok_or_else(|| Error::invalid("bad_argument", "keys holds something that is not a string"))?;
            Ok(Value::from(snapshot.call(&IdempotencyKey::new(key)?)?.map(Position::get)))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut result = Object::new();
    let known = positions.iter().map(|position| Value::from(!position.is_null())).collect();
    result.insert("known".to_owned(), Value::Array(known));
    result.insert("positions".to_owned(), Value::Array(positions));
    Ok(result)
}
