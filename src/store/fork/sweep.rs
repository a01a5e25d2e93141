//! Removing forks whose time is over.
//!
//! **Invariant:** a fork's files are there as long as another fork stands on it or somebody reads it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::forks::{State, id_of};
use super::{ForkId, ForkState, Forks};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Timestamp;
use crate::store::log::{FILE_HEADER_BYTES, log_dir};
use crate::store::manifest::{ForkEntry, load};
use crate::store::open::Store;

/// How often the list is looked through for forks whose time is over: once a minute.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);
/// The manifest of a branch and what is left of an interrupted swap.
const MANIFESTS: [&str; 2] = ["manifest.json", "manifest.json.tmp"];

impl Store {
    /// Removes a fork for good, at once: it cannot be restored.
    ///
    /// # Errors
    /// `NotFound` when there is no such fork, `Conflict` (`fork_has_children`) when other forks stand on it, `Unavailable` when
    /// the disk fails.
    pub fn erase_fork(&self, id: &ForkId) -> Result<()> {
        self.forks().erase(id)
    }

    /// Removes the forks that expired, and those that were discarded more than a day ago, unless another stands on them or
    /// somebody reads them; gives how many. The same happens by itself once a minute.
    ///
    /// # Errors
    /// `Denied` when the store is open for reading only, `Unavailable` when the disk fails.
    pub fn sweep_forks(&self) -> Result<u64> {
        self.forks().sweep()
    }
}

impl Forks {
    /// Sweeps until the store closes.
    pub(crate) fn sweep_always(&self) {
        loop {
            if let Err(error) = self.sweep() {
                tracing::warn!("failed to remove forks that are over: {error}");
            }
            let mut state = self.state();
            self.closing.wait_while_for(&mut state, |state| !state.is_closed, SWEEP_INTERVAL);
            if state.is_closed {
                return;
            }
        }
    }

    fn sweep(&self) -> Result<u64> {
        self.check_writable()?;
        let mut state = self.loaded()?;
        let now = self.main.options.clock.now();
        let mut removed = 0;
        // What stood on a fork that goes now may go too.
        while let Some(id) = Self::next_over(&state, now) {
            if state.is_closed {
                return Ok(removed);
            }
            let why = format!("use fork {id}: its time is over and it was removed; create another");
            state.end(&id, Error::new(ErrorKind::NotFound, "fork_expired", why));
            self.forget(&mut state, &id)?;
            removed += 1;
        }
        self.remove_leftovers(&state)?;
        Ok(removed)
    }

    fn erase(&self, id: &ForkId) -> Result<()> {
        self.check_writable()?;
        let mut state = self.loaded()?;
        if !state.slots.contains_key(id) {
            return Err(ForkId::unknown(id.as_str()));
        }
        state.check_childless(id)?;
        state.end(
            id,
            Error::new(ErrorKind::NotFound, "unknown_branch", format!("use fork {id}: it was removed")),
        );
        self.forget(&mut state, id)
    }

    /// Removes a fork, its files first.
    fn forget(&self, state: &mut State, id: &ForkId) -> Result<()> {
        self.remove(id)?;
        state.slots.remove(id);
        state.keys.retain(|_, made| made != id);
        Ok(())
    }

    /// A fork whose time is over and that nobody needs.
    fn next_over(state: &State, now: Timestamp) -> Option<ForkId> {
        let is_over = |entry: &ForkEntry| match Self::state_of(entry, now) {
            ForkState::Live => false,
            ForkState::Expired => true,
            ForkState::Discarded { restorable_until } => restorable_until < now,
        };
        let mut slots = state.slots.iter();
        let found = slots.find(|(id, slot)| {
            is_over(&slot.entry()) && !state.has_children(id) && !state.is_read(&slot.branch)
        });
        found.map(|(id, _)| id.clone())
    }

    /// Removes a fork's files, the manifest first: without one there is no fork.
    fn remove(&self, id: &ForkId) -> Result<()> {
        let dir = self.dir_of(id);
        self.remove_all(MANIFESTS.iter().map(|name| dir.join(name)).collect(), &[])?;
        let disk = self.main.options.disk.as_ref();
        disk.sync_dir(&dir).map_err(|error| failed(&dir, &error))?;
        self.remove_directory(&dir)
    }

    /// Removes what is left of a fork without a manifest.
    fn remove_directory(&self, dir: &Path) -> Result<()> {
        let logs = log_dir(dir);
        let files = self.main.options.disk.list(&logs).unwrap_or_default();
        let temporary = dir.join(MANIFESTS[1]);
        self.remove_all(files.into_iter().chain([temporary]).collect(), &[logs, dir.to_owned()])
    }

    /// Removes the log files of a fork that was set back.
    pub(super) fn remove_logs(&self, id: &ForkId) {
        let files = self.main.options.disk.list(&log_dir(&self.dir_of(id))).unwrap_or_default();
        if let Err(error) = self.remove_all(files, &[]) {
            tracing::warn!("failed to {error}; it only takes up room");
        }
    }

    /// Removes the directories of forks that never were or are no more.
    fn remove_leftovers(&self, state: &State) -> Result<()> {
        let disk = self.main.options.disk.as_ref();
        for dir in disk.list(&self.dir).unwrap_or_default() {
            let Some(id) = id_of(&dir).filter(|id| !state.slots.contains_key(id)) else { continue };
            if self.is_left(state, &id, &dir) {
                self.remove_all(vec![dir.join(MANIFESTS[0])], &[])?;
                self.remove_directory(&dir)?;
            }
        }
        Ok(())
    }

    /// Whether a directory that is not in the list holds nothing: it has no manifest, or a torn one, which a power cut leaves of
    /// a fork to which nothing was appended. What only cannot be read is left alone.
    pub(super) fn is_left(&self, state: &State, id: &ForkId, dir: &Path) -> bool {
        match load(self.main.options.disk.as_ref(), dir) {
            Ok(found) => found.is_none(),
            Err(error) => {
                error.kind() == ErrorKind::Corrupt && self.has_no_frame(dir) && !state.has_children(id)
            }
        }
    }

    /// Whether nothing stands behind the headers of a fork's log files.
    fn has_no_frame(&self, dir: &Path) -> bool {
        let disk = self.main.options.disk.as_ref();
        let is_empty = |path: PathBuf| {
            let bytes = disk.open(&path, false).and_then(|file| file.map());
            bytes.is_ok_and(|bytes| bytes.iter().skip(FILE_HEADER_BYTES).all(|&byte| byte == 0))
        };
        match disk.list(&log_dir(dir)) {
            Ok(files) => files.into_iter().all(is_empty),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    fn remove_all(&self, files: Vec<PathBuf>, directories: &[PathBuf]) -> Result<()> {
        let disk = self.main.options.disk.as_ref();
        let gone = |path: &Path, removed: std::io::Result<()>| match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, &error)),
            _ => Ok(()),
        };
        for path in files {
            gone(&path, disk.remove(&path))?;
        }
        for path in directories {
            gone(path, disk.remove_dir(path))?;
        }
        Ok(())
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("remove {}, which belongs to a fork that is over: {error}", path.display());
    Error::new(ErrorKind::Unavailable, "disk_failed", message)
}
