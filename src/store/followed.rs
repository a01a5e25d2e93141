//! What does an index over the store have to know of it? Where it may lie, whose it is, and when it is to look again.
//!
//! **Invariant:** the store never looks into what lies there.

use std::path::PathBuf;
use std::sync::Arc;

use super::disk::Disk;
use super::open::Store;
use super::options::Mode;
use crate::clock::Clock;
use crate::event::Position;

/// The directory of a branch in which what is made of its events for searching lies.
const SEARCH: &str = "search";

impl Store {
    /// Where an index for searching lies; it can be deleted while the store is closed.
    pub(crate) fn search_dir(&self) -> PathBuf {
        self.branch.dir.join(SEARCH)
    }

    /// The number that tells this store's branch from every other.
    pub(crate) fn identity(&self) -> u64 {
        self.branch.id_key
    }

    /// The last position that survives a power cut.
    pub(crate) fn durable_head(&self) -> Position {
        self.branch.durable()
    }

    /// Whether retention has begun to empty events and is not done yet.
    pub(crate) fn is_emptying(&self) -> bool {
        !self.branch.manifest.lock().retention.begun.is_empty()
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.branch.options.disk
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.branch.options.clock
    }

    pub(crate) fn mode(&self) -> Mode {
        self.branch.options.mode
    }
}
