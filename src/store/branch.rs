//! A branch that is open: what its readers share, and what its one writer holds.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::append::{GroupCommit, Prepared, Verdict};
use super::background::{Background, Job};
use super::discard::Discards;
use super::following::Following;
use super::fork::Lineage;
use super::index::{HeadCache, MemoryIndex};
use super::log::{Boundary, LogEnd, LogFile};
use super::manifest::{Manifest, swap};
use super::mend::Mending;
use super::options::{Durability, Mode, Options};
use super::segment::PageCache;
use super::snapshot::Snapshot;
use super::state::States;
use super::upkeep::{Damaged, Load};
use super::verify::Damage;
use super::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp};

/// A clock that is further behind the last time of recording is reported: 1 s.
const CLOCK_BEHIND_US_MAX: i64 = 1_000_000;

/// A branch that is open.
pub(crate) struct Branch {
    pub options: Options,
    pub dir: PathBuf,
    pub epoch: u64,
    pub id_key: u64,
    /// What was found of main's entities; forks look there too.
    pub heads: Arc<HeadCache>,
    pub queue: GroupCommit<Prepared, Result<Verdict>>,
    pub writer: Mutex<Writer>,
    pub manifest: Arc<Mutex<Manifest>>,
    /// Of a fork: what it stands on.
    pub lineage: Option<Lineage>,
    /// What the open found damaged and reads around.
    pub damage: Vec<Damage>,
    pub background: Background,
    /// Every file that a backup may copy is removed through here; saved states are none.
    pub discards: Discards,
    /// The saved states of main's entities; forks read them too.
    pub states: Arc<States>,
    view: ArcSwap<View>,
    /// The last position that readers see.
    head: AtomicU64,
    /// The last position that survives a power cut.
    durable: AtomicU64,
    pub(super) fault: OnceLock<Error>,
    clock_behind_us: AtomicI64,
    /// Until it is proved.
    pub unproved: Mutex<Option<Unproved>>,
    /// Held by whoever saves, merges or mends index files.
    pub indexing: Mutex<()>,
    pub mending: Mutex<Mending>,
    /// Held by whoever does upkeep; the segments that it leaves as they are.
    pub upkeep_turn: Mutex<Damaged>,
    /// How much is being appended, for which upkeep waits.
    pub load: Load,
    /// Decoded pages of segments.
    pub pages: Arc<PageCache>,
    /// Held while a log file is synced.
    syncing: Mutex<()>,
    /// Where those wait who follow the durable head.
    pub(super) following: Following,
}

/// What only the committer touches.
pub(crate) struct Writer {
    pub end: LogEnd,
    pub memory: Arc<MemoryIndex>,
    /// Where in the log file the in-memory index begins.
    pub memory_from: u64,
    pub next: Position,
    pub recorded_at: Timestamp,
    /// Set by the deliberate fault `AnswerBeforeSync` alone.
    pub sync_is_due: bool,
}

/// What the open of the newest log file left to be proved before the first append.
pub(crate) struct Unproved {
    pub log: Arc<LogFile>,
    /// The position up to which it was taken on the word of its indexes.
    pub covered: Position,
    /// Behind its last whole frame.
    pub end: Boundary,
}

/// What recovery found, from which a branch is made.
pub(crate) struct Found {
    pub view: View,
    pub writer: Writer,
    pub manifest: Manifest,
    pub durable: Position,
    /// Decoded pages of segments.
    pub pages: Arc<PageCache>,
    /// Indexes that an earlier process did not come to save.
    pub unsaved: Vec<Job>,
    pub unproved: Option<Unproved>,
    /// What was damaged and is derived, or left over by a crash, and is in order again.
    pub mended: Vec<Damage>,
}

/// What branches share with each other, or with the list of forks.
pub(crate) struct Shared {
    pub manifest: Arc<Mutex<Manifest>>,
    pub lineage: Option<Lineage>,
    pub states: Arc<States>,
    pub heads: Arc<HeadCache>,
}

