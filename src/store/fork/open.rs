//! Opening the branch of a fork: its own log, on top of its parent.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{ForkId, Forks, Lineage};
use crate::error::Result;
use crate::event::{Position, Timestamp};
use crate::store::branch::{Branch, Found, Shared, Writer};
use crate::store::index::{MemoryIndex, RangeIndex};
use crate::store::log::{FileHeader, LogEnd, LogFile, file_name};
use crate::store::manifest::Manifest;
use crate::store::options::{Durability, Options};
use crate::store::recover;
use crate::store::rescue::Held;
use crate::store::segment::PageCache;
use crate::store::verify::Damage;
use crate::store::view::{Range, View};

/// The size to which a fork's log file is allocated at first: 256 KiB; it doubles when it is full.
pub(super) const LOG_FILE_BYTES: u64 = 256 << 10;

impl Forks {
    /// Opens a fork whose parent is open.
    ///
    /// # Errors
    /// `Corrupt` when its log is not what was written and the mode is `Write`, `Unavailable` when the disk fails.
    pub(super) fn open_branch(
        &self,
        id: &ForkId,
        manifest: &Arc<Mutex<Manifest>>,
        parent: Arc<Branch>,
    ) -> Result<Branch> {
        let dir = self.dir_of(id);
        let options = options(&self.main.options);
        let mut noted = manifest.lock();
        let (found, damage) = open_own(&dir, &options, noted.clone(), Arc::clone(&parent.pages))?;
        *noted = found.manifest.clone();
        let cut = Position::new(noted.cut());
        drop(noted);
        let damage = parent.damage.iter().cloned().chain(damage).collect();
        let shared = Shared {
            manifest: Arc::clone(manifest),
            states: Arc::clone(&parent.states),
            heads: Arc::clone(&parent.heads),
            lineage: Some(Lineage::new(parent, cut)),
        };
        Ok(Branch::new(options, dir, found, damage, shared))
    }
}

/// Opens what a fork holds of its own; `pages` are those of its parent.
fn open_own(
    dir: &Path,
    options: &Options,
    manifest: Manifest,
    pages: Arc<PageCache>,
) -> Result<(Found, Vec<Damage>)> {
    if manifest.log_files.is_empty() {
        empty_fork(manifest, pages)
    } else {
        recover::open_as(dir, options, manifest, None)
    }
}

/// A fork to which nothing was appended: it has no log file, and a header stands in for one.
fn empty_fork(manifest: Manifest, pages: Arc<PageCache>) -> Result<(Found, Vec<Damage>)> {
    let first = Position::new(manifest.cut()).next();
    let recorded_at = manifest.fork.as_ref().map_or(0, |fork| fork.cut_recorded_at);
    let header = FileHeader {
        first_position: first,
        synced_through: first.previous(),
        id_key: manifest.id_key,
        last_recorded_at: Timestamp::from_micros(recorded_at),
    };
    let log = Arc::new(LogFile::new(file_name(first), Arc::new(Held(header.encode().to_vec().into())))?);
    let memory = Arc::new(MemoryIndex::new(first));
    let range = Range::of_log(&log, RangeIndex::Memory(Arc::clone(&memory)));
    let writer = Writer {
        end: LogEnd::created(log),
        memory,
        memory_from: 0,
        next: first,
        recorded_at: header.last_recorded_at,
        sync_is_due: false,
    };
    let found = Found {
        view: View { ranges: vec![Arc::new(range)], ..View::default() },
        writer,
        manifest,
        durable: first.previous(),
        unsaved: Vec::new(),
        unproved: None,
        mended: Vec::new(),
        pages,
    };
    Ok((found, Vec::new()))
}

/// How a fork is opened: small, always synced, its index in memory alone, its states never saved.
fn options(main: &Options) -> Options {
    Options {
        durability: Durability::Fsync,
        log_file_bytes: LOG_FILE_BYTES,
        run_bytes: u64::MAX,
        state_every_events: 0,
        ..main.clone()
    }
}
