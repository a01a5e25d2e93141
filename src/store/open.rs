//! Opening and closing a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::branch::{Branch, PoisonOnPanic};
use super::disk::{Disk, Lock, RealDisk};
use super::feed::Feed;
use super::fork::Forks;
use super::options::{Durability, Mode, Options};
use super::recover;
use super::snapshot::Snapshot;
use super::upkeep::Upkeep;
use super::verify::{Damage, VerifyReport, repair, verify};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;

const TENANT: &str = "default";
const BRANCH: &str = "main";
/// The largest size to which a log file may be allocated: 2 GiB. Offsets in it are counted in 32 bits.
const LOG_FILE_BYTES_MAX: u64 = 2 << 30;

/// An open event store. Clones share it; it is closed when the last one goes.
///
/// What it promises:
/// - A batch is stored whole or not at all, also across entities and across a crash.
/// - Positions count 1, 2, 3 … over the store and versions 1, 2, 3 … per entity, without a gap, for ever.
/// - What an answer acknowledged survives what [`Options::durability`] says.
/// - What a reader saw stays: a [`Snapshot`] never changes, and readers never wait for writers.
/// - After a failed write or sync nothing is written until the store is opened again; reads go on.
#[derive(Clone)]
pub struct Store {
    pub(super) branch: Arc<Branch>,
    closer: Arc<Closer>,
}

/// Closes the store when the last handle goes.
struct Closer {
    branch: Arc<Branch>,
    forks: Arc<Forks>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Lock>>,
}

impl Store {
    /// Opens the store in `dir`, creating it with [`Mode::Write`] when it is not there.
    ///
    /// What no saved index covers yet (some 8 MiB) is proved whole, with [`Mode::Read`] all of the newest log file. The
    /// rest is proved in the background (the newest 1 GiB; the first append waits for 256 MiB of it), record by record when
    /// it is read, and all of it by [`verify`](Self::verify). What an append left that was never acknowledged is cut off.
    ///
    /// # Errors
    /// `Unavailable` (`locked`) when another process has it open and (`disk_failed`) when the directory cannot be used,
    /// `Corrupt` when the log is damaged and the mode is [`Mode::Write`], `NotFound` when there is none and the mode is
    /// [`Mode::Read`].
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        check(&options)?;
        let lock = match options.mode {
            Mode::Write => Some(lock(dir, &options)?),
            Mode::Read => None,
        };
        let branch_dir = branch_dir(dir);
        let (found, damage) = recover::open(&branch_dir, BRANCH, &options)?;
        let branch = Arc::new(Branch::main(options, branch_dir, found, damage));
        let (threads, lock) = (Mutex::default(), Mutex::new(lock));
        let forks = Arc::new(Forks::new(Arc::clone(&branch)));
        let closer = Closer { branch: Arc::clone(&branch), forks, threads, lock };
        if branch.options.mode == Mode::Write {
            // When a thread cannot be started, dropping the closer ends those before it, and only then unlocks.
            closer.start_threads()?;
        }
        Ok(Self { branch, closer: Arc::new(closer) })
    }

    /// Whether a store lies in `dir`, sound or not.
    #[must_use]
    pub fn is_at(dir: &Path) -> bool {
        RealDisk.list(&dir.join("tenants").join(TENANT).join(BRANCH)).is_ok_and(|files| !files.is_empty())
    }

    /// The same store, seen from another of its branches.
    pub(super) fn on(&self, branch: Arc<Branch>) -> Self {
        Self { branch, closer: Arc::clone(&self.closer) }
    }

    /// The same store, seen from `main`.
    #[must_use]
    pub fn main(&self) -> Self {
        self.on(Arc::clone(&self.closer.branch))
    }

    /// Whether this is a fork, not `main`.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        self.branch.lineage.is_some()
    }

    /// The last position that this fork shares with its parent; 0 for `main`.
    #[must_use]
    pub fn cut(&self) -> Position {
        self.branch.lineage.as_ref().map_or(Position::ZERO, |lineage| lineage.cut)
    }

    pub(super) fn forks(&self) -> &Forks {
        &self.closer.forks
    }

    /// Pins what the store holds now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.branch.snapshot()
    }

    /// Waits until events beyond `after` are durable, or `timeout` has passed; whether there are any.
    pub(crate) fn wait_beyond(&self, after: Position, timeout: Duration) -> bool {
        self.branch.wait_durable(after, timeout) > after
    }

    /// Follows the durable events after position `after`.
    #[must_use]
    pub fn feed(&self, after: Position) -> Feed {
        Feed::new(Arc::clone(&self.branch), after)
    }

    /// The damage that opening with [`Mode::Read`] found and reads around.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.branch.damage
    }

    /// Why nothing can be written any more, if a disk failed.
    #[must_use]
    pub fn fault(&self) -> Option<Error> {
        self.branch.fault()
    }

    /// By how much the machine's clock stood before the last recorded batch, when that was more than 1 s: `recorded_at`
    /// then rises by a microsecond a batch until the clock has caught up.
    #[must_use]
    pub fn clock_behind(&self) -> Option<Duration> {
        self.branch.clock_behind()
    }

    /// Proves every checksum of this branch, and for `main` of every fork, that positions and versions have no gap, that every index says exactly what its events say,
    /// and that a segment says what its log file does where both are there.
    ///
    /// Takes about a second per gigabyte of log and of unpacked segments, some 32 bytes of memory per entity and the index
    /// of one log file or segment at a time; appends go on meanwhile. Damage is not an error but the report.
    #[must_use]
    pub fn verify(&self) -> VerifyReport {
        let mut report = verify(&self.branch, &self.branch.damage);
        if !self.is_fork() {
            self.forks().verify(&mut report);
        }
        report
    }

    /// As [`verify`](Self::verify), but what is damaged and derived from what is whole (index files) is built anew; log
    /// files, segments and the manifest stay as they are. What is left of the damage is in the report.
    ///
    /// # Errors
    /// `Denied` when the store is open for reading only, `Exhausted` and `Unavailable` when a disk is full or fails.
    pub fn repair(&self) -> Result<VerifyReport> {
        let mut report = repair(&self.branch, &self.branch.damage)?;
        if !self.is_fork() {
            self.forks().verify(&mut report);
        }
        Ok(report)
    }

    /// Makes everything stored so far segments: begins a new log file, seals those that are full, deletes those that lie
    /// beyond the [hot window](Options::hot_window_bytes), and merges neighbouring segments where two fit into one.
    ///
    /// The same happens by itself in the background whenever a log file is full, except that segments are merged only when it
    /// pays; appends and reads go on meanwhile.
    ///
    /// # Errors
    /// `Denied` when the store is open for reading, `Exhausted` when the disk is full and `Unavailable` when it fails:
    /// nothing is lost.
    pub fn compact(&self) -> Result<Upkeep> {
        self.compact_to(self.branch.options.hot_window_bytes)
    }

    /// The same, but of the full log files only `hot_window_bytes` are kept this time.
    ///
    /// # Errors
    /// Those of [`compact`](Self::compact).
    pub fn compact_to(&self, hot_window_bytes: u64) -> Result<Upkeep> {
        self.branch.compact(hot_window_bytes)
    }

    /// Finishes what is under way, syncs, and gives the directory back. Dropping the last handle does the same,
    /// without telling whether it worked.
    ///
    /// # Errors
    /// `Unavailable` when the last sync failed.
    pub fn close(self) -> Result<()> {
        self.closer.close()
    }
}

