//! The write path.

use super::Store;
use super::commit::Verdict;
use super::prepare::{Preparation, Prepared};
use crate::error::Result;
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
    /// No event may match this (a dynamic consistency boundary).
    pub condition: Option<AppendCondition>,
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

impl Store {
    /// Stores events, all or none.
    ///
    /// 1. Duplicates come first: a known idempotency key returns its first result, known event ids are reported as
    ///    already stored and the rest goes on. 2. The expectations and the condition are checked. 3. The events get
    ///    their positions, versions and one time of recording. 4. They are written, with everything that waits, in
    ///    one write and one sync. 5. Readers see them. 6. The caller is answered.
    ///
    /// Limits: 1 to 100,000 events and 64 MiB a call.
    ///
    /// # Errors
    /// - `Conflict`: an expectation (`version_conflict`, with `entity_id`, `expected_version`, `current_version`) or
    ///   the condition (`condition_conflict`, with `position`) does not hold, or the key or an id is known with other
    ///   content (`idempotency_conflict`, `event_id_conflict`).
    /// - `Invalid`: a limit is broken.
    /// - `Exhausted`: the disk is full; nothing was changed.
    /// - `Unavailable`: the disk failed; reads go on, writes need a reopen.
    /// - `Denied`: the store is open for reading only.
    pub fn append(&self, mut append: Append) -> Result<Appended> {
        loop {
            self.branch.check_writable()?;
            // Outside the lock, in parallel with other callers: look up heads, ids and conditions, encode the frame.
            let prepared = match Prepared::prepare(append, &self.snapshot())? {
                Preparation::Answered(appended) => return Ok(appended),
                Preparation::Ready(prepared) => prepared,
            };
            // Under the lock, alone: check what was committed since, assign, write, sync, publish.
            match self.branch.commit(*prepared)? {
                Verdict::Stored(appended) => return Ok(appended),
                // Too much was committed since the snapshot to check it under the lock: look again.
                Verdict::Stale(again) => append = again,
            }
        }
    }
}
