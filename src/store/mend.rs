//! *What becomes of an index file that is damaged?* It is built anew from its events, and takes its own place.
//!
//! **Invariant:** a file is built anew only from events that were all proved: an index never hides a damaged event.

use super::branch::Branch;
use super::index::{IndexFile, MemoryIndex, RangeIndex, file_name, index_rows, push_frame};
use super::log::{Boundary, Checks, LogFile, walk};
use super::options::Mode;
use super::verify::Damage;
use super::view::Rows;
use crate::error::Result;
use crate::event::Position;

/// How many mended files are remembered: 1,000.
const MENDED_MAX: usize = 1_000;

/// What was mended since a branch was opened, and what cannot be.
#[derive(Default)]
pub(crate) struct Mending {
    done: Vec<Damage>,
    given_up: Vec<(Position, Position)>,
}

impl Mending {
    /// Begins with what the open itself put in order.
    pub(crate) fn after(done: Vec<Damage>) -> Self {
        Self { done, given_up: Vec::new() }
    }

    /// What was damaged and derived, or left over by a crash, and is in order again.
    pub(crate) fn done(&self) -> &[Damage] {
        &self.done
    }

    /// Notes that something is in order again.
    pub(crate) fn note(&mut self, damage: Damage) {
        if self.done.len() < MENDED_MAX {
            self.done.push(damage);
        }
    }
}

impl Branch {
    /// The positions of an index file that was used and found damaged, unless it was tried in vain to build it anew.
    pub(crate) fn damaged_index(&self) -> Option<(Position, Position)> {
        let view = self.view();
        let known = |index: &RangeIndex| match index {
            RangeIndex::File(file) => file.is_known_damaged().then(|| file.positions()),
            RangeIndex::Memory(_) => None,
        };
        let mut damaged = view.ranges.iter().filter_map(|range| known(&range.index));
        let mending = self.mending.lock();
        damaged.find(|positions| !mending.given_up.contains(positions))
    }

    /// Builds an index file anew that was used and found damaged; what cannot be is not tried again, so that it keeps
    /// nothing else from being done.
    pub(crate) fn mend_once(&self, first: Position, last: Position) {
        if let Err(error) = self.mend(first, last, "it was not what was written") {
            tracing::error!("failed to build the index of positions {first} to {last} anew: {error}");
            self.mending.lock().given_up.push((first, last));
        }
    }

    /// Builds the index file of these positions anew; false when no stretch has it. The caller has the turn of upkeep.
    ///
    /// # Errors
    /// `Corrupt` when the events cannot all be read, `Exhausted` and `Unavailable` when a disk is full or fails.
    pub(crate) fn mend(&self, first: Position, last: Position, reason: &str) -> Result<bool> {
        // Ordering: no index may be saved or merged meanwhile, for that replaces stretches too.
        let _alone = self.indexing.lock();
        let view = self.view();
        let is_meant =
            |index: &RangeIndex| index.is_saved() && (index.first(), index.last()) == (first, last);
        let Some(range) = view.ranges.iter().find(|range| is_meant(&range.index)) else { return Ok(false) };
        let made = MemoryIndex::new(first);
        let covered = match &range.rows {
            Rows::Log(log) => Some(index_stretch(log, last, &made)?),
            Rows::Segment(segment) => {
                index_rows(segment, last, self.id_key, &made, Mode::Write, &mut |_| {})?;
                None
            }
            Rows::Lost(_) => return Ok(false),
        };
        self.replace(&range.rows, &made, covered)?;
        let file = file_name(first, last);
        tracing::warn!("built index file {file} anew: {reason}");
        self.mending.lock().note(Damage::of_file(&file, &format!("built anew: {reason}")));
        Ok(true)
    }

    /// Proves index files that were not used yet, the newest first, so that damage is mended before somebody meets it;
    /// at most `bytes_max` bytes of them.
    pub(crate) fn prove_indexes(&self, bytes_max: u64) {
        let view = self.view();
        let files = view.ranges.iter().rev().filter_map(|range| match &range.index {
            RangeIndex::File(file) => Some(file),
            RangeIndex::Memory(_) => None,
        });
        let mut proved = 0;
        let mut all_sound = true;
        for file in files {
            if self.background.is_closing() || proved > bytes_max {
                break;
            }
            all_sound &= IndexFile::prove(file);
            proved += file.size();
        }
        if !all_sound {
            self.background.look_for_upkeep();
        }
    }
}

/// Reads the frames of a log file from the first position of an empty index up to `last` into that index; gives the
/// offset behind them.
fn index_stretch(log: &LogFile, last: Position, made: &MemoryIndex) -> Result<u64> {
    let mut end = 0;
    let (at, _) = walk(log, Boundary::start(log), log.bytes().len(), Checks::All, |frame, offset| {
        if frame.first_position == made.last().next() && frame.last_position() <= last {
            push_frame(made, log, frame, offset);
            end = offset as u64 + u64::from(frame.len);
        }
    });
    if made.last() == last {
        return Ok(end);
    }
    Err(log.damaged(at.next, u32::try_from(at.offset).unwrap_or(u32::MAX)))
}
