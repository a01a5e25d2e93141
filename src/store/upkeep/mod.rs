//! *What becomes of a log file that is full?* Work at low priority, behind the committer and the indexes.
//!
//! ```text
//! full log file, indexed ── seal ──▶ log file and segment ── retire ──▶ segment ── merge ──▶ larger segment
//!                                    (hot: reads use the log)          (cold)
//! ```
//!
//! Useful for: keeping the row form of the newest [`hot_window_bytes`](crate::store::Options::hot_window_bytes) and
//! everything else as Parquet. Not for: the write path, which never waits for any of this.
//!
//! **Invariant:** each step is one manifest swap: what it makes is durable before, what it takes the place of is removed
//! after. A crash in between leaves files that no manifest names, and the next open removes them.

mod choice;
mod load;
mod merge;
mod retention;
mod retire;
mod seal;

use std::sync::Arc;
use std::time::Duration;

use choice::Urgency;
pub(crate) use load::Load;
pub(crate) use merge::Damaged;
use parking_lot::MutexGuard;
use retention::Pace;
pub(crate) use retention::Retention;
pub use retention::{Emptied, RETENTION_APPLIED, RETENTION_ENTITY, RetentionPolicy};

use super::branch::Branch;
use super::index::{IndexFile, RangeIndex};
use super::log::LogFile;
use super::manifest::Manifest;
use super::priority;
use super::segment::{Segment, SegmentEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;

/// How often it is looked whether age alone has made something due: every minute.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);
/// How often it is looked whether the appends have ended for which upkeep waits: every 250 ms.
const BUSY_INTERVAL: Duration = Duration::from_millis(250);

/// The next thing to do.
enum Step {
    /// Write the segment of a full log file.
    Seal(Arc<LogFile>, Position),
    /// Build the index file of these positions anew.
    Mend(Position, Position),
    /// Delete a log file that lies in a segment, and beyond the hot window.
    Retire(Arc<LogFile>),
    /// Write neighbouring segments as one.
    Merge(Vec<SegmentEntry>),
    /// Write the indexes of one segment as one.
    MergeIndexes(Arc<Segment>, Vec<Arc<IndexFile>>),
}

/// What upkeep did, and what the store takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Log files that were written as segments.
    pub sealed: u64,
    /// Log files that were deleted because they lie in segments and beyond the hot window.
    pub retired: u64,
    /// Segments that became part of a larger one.
    pub merged: u64,
    /// Segments that there are now.
    pub segments: u64,
    /// Bytes of log, segments and indexes in use before.
    pub bytes_before: u64,
    /// Bytes of log, segments and indexes in use now.
    pub bytes_after: u64,
}

/// A log file that takes no more events.
struct FullLog {
    log: Arc<LogFile>,
    last: Position,
    /// Its bytes in use.
    bytes: u64,
}

/// How much of what could be done is due.
#[derive(Clone, Copy)]
struct Due {
    urgency: Urgency,
    hot_window_bytes: u64,
}

impl Branch {
    /// Does what is due, again and again, until the branch closes.
    pub(crate) fn keep_up(&self) {
        priority::lower(priority::LAST);
        let mut pace = Pace::from(self.options.clock.now());
        let mut interval = LOOK_INTERVAL;
        while self.background.wait_for_upkeep(interval) {
            let urgency = Urgency::InTime(self.options.clock.now());
            let due = Due { urgency, hot_window_bytes: self.options.hot_window_bytes };
            let done = self.upkeep(due, &mut self.upkeep_turn.lock());
            // Whatever failed before: on a full disk it is retention that makes room.
            let retained = self.retain_in_time(&mut pace);
            for error in [done.err(), retained.err()].into_iter().flatten() {
                if error.kind() != ErrorKind::Closed {
                    // What was there is still there; it is tried again with the next full log file, or in a minute.
                    tracing::error!("failed to {error}");
                }
            }
            interval = if self.is_appended_to_fast() { BUSY_INTERVAL } else { LOOK_INTERVAL };
        }
    }

    fn is_appended_to_fast(&self) -> bool {
        self.load.is_fast(self.options.clock.elapsed())
    }

    /// Does everything that is due now, one step after the other.
    ///
    /// # Errors
    /// `Exhausted` when the disk is full, `Unavailable` when it fails and `Closed` when the store is being closed: nothing
    /// is lost. When it was the manifest that could not be swapped, writing stops until the store is opened again.
    fn upkeep(&self, due: Due, damaged: &mut Damaged) -> Result<Upkeep> {
        let mut done = Upkeep { bytes_before: self.bytes_in_use(), ..Upkeep::default() };
        while !self.background.is_closing() && self.fault().is_none() {
            match self.next_step(due, damaged) {
                Some(Step::Seal(log, last)) => {
                    self.seal(&log, last)?;
                    done.sealed += 1;
                }
                Some(Step::Mend(first, last)) => self.mend_once(first, last),
                Some(Step::Retire(log)) => {
                    self.retire(&log)?;
                    done.retired += 1;
                }
                Some(Step::Merge(segments)) => {
                    let merged = self.merge(&segments);
                    done.merged += if merged.is_ok() { segments.len() as u64 } else { 0 };
                    self.note_damage(merged, &segments, damaged)?;
                }
                Some(Step::MergeIndexes(segment, files)) => {
                    let merged = self.merge_indexes(&segment, &files);
                    self.note_damage(merged, &[*segment.entry()], damaged)?;
                }
                None => break,
            }
        }
        done.segments = self.manifest.lock().segments.len() as u64;
        done.bytes_after = self.bytes_in_use();
        Ok(done)
    }

