//! Putting files into a directory so that a crash leaves each of them whole or not there.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::store::create::sync_up;
use crate::store::disk::Disk;
use crate::store::index::index_dir;
use crate::store::log::log_dir;
use crate::store::manifest::{Manifest, swap};
use crate::store::segment::segment_dir;

/// How much is copied at once: 4 MiB.
const STEP_BYTES: usize = 4 << 20;

/// The directories of the branch in `dir` that hold files.
pub(super) fn folders(dir: &Path) -> [PathBuf; 3] {
    [log_dir(dir), index_dir(dir), segment_dir(dir)]
}

/// Creates the directories of the branch in `dir`.
pub(super) fn dirs(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let created = folders(dir).iter().try_for_each(|folder| disk.create_dir_all(folder));
    created.map_err(|error| failed("create", dir, &error))
}

/// Makes what was put into the branch in `dir` durable, and then the manifest that names it.
pub(super) fn seal(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<()> {
    let sync = |folder: &Path| disk.sync_dir(folder).map_err(|error| failed("sync", folder, &error));
    folders(dir).iter().try_for_each(|folder| sync(folder))?;
    sync_up(disk, dir).map_err(|error| failed("sync", dir, &error))?;
    swap(disk, dir, None, manifest)
}

/// Puts `bytes` into the file `to`, over what is there.
pub(super) fn copy(disk: &dyn Disk, bytes: &[u8], to: &Path) -> Result<()> {
    let mut temporary = to.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let write = || {
        remove(disk, &temporary)?;
        let file = disk.create(&temporary)?;
        let mut offset = 0;
        for step in bytes.chunks(STEP_BYTES) {
            file.write_all_at(step, offset)?;
            offset += step.len() as u64;
        }
        file.sync_data()?;
        disk.rename(&temporary, to)
    };
    write().map_err(|error| {
        let _ = disk.remove(&temporary);
        failed("copy into", to, &error)
    })
}

/// Copies the whole file `from` to `to`; gives its size.
pub(super) fn copy_file(disk: &dyn Disk, from: &Path, to: &Path) -> Result<u64> {
    let read = || {
        let file = disk.open(from, false)?;
        // A file of no length cannot be mapped.
        if file.size()? == 0 { Ok(bytes::Bytes::new()) } else { file.map() }
    };
    let bytes = read().map_err(|error| failed("read", from, &error))?;
    copy(disk, &bytes, to)?;
    Ok(bytes.len() as u64)
}

/// Removes a file that may be there.
pub(super) fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The error of a disk that did not do what was asked of it.
pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        let message =
            format!("{doing} {path}: {error}; free space and do it again, it goes on where it ended");
        return Error::new(ErrorKind::Exhausted, "disk_full", message);
    }
    let message =
        format!("{doing} {path}: {error}; check the disk and do it again, it goes on where it ended");
    Error::new(ErrorKind::Unavailable, "disk_failed", message)
}
