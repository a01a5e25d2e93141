//! Which directories may become a backup of which store.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pieces::{Pieces, segment_files, whole};
use super::place::{copy_file, failed, folders, remove};
use super::{BackedUp, branch_dir};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Position, Timestamp};
use crate::store::branch::Branch;
use crate::store::disk::{Disk, Lock};
use crate::store::index::{index_dir, positions_of};
use crate::store::log::{Boundary, Checks, FileHeader, LogFile, file_name, log_dir, records, walk};
use crate::store::manifest::{Manifest, load};
use crate::store::open::lock;
use crate::store::segment::SegmentEntry;

/// What a directory may hold, besides a branch, that an interrupted first backup left.
const OWN_ENTRIES: [&str; 2] = ["LOCK", "tenants"];
/// The endings of the files that a backup consists of, or leaves when it is interrupted.
const OWN_ENDINGS: [&str; 6] = ["log", "index", "rows", "parquet", "envelope", "new"];

/// The directory that becomes a backup, locked.
pub(super) struct Target {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The manifest of the backup that is there.
    older: Option<Manifest>,
    /// The sizes of the files that can stay, by their paths relative to the branch.
    kept: HashMap<PathBuf, u64>,
    _lock: Lock,
}

impl Target {
    /// Takes the directory `to` for a backup of `branch`.
    pub(super) fn take(branch: &Branch, to: &Path, manifest: &Manifest) -> Result<Self> {
        let disk = Arc::clone(&branch.options.disk);
        apart(disk.as_ref(), store_dir(branch), to)?;
        let dir = branch_dir(to);
        let older = older(branch, to, &dir)?;
        let lock = lock(to, &branch.options)?;
        let mut target = Self { disk, dir, older, kept: HashMap::new(), _lock: lock };
        // Ordering: behind the lock. Another backup may have been made since the first look.
        target.older = self::older(branch, to, &target.dir)?;
        target.kept = target.keepable(manifest);
        Ok(target)
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the newest log file is there up to the durable head of that manifest.
    pub(super) fn has_tail(&self, manifest: &Manifest) -> bool {
        self.older.as_ref().is_some_and(|older| {
            older.synced_through == manifest.synced_through
                && older.log_files.last() == manifest.log_files.last()
        })
    }

    /// Links or copies a file that is never changed any more, unless it is there.
    pub(super) fn place(&self, piece: &Path, from: &Path, done: &mut BackedUp) -> Result<()> {
        let (from, to) = (from.join(piece), self.dir.join(piece));
        let size = self.disk.open(&from, false).and_then(|file| file.size());
        let size = size.map_err(|error| failed("open", &from, &error))?;
        if self.kept.get(piece) == Some(&size) {
            done.kept += 1;
            return Ok(());
        }
        // The newest log file of the older backup, which is full by now, is the only one here that its manifest names:
        // the copy goes over it. What else has the name is left over by a crash and proved by nothing.
        let is_named = self.older.as_ref().and_then(tail_of).is_some_and(|tail| tail == piece);
        if !is_named {
            remove(self.disk(), &to).map_err(|error| failed("remove", &to, &error))?;
        }
        let beside = if is_named { to.with_extension("log.new") } else { to.clone() };
        let link = || {
            remove(self.disk(), &beside)?;
            self.disk.hard_link(&from, &beside)?;
            if is_named { self.disk.rename(&beside, &to) } else { Ok(()) }
        };
        if link().is_ok() {
            done.linked += 1;
            return Ok(());
        }
        done.copied_bytes += copy_file(self.disk(), &from, &to)?;
        done.copied += 1;
        Ok(())
    }

    /// Removes every file of a backup that is none of `pieces`; gives how many.
    pub(super) fn remove_others(&self, pieces: &Pieces<'_>) -> Result<u64> {
        let (named, mut removed) = (pieces.all(), 0);
        for folder in folders(&self.dir) {
            let found = self.disk.list(&folder).map_err(|error| failed("list", &folder, &error))?;
            for path in found.iter().filter(|path| is_own(path)) {
                if path.strip_prefix(&self.dir).is_ok_and(|piece| named.contains(piece)) {
                    continue;
                }
                remove(self.disk(), path).map_err(|error| failed("remove", path, &error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The files that the older backup proves to be what their names say: those that its manifest names, and indexes
    /// of what it holds. Anything else was left by a crash, perhaps of a backup of other events.
    fn keepable(&self, newer: &Manifest) -> HashMap<PathBuf, u64> {
        let Some(older) = &self.older else { return HashMap::new() };
        // A segment of the same name may have been written anew in another way by a store that was restored.
        let differs = |entry: &&SegmentEntry| !newer.segments.contains(entry);
        let changed: Vec<PathBuf> = older.segments.iter().filter(differs).flat_map(segment_files).collect();
        let mut pieces = whole(older);
        pieces.retain(|piece| !changed.contains(piece));
        let through = Position::new(older.synced_through);
        let indexes = self.disk.list(&index_dir(&self.dir)).unwrap_or_default();
        let held = indexes.iter().filter(|path| positions_of(path).is_some_and(|(_, last)| last <= through));
        pieces.extend(held.filter_map(|path| path.strip_prefix(&self.dir).ok().map(Path::to_owned)));
        let sized = pieces.into_iter().filter_map(|piece| {
            let size = self.disk.open(&self.dir.join(&piece), false).and_then(|file| file.size()).ok()?;
            Some((piece, size))
        });
        sized.collect()
    }
}

/// The data directory of a branch.
fn store_dir(branch: &Branch) -> &Path {
    branch.dir.ancestors().nth(3).unwrap_or(&branch.dir)
}

fn tail_of(manifest: &Manifest) -> Option<PathBuf> {
    let newest = manifest.log_files.last()?;
    Some(log_dir(Path::new("")).join(file_name(Position::new(*newest))))
}

fn is_own(path: &Path) -> bool {
    path.extension().is_some_and(|ending| OWN_ENDINGS.iter().any(|own| ending == *own))
}

/// Refuses directories of which one lies in the other.
pub(super) fn apart(disk: &dyn Disk, store: &Path, other: &Path) -> Result<()> {
    let real = |path: &Path| real_path(disk, path).map_err(|error| failed("find", path, &error));
    let (inner, outer) = (real(store)?, real(other)?);
    if !inner.starts_with(&outer) && !outer.starts_with(&inner) {
        return Ok(());
    }
    let message = format!(
        "use {} and {} together: one of them lies in the other; choose a directory outside",
        store.display(),
        other.display()
    );
    Err(Error::invalid("inside_one_another", message))
}

/// The one name of a path of which the end may not exist yet.
fn real_path(disk: &dyn Disk, path: &Path) -> std::io::Result<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match disk.canonicalize(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match (path.parent(), path.file_name())
        {
            (Some(parent), Some(name)) => Ok(real_path(disk, parent)?.join(name)),
            _ => Err(error),
        },
        found => found,
    }
}

/// The manifest of the older backup in `to`; `None` when nothing is there, or what an interrupted first backup left.
///
/// # Errors
/// `Invalid` when something else is there, `Corrupt` when the backup is damaged.
fn older(branch: &Branch, to: &Path, dir: &Path) -> Result<Option<Manifest>> {
    let disk = branch.options.disk.as_ref();
    let Some(older) = load(disk, dir)? else {
        return if is_free(branch, to, dir) {
            Ok(None)
        } else {
            Err(refused(to, "not_a_backup", NOT_A_BACKUP))
        };
    };
    if !older.backup {
        return Err(refused(to, "not_a_backup", NOT_A_BACKUP));
    }
    if older.id_key != branch.id_key {
        return Err(refused(to, "another_store", "it is a backup of another store"));
    }
    let end = End::of(branch, dir, &older)?;
    if end.position > branch.durable() {
        return Err(refused(to, "newer_backup", NEWER)
            .with("backup_position", end.position.get())
            .with("position", branch.durable().get()));
    }
    if end.is_in(branch)? {
        return Ok(Some(older));
    }
    Err(refused(to, "another_store", "it is a backup of a store that has gone another way since then"))
}

const NOT_A_BACKUP: &str = "it holds something that is not a backup";
const NEWER: &str = "the backup in it holds more than this store";

fn refused(to: &Path, code: &'static str, why: &str) -> Error {
    let message = format!("back up into {}: {why}; choose another directory", to.display());
    Error::invalid(code, message)
}

/// Whether `to` holds nothing but what an interrupted first backup of this store leaves.
fn is_free(branch: &Branch, to: &Path, dir: &Path) -> bool {
    let disk = branch.options.disk.as_ref();
    let is_own_entry = |path: &PathBuf| OWN_ENTRIES.iter().any(|own| path.ends_with(own));
    if !disk.list(to).unwrap_or_default().iter().all(is_own_entry) {
        return false;
    }
    let is_whole = |path: &PathBuf| path.extension().is_none_or(|ending| ending != "new");
    let files = |folder: &Path| disk.list(folder).unwrap_or_default().into_iter().filter(is_whole);
    let logs: Vec<PathBuf> = files(&log_dir(dir)).collect();
    let is_ours = |path: &PathBuf| {
        let bytes = disk.open(path, false).and_then(|file| file.map());
        bytes.is_ok_and(|bytes| FileHeader::decode(&bytes).is_ok_and(|log| log.id_key == branch.id_key))
    };
    // The first file that a backup puts in its place is a log file.
    logs.iter().all(is_ours)
        && (!logs.is_empty() || folders(dir).iter().all(|folder| files(folder).next().is_none()))
}

/// Where a backup ends.
struct End {
    position: Position,
    recorded_at: Timestamp,
    /// The last event, when it lies in the newest log file.
    event: Option<Event>,
}

impl End {
    fn of(branch: &Branch, dir: &Path, manifest: &Manifest) -> Result<Self> {
        let name = file_name(Position::new(manifest.log_files.last().copied().unwrap_or(1)));
        let path = log_dir(dir).join(&name);
        let file = branch.options.disk.open(&path, false).map_err(|error| failed("open", &path, &error))?;
        let log = LogFile::new(name, file)?;
        let mut last = None;
        let (at, _) = walk(&log, Boundary::start(&log), log.bytes().len(), Checks::All, |frame, offset| {
            last = Some((*frame, offset));
        });
        let position = at.next.previous();
        if position.get() < manifest.synced_through {
            let message = format!(
                "back up into {}: the backup in it is damaged: its log ends at position {position} and not at {}; choose \
                 another directory",
                dir.display(),
                manifest.synced_through
            );
            return Err(Error::new(ErrorKind::Corrupt, "backup_damaged", message));
        }
        let offset = last.and_then(|(frame, offset)| records(&log, &frame, offset).last());
        let event = offset.map(|(offset, _)| log.event(position, offset)).transpose()?;
        Ok(Self { position, recorded_at: at.recorded_at, event })
    }

    /// Whether the store has gone through here.
    fn is_in(&self, branch: &Branch) -> Result<bool> {
        if self.position == Position::ZERO {
            return Ok(true);
        }
        let Some(ours) = branch.snapshot().event(self.position)? else { return Ok(false) };
        // Retention may have emptied it since then; nothing else about an event changes.
        let identity = |event: &Event| (event.event_id.clone(), event.entity_id.clone(), event.version);
        let is_same = self.event.as_ref().is_none_or(|theirs| {
            identity(theirs) == identity(&ours) && (ours.emptied || ours.payload == theirs.payload)
        });
        Ok(is_same && ours.recorded_at == self.recorded_at)
    }
}
