//! Work behind the committer's back: saving in-memory indexes as files, and syncing under interval durability.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::branch::Branch;
use super::index::{IndexFile, MemoryIndex, RangeIndex, file_name, index_dir};
use super::log::LogFile;
use super::recover::index_frames;
use super::view::Range;
use crate::error::Result;
use crate::event::Position;

/// The most in-memory indexes that wait to be saved before appends slow down: 4.
const UNSAVED_INDEXES_MAX: usize = 4;
/// How long an append then waits at most: 100 ms.
const SLOW_DOWN_MAX: Duration = Duration::from_millis(100);

/// An index to be saved, if it is in memory still, and merged with the others of its log file.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    /// The first position that it holds.
    pub first: Position,
    /// The byte of its log file up to which it speaks.
    pub covered: u64,
}

/// The queue of the background thread.
pub(crate) struct Background {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    closing: bool,
}

impl Background {
    pub(crate) fn new(jobs: Vec<Job>) -> Self {
        Self { state: Mutex::new(State { jobs: jobs.into(), closing: false }), changed: Condvar::new() }
    }

    pub(crate) fn save(&self, job: Job) {
        self.state.lock().jobs.push_back(job);
        self.changed.notify_all();
    }

    /// Slows an append down while too many in-memory indexes wait, so that memory stays bounded.
    pub(crate) fn wait_for_room(&self) {
        let mut state = self.state.lock();
        while state.jobs.len() > UNSAVED_INDEXES_MAX && !state.closing {
            if self.changed.wait_for(&mut state, SLOW_DOWN_MAX).timed_out() {
                return;
            }
        }
    }

    /// Lets both threads finish what is queued and end.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    /// The next job, which stays queued until it is [`done`](Self::done); `None` when the branch closes.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            match state.jobs.front() {
                Some(&job) => return Some(job),
                None if state.closing => return None,
                None => self.changed.wait(&mut state),
            }
        }
    }

    fn done(&self) {
        self.state.lock().jobs.pop_front();
        self.changed.notify_all();
    }

    /// Waits for `interval` or until the branch closes; false when it does.
    fn sleep(&self, interval: Duration) -> bool {
        let mut state = self.state.lock();
        while !state.closing {
            if self.changed.wait_for(&mut state, interval).timed_out() {
                return true;
            }
        }
        false
    }
}

impl Branch {
    /// Proves older log files, then saves in-memory indexes until the branch closes.
    pub(crate) fn work_behind(&self) {
        self.prove_older_files();
        while let Some(job) = self.background.next() {
            if let Err(error) = self.save_index(job) {
                // The index stays in memory and is built anew from the log at the next open: only memory is lost.
                tracing::error!("failed to save the index of positions from {}: {error}", job.first);
            }
            self.background.done();
        }
    }

    fn save_index(&self, job: Job) -> Result<()> {
        let view = self.view();
        let Some(range) = view.ranges.iter().find(|range| range.index.first() == job.first) else {
            return Ok(());
        };
        if let RangeIndex::Memory(memory) = &range.index {
            self.save_memory(&range.log, memory, job.covered)?;
        }
        self.merge_runs(&range.log)
    }

    fn save_memory(&self, log: &Arc<LogFile>, memory: &MemoryIndex, covered: u64) -> Result<()> {
        // Under interval durability an index must not outlive the log that it speaks of.
        while self.durable() < memory.last() {
            if self.fault().is_some() {
                return Ok(());
            }
            self.wait_durable(memory.last().previous(), SLOW_DOWN_MAX);
        }
        self.replace(log, memory, covered)
    }

    /// Writes an index and puts it in the place of everything in the view that lies within its positions.
    fn replace(&self, log: &Arc<LogFile>, memory: &MemoryIndex, covered: u64) -> Result<()> {
        let disk = self.options.disk.as_ref();
        let (first, last) = (memory.first(), memory.last());
        let path: PathBuf = index_dir(&self.dir).join(file_name(first, last));
        memory.write(last, covered, disk, &path)?;
        let range = Arc::new(Range {
            log: Arc::clone(log),
            index: RangeIndex::File(Arc::new(IndexFile::open(disk, &path)?)),
        });
        self.change_view(|view| {
            let at = view.ranges.partition_point(|range| range.index.first() < first);
            view.ranges.retain(|range| {
                range.index.is_empty() || range.index.first() < first || range.index.first() > last
            });
            view.ranges.insert(at, Arc::clone(&range));
        });
        Ok(())
    }

    /// When every stretch of a full log file has its run, replaces the runs by one index over the whole file.
    fn merge_runs(&self, log: &Arc<LogFile>) -> Result<()> {
        let view = self.view();
        let runs: Vec<_> = view.ranges.iter().filter(|range| Arc::ptr_eq(&range.log, log)).collect();
        let is_newest = view.ranges.last().is_some_and(|range| Arc::ptr_eq(&range.log, log));
        let all_saved = runs.iter().all(|range| matches!(range.index, RangeIndex::File(_)));
        if is_newest || !all_saved || runs.len() < 2 {
            return Ok(());
        }
        let whole = MemoryIndex::new(log.first());
        let end = index_frames(log, &whole);
        self.replace(log, &whole, end.offset as u64)?;
        for range in runs {
            if let RangeIndex::File(run) = &range.index {
                run.remove(self.options.disk.as_ref())?;
            }
        }
        Ok(())
    }

    /// Syncs the log every `interval` until the branch closes.
    pub(crate) fn sync_every(&self, interval: Duration) {
        while self.background.sleep(interval) {
            self.sync_now();
        }
        self.sync_now();
    }

    /// Makes everything that was committed durable.
    pub(crate) fn sync_now(&self) {
        let (log, through) = {
            let writer = self.writer.lock();
            (Arc::clone(&writer.end.log), writer.next.previous())
        };
        if self.fault().is_some() || through <= self.durable() {
            return;
        }
        match log.file().sync_data() {
            Ok(()) => self.advance_durable(through),
            Err(error) => drop(self.poison("sync", log.name(), &error)),
        }
    }
}
