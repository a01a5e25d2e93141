//! *Which folded states need not be folded from the first event again?* A derived file that anybody may delete.
//!
//! Useful for: going on with a fold where an earlier one stopped. Not for: what a fold is ([`engine`](crate::engine)
//! alone knows; here a state is opaque bytes), nor for an answer that nothing else could give.
//!
//! ```text
//! states/<generation>.states    one file, appended to, and written anew when more than half of it is superseded
//! ```
//!
//! A state is used for a moment only if it lies wholly before it, and only after the event it ends with was read and
//! found to be the one that it names. Where a file is missing, damaged or another store's, states are folded from the
//! first event, and saved again. Only the process that holds the directory saves, and only what is durable.
//!
//! **Invariant:** no answer depends on these files, only how long it takes; and no state outlives what retention emptied
//! of its events.

mod access;
mod catalog;
mod file;
mod format;
mod states;
#[cfg(test)]
mod tests;

use crate::event::{EntityId, Position, Timestamp, Version};

pub(crate) use states::States;

/// The state of an entity after an event, as the engine wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedState {
    /// Whose state it is.
    pub entity_id: EntityId,
    /// The version of the last event in it. Every event of the entity up to that one is in it.
    pub version: Version,
    /// The position of that event.
    pub position: Position,
    /// When that event was recorded: with the position, which event it is.
    pub recorded_at: Timestamp,
    /// The greatest timestamp of the events in it.
    pub timestamp_max: Timestamp,
    /// The state itself.
    pub document: Vec<u8>,
}

/// The moment for which a state is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Only events up to this position count.
    pub position: Position,
    /// Only events up to this version count.
    pub version: Version,
    /// Only events with this timestamp or an earlier one count.
    pub timestamp: Timestamp,
}
