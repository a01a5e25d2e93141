//! The ledger of a real store, whoever holds its directory.

use serde_json::{Map, Value};

use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, Result};
use crate::event::{EventDraft, EventId};
use crate::import::{Item, Ledger, read_time};
use crate::tools::Object;

/// A branch of a store, written to by whoever imports.
pub(super) struct Target<'a> {
    pub(super) host: &'a Host,
    pub(super) caller: &'a Caller,
    pub(super) branch: &'a str,
}

impl Target<'_> {
    fn operate(&self, name: &str, mut arguments: Object) -> Result<Object> {
        arguments.insert("branch".to_owned(), self.branch.into());
        self.host.operate(name, &arguments, self.caller)
    }
}

impl Ledger for Target<'_> {
    fn known(&self, keys: &[String]) -> Result<Vec<Option<u64>>> {
        let mut arguments = Object::new();
        arguments.insert("keys".to_owned(), Value::from(keys.to_vec()));
        let answer = self.operate("known_keys", arguments)?;
        let positions = answer.get("positions").and_then(Value::as_array);
        Ok(positions.into_iter().flatten().map(Value::as_u64).collect())
    }

    fn event_at(&self, position: u64) -> Result<Option<EventDraft>> {
        let mut arguments = Object::new();
        arguments.insert("after_position".to_owned(), Value::from(position.saturating_sub(1)));
        arguments.insert("as_of_position".to_owned(), Value::from(position));
        let page = self.operate("export_page", arguments)?;
        let events = page.get("events").and_then(Value::as_array);
        events.and_then(|events| events.first()).map(as_draft).transpose()
    }

    fn append(&self, items: &[Item], key: Option<&str>) -> Result<u64> {
        let mut arguments = Object::new();
        let events: Vec<Value> = items.iter().map(|item| Value::Object(as_argument(&item.event))).collect();
        arguments.insert("events".to_owned(), Value::Array(events));
        if let Some(key) = key {
            arguments.insert("idempotency_key".to_owned(), Value::from(key));
        }
        let answer = self.operate("append_batch", arguments)?;
        let count = |name: &str| answer.get(name).and_then(Value::as_u64);
        let stored =
            count("stored").ok_or_else(|| Error::internal("append a batch: the answer has no count"))?;
        Ok((items.len() as u64).saturating_sub(stored))
    }
}

/// The draft that an exported event was.
fn as_draft(event: &Value) -> Result<EventDraft> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let needed = |name: &str| text(name).unwrap_or_default();
    let mut draft = EventDraft::new(needed("entity_id"), needed("event_type"), needed("payload"))?;
    if let Some(metadata) = text("metadata") {
        draft = draft.with_metadata(metadata)?;
    }
    if let Some(at) = text("timestamp").and_then(read_time) {
        draft = draft.at(at);
    }
    Ok(draft.with_event_id(EventId::new(needed("event_id"))?))
}

fn as_argument(event: &EventDraft) -> Object {
    let mut fields = Map::with_capacity(6);
    fields.insert("entity_id".to_owned(), Value::from(event.entity_id.as_str()));
    fields.insert("event_type".to_owned(), Value::from(event.event_type.as_str()));
    fields.insert("payload".to_owned(), Value::from(event.payload().as_str()));
    if let Some(metadata) = event.metadata() {
        fields.insert("metadata".to_owned(), Value::from(metadata.as_str()));
    }
    if let Some(id) = &event.event_id {
        fields.insert("event_id".to_owned(), Value::from(id.to_string()));
    }
    if let Some(at) = event.timestamp {
        fields.insert("timestamp".to_owned(), Value::from(at.as_micros()));
    }
    fields
}