impl Branch {
    /// The branch that everything else is forked from.
    pub(crate) fn main(options: Options, dir: PathBuf, found: Found, damage: Vec<Damage>) -> Self {
        let (id_key, epoch) = (found.manifest.id_key, found.manifest.epoch);
        let states = Arc::new(States::new(&options, &dir, id_key, epoch));
        let heads = Arc::new(HeadCache::new(options.head_cache_entries_max));
        let manifest = Arc::new(Mutex::new(found.manifest.clone()));
        Self::new(options, dir, found, damage, Shared { manifest, lineage: None, states, heads })
    }

    pub(crate) fn new(
        options: Options,
        dir: PathBuf,
        found: Found,
        damage: Vec<Damage>,
        shared: Shared,
    ) -> Self {
        let head = found.writer.next.previous().get();
        let Shared { manifest, lineage, states, heads } = shared;
        Self {
            states,
            heads,
            epoch: found.manifest.epoch,
            id_key: found.manifest.id_key,
            queue: GroupCommit::new(Arc::clone(&options.clock)),
            discards: Discards::new(Arc::clone(&options.disk)),
            options,
            dir,
            pages: found.pages,
            writer: Mutex::new(found.writer),
            manifest,
            lineage,
            damage,
            background: Background::new(found.unsaved),
            view: ArcSwap::from_pointee(found.view),
            head: AtomicU64::new(head),
            durable: AtomicU64::new(found.durable.get()),
            fault: OnceLock::new(),
            clock_behind_us: AtomicI64::new(0),
            unproved: Mutex::new(found.unproved),
            indexing: Mutex::new(()),
            mending: Mutex::new(Mending::after(found.mended)),
            upkeep_turn: Mutex::default(),
            load: Load::default(),
            syncing: Mutex::new(()),
            following: Following::default(),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        // Ordering: the head first. The view that is loaded after it holds every position up to that head.
        let head = self.head();
        let view = self.whole_view();
        // Once damage is known, reads go around it.
        let mode = if self.knows_damage() { Mode::Read } else { self.options.mode };
        let clock = Arc::clone(&self.options.clock);
        Snapshot::new(view, head, self.epoch, self.id_key, Arc::clone(&self.heads), clock, mode)
    }

    /// The branch's view; a fork's behind that of its ancestors.
    pub(super) fn whole_view(&self) -> Arc<View> {
        match &self.lineage {
            None => self.view.load_full(),
            Some(lineage) => lineage.complete(self.view.load_full()),
        }
    }

    fn knows_damage(&self) -> bool {
        self.fault.get().is_some_and(|fault| fault.kind() == ErrorKind::Corrupt)
            || self.lineage.as_ref().is_some_and(|lineage| lineage.parent.knows_damage())
    }

    /// The branch that this one was forked from.
    pub(crate) fn parent_name(&self) -> String {
        self.manifest.lock().fork.as_ref().map(|fork| fork.parent.clone()).unwrap_or_default()
    }

    pub(crate) fn head(&self) -> Position {
        Position::new(self.head.load(Ordering::Acquire))
    }

    pub(crate) fn durable(&self) -> Position {
        Position::new(self.durable.load(Ordering::Acquire))
    }

    /// Why nothing can be written any more, if so.
    pub(crate) fn fault(&self) -> Option<Error> {
        self.fault.get().map(Error::copy)
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.options.mode == Mode::Read {
            let message = "write: the store is open for reading only; open it for writing";
            return Err(Error::new(ErrorKind::Denied, "read_only", message));
        }
        self.fault().map_or(Ok(()), Err)
    }

    /// Moves the head; under `Fsync` what is visible is durable.
    pub(crate) fn advance(&self, head: Position) {
        self.head.store(head.get(), Ordering::Release);
        if self.options.durability == Durability::Fsync {
            self.advance_durable(head);
        }
    }

    pub(crate) fn advance_durable(&self, head: Position) {
        self.durable.fetch_max(head.get(), Ordering::AcqRel);
        self.nudge();
    }

    /// Syncs a log file, unless a sync or write has failed before.
    ///
    /// Ordering: one at a time, and the fault is set before the next may begin. The kernel reports a lost page to one
    /// sync only; a second one beside it would succeed and have the loss called durable.
    pub(crate) fn sync_file(&self, log: &LogFile) -> Result<()> {
        let _alone = self.syncing.lock();
        match self.fault() {
            Some(fault) if fault.kind() == ErrorKind::Unavailable => Err(fault),
            _ => log
                .file()
                .sync_data()
                .map_err(|error| self.set_fault(self.fault_of("sync", log.name(), &error))),
        }
    }

    /// Stops all writing for good; whoever holds the commit lock then [lowers the head](Self::lower_head).
    pub(crate) fn set_fault(&self, fault: Error) -> Error {
        tracing::error!("{fault}");
        let _ = self.fault.set(fault.copy());
        fault
    }

    /// After a fault: reads go on up to the durable head. The commit lock keeps a group from raising it again.
    pub(crate) fn lower_head(&self, _writer: &Writer) {
        self.head.store(self.durable().get(), Ordering::Release);
    }

    /// Stops all writing for good, from a thread that does not hold the commit lock. What was committed before is synced
    /// first: the fault lies elsewhere.
    pub(crate) fn poison_behind(&self, fault: &Error) {
        let writer = self.writer.lock();
        if self.sync_file(&writer.end.log).is_ok() {
            self.advance_durable(writer.next.previous());
        }
        self.set_fault(fault.copy());
        self.lower_head(&writer);
        if let Err(error) = self.change_manifest(|manifest| manifest.suspect = true) {
            tracing::error!("failed to note the damage in the manifest: {error}");
        }
    }

    pub(crate) fn fault_of(&self, doing: &str, file: &str, error: &io::Error) -> Error {
        let message = format!(
            "{doing} log file {file}: {error}; reads go on up to position {}. Writing needs a working disk and a reopen; only \
             then is it known whether what was being written is stored: send it again with the same key or ids",
            self.durable()
        );
        Error::new(ErrorKind::Unavailable, "disk_failed", message).with("file", file)
    }

    /// The time of the next batch: the clock's, but always after the one before.
    pub(crate) fn next_recorded_at(&self, last: Timestamp) -> Timestamp {
        let now = self.options.clock.now();
        let behind = last.as_micros().saturating_sub(now.as_micros());
        if behind > CLOCK_BEHIND_US_MAX {
            self.report_clock_behind(behind);
        }
        now.max(Timestamp::from_micros(last.as_micros().saturating_add(1)))
    }

    /// Says it once in the log of the process; [`clock_behind`](Self::clock_behind) goes on telling whoever asks.
    fn report_clock_behind(&self, behind_us: i64) {
        if self.clock_behind_us.swap(behind_us, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "the clock stands {behind_us} µs before the last recorded batch; recording goes on from there"
            );
        }
    }

