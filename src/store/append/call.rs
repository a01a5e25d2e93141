//! What a caller asks of an append, and what it is told.

use crate::event::{
    EntityId, EventDraft, EventId, Expected, Filter, IdempotencyKey, Position, Timestamp, Version,
};

/// One append: stored whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// What to store, in order: 1 to 100,000 events, at most 64 MiB in all.
    pub events: Vec<EventDraft>,
    /// What each named entity must be for the append to go in.
    pub expected: Vec<(EntityId, Expected)>,
    /// No event may match any of these (a dynamic consistency boundary).
    pub conditions: Vec<AppendCondition>,
    /// Names the append, so that sending it again returns the first result.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Check everything, say what would happen, write nothing.
    pub dry_run: bool,
}

/// *No event matching `filter` after position `after`*: the append condition of a dynamic consistency boundary
/// (<https://dcb.events/specification/>).
#[derive(Clone, Debug)]
pub struct AppendCondition {
    /// What must not be there.
    pub filter: Filter,
    /// Only events after this position count.
    pub after: Position,
}

/// What an append did.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// Each event of the call, in its order.
    pub events: Vec<StoredEvent>,
    /// When the batch was committed; of a duplicate, when it was first committed.
    pub recorded_at: Timestamp,
    /// The idempotency key was known: nothing was written, this is the first result.
    pub duplicate: bool,
    /// The branch's last position after the append.
    pub head: Position,
}

/// Where one event of an append went.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its id.
    pub event_id: EventId,
    /// Its place in the branch.
    pub position: Position,
    /// Its place in its entity.
    pub version: Version,
    /// Its id was known with the same content: it was stored before, at this position.
    pub already_stored: bool,
}
