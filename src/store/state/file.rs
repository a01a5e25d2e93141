//! One file of saved states: opened, begun, lengthened, read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::format::{HEADER_BYTES, Owner};
use crate::store::disk::{Disk, DiskFile};

const ENDING: &str = "states";
/// The size at which a file begins: 256 KiB. It doubles when it is full.
const FILE_BYTES_MIN: u64 = 256 << 10;
/// The largest file: 64 MiB. Beyond it the states saved first go.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;
/// How much is written at once: 1 MiB.
const WRITE_BYTES: usize = 1 << 20;

/// The directory of a branch's saved states.
pub(super) fn states_dir(branch: &Path) -> PathBuf {
    branch.join("states")
}

/// The files in `dir` by generation, rising; none where there is no such directory.
pub(super) fn generations(disk: &dyn Disk, dir: &Path) -> Vec<(u64, PathBuf)> {
    let mut found: Vec<(u64, PathBuf)> = disk
        .list(dir)
        .unwrap_or_default()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path)))
        .collect();
    found.sort();
    found
}

/// A file of saved states, as long as it is.
pub(super) struct StatesFile {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// All of it, zeros behind the last record included.
    pub(super) bytes: Bytes,
}

impl StatesFile {
    /// Opens a file, for writing too if `writable`.
    pub(super) fn open(disk: &dyn Disk, path: &Path, writable: bool) -> io::Result<Self> {
        let file = disk.open(path, writable)?;
        if file.size()? > FILE_BYTES_MAX {
            return Err(io::Error::other("it is larger than such a file can be"));
        }
        Ok(Self { path: path.to_owned(), bytes: file.map()?, file })
    }

    /// Begins the file of a generation with these records, durably; gives where they end.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &Path,
        generation: u64,
        owner: Owner,
        records: impl Iterator<Item = Vec<u8>>,
    ) -> io::Result<(Self, usize)> {
        disk.create_dir_all(dir)?;
        let path = dir.join(format!("{generation:06}.{ENDING}"));
        let file = disk.create(&path)?;
        file.allocate(FILE_BYTES_MIN)?;
        let (mut pending, mut written) = (owner.encode().to_vec(), 0);
        for record in records {
            pending.extend_from_slice(&record);
            if pending.len() >= WRITE_BYTES {
                file.write_all_at(&pending, written)?;
                written += pending.len() as u64;
                pending.clear();
            }
        }
        file.write_all_at(&pending, written)?;
        written += pending.len() as u64;
        file.allocate(size_for(written))?;
        file.sync_data()?;
        disk.sync_dir(dir)?;
        let end = usize::try_from(written).map_err(io::Error::other)?;
        Ok((Self { path, bytes: file.map()?, file }, end))
    }

    /// The same file with room for `end` bytes; what was written is durable then.
    pub(super) fn lengthen(&self, end: usize) -> io::Result<Self> {
        self.file.allocate(size_for(end as u64))?;
        self.file.sync_data()?;
        Ok(Self { path: self.path.clone(), bytes: self.file.map()?, file: Arc::clone(&self.file) })
    }

    pub(super) fn write(&self, record: &[u8], offset: usize) -> io::Result<()> {
        self.file.write_all_at(record, offset as u64)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The file's name, relative to its directory.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether `end` bytes can ever fit.
    pub(super) fn can_hold(end: usize) -> bool {
        end as u64 <= FILE_BYTES_MAX
    }
}

fn size_for(end: u64) -> u64 {
    end.next_power_of_two().clamp(FILE_BYTES_MIN, FILE_BYTES_MAX)
}

const _: () = assert!(FILE_BYTES_MIN > HEADER_BYTES as u64);
