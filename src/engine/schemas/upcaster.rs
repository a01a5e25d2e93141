//! Payloads as of the newest schema, whatever they were stored as.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::Result;
use crate::event::{Event, Json};
use crate::schema::{Registry, upcast};
use crate::store::Snapshot;

/// Brings events up to the newest version of their schemas.
#[derive(Clone)]
pub(crate) struct Upcaster(Arc<Registry>);

impl Engine {
    /// An upcaster by the schemas as of a snapshot.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn upcaster(&self, snapshot: &Snapshot) -> Result<Upcaster> {
        self.schemas(snapshot).map(Upcaster)
    }
}

impl Upcaster {
    /// The event, its payload as of the newest version; as it was stored when nothing is registered to change it.
    pub(crate) fn bring_up(&self, mut event: Event) -> Event {
        let Some(entry) = self.0.of_type(event.event_type.as_str()).filter(|_| !event.emptied) else {
            return event;
        };
        let mut operations = entry.upcasts_from(entry.version_at(event.position)).peekable();
        if operations.peek().is_some() {
            event.payload = Json::from(&upcast(event.payload.to_value(), operations));
        }
        event
    }
}
