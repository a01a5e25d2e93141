//! Making a store from a backup.

use std::path::{Path, PathBuf};

use super::pieces::{indexes, whole};
use super::place::{self, copy_file, failed};
use super::target::apart;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::log::{file_name, log_dir};
use crate::store::manifest::load;
use crate::store::open::{Store, branch_dir, lock};
use crate::store::options::{Mode, Options};
use crate::store::verify::Damage;

/// The most by which a restore raises the epoch: 1,048,576. Another restore of the same backup, and the store that was
/// backed up, count on from the same epoch; a cursor of the one must not pass for a cursor of the other.
const EPOCH_LEAP_MAX: u64 = 1 << 20;

/// What a restore did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Events that the backup held and the new store holds.
    pub events: u64,
    /// Files that were copied.
    pub files: u64,
    /// The bytes of those.
    pub bytes: u64,
}

impl Store {
    /// Makes a store in `dir`, which is empty or not there, from the backup in `backup`.
    ///
    /// 1. Proves every byte of the backup. 2. Copies its files; none is shared, whatever becomes of the backup. 3. Raises
    ///    the epoch, because positions behind the end of the backup are given anew: cursors of the old store are refused.
    /// 4. Writes the manifest, without which nothing takes the directory for a store.
    ///
    /// Index files that are damaged are left out: they are built anew when the store is opened.
    ///
    /// # Errors
    /// `NotFound` when there is no backup, `Invalid` when `backup` is no backup (`not_a_backup`), or `dir` is not empty or
    /// lies in it, `Corrupt` when the backup is damaged, `Exhausted` when the disk is full, `Unavailable` when it fails.
    pub fn restore(backup: &Path, dir: &Path, options: &Options) -> Result<Restored> {
        let disk = options.disk.as_ref();
        apart(disk, backup, dir)?;
        check_free(dir, options)?;
        let from = branch_dir(backup);
        if load(disk, &from)?.is_some_and(|manifest| !manifest.backup) {
            let message = format!(
                "restore from {}: it is a store, not a backup of one; make one with `allsource backup`",
                backup.display()
            );
            return Err(Error::invalid("not_a_backup", message));
        }
        let source = Self::open(backup, Options { mode: Mode::Read, ..options.clone() })?;
        let report = source.verify();
        if let Some(damage) = report.damage.iter().find(|damage| !damage.is_derived()) {
            return Err(damaged(backup, damage));
        }
        let _lock = lock(dir, options)?;
        let mut manifest = source.branch.manifest.lock().clone();
        let head = source.snapshot().head();
        let to = branch_dir(dir);
        place::dirs(disk, &to)?;
        let newest = Position::new(manifest.log_files.last().copied().unwrap_or(1));
        let mut pieces = whole(&manifest);
        pieces.push(log_dir(Path::new("")).join(file_name(newest)));
        pieces.extend(
            indexes(&source.branch, head)?.into_iter().filter(|index| is_sound(index, &report.damage)),
        );
        let mut restored = Restored { events: head.get(), ..Restored::default() };
        for piece in &pieces {
            restored.bytes += copy_file(disk, &from.join(piece), &to.join(piece))?;
            restored.files += 1;
        }
        manifest.backup = false;
        manifest.synced_through = head.get();
        manifest.epoch += 1 + options.ids.next_u64() % EPOCH_LEAP_MAX;
        place::seal(disk, &to, &manifest)?;
        Ok(restored)
    }
}

/// Refuses a directory that holds anything but a lock file.
fn check_free(dir: &Path, options: &Options) -> Result<()> {
    let found = match options.disk.list(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(|error| failed("list", dir, &error))?,
    };
    if found.iter().all(|path| path.ends_with("LOCK")) {
        return Ok(());
    }
    let message = format!(
        "restore into {}: it is not empty; name a directory that is not there, or remove what an interrupted restore left",
        dir.display()
    );
    Err(Error::invalid("not_empty", message))
}

fn is_sound(index: &Path, damage: &[Damage]) -> bool {
    let is_of = |path: PathBuf| {
        damage.iter().any(|damage| path.file_name().is_some_and(|name| name == damage.file.as_str()))
    };
    !is_of(index.with_extension("index")) && !is_of(index.with_extension("rows"))
}

fn damaged(backup: &Path, damage: &Damage) -> Error {
    let message = format!(
        "restore from {}: the backup is damaged: {} at byte {}: {}; take another backup, or copy everything readable into a \
         new store with `allsource salvage`",
        backup.display(),
        damage.file,
        damage.offset,
        damage.reason
    );
    Error::new(ErrorKind::Corrupt, "backup_damaged", message)
        .with("file", damage.file.clone())
        .with("offset", damage.offset)
}
