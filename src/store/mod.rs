//! *Where are the bytes, and what survives a crash?* The only door to files.
//!
//! Useful for: appending events and reading them back, with the promises on [`Store`]. Not for: deciding what an
//! agent may do ([`engine`](crate::engine)), or how an answer looks ([`tools`](crate::tools)).
//!
//! **Invariant:** nothing above this module opens a file of the data directory.
//!
//! A write goes: [`append`] prepares on a pinned [`Snapshot`] → [`log`] writes and syncs a group → the in-memory
//! part of [`index`] → the durable head moves → the caller is answered. A read pins a [`Snapshot`] and walks the
//! index of each position range, newest or oldest first, down to the record in a mapped log file.

mod append;
pub mod disk;
mod feed;
mod index;
mod log;
mod manifest;
mod options;
mod read;
mod snapshot;
mod verify;
mod view;

pub use append::{Append, AppendCondition, Appended, StoredEvent};
pub use feed::Feed;
pub use options::{Durability, Mode, Options, PlantedBug};
pub use read::{Order, Page, Scan, ScanLimits, ScanPlan};
pub use snapshot::{Head, Snapshot, StoreStats, TypeCount};
pub use verify::{Damage, VerifyReport};

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::event::Position;

/// An open event store: one branch of one tenant.
#[derive(Clone)]
pub struct Store(Arc<()>);

impl Store {
    /// Opens the store in `dir`, creating it with [`Mode::Write`] when it is not there.
    ///
    /// # Errors
    /// `Unavailable` when another process has it open, `Corrupt` when the log is damaged and the mode is
    /// [`Mode::Write`], `NotFound` when there is none and the mode is [`Mode::Read`].
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        let _ = (dir, options);
        unimplemented!()
    }

    /// Stores events, all or none; returns when they are as durable as [`Options::durability`] says.
    ///
    /// # Errors
    /// `Conflict` when an expectation or condition does not hold (details carry `entity_id`, `expected_version`,
    /// `current_version`), `Invalid` beyond a limit, `Unavailable` after a failed disk, `Denied` with [`Mode::Read`].
    pub fn append(&self, append: Append) -> Result<Appended> {
        let _ = append;
        unimplemented!()
    }

    /// Pins what the store holds now.
    pub fn snapshot(&self) -> Snapshot {
        unimplemented!()
    }

    /// Follows the durable head.
    pub fn feed(&self) -> Feed {
        unimplemented!()
    }

    /// The damage that opening with [`Mode::Read`] found and reads around.
    pub fn damage(&self) -> Vec<Damage> {
        unimplemented!()
    }

    /// Proves every checksum and that positions and versions have no gap.
    pub fn verify(&self) -> Result<VerifyReport> {
        unimplemented!()
    }

    /// Finishes what is under way, syncs, and gives the directory back. Dropping the last handle does the same.
    pub fn close(self) -> Result<()> {
        unimplemented!()
    }
}

impl Feed {
    /// The last position that is durable.
    pub fn head(&self) -> Position {
        unimplemented!()
    }
}
