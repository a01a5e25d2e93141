//! Work behind the committer's back: saving in-memory indexes as files, and syncing under interval durability.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::branch::Branch;
use super::index::{IndexFile, MemoryIndex, RangeIndex, file_name, index_dir, index_frames};
use super::log::{LogFile, damage_error};
use super::view::{Range, Rows};
use crate::error::Result;
use crate::event::Position;

/// The most in-memory indexes that wait to be saved before appends slow down: 16, which is 128 MiB of log and some 40 MiB
/// of memory.
const UNSAVED_INDEXES_MAX: usize = 16;
/// How long an append then waits at most: 100 ms.
const SLOW_DOWN_MAX: Duration = Duration::from_millis(100);

/// An index to be saved, if it is in memory still, and merged with the others of its log file.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    /// The first position that it holds.
    pub first: Position,
    /// The byte of its log file up to which it speaks; `None` for the index of a segment.
    pub covered: Option<u64>,
}

/// The queue of the background thread.
pub(crate) struct Background {
    state: Mutex<State>,
    changed: Condvar,
}

#[expect(clippy::struct_excessive_bools, reason = "each is news for another thread")]
struct State {
    jobs: VecDeque<Job>,
    /// Jobs that failed; they are tried again with the next.
    failed: Vec<Job>,
    /// Enough log was written since the last sync that a next one should not wait for its time.
    sync_is_due: bool,
    /// A log file may have become ready to be sealed.
    upkeep_is_due: bool,
    /// The newest of the older log files are being proved; appends wait for it.
    proving: bool,
    /// An append waits for that.
    append_waits: bool,
    closing: bool,
}

impl Background {
    pub(crate) fn new(jobs: Vec<Job>) -> Self {
        let state = State {
            jobs: jobs.into(),
            failed: Vec::new(),
            sync_is_due: false,
            upkeep_is_due: true,
            proving: false,
            append_waits: false,
            closing: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Queues an index to be saved; the log that it covers is due to be synced.
    pub(crate) fn save(&self, job: Job) {
        let mut state = self.state.lock();
        let again = std::mem::take(&mut state.failed);
        state.jobs.extend(again);
        state.jobs.push_back(job);
        state.sync_is_due = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Slows an append down while too many in-memory indexes wait, so that memory stays bounded.
    pub(crate) fn wait_for_room(&self) {
        let mut state = self.state.lock();
        let is_full = |state: &mut State| state.jobs.len() > UNSAVED_INDEXES_MAX && !state.closing;
        self.changed.wait_while_for(&mut state, is_full, SLOW_DOWN_MAX);
    }

    /// Waits until an append waits to be let go, for `max` at most, or until the branch closes.
    pub(crate) fn wait_for_an_append(&self, max: Duration) {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.append_waits && !state.closing, max);
    }

    /// Holds appends back until [`let_appends_go`](Self::let_appends_go).
    pub(crate) fn hold_appends(&self) {
        self.state.lock().proving = true;
    }

    pub(crate) fn let_appends_go(&self) {
        self.state.lock().proving = false;
        self.changed.notify_all();
    }

    /// Waits while appends are held back.
    pub(crate) fn wait_until_proved(&self) {
        let mut state = self.state.lock();
        if state.proving && !state.append_waits {
            state.append_waits = true;
            self.changed.notify_all();
        }
        self.changed.wait_while(&mut state, |state| state.proving && !state.closing);
    }

    /// Lets the threads finish what is queued and end.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    /// The next job, which stays queued until it [`ended`](Self::ended); `None` when the branch closes.
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

    fn ended(&self, failed: bool) {
        let mut state = self.state.lock();
        let job = state.jobs.pop_front();
        if failed {
            state.failed.extend(job);
        }
        state.upkeep_is_due = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Says that something may be due for upkeep.
    pub(crate) fn look_for_upkeep(&self) {
        self.state.lock().upkeep_is_due = true;
        self.changed.notify_all();
    }

    /// Waits until no index waits to be saved; those that could not be are tried once more.
    pub(crate) fn wait_until_saved(&self) {
        let mut state = self.state.lock();
        let again = std::mem::take(&mut state.failed);
        state.jobs.extend(again);
        self.changed.notify_all();
        self.changed.wait_while(&mut state, |state| !state.jobs.is_empty() && !state.closing);
    }

    /// Waits for `interval`, until something may be due earlier, or until the branch closes; false when it does.
    pub(crate) fn wait_for_upkeep(&self, interval: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.closing && !state.upkeep_is_due, interval);
        state.upkeep_is_due = false;
        !state.closing
    }

    /// Waits for `interval`, until a sync is due earlier, or until the branch closes; false when it does.
    fn wait_for_sync(&self, interval: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.closing && !state.sync_is_due, interval);
        state.sync_is_due = false;
        !state.closing
    }
}

impl Branch {
    /// Saves in-memory indexes until the branch closes.
    pub(crate) fn save_indexes(&self) {
        while let Some(job) = self.background.next() {
            let saved = self.save_index(job);
            if let Err(error) = &saved {
                // The index stays in memory; it is tried again, and built anew from the log at the next open.
                tracing::error!("failed to save the index of positions from {}: {error}", job.first);
            }
            self.background.ended(saved.is_err());
        }
    }

