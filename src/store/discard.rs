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
    /// What could not be removed, which was told.
    failed: Vec<PathBuf>,
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
    /// The disk's, of the first file that could not be removed although it is there. All are tried, and those that fail
    /// once more with every later discard.
    pub(crate) fn discard(&self, paths: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.holds > 0 {
            state.due.extend(paths);
            return Ok(());
        }
        // Ordering: under the lock. Whoever takes a hold finds each file there for good or gone.
        let before = std::mem::take(&mut state.failed);
        let first = self.remove_all(paths, &mut state.failed);
        let _told = self.remove_all(before, &mut state.failed);
        first
    }

    /// Tries to remove each file, notes those that are still there, and gives the first error.
    fn remove_all(
        &self,
        paths: impl IntoIterator<Item = PathBuf>,
        failed: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        let mut first = Ok(());
        for path in paths {
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    failed.push(path);
                    first = first.and(Err(error));
                }
                _ => {}
            }
        }
        first
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

    #[test]
    fn a_file_that_cannot_be_removed_keeps_no_other_and_is_tried_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (stuck, other) = (dir.path().join("stuck"), dir.path().join("other"));
        // What is a directory cannot be removed as a file.
        std::fs::create_dir(&stuck).expect("created");
        RealDisk.create(&other).expect("created");
        let discards = Discards::new(Arc::new(RealDisk));
        let hold = discards.hold();
        discards.discard([stuck.clone(), other.clone()]).expect("noted");
        drop(hold);
        assert!(stuck.exists() && !other.exists());
        std::fs::remove_dir(&stuck).expect("removed");
        RealDisk.create(&stuck).expect("created");
        discards.discard([]).expect("nothing new fails");
        assert!(!stuck.exists());
    }
}
