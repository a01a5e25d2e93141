//! Which files and indexes hold which positions, at one moment.

use std::sync::{Arc, OnceLock};

use super::index::RangeIndex;
use super::log::{Attrs, LogFile};
use super::segment::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Position, Timestamp};

/// A stretch of positions: its events and its index. Several stretches may share a log file.
pub(crate) struct Range {
    pub rows: Rows,
    pub index: RangeIndex,
    /// The last position that belongs to the branch, where a fork was cut off; what lies behind it is its parent's alone.
    cut: Option<Position>,
    /// How many entities have their version 1 in it, once that was counted, where it is cut off.
    born: OnceLock<u64>,
}

/// Where the events of a stretch lie.
#[derive(Clone)]
pub(crate) enum Rows {
    /// In row form: the tail and the hot log.
    Log(Arc<LogFile>),
    /// In Parquet; the segment may hold more than the stretch.
    Segment(Arc<Segment>),
    /// Nowhere: the file of that name is missing or cannot be used (only with [`Mode::Read`](super::Mode)).
    Lost(Box<str>),
}

/// The frame that holds an event: what one call stored.
pub(crate) struct CallFrame {
    /// The position of its first event.
    pub first: Position,
    /// The position of its last event.
    pub last: Position,
    /// When it was committed.
    pub recorded_at: Timestamp,
    /// What it says of the call.
    pub attrs: Attrs,
}

/// Every stretch of a branch, oldest first, without a gap: of `main` from position 1; of a fork alone from its cut, and
/// with its [ancestors](View::on) from 1 again.
#[derive(Clone, Default)]
pub(crate) struct View {
    pub ranges: Vec<Arc<Range>>,
    /// What generated event ids of the ancestors XOR their positions with, the nearest first.
    pub ancestor_keys: Vec<u64>,
    /// Of a fork: the last position that it shares with `main`.
    pub shared_with_main: Option<Position>,
}

impl View {
    /// This view of a fork behind its parent's up to the cut.
    pub(crate) fn on(&self, parent: &Self, cut: Position, parent_key: u64) -> Self {
        let within = parent.ranges.iter().filter(|range| range.first() <= cut);
        let mut ranges: Vec<_> = within.cloned().collect();
        if let Some(last) = ranges.last_mut() {
            *last = Arc::new(last.cut_at(cut));
        }
        ranges.extend(self.ranges.iter().cloned());
        let ancestor_keys = [parent_key].into_iter().chain(parent.ancestor_keys.iter().copied()).collect();
        let shared_with_main = Some(parent.shared_with_main.map_or(cut, |shared| shared.min(cut)));
        Self { ranges, ancestor_keys, shared_with_main }
    }
}

impl Range {
    /// A stretch of a log file.
    pub(crate) fn of_log(log: &Arc<LogFile>, index: RangeIndex) -> Self {
        Self { rows: Rows::Log(Arc::clone(log)), index, cut: None, born: OnceLock::new() }
    }

    /// A stretch of a segment.
    pub(crate) fn of_segment(segment: &Arc<Segment>, index: RangeIndex) -> Self {
        Self { rows: Rows::Segment(Arc::clone(segment)), index, cut: None, born: OnceLock::new() }
    }

    /// A stretch of rows, wherever they lie.
    pub(crate) fn of_rows(rows: Rows, index: RangeIndex) -> Self {
        Self { rows, index, cut: None, born: OnceLock::new() }
    }

    /// A stretch whose file cannot be used.
    pub(crate) fn lost(file: String, index: RangeIndex) -> Self {
        Self { rows: Rows::Lost(file.into()), index, cut: None, born: OnceLock::new() }
    }

    /// The same stretch, of which only positions up to `cut` belong to the branch.
    fn cut_at(&self, cut: Position) -> Self {
        let cut = self.cut.map_or(cut, |own| own.min(cut));
        Self { rows: self.rows.clone(), index: self.index.clone(), cut: Some(cut), born: OnceLock::new() }
    }

    /// The first position.
    pub(crate) fn first(&self) -> Position {
        self.index.first()
    }

    /// The last position; the one before the first when the stretch is empty.
    pub(crate) fn last(&self) -> Position {
        self.up_to(self.index.last())
    }

    /// `position`, or the last position that belongs to the branch if that comes first.
    pub(crate) fn up_to(&self, position: Position) -> Position {
        self.cut.map_or(position, |cut| cut.min(position))
    }

