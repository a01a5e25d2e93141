//! *How does a store outlive a mistake, or its disk?* A backup is a directory of the very layout of a store, made while
//! that is written to, and a new store is made from one.
//!
//! Useful for: copies that cost what has changed since the last. Not for: proving that what is copied is what was
//! written ([`verify`](super::verify)); [`Store::restore`] does that before it copies back.
//!
//! **Invariant:** the manifest of a backup is replaced behind everything that it names and before anything is removed
//! that the old one names, so that a crash at any step leaves the older backup or the newer one whole.
//!
//! Files that are never changed any more (full log files, segments, index files) are hard-linked, or copied where the
//! file system cannot link; those that the older backup has stay as they are. Of the newest log file the part up to the
//! durable head is copied. The manifest says that it is a backup's: it is read like any other store and takes no writes.

mod pieces;
mod place;
mod restore;
mod target;

use std::path::Path;

use super::open::{Store, branch_dir};
use super::options::Mode;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use pieces::Pieces;
use target::Target;

pub use restore::Restored;

/// What a backup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// The last position that the backup holds.
    pub through: Position,
    /// Files that the backup had before.
    pub kept: u64,
    /// Files that it shares with the store.
    pub linked: u64,
    /// Files that were copied.
    pub copied: u64,
    /// The bytes of those.
    pub copied_bytes: u64,
    /// Files of the older backup that were removed.
    pub removed: u64,
}

impl Store {
    /// Makes the directory `to` a backup of what is durable now, while appends and reads go on.
    ///
    /// 1. Pins the manifest and the durable head, and keeps every file of the store in its place until the end.
    /// 2. Proves that `to` is empty or a backup of this store, and takes its lock.
    /// 3. Copies the newest log file up to the durable head; links every other file that `to` does not have, or copies it
    ///    where that cannot be.
    /// 4. Replaces the manifest in `to`, and then removes what it does not name.
    ///
    /// A file that is linked is one file with two names: a backup on the same file system costs little and protects from
    /// mistakes, but not from a failing disk; give a directory of another disk for that.
    ///
    /// # Errors
    /// `Invalid` when `to` and the store lie in one another, or `to` holds something else (`not_a_backup`,
    /// `another_store`, `newer_backup`), `Unavailable` when a process has `to` locked or a disk fails, `Exhausted` when a
    /// disk is full, `Corrupt` when the store or the backup in `to` is known to be damaged, `Denied` when the store is
    /// open for reading only.
    pub fn backup(&self, to: &Path) -> Result<BackedUp> {
        self.check_sound().map_err(|error| error.context(format!("back up into {}", to.display())))?;
        let pieces = Pieces::pin(&self.branch)?;
        let target = Target::take(&self.branch, to, &pieces.manifest)?;
        let mut done = BackedUp { through: pieces.through(), ..BackedUp::default() };
        place::dirs(target.disk(), target.dir())?;
        pieces.copy_tail(&target, &mut done)?;
        for piece in pieces.whole() {
            target.place(piece, &self.branch.dir, &mut done)?;
        }
        place::seal(target.disk(), target.dir(), &pieces.manifest)?;
        done.removed = target.remove_others(&pieces)?;
        Ok(done)
    }

    /// Refuses a store whose bytes are known to be damaged, or that another process may be writing to.
    fn check_sound(&self) -> Result<()> {
        if let Some(damage) = self.damage().first() {
            let message = format!(
                "the store is damaged ({}: {}), and a backup of it would replace a sound one; copy everything readable into \
                 a new store with `allsource salvage`",
                damage.file, damage.reason
            );
            return Err(Error::new(ErrorKind::Corrupt, "store_damaged", message));
        }
        if self.branch.options.mode == Mode::Read {
            let message = "this store is open for reading only, and what another process does to it cannot be held back; \
                           open it for writing";
            return Err(Error::new(ErrorKind::Denied, "read_only", message));
        }
        match self.fault() {
            Some(fault) if [ErrorKind::Corrupt, ErrorKind::Closed].contains(&fault.kind()) => Err(fault),
            // After a failed disk what is durable can still be saved.
            _ => Ok(()),
        }
    }
}
