//! What the store gives back.

use super::{EntityId, EventId, EventType, Json, Position, Timestamp, Version};

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place in the branch.
    pub position: Position,
    /// Its place in its entity.
    pub version: Version,
    /// When it happened: given by the caller, or else the time of recording.
    pub timestamp: Timestamp,
    /// When its batch was committed; strictly rising from batch to batch.
    pub recorded_at: Timestamp,
    /// Its id.
    pub event_id: EventId,
    /// The stream it belongs to.
    pub entity_id: EntityId,
    /// What happened.
    pub event_type: EventType,
    /// Its payload, as the bytes that came.
    pub payload: Json,
    /// Its metadata, as the bytes that came.
    pub metadata: Option<Json>,
    /// Whether retention has emptied it: then the payload reads as `null`, and there is no metadata.
    pub emptied: bool,
}
