//! How a store is opened: plain data and the components it works with.

use std::sync::Arc;

use super::disk::{Disk, RealDisk};
use crate::clock::{Clock, IdSource, SystemClock, SystemIds};

/// What an acknowledged append survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives a crash of the process, the kernel and the power: every answer waits for `fdatasync`.
    Fsync,
    /// Survives a crash of the process at once, and of the kernel or the power after at most `ms` milliseconds,
    /// when a background `fdatasync` has carried it to the disk.
    Interval {
        /// The longest time between two syncs, in milliseconds.
        ms: u64,
    },
}

/// What the store may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Read and append; creates the directory when it is not there, refuses a damaged log.
    Write,
    /// Read only: writes nothing, not even to repair, and reads around damage.
    Read,
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Read and append, or read only.
    pub mode: Mode,
    /// What an acknowledged append survives.
    pub durability: Durability,
    /// The size to which a log file is allocated: 64 MiB.
    pub log_file_bytes: u64,
    /// How much log the in-memory index covers before it is saved as a run: 8 MiB.
    pub run_bytes: u64,
    /// How much full log is kept in row form beside its segments, where reads are fastest: 1 GiB.
    pub hot_window_bytes: u64,
    /// How much full log may wait, while more than 8 MiB/s are appended, to become segments or, beyond the hot window, to be
    /// deleted: 4 GiB. So a burst is taken at the speed of the log alone; whoever appends more has upkeep beside it.
    pub upkeep_backlog_bytes_max: u64,
    /// The most events in a segment that was merged from others: 1,048,576. Segments at least half as large are not
    /// merged again.
    pub segment_events_max: u64,
    /// The most bytes of Parquet in a segment that was merged from others: 256 MiB.
    pub segment_bytes_max: u64,
    /// How many neighbouring segments of about one size are merged, however young they are: 4, at least 2.
    pub merge_segments_min: usize,
    /// How old the newest event of small neighbouring segments is, in seconds, when they are merged although they are few:
    /// 3,600.
    pub merge_age_seconds: u64,
    /// The most entity heads kept in the cache: 65,536.
    pub head_cache_entries_max: usize,
    /// The most memory for decoded pages of segments: 32 MiB. With 0 none are kept, and every read decodes anew.
    pub page_cache_bytes_max: u64,
    /// How many events come to an entity until its folded state is saved again, so that a later read goes on from there: 100;
    /// 0: never.
    pub state_every_events: u64,
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub ids: Arc<dyn IdSource>,
    /// A deliberate fault, for the tests that prove that the crash machine finds it.
    pub planted_bug: Option<PlantedBug>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Write,
            durability: Durability::Fsync,
            log_file_bytes: 64 << 20,
            run_bytes: 8 << 20,
            hot_window_bytes: 1 << 30,
            upkeep_backlog_bytes_max: 4 << 30,
            segment_events_max: 1 << 20,
            segment_bytes_max: 256 << 20,
            merge_segments_min: 4,
            merge_age_seconds: 3_600,
            page_cache_bytes_max: 32 << 20,
            head_cache_entries_max: 65_536,
            state_every_events: 100,
            disk: Arc::new(RealDisk),
            clock: SystemClock::shared(),
            ids: Arc::new(SystemIds),
            planted_bug: None,
        }
    }
}

impl Options {
    /// Whether `bug` is planted.
    pub(crate) fn has(&self, bug: PlantedBug) -> bool {
        self.planted() == Some(bug)
    }

    /// The bug that is planted; always none unless the feature `planted-bugs` is on, as it is under `cargo test`.
    pub(crate) fn planted(&self) -> Option<PlantedBug> {
        self.planted_bug.filter(|_| cfg!(feature = "planted-bugs"))
    }
}

/// A deliberate fault in what writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// Never syncs the log.
    SkipSync,
    /// Takes every frame's body for whole, whatever its checksum says.
    SkipChecksum,
    /// Answers the caller before the sync.
    AnswerBeforeSync,
    /// Does not sync the directory after creating a log file.
    SkipDirectorySync,
    /// Goes on after a failed write, giving the same positions and versions again.
    ReuseAfterFailedWrite,
    /// Keeps those events of a torn frame that are whole.
    KeepTornBatch,
    /// Leaves the bytes behind the torn tail where they are.
    LeaveTornTail,
    /// Deletes a log file before the manifest without it is durable.
    DeleteLogBeforeSwap,
    /// Does not sync a segment before the manifest names it.
    SkipSegmentSync,
    /// Deletes a log file without comparing its segment to it.
    SkipRowComparison,
    /// Leaves out of a segment what frames say of the calls that made them: idempotency keys and request hashes.
    ForgetCalls,
    /// Takes every event id in a segment for a generated one.
    DropIds,
    /// Does not make the names durable that lead to a fork before the fork is appended to.
    SkipForkDirectorySync,
    /// Names the log of a fork in its manifest before it makes it.
    NameForkLogFirst,
}
