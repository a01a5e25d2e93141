//! A pinned view of a branch: what it holds does not change while it is held.

use super::read::{Page, Scan, ScanLimits};
use crate::error::Result;
use crate::event::{EntityId, Event, EventId, EventType, IdempotencyKey, Position, Timestamp, Version};

/// A pinned view of a branch up to a position.
#[derive(Clone)]
pub struct Snapshot {}

/// The last event of an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its version.
    pub version: Version,
    /// Its position.
    pub position: Position,
}

/// An event type and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCount {
    /// The type.
    pub event_type: EventType,
    /// How many events have it.
    pub count: u64,
}

/// What a branch holds, from its indexes alone: the cost does not grow with the number of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreStats {
    /// Events.
    pub events: u64,
    /// Entities that have at least one event.
    pub entities: u64,
    /// Event types, most frequent first.
    pub event_types: Vec<TypeCount>,
    /// The earliest and the latest timestamp.
    pub time_range: Option<(Timestamp, Timestamp)>,
    /// When the last batch was committed.
    pub last_recorded_at: Option<Timestamp>,
    /// Bytes of log in use.
    pub log_bytes: u64,
    /// Bytes of index files.
    pub index_bytes: u64,
}

impl Snapshot {
    /// The last position in this view.
    pub fn head(&self) -> Position {
        unimplemented!()
    }

    /// Raised whenever an open lost positions; cursors carry it, and one of an older epoch is refused.
    pub fn epoch(&self) -> u64 {
        unimplemented!()
    }

    /// The same view, ending at `position` at the latest.
    #[must_use]
    pub fn up_to(&self, position: Position) -> Self {
        let _ = position;
        unimplemented!()
    }

    /// The last position that was recorded at or before `time`: the cut of a `known_at` read.
    pub fn position_known_at(&self, time: Timestamp) -> Result<Position> {
        let _ = time;
        unimplemented!()
    }

    /// The event at a position; `None` beyond the head.
    pub fn event(&self, position: Position) -> Result<Option<Event>> {
        let _ = position;
        unimplemented!()
    }

    /// The event with that id.
    pub fn event_by_id(&self, event_id: &EventId) -> Result<Option<Event>> {
        let _ = event_id;
        unimplemented!()
    }

    /// The last event of an entity; `None` when it has none.
    pub fn entity_head(&self, entity_id: &EntityId) -> Result<Option<Head>> {
        let _ = entity_id;
        unimplemented!()
    }

    /// The first position of the append with that idempotency key.
    pub fn call(&self, key: &IdempotencyKey) -> Result<Option<Position>> {
        let _ = key;
        unimplemented!()
    }

    /// One page of a scan.
    pub fn scan(&self, scan: &Scan, limits: &ScanLimits) -> Result<Page> {
        let _ = (scan, limits);
        unimplemented!()
    }

    /// Entity ids that begin with `prefix`, in order of bytes, at most `max`.
    pub fn entity_ids(&self, prefix: &str, max: usize) -> Result<Vec<EntityId>> {
        let _ = (prefix, max);
        unimplemented!()
    }

    /// Counts and ranges of the view.
    pub fn stats(&self) -> Result<StoreStats> {
        unimplemented!()
    }
}
