//! The log's end: where the next frame goes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::LogFile;
use super::format::{FILE_HEADER_BYTES, FileHeader};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::disk::Disk;

/// The name of the log file that begins at `first`.
pub(crate) fn file_name(first: Position) -> String {
    format!("{:020}.log", first.get())
}

/// Creates the log file that `header` begins, its space reserved and its name durable.
///
/// # Errors
/// `Exhausted` (`disk_full`) when there is no room for it: nothing has changed, the old file is still the newest.
/// `Unavailable` when the disk fails in another way.
pub(crate) fn create(
    disk: &dyn Disk,
    dir: &Path,
    header: &FileHeader,
    bytes: u64,
    sync_dir: bool,
) -> Result<LogFile> {
    let name = file_name(header.first_position);
    let path = dir.join(&name);
    make(disk, dir, &path, header, bytes, sync_dir).map_err(|error| failed(&name, &error))?;
    let file = disk.open(&path, true).map_err(|error| failed(&name, &error))?;
    LogFile::new(name, file)
}

/// Makes a log file `bytes` long that holds no event yet: a second file could not have a name of its own.
///
/// # Errors
/// As [`create`].
pub(crate) fn grow(log: &LogFile, bytes: u64) -> Result<LogFile> {
    log.file().allocate(bytes).map_err(|error| failed(log.name(), &error))?;
    LogFile::new(log.name().to_owned(), Arc::clone(log.file()))
}

fn make(
    disk: &dyn Disk,
    dir: &Path,
    path: &Path,
    header: &FileHeader,
    bytes: u64,
    sync_dir: bool,
) -> io::Result<()> {
    // What a crash left of an earlier attempt holds nothing: the manifest never named it.
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(path)?;
    let reserved = file.allocate(bytes).and_then(|()| file.write_all_at(&header.encode(), 0));
    if let Err(error) = reserved {
        // The old file goes on being the newest; an empty leftover would only take up the space that is missing.
        let _ = disk.remove(path);
        return Err(error);
    }
    file.sync_data()?;
    if sync_dir { disk.sync_dir(dir) } else { Ok(()) }
}

fn failed(name: &str, error: &io::Error) -> Error {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        let message = format!(
            "make room for log file {name}: {error}; free space and retry: this batch is not stored, all before it is"
        );
        return Error::new(ErrorKind::Exhausted, "disk_full", message);
    }
    Error::new(ErrorKind::Unavailable, "disk_failed", format!("create log file {name}: {error}"))
}

/// The end of the newest log file.
pub(crate) struct LogEnd {
    pub log: Arc<LogFile>,
    pub offset: u64,
    /// The bytes behind the end are known to be zero.
    cut: bool,
}

impl LogEnd {
    /// The end of a file that was there before: what lies behind it is unknown.
    pub(crate) fn found(log: Arc<LogFile>, offset: u64) -> Self {
        Self { log, offset, cut: false }
    }

    /// The end of a file that was just created.
    pub(crate) fn created(log: Arc<LogFile>) -> Self {
        Self { log, offset: FILE_HEADER_BYTES as u64, cut: true }
    }

    /// Takes over a file whose remains need not be cut: the deliberate fault `LeaveTornTail`.
    pub(crate) fn uncut(log: Arc<LogFile>, offset: u64) -> Self {
        Self { log, offset, cut: true }
    }

    /// Whether `bytes` more fit into this file.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.offset + bytes as u64 <= self.log.bytes().len() as u64
    }

    /// Gives back the space behind the end of a file that is full: one that a compaction by command ended early is mostly that.
    pub(crate) fn release_rest(&self) {
        if let Err(error) = self.log.file().release(self.offset, self.log.bytes().len() as u64) {
            tracing::warn!("failed to give back the unused end of log file {}: {error}", self.log.name());
        }
    }

    /// Writes whole frames at the end; they are not durable yet.
    pub(crate) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.cut_torn_tail()?;
        self.log.file().write_all_at(frames, self.offset)?;
        self.offset += frames.len() as u64;
        Ok(())
    }

    /// Before the first write after an open, makes everything behind the end zero, durably: a frame that was never
    /// acknowledged must not come back to life behind a newer one.
    fn cut_torn_tail(&mut self) -> io::Result<()> {
        if self.cut {
            return Ok(());
        }
        let file = self.log.file();
        file.clear(self.offset, self.log.bytes().len() as u64)?;
        file.sync_data()?;
        self.cut = true;
        Ok(())
    }
}

/// Where the log files of a branch are.
pub(crate) fn log_dir(branch_dir: &Path) -> PathBuf {
    branch_dir.join("log")
}