    fn save_index(&self, job: Job) -> Result<()> {
        let _alone = self.indexing.lock();
        let view = self.view();
        let Some(range) = view.ranges.iter().find(|range| range.index.first() == job.first) else {
            return Ok(());
        };
        if let RangeIndex::Memory(memory) = &range.index {
            self.save_memory(range, memory, job.covered)?;
        }
        range.log().map_or(Ok(()), |log| self.merge_runs(log))
    }

    fn save_memory(&self, range: &Range, memory: &MemoryIndex, covered: Option<u64>) -> Result<()> {
        // Under interval durability an index must not outlive the log that it speaks of.
        while self.durable() < memory.last() {
            if self.fault().is_some() {
                return Ok(());
            }
            self.wait_durable(memory.last().previous(), SLOW_DOWN_MAX);
        }
        self.replace(&range.rows, memory, covered)
    }

    /// Writes an index and puts it in the place of everything in the view that lies within its positions.
    pub(crate) fn replace(&self, rows: &Rows, memory: &MemoryIndex, covered: Option<u64>) -> Result<()> {
        let disk = self.options.disk.as_ref();
        let (first, last) = (memory.first(), memory.last());
        let path: PathBuf = index_dir(&self.dir).join(file_name(first, last));
        memory.write(last, covered, disk, &path)?;
        let index = RangeIndex::File(Arc::new(IndexFile::open(disk, &path)?));
        let range = Arc::new(Range::of_rows(rows.clone(), index));
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
        let runs: Vec<_> = view.ranges.iter().filter(|range| range.is_in(log)).collect();
        let is_newest = view.ranges.last().is_some_and(|range| range.is_in(log));
        let all_saved = runs.iter().all(|range| matches!(range.index, RangeIndex::File(_)));
        if is_newest || !all_saved || runs.len() < 2 {
            return Ok(());
        }
        let last = runs.last().map_or(log.first(), |run| run.index.last());
        let whole = MemoryIndex::new(log.first());
        let (end, reason) = index_frames(log, &whole);
        if whole.last() != last {
            // The runs were made from what was written; the file no longer says the same. Keep them, stop writing.
            let reason = reason.unwrap_or("the log ends before positions that were durable");
            self.poison_behind(&damage_error(log, end, last, reason));
            return Ok(());
        }
        self.replace(&Rows::Log(Arc::clone(log)), &whole, Some(end.offset as u64))?;
        for range in runs {
            if let RangeIndex::File(run) = &range.index {
                run.remove(&self.discards)?;
            }
        }
        Ok(())
    }

    /// Syncs the log every `interval` until the branch closes.
    pub(crate) fn sync_every(&self, interval: Duration) {
        while self.background.wait_for_sync(interval) {
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
        if through <= self.durable() {
            return;
        }
        match self.sync_file(&log) {
            Ok(()) => self.advance_durable(through),
            Err(_) => self.lower_head(&self.writer.lock()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_has_what_failed_tried_again() {
        let background = Background::new(vec![Job { first: Position::new(1), covered: None }]);
        assert!(background.next().is_some());
        background.ended(true);
        std::thread::scope(|scope| {
            let saving = scope.spawn(|| {
                let job = background.next();
                background.ended(false);
                job.is_some()
            });
            background.wait_until_saved();
            background.close();
            assert!(saving.join().expect("no panic"), "the job was not tried again");
        });
    }
}
