//! Creating a branch where there is none.
//!
//! **Invariant:** nothing is created where a file holds events: a store whose manifest is lost is not an empty one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::index::index_dir;
use super::log::{FileHeader, create, log_dir};
use super::manifest::{FORMAT, Manifest, swap};
use super::options::{Durability, Mode, Options};
use super::rescue;
use super::segment::{SegmentName, segment_dir};
use super::upkeep::Retention;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp};

/// The directories of a branch below the data directory, and that: `DIR/tenants/default/main`.
pub(super) const DIRECTORY_DEPTH: usize = 4;

/// Creates an empty branch.
pub(super) fn branch(dir: &Path, name: &str, options: &Options) -> Result<Manifest> {
    let disk = options.disk.as_ref();
    let failed = |error: io::Error| {
        let message = format!(
            "create the branch directory {}: {error}; choose a writable data directory",
            dir.display()
        );
        Error::new(ErrorKind::Unavailable, "disk_failed", message)
    };
    let listed = file_with_events(disk, dir).map_err(|error| {
        let message = format!(
            "open {}: it has no manifest, and whether it has events cannot be seen: {error}; check the disk and retry",
            dir.display()
        );
        Error::new(ErrorKind::Unavailable, "disk_failed", message)
    })?;
    if let Some(path) = listed {
        let message = format!(
            "open {}: it has {} but no manifest; make a new store from a backup with `allsource restore`, or of what is here with `allsource salvage`",
            dir.display(),
            path.display()
        );
        return Err(Error::new(ErrorKind::Corrupt, "manifest_missing", message));
    }
    if options.mode == Mode::Read {
        let message = format!("open {}: there is no store; give the data directory of one", dir.display());
        return Err(Error::new(ErrorKind::NotFound, "no_store", message));
    }
    for path in [dir.to_owned(), log_dir(dir), index_dir(dir), segment_dir(dir)] {
        disk.create_dir_all(&path).map_err(failed)?;
    }
    let id_key = options.ids.next_u64();
    let header = FileHeader {
        first_position: Position::new(1),
        synced_through: Position::ZERO,
        id_key,
        last_recorded_at: Timestamp::from_micros(0),
    };
    create(disk, &log_dir(dir), &header, options.log_file_bytes, true)?;
    let manifest = Manifest {
        format: FORMAT,
        branch: name.to_owned(),
        id_key,
        epoch: 1,
        synced_through: 0,
        volatile: options.durability != Durability::Fsync,
        suspect: false,
        backup: false,
        segments: Vec::new(),
        retention: Retention::default(),
        tags: BTreeMap::new(),
        fork: None,
        log_files: vec![1],
    };
    // Ordering: the directories are durable in their parents before the manifest says that there is a branch.
    sync_up(disk, dir).map_err(failed)?;
    swap(disk, dir, None, &manifest)?;
    Ok(manifest)
}

/// Makes a branch's directory durable in its parents.
///
/// The data directory and what leads to it may be new too; what cannot be read on that way was there before.
pub(super) fn sync_up(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for (depth, path) in dir.ancestors().enumerate() {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match disk.sync_dir(path) {
            Err(error) if depth >= DIRECTORY_DEPTH && error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// A log file or segment, also one that is half restored, of a branch that has no manifest.
fn file_with_events(disk: &dyn Disk, dir: &Path) -> io::Result<Option<PathBuf>> {
    let list = |dir: PathBuf| match disk.list(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    };
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        SegmentName::parse(name.strip_suffix(".new").unwrap_or(name)).is_some()
    };
    let log = list(log_dir(dir))?.into_iter().find(|path| rescue::holds_frames(disk, path));
    Ok(log.or(list(segment_dir(dir))?.into_iter().find(is_segment)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::RealDisk;

    #[test]
    fn what_cannot_be_listed_does_not_pass_for_empty() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(file_with_events(&RealDisk, dir.path()).expect("nothing is there"), None);
        // A file in the place of the directory is one way in which listing fails.
        RealDisk.create(&segment_dir(dir.path())).expect("created");
        assert!(file_with_events(&RealDisk, dir.path()).is_err());
        let error = branch(dir.path(), "main", &Options::default()).expect_err("not empty for sure");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "disk_failed"));
        assert!(error.to_string().contains("whether it has events cannot be seen"), "{error}");
        assert!(!log_dir(dir.path()).exists());
    }
}
