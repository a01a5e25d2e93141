//! Where the tests of the door take place.

use std::path::PathBuf;

use tempfile::TempDir;

use super::socket;

/// A data directory, and a runtime directory of its own.
pub(super) struct Place {
    pub(super) data: TempDir,
    pub(super) runtime: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { data: TempDir::new().unwrap(), runtime: TempDir::new().unwrap() }
    }

    /// Where sockets go; it is made by whoever binds one.
    pub(super) fn run_dir(&self) -> PathBuf {
        self.runtime.path().join("run")
    }

    /// Where the socket of the data directory may be.
    pub(super) fn sockets(&self) -> Vec<PathBuf> {
        socket::places(&self.data.path().canonicalize().unwrap(), Some(&self.run_dir()))
    }
}