/// Refuses settings that could not be kept.
fn check(options: &Options) -> Result<()> {
    if options.log_file_bytes > LOG_FILE_BYTES_MAX {
        let message = format!(
            "open a store with log_file_bytes {}: at most {LOG_FILE_BYTES_MAX} are taken; give less",
            options.log_file_bytes
        );
        return Err(Error::invalid("log_file_too_large", message));
    }
    if options.durability == (Durability::Interval { ms: 0 }) {
        let message = "open a store with a sync interval of 0 ms: give at least 1, or Durability::Fsync";
        return Err(Error::invalid("no_interval", message));
    }
    Ok(())
}

/// The directory of the branch in a data directory.
pub(super) fn branch_dir(dir: &Path) -> PathBuf {
    dir.join("tenants").join(TENANT).join(BRANCH)
}

/// Takes the directory for this process alone.
pub(super) fn lock(dir: &Path, options: &Options) -> Result<Lock> {
    let failed = |error: std::io::Error| {
        let message =
            format!("open data directory {}: {error}; choose a directory you can write to", dir.display());
        Error::new(ErrorKind::Unavailable, "directory_unusable", message)
    };
    options.disk.create_dir_all(dir).map_err(failed)?;
    let path = dir.join("LOCK");
    options.disk.lock(&path).map_err(failed)?.ok_or_else(|| {
        let pid = locker(&path, options);
        let process =
            pid.map_or_else(|| "another process".to_owned(), |pid| format!("the process with pid {pid}"));
        let message =
            format!("open data directory {}: {process} has it open; use that one or stop it", dir.display());
        let error = Error::new(ErrorKind::Unavailable, "locked", message);
        pid.into_iter().fold(error, |error, pid| error.with("owner_pid", pid))
    })
}

/// The process that wrote its id into the lock file, if it got that far.
fn locker(path: &Path, options: &Options) -> Option<u32> {
    let content = options.disk.open(path, false).and_then(|file| file.map()).ok()?;
    std::str::from_utf8(&content).ok()?.trim().parse().ok()
}

impl Closer {
    fn start_threads(&self) -> Result<()> {
        self.branch.background.hold_appends();
        self.spawn("allsource-prove", Branch::prove_log)?;
        self.spawn("allsource-index", Branch::save_indexes)?;
        self.spawn("allsource-upkeep", Branch::keep_up)?;
        let forks = Arc::clone(&self.forks);
        self.spawn("allsource-forks", move |_| forks.sweep_always())?;
        if let Durability::Interval { ms } = self.branch.options.durability {
            self.spawn("allsource-sync", move |branch| branch.sync_every(Duration::from_millis(ms)))?;
        }
        Ok(())
    }

    fn spawn(&self, name: &str, work: impl FnOnce(&Branch) + Send + 'static) -> Result<()> {
        let branch = Arc::clone(&self.branch);
        let guarded = move || {
            let _poison = PoisonOnPanic(&branch);
            work(&branch);
        };
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(guarded);
        let thread = spawned.map_err(|error| {
            let message = format!(
                "start the thread {name}: {error}; end other programs, or raise the limit, and retry"
            );
            Error::new(ErrorKind::Unavailable, "no_thread", message)
        })?;
        self.threads.lock().push(thread);
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.forks.close();
        self.branch.background.close();
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
        let Some(lock) = self.lock.lock().take() else { return Ok(()) };
        let closed = self.branch.finish();
        drop(lock);
        closed
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!("failed to close the store: {error}");
        }
    }
}
