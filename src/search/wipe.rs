//! Removing an index that is made anew.

use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::store::disk::Disk;

/// Removes every file in a directory of an index, the directories in it included; one that is not there is empty.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(crate) fn wipe(disk: &dyn Disk, dir: &Path) -> Result<()> {
    remove_in(disk, dir).map_err(|error| {
        let message = format!(
            "remove the search index in {}; delete the directory while the store is closed, it is made anew",
            dir.display()
        );
        Error::new(ErrorKind::Unavailable, "disk_failed", message).caused_by(error)
    })
}

fn remove_in(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let entries = match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    for entry in entries {
        disk.remove(&entry)?;
    }
    disk.sync_dir(dir)
}
