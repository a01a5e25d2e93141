//! The write path.

use super::{Append, Appended, Preparation, Prepared, Verdict};
use crate::error::Result;
use crate::event::Position;
use crate::store::Store;
use crate::store::branch::Branch;

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
    pub fn append(&self, append: Append) -> Result<Appended> {
        self.branch.append(append)
    }
}

impl Branch {
    /// See [`Store::append`].
    pub(crate) fn append(&self, mut append: Append) -> Result<Appended> {
        // Up to here the condition is known to hold: a retry looks only at what came since.
        let mut checked = Position::ZERO;
        loop {
            self.check_writable()?;
            // Outside the lock, in parallel with other callers: look up heads, ids and conditions, encode the frame.
            let prepared = match Prepared::prepare(append, &self.snapshot(), checked)? {
                Preparation::Answered(appended) => return Ok(appended),
                Preparation::Ready(prepared) => prepared,
            };
            // Under the lock, alone: check what was committed since, assign, write, sync, publish.
            checked = prepared.head;
            match self.commit(*prepared)? {
                Verdict::Stored(appended) => return Ok(appended),
                // Too much was committed since the snapshot to check it under the lock: look again.
                Verdict::Stale(again) => append = again,
            }
        }
    }
}
