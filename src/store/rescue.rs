//! *What can still be read when files are missing or are not what was written?* The part of opening that
//! [`Mode::Read`] alone has: with [`Mode::Write`] all of this is an error.
//!
//! **Invariant:** nothing is written, no event is served that its own checksum does not prove, and what is read around
//! is in the [`Damage`] of the store.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::disk::{Disk, DiskFile};
use super::index::{IndexFile, index_dir, list_indexes};
use super::leftovers::is_retired;
use super::log::{FILE_HEADER_BYTES, FileHeader, FrameHeader, LogFile, file_name, log_dir};
use super::manifest::{FORMAT, Manifest, load};
use super::options::Mode;
use super::recover::Recovery;
use super::segment::{found_segments, segment_dir};
use super::upkeep::Retention;
use super::verify::Damage;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;

/// A manifest made from the names of the log files and segments, when the branch has none that can be believed; `None`
/// when there are none of these either.
///
/// # Errors
/// The one in `found`, when it is no damage or no file can stand in.
pub(super) fn manifest(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    found: Result<Option<Manifest>>,
) -> Result<Option<(Manifest, Damage)>> {
    let reason = match &found {
        Ok(_) => "it is missing; the other files are found by their names",
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            "it is not what was written; the other files are found by their names"
        }
        Err(error) => return Err(error.copy()),
    };
    let paths = disk.list(&log_dir(dir)).unwrap_or_default();
    let logs: Vec<_> = paths.iter().filter_map(|path| log_at(disk, path)).collect();
    // Without the key there would be other event ids than those that were given out.
    let (segments, key_of_segments) = found_segments(disk, &segment_dir(dir));
    let key_of_logs = logs.iter().find_map(|(_, header)| header.map(|header| header.id_key));
    let Some(id_key) = key_of_logs.or(key_of_segments) else {
        return found.map(|_| None);
    };
    let mut log_files: Vec<u64> = logs.iter().map(|(first, _)| *first).collect();
    log_files.sort_unstable();
    // What lies between the segments and the first log file, or before it, is missing.
    let sealed_through = segments.last().map_or(0, |segment| segment.last);
    if log_files.first().is_none_or(|first| *first > sealed_through + 1) {
        log_files.insert(0, sealed_through + 1);
    }
    let noted = logs.iter().filter_map(|(_, header)| header.map(|header| header.synced_through.get()));
    let begun = log_files.last().map(|&last| last - 1);
    let manifest = Manifest {
        format: FORMAT,
        branch: name.to_owned(),
        id_key,
        epoch: 1,
        synced_through: noted.chain(begun).max().unwrap_or_default(),
        volatile: false,
        suspect: true,
        backup: false,
        segments,
        retention: Retention::default(),
        tags: BTreeMap::new(),
        fork: None,
        log_files,
    };
    Ok(Some((manifest, Damage::of_file("manifest.json", reason))))
}

/// The first position of the log file at `path`, by its name, and its header; `None` when nothing in it bears the name
/// out.
fn log_at(disk: &dyn Disk, path: &Path) -> Option<(u64, Option<FileHeader>)> {
    let named = path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok().filter(|&first| first > 0)?;
    let bytes = disk.open(path, false).and_then(|file| file.map()).ok()?;
    let header = FileHeader::decode(&bytes).ok().filter(|header| header.first_position.get() == named);
    let frame = bytes.get(FILE_HEADER_BYTES..).and_then(FrameHeader::decode);
    let is_borne_out = header.is_some() || frame.is_some_and(|frame| frame.first_position.get() == named);
    is_borne_out.then_some((named, header))
}

/// Whether a log file holds anything behind its header: a crash while it was created leaves none that does. One that
/// cannot be read is taken to.
pub(super) fn holds_frames(disk: &dyn Disk, path: &Path) -> bool {
    let bytes =
        disk.open(path, false).and_then(|file| if file.size()? == 0 { Ok(Bytes::new()) } else { file.map() });
    !bytes.is_ok_and(|bytes| bytes.iter().skip(FILE_HEADER_BYTES).all(|&byte| byte == 0))
}

