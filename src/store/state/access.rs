//! *Which state may be used, and which may be saved?* What the branch knows of its events decides.

use super::{Cut, SavedState};
use crate::error::{ErrorKind, Result};
use crate::event::{EntityId, Event, Position, Timestamp, Version};
use crate::store::open::Store;
use crate::store::options::Mode;
use crate::store::snapshot::Snapshot;
use crate::store::verify::Damage;

impl Store {
    /// The last saved state of an entity that serves for the snapshot, up to a version and a timestamp, with the event
    /// that it ends with.
    ///
    /// None while the store reads around damage: then states, too, leave out what cannot be read.
    pub(crate) fn saved_state(
        &self,
        snapshot: &Snapshot,
        entity: &EntityId,
        version_max: Option<Version>,
        as_of: Option<Timestamp>,
    ) -> Option<(SavedState, Event)> {
        if self.reads_around_damage() {
            return None;
        }
        let cut = Cut {
            position: snapshot.on_main(),
            version: version_max.unwrap_or(Version::MAX),
            timestamp: as_of.unwrap_or(Timestamp::MAX),
        };
        let states = &self.branch.states;
        let state = states.find(entity, &cut)?;
        // An event that cannot be read is for the fold to report.
        let event = snapshot.event(state.position).ok().flatten();
        let ends_state = |event: &Event| {
            event.entity_id == state.entity_id
                && event.version == state.version
                && event.recorded_at == state.recorded_at
        };
        let Some(event) = event.filter(ends_state) else {
            states.discard(&state);
            return None;
        };
        Some((state, event))
    }

    /// Saves a state that was folded from the events of a snapshot; false when that must not be, or did not work.
    ///
    /// Costs one write and no sync, and a rewriting of the file (at most 32 MiB) once more than half of it is superseded.
    pub(crate) fn save_state(&self, snapshot: &Snapshot, state: &SavedState) -> bool {
        let branch = &self.branch;
        self.saves_states()
            && state.position <= branch.durable()
            && branch.states.save(state, || snapshot.is_over(&branch.view()))
    }

    /// Removes every saved state because of damage to some: they are folded from their events, and saved again.
    ///
    /// # Errors
    /// `Denied` when the store is open for reading only, `Unavailable` when the disk fails.
    pub(crate) fn mend_states(&self, damage: &Damage) -> Result<()> {
        self.branch.mend_states(damage)
    }

    /// Whether states can be saved at all.
    pub(crate) fn saves_states(&self) -> bool {
        self.branch.options.mode == Mode::Write
            && self.branch.fault().is_none()
            && self.branch.lineage.is_none()
    }

    /// Takes away a saved state that its events do not fold into.
    pub(crate) fn discard_state(&self, state: &SavedState) {
        self.branch.states.discard(state);
    }

    /// How many events come to an entity until its state is saved again; 0: it never is.
    pub(crate) fn state_every_events(&self) -> u64 {
        self.branch.options.state_every_events
    }

    /// The last position that survives a power cut.
    pub(crate) fn durable(&self) -> Position {
        self.branch.durable()
    }

    /// Up to `count` saved states from all over, the same ones each time, and the name of the file that holds them.
    pub(crate) fn sample_of_states(&self, count: usize) -> (String, Vec<SavedState>) {
        let states = &self.branch.states;
        (states.file_name().unwrap_or_default(), states.sample(count))
    }

    /// Whether damage is known, so that reads leave something out.
    pub(crate) fn reads_around_damage(&self) -> bool {
        let fault = self.branch.fault();
        !self.damage().is_empty() || fault.is_some_and(|fault| fault.kind() == ErrorKind::Corrupt)
    }

    /// Deletes the saved states of entities that hold an event at or behind `from`; they are folded and saved anew when
    /// they are next read.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails, `Denied` when the store is open for reading only.
    pub fn forget_states(&self, from: Position) -> Result<()> {
        self.branch.states.forget(from).map(drop)
    }
}
