//! Reading the manifest, and replacing it so that a crash leaves the old one or the new one.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{FORMAT, Manifest, invariants};
use crate::error::{Error, ErrorKind, Result};
use crate::store::disk::Disk;

const NAME: &str = "manifest.json";
const TEMPORARY: &str = "manifest.json.tmp";

#[derive(Serialize, Deserialize)]
struct Document {
    crc32c: String,
    manifest: Box<RawValue>,
}

/// The manifest of the branch in `dir`; `None` when there is none.
///
/// # Errors
/// `Corrupt` when it is there but cannot be believed, `Unavailable` when it cannot be read or a newer program wrote it.
pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<Manifest>> {
    let path = dir.join(NAME);
    let bytes = match disk.open(&path, false).and_then(|file| file.map()) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path, &error.to_string())),
    };
    parse(&bytes).map(Some).map_err(|unread| match unread {
        Unread::Newer(format) => newer(&path, format),
        Unread::Damaged(reason) => corrupt(&path, &reason),
    })
}

/// Why a manifest was not understood.
enum Unread {
    /// It has a format that this program does not know.
    Newer(u32),
    /// It is not what was written.
    Damaged(String),
}

impl From<String> for Unread {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

/// What every format has, whatever else it holds.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

fn parse(bytes: &[u8]) -> Result<Manifest, Unread> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let body = document.manifest.get();
    let found = format!("{:08x}", crc32c::crc32c(body.as_bytes()));
    if found != document.crc32c {
        return Err(format!("its checksum is {} but its content has {found}", document.crc32c).into());
    }
    let any: AnyFormat = serde_json::from_str(body).map_err(|error| error.to_string())?;
    if any.format > FORMAT {
        return Err(Unread::Newer(any.format));
    }
    let manifest: Manifest = serde_json::from_str(body).map_err(|error| error.to_string())?;
    match invariants::broken(&manifest) {
        Some(rule) => Err(format!("it breaks the rule \"{rule}\"").into()),
        None => Ok(manifest),
    }
}

/// Replaces the manifest in `dir`, durably.
///
/// 1. Check the invariants. 2. Write and sync a temporary file. 3. Rename it over the old one. 4. Sync the directory.
///
/// # Errors
/// `Internal` when an invariant would break and `Exhausted` when there is no room: the old manifest stands. `Unavailable`
/// when the disk fails: what a crash leaves is then unknown, so the caller must stop writing.
pub(crate) fn swap(disk: &dyn Disk, dir: &Path, old: Option<&Manifest>, new: &Manifest) -> Result<()> {
    check(old, new)?;
    let failed = |error: io::Error| unreadable(&dir.join(NAME), &error.to_string());
    let temporary = dir.join(TEMPORARY);
    write(disk, &temporary, new).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let _ = disk.remove(&temporary);
            full(&dir.join(NAME), &error)
        }
        _ => failed(error),
    })?;
    disk.rename(&temporary, &dir.join(NAME)).and_then(|()| disk.sync_dir(dir)).map_err(failed)
}

/// Puts a manifest into `dir` where there is none, without waiting for the disk: after a power cut it may be gone.
///
/// # Errors
/// `Internal` when an invariant would break, `Exhausted` when there is no room, `Unavailable` when the disk fails.
pub(crate) fn place(disk: &dyn Disk, dir: &Path, new: &Manifest) -> Result<()> {
    check(None, new)?;
    let path = dir.join(NAME);
    let placed = document(new).and_then(|document| disk.create(&path)?.write_all_at(&document, 0));
    placed.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(&path, &error),
        _ => unreadable(&path, &error.to_string()),
    })
}

fn check(old: Option<&Manifest>, new: &Manifest) -> Result<()> {
    let rule = invariants::broken(new).or_else(|| old.and_then(|old| invariants::broken_by_swap(old, new)));
    rule.map_or(Ok(()), |rule| {
        Err(Error::internal(format!("replace the manifest: the new one breaks the rule \"{rule}\"")))
    })
}

fn document(manifest: &Manifest) -> io::Result<Vec<u8>> {
    let body = serde_json::to_string(manifest)?;
    let crc32c = format!("{:08x}", crc32c::crc32c(body.as_bytes()));
    Ok(serde_json::to_vec(&Document { crc32c, manifest: RawValue::from_string(body)? })?)
}

fn write(disk: &dyn Disk, temporary: &Path, manifest: &Manifest) -> io::Result<()> {
    let document = document(manifest)?;

    match disk.remove(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(temporary)?;
    file.write_all_at(&document, 0)?;
    file.sync_data()
}

fn full(path: &Path, error: &io::Error) -> Error {
    let message =
        format!("replace manifest {}: {error}; free space and retry: nothing has changed", path.display());
    Error::new(ErrorKind::Exhausted, "disk_full", message)
}

fn corrupt(path: &Path, reason: &str) -> Error {
    let message = format!(
        "read manifest {}: {reason}; make a new store from a backup with `allsource restore`, or of what is here with `allsource salvage`",
        path.display()
    );
    Error::new(ErrorKind::Corrupt, "manifest_damaged", message).with("file", path.display().to_string())
}

fn newer(path: &Path, format: u32) -> Error {
    let message = format!(
        "read manifest {}: it was written by a newer allsource (format {format}, this program knows {FORMAT}); update \
         allsource",
        path.display()
    );
    Error::new(ErrorKind::Unavailable, "format_newer", message).with("format", format)
}

fn unreadable(path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "disk_failed", format!("access manifest {}: {reason}", path.display()))
}
