//! *When is a file that nothing names any more removed?* At once, or when no backup copies files any longer.
//!
//! **Invariant:** a file that was there when [`Discards::hold`] returned is there until that hold is dropped.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::Disk;

/// The files of a branch that are due to be removed.
pub(crate) struct Discards {
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    holds: usize,
    due: Vec<PathBuf>,
}

/// Keeps every file of the branch in its place until it is dropped.
pub(crate) struct Hold<'a>(&'a Discards);

impl Discards {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, state: Mutex::default() }
    }

    /// Removes files that no manifest and no view names, now or when the last hold is dropped; whoever has one open
    /// reads on.
    ///
    /// # Errors
    /// The disk's, at the first file that could not be removed although it is there. The others are not tried.
    pub(crate) fn discard(&self, paths: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.holds > 0 {
            state.due.extend(paths);
            return Ok(());
        }
        // Ordering: under the lock. Whoever takes a hold finds each file there for good or gone.
        paths.into_iter().try_for_each(|path| match self.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    /// Lets no file be removed until the hold is dropped.
    pub(crate) fn hold(&self) -> Hold<'_> {
        self.state.lock().holds += 1;
        Hold(self)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let due = {
            let mut state = self.0.state.lock();
            state.holds -= 1;
            if state.holds > 0 {
                return;
            }
            std::mem::take(&mut state.due)
        };
        if let Err(error) = self.0.discard(due) {
            tracing::warn!(
                "failed to remove a file that was kept for a backup: {error}; it only takes up room"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::RealDisk;

    #[test]
    fn a_file_stays_until_the_last_hold_is_dropped() {
        let dir = tempfile::tempdir().expect("a directory");
        let files: Vec<PathBuf> = ["a", "b"].iter().map(|name| dir.path().join(name)).collect();
        for file in &files {
            RealDisk.create(file).expect("created");
        }
        let discards = Discards::new(Arc::new(RealDisk));
        let (first, second) = (discards.hold(), discards.hold());
        discards.discard(files.clone()).expect("noted");
        drop(first);
        assert!(files.iter().all(|file| file.exists()));
        drop(second);
        assert!(!files.iter().any(|file| file.exists()));
        discards.discard(files).expect("what is gone already is no failure");
    }
}