    /// By how much the clock stood before the last recorded batch, when that was more than 1 s.
    pub(crate) fn clock_behind(&self) -> Option<Duration> {
        let micros = self.clock_behind_us.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros.cast_unsigned()))
    }

    /// Replaces the manifest by a changed copy, unless the branch is closed.
    pub(crate) fn change_manifest(&self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut manifest = self.manifest.lock();
        // Ordering: asked behind the lock. Once the branch is closed the directory may be another process's.
        self.check_open()?;
        self.replace_manifest(&mut manifest, change)
    }

    /// The same for who has the manifest locked, and closes the branch.
    pub(super) fn replace_manifest(
        &self,
        manifest: &mut Manifest,
        change: impl FnOnce(&mut Manifest),
    ) -> Result<()> {
        let mut new = manifest.clone();
        change(&mut new);
        if new != *manifest {
            swap(self.options.disk.as_ref(), &self.dir, Some(manifest), &new)?;
            *manifest = new;
        }
        Ok(())
    }

    /// Replaces the view by a changed copy; readers keep the one they pinned.
    pub(crate) fn change_view(&self, change: impl Fn(&mut View)) {
        self.view.rcu(|view| {
            let mut changed = View::clone(view);
            change(&mut changed);
            changed
        });
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }
}

/// Poisons the branch when its thread panics while this is held: what the thread left half done is unknown.
pub(crate) struct PoisonOnPanic<'a>(pub &'a Branch);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = "append: a thread of the store panicked; reopen the store, and report this defect";
            self.0.set_fault(Error::internal(message));
        }
    }
}
