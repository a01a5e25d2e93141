//! Files that only grow, and files that are written once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::checkpoint::Length;
use crate::error::{Error, ErrorKind, Result};
use crate::store::disk::{Disk, DiskFile};

/// The size at which a file begins: 64 KiB. It doubles when it is full.
const FILE_BYTES_MIN: u64 = 64 << 10;
/// How many bytes wait in memory before they are written: 256 KiB.
const PENDING_BYTES_MAX: usize = 256 << 10;

/// A file that records are added to. What is written is read where it is mapped; the rest waits in memory.
pub(super) struct AppendFile {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// All of the file, space that is reserved included.
    map: Bytes,
    written: u64,
    /// Something was written that is not synced.
    unsynced: bool,
    pending: Vec<u8>,
    /// Of everything, what waits included.
    crc: u32,
    /// What it will never exceed, so that no more than that is reserved.
    bytes_max: u64,
}

impl AppendFile {
    /// Begins an empty file.
    pub(super) fn create(disk: &dyn Disk, path: &Path, bytes_max: u64) -> Result<Self> {
        let begun = || -> io::Result<Self> {
            let file = disk.create(path)?;
            file.allocate(FILE_BYTES_MIN)?;
            Ok(Self {
                path: path.to_owned(),
                map: file.map()?,
                file,
                written: 0,
                unsynced: true,
                pending: Vec::new(),
                crc: 0,
                bytes_max,
            })
        };
        begun().map_err(|error| failed("create", path, &error))
    }

    /// Opens a file to add to it behind what counts of it.
    pub(super) fn open(
        disk: &dyn Disk,
        path: &Path,
        length: Length,
        bytes_max: u64,
        writable: bool,
    ) -> Result<Self> {
        let opened = || -> io::Result<Self> {
            let file = disk.open(path, writable)?;
            Ok(Self {
                path: path.to_owned(),
                map: file.map()?,
                file,
                written: length.bytes,
                unsynced: false,
                pending: Vec::new(),
                crc: length.crc,
                bytes_max,
            })
        };
        let opened = opened().map_err(|error| failed("open", path, &error))?;
        long_enough(path, &opened.map, length)?;
        Ok(opened)
    }

    /// Adds a record.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<()> {
        self.crc = crc32c::crc32c_append(self.crc, record);
        self.pending.extend_from_slice(record);
        if self.pending.len() >= PENDING_BYTES_MAX { self.write() } else { Ok(()) }
    }

    /// The bytes of a record, wherever they are.
    pub(super) fn get(&self, from: usize, bytes: usize) -> Option<&[u8]> {
        match usize::try_from(self.written) {
            Ok(written) if from >= written => self.pending.get(from - written..)?.get(..bytes),
            _ => self.map.get(from..)?.get(..bytes),
        }
    }

    /// How long it is, what waits included.
    pub(super) fn length(&self) -> Length {
        Length { bytes: self.written + self.pending.len() as u64, crc: self.crc }
    }

    /// Writes what waits.
    pub(super) fn write(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let end = self.written + self.pending.len() as u64;
        let written = || -> io::Result<Option<Bytes>> {
            let grown = if end > self.map.len() as u64 {
                // Readers keep the mapping that they have: what they may see of the file lies inside it.
                let doubled = end.next_power_of_two().max(FILE_BYTES_MIN);
                self.file.allocate(doubled.min(self.bytes_max).max(end))?;
                Some(self.file.map()?)
            } else {
                None
            };
            self.file.write_all_at(&self.pending, self.written)?;
            Ok(grown)
        };
        let grown = written().map_err(|error| failed("write", &self.path, &error))?;
        self.map = grown.unwrap_or_else(|| self.map.clone());
        self.written = end;
        self.unsynced = true;
        self.pending.clear();
        Ok(())
    }

    /// Makes everything durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.write()?;
        if self.unsynced {
            self.file.sync_data().map_err(|error| failed("sync", &self.path, &error))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// What is written, as shared memory.
    pub(super) fn bytes(&self) -> Bytes {
        let written = usize::try_from(self.written).unwrap_or(usize::MAX);
        self.map.slice(..written.min(self.map.len()))
    }
}

/// Writes a file that never changes again, durably, over one of that name.
pub(super) fn write_whole(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<Length> {
    let written = || -> io::Result<()> {
        remove_if_there(disk, path)?;
        let file = disk.create(path)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()
    };
    written().map_err(|error| failed("write", path, &error))?;
    Ok(Length::of(bytes))
}

/// What counts of a file, as shared memory.
pub(super) fn map(disk: &dyn Disk, path: &Path, length: Length) -> Result<Bytes> {
    let map = disk.open(path, false).and_then(|file| file.map());
    let map = map.map_err(|error| failed("open", path, &error))?;
    let bytes = long_enough(path, &map, length)?;
    Ok(map.slice(..bytes))
}

/// Removes a file; none of that name is fine.
pub(super) fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn long_enough(path: &Path, map: &Bytes, length: Length) -> Result<usize> {
    usize::try_from(length.bytes).ok().filter(|bytes| *bytes <= map.len()).ok_or_else(|| {
        let message = format!(
            "open vector file {}: it has {} bytes but {} were written; rebuild the search index",
            path.display(),
            map.len(),
            length.bytes
        );
        Error::new(ErrorKind::Corrupt, "vectors_damaged", message)
    })
}

/// The error of a disk that did not do what was asked of it.
pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let message = format!(
                "{doing} vector file {path}: {error}; free space, indexing then goes on where it ended"
            );
            Error::new(ErrorKind::Exhausted, "disk_full", message)
        }
        io::ErrorKind::NotFound => {
            let message = format!("{doing} vector file {path}: it is gone; rebuild the search index");
            Error::new(ErrorKind::Corrupt, "vectors_damaged", message)
        }
        _ => {
            let message =
                format!("{doing} vector file {path}: {error}; check the disk and open the store again");
            Error::new(ErrorKind::Unavailable, "disk_failed", message)
        }
    }
}
