//! What a caller wants stored.

use super::limits::{METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX};
use super::{EntityId, EventId, EventType, Json, Text, Timestamp};
use crate::error::{Error, Result};

/// An event before it has a position: valid, but not stored.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDraft {
    /// The stream it belongs to.
    pub entity_id: EntityId,
    /// What happened.
    pub event_type: EventType,
    payload: Json,
    metadata: Option<Json>,
    /// The caller's own id; without one the store makes a `UUIDv7`.
    pub event_id: Option<EventId>,
    /// When it happened; without one it is the time of recording.
    pub timestamp: Option<Timestamp>,
}

impl EventDraft {
    /// A draft with its payload: any JSON up to 1 MiB.
    ///
    /// # Errors
    /// `Invalid` when a name or the payload breaks a limit of [`limits`](super::limits).
    pub fn new(entity_id: &str, event_type: &str, payload: impl Into<Text>) -> Result<Self> {
        Ok(Self {
            entity_id: EntityId::new(entity_id)?,
            event_type: EventType::new(event_type)?,
            payload: Json::parse(payload, "payload", PAYLOAD_BYTES_MAX)?,
            metadata: None,
            event_id: None,
            timestamp: None,
        })
    }

    /// Adds metadata: a JSON object up to 64 KiB.
    ///
    /// # Errors
    /// `Invalid` when it is not an object or too large.
    pub fn with_metadata(mut self, metadata: impl Into<Text>) -> Result<Self> {
        let metadata = Json::parse(metadata, "metadata", METADATA_BYTES_MAX)?;
        if !metadata.is_object() {
            return Err(Error::invalid(
                "not_an_object",
                "metadata is not an object; wrap it as {\"value\": …}",
            ));
        }
        self.metadata = Some(metadata);
        Ok(self)
    }

    /// Puts metadata in the place of the given that the server completed: its own members may go beyond the limit.
    pub(crate) fn completed_with(mut self, metadata: Json) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Sets the caller's own event id.
    #[must_use]
    pub fn with_event_id(mut self, event_id: EventId) -> Self {
        self.event_id = Some(event_id);
        self
    }

    /// Sets when it happened.
    #[must_use]
    pub fn at(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &Json {
        &self.payload
    }

    /// The metadata, if any.
    #[must_use]
    pub fn metadata(&self) -> Option<&Json> {
        self.metadata.as_ref()
    }
}
