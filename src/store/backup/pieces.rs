//! Which files a backup consists of.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::BackedUp;
use super::place::{copy, failed};
use super::target::Target;
use crate::error::{Error, Result};
use crate::event::Position;
use crate::store::branch::Branch;
use crate::store::discard::Hold;
use crate::store::index::{index_dir, positions_of};
use crate::store::log::{Boundary, Checks, LogFile, damage_error, file_name, log_dir, walk};
use crate::store::manifest::Manifest;
use crate::store::segment::{SegmentEntry, segment_dir};

/// What a store consists of at one moment; its files stay where they are as long as this is held.
pub(super) struct Pieces<'a> {
    /// The manifest of the backup.
    pub manifest: Manifest,
    /// The files that are never changed any more, relative to the branch.
    whole: Vec<PathBuf>,
    /// The newest log file, and the bytes in it that are durable.
    tail: (LogFile, usize),
    _hold: Hold<'a>,
}

impl<'a> Pieces<'a> {
    /// Pins the manifest and the durable head.
    pub(super) fn pin(branch: &'a Branch) -> Result<Self> {
        // Ordering: the hold first. A file that the manifest names, or that is listed, then cannot go.
        let hold = branch.discards.hold();
        let (mut manifest, durable) = {
            let manifest = branch.manifest.lock();
            // Ordering: under the lock. No log file is begun meanwhile, so what is durable lies in those named here.
            (manifest.clone(), branch.durable())
        };
        manifest.synced_through = durable.get();
        manifest.backup = true;
        manifest.volatile = false;
        let newest = Position::new(manifest.log_files.last().copied().unwrap_or(1));
        let tail = tail(branch, newest, durable)?;
        let mut whole = whole(&manifest);
        whole.extend(indexes(branch, durable)?);
        Ok(Self { manifest, whole, tail, _hold: hold })
    }

    pub(super) fn through(&self) -> Position {
        Position::new(self.manifest.synced_through)
    }

    /// The files that are never changed any more, relative to the branch.
    pub(super) fn whole(&self) -> &[PathBuf] {
        &self.whole
    }

    /// Every file of the backup but the manifest, relative to the branch.
    pub(super) fn all(&self) -> HashSet<PathBuf> {
        self.whole.iter().cloned().chain([self.tail_path()]).collect()
    }

    /// Copies what is durable of the newest log file, unless the target has exactly that.
    pub(super) fn copy_tail(&self, target: &Target, done: &mut BackedUp) -> Result<()> {
        let (log, end) = &self.tail;
        if target.has_tail(&self.manifest) {
            done.kept += 1;
            return Ok(());
        }
        let bytes = log.bytes().get(..*end).unwrap_or_default();
        copy(target.disk(), bytes, &target.dir().join(self.tail_path()))?;
        done.copied += 1;
        done.copied_bytes += bytes.len() as u64;
        Ok(())
    }

    fn tail_path(&self) -> PathBuf {
        log_dir(Path::new("")).join(self.tail.0.name())
    }
}

/// The files that a manifest names, but for the newest log file.
pub(super) fn whole(manifest: &Manifest) -> Vec<PathBuf> {
    let (_, full) = manifest.log_files.split_last().unwrap_or((&1, &[]));
    let logs = log_dir(Path::new(""));
    let logs = full.iter().map(|&first| logs.join(file_name(Position::new(first))));
    logs.chain(manifest.segments.iter().flat_map(segment_files)).collect()
}

/// The two files of a segment, relative to the branch.
pub(super) fn segment_files(entry: &SegmentEntry) -> [PathBuf; 2] {
    let name = entry.name();
    [name.file_name(), name.envelope_name()].map(|name| segment_dir(Path::new("")).join(name))
}

/// The index files of `branch` that speak of nothing behind `through`.
///
/// One that does would one day be believed of other events: a store that is made from the backup gives the positions
/// behind its end anew.
pub(super) fn indexes(branch: &Branch, through: Position) -> Result<Vec<PathBuf>> {
    let dir = index_dir(&branch.dir);
    let found = branch.options.disk.list(&dir).map_err(|error| failed("list", &dir, &error))?;
    let wanted = found.iter().filter(|path| positions_of(path).is_some_and(|(_, last)| last <= through));
    Ok(wanted.filter_map(|path| Some(index_dir(Path::new("")).join(path.file_name()?))).collect())
}

/// The newest log file, and where its durable part ends.
fn tail(branch: &Branch, newest: Position, durable: Position) -> Result<(LogFile, usize)> {
    let name = file_name(newest);
    let path = log_dir(&branch.dir).join(&name);
    let file = branch.options.disk.open(&path, false).map_err(|error| failed("open", &path, &error))?;
    let log = LogFile::new(name, file)?;
    let start = Boundary::start(&log);
    let mut end = (start.next > durable).then_some(start);
    let (at, reason) = walk(&log, start, log.bytes().len(), Checks::All, |frame, offset| {
        if frame.last_position() == durable {
            end = Some(Boundary { offset, ..start }.behind(frame));
        }
    });
    match end {
        Some(end) => Ok((log, end.offset)),
        None if at.next <= durable => {
            let reason = reason.unwrap_or("the log ends before positions that were durable");
            Err(damage_error(&log, at, durable, reason))
        }
        None => Err(Error::internal(format!("back up: no frame ends at the durable position {durable}"))),
    }
}
