//! The ledger of a real store, whoever holds its directory.

use serde_json::{Map, Value};

use super::chunk::Item;
use super::ledger::Ledger;
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, Result};
use crate::event::EventDraft;
use crate::tools::Object;

impl Ledger for (&Host, &Caller) {
    fn known(&self, keys: &[String]) -> Result<Vec<bool>> {
        let mut arguments = Object::new();
        arguments.insert("keys".to_owned(), Value::from(keys.to_vec()));
        let answer = self.0.operate("known_keys", &arguments, self.1)?;
        let known = answer.get("known").and_then(Value::as_array);
        Ok(known.into_iter().flatten().map(|known| known.as_bool().unwrap_or(false)).collect())
    }

    fn append(&self, items: &[Item], key: Option<&str>) -> Result<u64> {
        let mut arguments = Object::new();
        let events: Vec<Value> = items.iter().map(|item| Value::Object(as_argument(&item.event))).collect();
        arguments.insert("events".to_owned(), Value::Array(events));
        if let Some(key) = key {
            arguments.insert("idempotency_key".to_owned(), Value::from(key));
        }
        let answer = self.0.operate("append_batch", &arguments, self.1)?;
        let count = |name: &str| answer.get(name).and_then(Value::as_u64);
        let stored =
            count("stored").ok_or_else(|| Error::internal("append a batch: the answer has no count"))?;
        Ok((items.len() as u64).saturating_sub(stored))
    }
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
