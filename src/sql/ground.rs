//! What is a statement asked about? A branch as it was at a moment.

use std::sync::Arc;

use super::scan::Notes;
use crate::engine::{Engine, View};
use crate::error::Result;
use crate::event::{Filter, TimeZone, Timestamp};
use crate::store::Snapshot;

/// A branch, cut where the reader wants it, and what reading it has to tell.
#[derive(Clone)]
pub(super) struct Ground {
    pub engine: Engine,
    pub snapshot: Snapshot,
    /// The world's time, where that is not now.
    pub as_of: Option<Timestamp>,
    /// What `now` means.
    pub now: Timestamp,
    pub zone: TimeZone,
    pub notes: Arc<Notes>,
}

impl Ground {
    /// The same time on another branch, as it is now or at the position behind its `@`.
    ///
    /// # Errors
    /// `NotFound` when there is no such branch or tag.
    pub(super) fn on(&self, branch: &str) -> Result<Self> {
        let (engine, point) = self.engine.branch_at(branch)?;
        let snapshot = engine.store().snapshot();
        let snapshot = point.map_or_else(|| snapshot.clone(), |point| snapshot.up_to(point));
        Ok(Self { engine, snapshot, ..self.clone() })
    }

    /// The same branch at another time of the world.
    pub(super) fn at(&self, as_of: Timestamp) -> Self {
        let as_of = self.as_of.map_or(as_of, |own| own.min(as_of));
        Self { as_of: Some(as_of), ..self.clone() }
    }

    /// All its events.
    pub(super) fn view(&self) -> View {
        let filter = Filter { as_of: self.as_of, ..Filter::default() };
        View { snapshot: self.snapshot.clone(), is_cut: true, filter, zone: self.zone }
    }
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("as_of", &self.as_of).finish_non_exhaustive()
    }
}