    /// Notes which segments are damaged when that was why a step failed: they stay as they are, and the work goes on.
    fn note_damage(&self, step: Result<()>, entries: &[SegmentEntry], damaged: &mut Damaged) -> Result<()> {
        match step {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!("failed to {error}");
                damaged.extend(self.find_damaged(entries));
                Ok(())
            }
            done => done,
        }
    }

    /// Begins a new log file, so that everything stored so far can become a segment, and does everything that could be
    /// due, with a hot window of so many bytes.
    ///
    /// # Errors
    /// Those of an append, and of [`upkeep`](Self::upkeep).
    pub(crate) fn compact(&self, hot_window_bytes: u64) -> Result<Upkeep> {
        self.check_writable()?;
        let mut damaged = self.take_turn()?;
        {
            let mut writer = self.writer.lock();
            if writer.next > writer.end.log.first() {
                self.rotate(&mut writer, 0)?;
            }
        }
        self.background.wait_until_saved();
        self.upkeep(Due { urgency: Urgency::Now, hot_window_bytes }, &mut damaged)
    }

    /// Waits until nobody else does upkeep, and lets nobody else do it until what is given back is dropped.
    ///
    /// # Errors
    /// `Closed` when the branch was closed meanwhile.
    pub(in crate::store) fn take_turn(&self) -> Result<MutexGuard<'_, Damaged>> {
        // What a log file that is about to be full holds was proved before anything is made from it.
        self.background.wait_until_proved();
        let turn = self.upkeep_turn.lock();
        self.check_open()?;
        Ok(turn)
    }

    fn next_step(&self, due: Due, damaged: &Damaged) -> Option<Step> {
        if let Some((first, last)) = self.damaged_index() {
            return Some(Step::Mend(first, last));
        }
        if let Some(step) = self.next_of_log(due) {
            return Some(step);
        }
        if self.merging_can_wait(due.urgency) {
            return None;
        }
        self.mergeable(due.urgency, damaged).map(Step::Merge).or_else(|| {
            self.indexes_of_one_segment(damaged).map(|(segment, files)| Step::MergeIndexes(segment, files))
        })
    }

    fn next_of_log(&self, due: Due) -> Option<Step> {
        let (sealed_through, oldest_log) = {
            let manifest = self.manifest.lock();
            (Position::new(manifest.sealed_through()), manifest.log_files.first().copied())
        };
        let full = self.full_logs();
        let hot_bytes: u64 = full.iter().map(|full| full.bytes).sum();
        let beyond_window = hot_bytes.saturating_sub(due.hot_window_bytes);
        let unsealed = full.iter().filter(|full| full.last > sealed_through);
        let backlog = unsealed.map(|full| full.bytes).sum::<u64>().max(beyond_window);
        let may_wait =
            matches!(due.urgency, Urgency::InTime(_)) && backlog <= self.options.upkeep_backlog_bytes_max;
        if may_wait && self.is_appended_to_fast() {
            return None;
        }
        if let Some(full) = full.iter().find(|full| full.last > sealed_through) {
            return Some(Step::Seal(Arc::clone(&full.log), full.last));
        }
        let oldest = full.first().filter(|full| Some(full.log.first().get()) == oldest_log)?;
        (beyond_window > 0).then(|| Step::Retire(Arc::clone(&oldest.log)))
    }

    /// The bytes of log, segments and indexes, without what is only reserved for the log.
    fn bytes_in_use(&self) -> u64 {
        let (view, mut bytes) = (self.view(), 0);
        for (range, next) in view.ranges.iter().zip(view.ranges.iter().skip(1)) {
            let RangeIndex::File(file) = &range.index else { continue };
            bytes += file.size();
            // The last index of a log file says where its log ends.
            if range.log().is_some_and(|log| !next.is_in(log)) {
                bytes += file.log_end();
            }
        }
        bytes += self.writer.lock().end.offset;
        let manifest = self.manifest.lock();
        bytes + manifest.segments.iter().map(|entry| entry.parquet_bytes + entry.envelope_bytes).sum::<u64>()
    }

    /// The full log files that one saved index serves, oldest first, up to the first that has none yet.
    fn full_logs(&self) -> Vec<FullLog> {
        let view = self.view();
        let hot: Vec<_> = view.ranges.iter().filter_map(|range| Some((range.log()?, &range.index))).collect();
        let mut logs = hot.chunk_by(|(one, _), (other, _)| Arc::ptr_eq(one, other)).rev();
        let _newest = logs.next();
        let whole = |stretches: &[(&Arc<LogFile>, &RangeIndex)]| match stretches {
            [(log, RangeIndex::File(index))] => {
                Some(FullLog { log: Arc::clone(log), last: index.last(), bytes: index.log_end() })
            }
            _ => None,
        };
        logs.rev().map_while(whole).collect()
    }

    /// Replaces the manifest; a failure stops all writing, for what the disk holds is unknown.
    fn swap_manifest(&self, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        self.change_manifest(change).inspect_err(|error| {
            if error.kind() == ErrorKind::Unavailable {
                self.poison_here(error);
            }
        })
    }

    fn poison_here(&self, error: &Error) {
        let writer = self.writer.lock();
        self.set_fault(error.copy());
        self.lower_head(&writer);
    }
}