impl Recovery<'_> {
    /// A log file that the manifest does not name was never written to; one that was would be lost data.
    pub(super) fn report_unlisted(&mut self) -> Result<()> {
        // Of a fork that was set back the crash may have left the log that it had before.
        if self.manifest.backup || self.manifest.fork.is_some() {
            return Ok(());
        }
        let disk = self.options.disk.as_ref();
        let paths = disk.list(&log_dir(self.dir)).unwrap_or_default();
        let unlisted = |manifest: &Manifest| -> Vec<&str> {
            let listed: Vec<_> =
                manifest.log_files.iter().map(|&first| file_name(Position::new(first))).collect();
            let holding = paths.iter().filter(|path| {
                path.file_name().is_some_and(|name| listed.iter().all(|listed| name != listed.as_str()))
                    && !is_retired(manifest, path)
                    && holds_frames(disk, path)
            });
            holding.filter_map(|path| path.file_name()?.to_str()).collect()
        };
        let mut names = unlisted(&self.manifest);
        if self.options.mode == Mode::Write {
            let Some(name) = names.first() else { return Ok(()) };
            let path = log_dir(self.dir).join(name);
            let message = format!(
                "open {}: the manifest does not name this log file, but it holds events; run `allsource verify`",
                path.display()
            );
            return Err(Error::new(ErrorKind::Corrupt, "log_unlisted", message)
                .with("file", path.display().to_string()));
        }
        // The process that writes may have made a file since the manifest was read.
        if !names.is_empty()
            && let Ok(Some(manifest)) = load(disk, self.dir)
        {
            names = unlisted(&manifest);
        }
        let reason = "the manifest does not name this log file, but it holds events, which are not read";
        self.damage.extend(names.into_iter().map(|name| Damage::of_file(name, reason)));
        Ok(())
    }

    /// The indexes that can be trusted. Whoever only reads cannot build one anew, so a damaged one must show now: the
    /// log is read instead.
    pub(super) fn indexes(&mut self) -> Vec<Arc<IndexFile>> {
        let mended = &mut self.mended;
        let refused = |path: &Path, error: Error| {
            tracing::warn!("failed to {error}; it is made anew");
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            if error.kind() == ErrorKind::Corrupt {
                mended.push(Damage::of_error(&file, &error.context("made anew")));
            }
        };
        let mut indexes = list_indexes(self.options.disk.as_ref(), &index_dir(self.dir), refused);
        if self.options.mode == Mode::Read {
            indexes.retain(|index| index.verify().is_ok());
        }
        indexes
    }

    /// The log file that begins at `first`; with [`Mode::Read`] one that stands in for it when it cannot be used. Of one
    /// `on_trust` the header is proved later.
    pub(super) fn log_file(&mut self, first: Position, on_trust: bool) -> Result<Arc<LogFile>> {
        match self.whole_log_file(first, on_trust) {
            Err(error) if self.options.mode == Mode::Read && error.kind() == ErrorKind::Corrupt => {
                self.stand_in(first).map(Arc::new)
            }
            found => found.map(Arc::new),
        }
    }

    fn whole_log_file(&self, first: Position, on_trust: bool) -> Result<LogFile> {
        let name = file_name(first);
        let path = log_dir(self.dir).join(&name);
        let writable = self.options.mode == Mode::Write;
        let file = self.options.disk.open(&path, writable).map_err(|error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let kind = if missing { ErrorKind::Corrupt } else { ErrorKind::Unavailable };
            let message = format!("open log file {}: {error}; run `allsource verify`", path.display());
            Error::new(kind, "log_unreadable", message).with("file", path.display().to_string())
        })?;
        if on_trust {
            return LogFile::on_trust(name, file, first, self.manifest.id_key);
        }
        let log = LogFile::new(name, file)?;
        if log.first() != first || log.header().id_key != self.manifest.id_key {
            return Err(log.damaged(first, 0));
        }
        Ok(log)
    }

    /// The frames behind a damaged header, which prove themselves; no frames for a file that is missing or another's.
    fn stand_in(&mut self, first: Position) -> Result<LogFile> {
        let name = file_name(first);
        let header = FileHeader::presumed(first, self.manifest.id_key);
        let mut bytes = header.encode().to_vec();
        let path = log_dir(self.dir).join(&name);
        match self.options.disk.open(&path, false).and_then(|file| file.map()) {
            Err(_) => self.unusable = Some("the log file is missing"),
            Ok(found) if FileHeader::decode(&found).is_ok() => {
                self.unusable = Some("the log file is not this store's: its header is of another");
            }
            Ok(found) => {
                bytes.extend_from_slice(found.get(FILE_HEADER_BYTES..).unwrap_or_default());
                let reason = "the header is not what was written; the events behind it are read by their own checksums";
                self.damage.push(Damage::of_file(&name, reason));
            }
        }
        LogFile::new(name, Arc::new(Held(bytes.into())))
    }
}

/// The bytes of a file that stands in for another.
pub(super) struct Held(pub Bytes);

impl DiskFile for Held {
    fn write_all_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn allocate(&self, _bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn clear(&self, _from: u64, _to: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn map(&self) -> io::Result<Bytes> {
        Ok(self.0.clone())
    }
}
