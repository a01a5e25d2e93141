//! `append_batch`: stores a batch of an import as it is.

use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::{Error, Result};
use crate::event::{EventDraft, EventId, IdempotencyKey, Timestamp};
use crate::store::Append;
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "append_batch", run };

fn run(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    let items = arguments.get("events").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let events = (0..)
        .zip(items)
        .map(|(index, item): (usize, _)| {
            draft(item).map_err(|error| error.context(format!("events[{index}]")).with("index", index))
        })
        .collect::<Result<Vec<_>>>()?;
    let key = arguments.get("idempotency_key").and_then(Value::as_str);
    let idempotency_key = key.map(IdempotencyKey::new).transpose()?;
    let appended = engine.append_as_given(Append { events, idempotency_key, ..Append::default() }, caller)?;
    let known = appended.events.iter().filter(|one| one.already_stored).count();
    let stored = if appended.duplicate { 0 } else { appended.events.len() - known };
    let mut result = Object::new();
    result.insert("stored".to_owned(), stored.into());
    result.insert("already_stored".to_owned(), (appended.events.len() - stored).into());
    result.insert("duplicate".to_owned(), appended.duplicate.into());
    result.insert("head_position".to_owned(), appended.head.get().into());
    Ok(result)
}

fn draft(item: &Value) -> Result<EventDraft> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let needed = |name: &'static str| {
        text(name).ok_or_else(|| Error::invalid("bad_argument", format!("{name} is missing or not a string")))
    };
    let mut draft = EventDraft::new(needed("entity_id")?, needed("event_type")?, needed("payload")?)?;
    if let Some(metadata) = text("metadata") {
        draft = draft.with_metadata(metadata)?;
    }
    if let Some(id) = text("event_id") {
        draft = draft.with_event_id(EventId::new(id)?);
    }
    if let Some(micros) = item.get("timestamp").and_then(Value::as_i64) {
        draft = draft.at(Timestamp::from_micros(micros));
    }
    Ok(draft)
}