    /// The row of the last position of the branch up to `position`, which is not before the first.
    pub(crate) fn row_up_to(&self, position: Position) -> u32 {
        self.index.row_of(self.up_to(position))
    }

    /// How many entities have their version 1 at or before `head`.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn entities_born(&self, head: Position) -> Result<u64> {
        // Of a stretch that ends with a fork's cut every entity must be looked at, each time with the same result.
        let is_whole = self.cut.is_some_and(|cut| cut <= head);
        if let Some(born) = self.born.get().filter(|_| is_whole) {
            return Ok(*born);
        }
        let born = self.index.entities_born(self.row_up_to(head))?;
        if is_whole {
            let _ = self.born.set(born);
        }
        Ok(born)
    }

    /// The log file that holds the stretch, if it is in row form.
    pub(crate) fn log(&self) -> Option<&Arc<LogFile>> {
        match &self.rows {
            Rows::Log(log) => Some(log),
            Rows::Segment(_) | Rows::Lost(_) => None,
        }
    }

    /// The segment that holds the stretch, if its log file is gone.
    pub(crate) fn segment(&self) -> Option<&Arc<Segment>> {
        match &self.rows {
            Rows::Segment(segment) => Some(segment),
            Rows::Log(_) | Rows::Lost(_) => None,
        }
    }

    /// Whether the stretch lies in that log file.
    pub(crate) fn is_in(&self, log: &Arc<LogFile>) -> bool {
        self.log().is_some_and(|own| Arc::ptr_eq(own, log))
    }

    /// Whether both lie in the same file.
    pub(crate) fn shares_rows_with(&self, other: &Self) -> bool {
        match (&self.rows, &other.rows) {
            (Rows::Log(own), Rows::Log(other)) => Arc::ptr_eq(own, other),
            (Rows::Segment(own), Rows::Segment(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }

    /// The event of a row.
    ///
    /// # Errors
    /// `Corrupt` when its bytes are not what was written.
    pub(crate) fn event(&self, row: u32) -> Result<Event> {
        match &self.rows {
            Rows::Log(log) => {
                let read = log.event(self.index.position_of(row), self.offset(row));
                read.or_else(|error| self.blame(error))
            }
            Rows::Segment(segment) => segment.cursor().event(self.segment_row(segment, row)),
            Rows::Lost(file) => Err(self.missing(file, row)),
        }
    }

    /// When the frame of a row was committed.
    ///
    /// # Errors
    /// `Corrupt` when its bytes are not what was written.
    pub(crate) fn recorded_at(&self, row: u32) -> Result<Timestamp> {
        match &self.rows {
            Rows::Log(log) => log.recorded_at(self.offset(row)),
            Rows::Segment(segment) => segment.cursor().recorded_at(self.segment_row(segment, row)),
            Rows::Lost(file) => Err(self.missing(file, row)),
        }
    }

    /// The frame of a row.
    ///
    /// # Errors
    /// `Corrupt` when its bytes are not what was written.
    pub(crate) fn frame_of(&self, row: u32) -> Result<CallFrame> {
        match &self.rows {
            Rows::Log(log) => {
                let (frame, attrs) = log.frame_of(self.offset(row))?;
                let (first, last) = (frame.first_position, frame.last_position());
                Ok(CallFrame { first, last, recorded_at: frame.recorded_at, attrs })
            }
            Rows::Segment(segment) => segment.frame_of(self.segment_row(segment, row)),
            Rows::Lost(file) => Err(self.missing(file, row)),
        }
    }

    /// A damaged index may lead to a sound record of another position: then it is the index that is to blame.
    pub(crate) fn blame<T>(&self, error: Error) -> Result<T> {
        self.index.prove_rows()?;
        Err(error)
    }

    /// The row in the segment of a row of the index.
    pub(crate) fn segment_row(&self, segment: &Segment, row: u32) -> u32 {
        segment.row_of(self.index.position_of(row))
    }

    /// The error for a row whose file cannot be used.
    pub(crate) fn missing(&self, file: &str, row: u32) -> Error {
        let position = self.index.position_of(row);
        let message = format!("read position {position}: {file} cannot be used; run `allsource verify`");
        Error::new(ErrorKind::Corrupt, "segment_missing", message)
            .with("file", file)
            .with("position", position.get())
    }

    fn offset(&self, row: u32) -> u32 {
        self.index.offset(row).unwrap_or_default()
    }
}
