//! Which files and indexes hold which positions, at one moment.

use std::sync::Arc;

use super::index::RangeIndex;
use super::log::{Attrs, LogFile};
use super::segment::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, IdempotencyKey, Position, Timestamp};

/// A stretch of positions: its events and its index. Several stretches may share a log file.
pub(crate) struct Range {
    pub rows: Rows,
    pub index: RangeIndex,
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

/// Every stretch of a branch, oldest first, without a gap from position 1.
#[derive(Clone, Default)]
pub(crate) struct View {
    pub ranges: Vec<Arc<Range>>,
}

impl Range {
    /// A stretch of a log file.
    pub(crate) fn of_log(log: &Arc<LogFile>, index: RangeIndex) -> Self {
        Self { rows: Rows::Log(Arc::clone(log)), index }
    }

    /// A stretch of a segment.
    pub(crate) fn of_segment(segment: &Arc<Segment>, index: RangeIndex) -> Self {
        Self { rows: Rows::Segment(Arc::clone(segment)), index }
    }

    /// A stretch whose file cannot be used.
    pub(crate) fn lost(file: String, index: RangeIndex) -> Self {
        Self { rows: Rows::Lost(file.into()), index }
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

    /// The idempotency key of the frame of a row, and the frame's first position.
    ///
    /// # Errors
    /// `Corrupt` when its bytes are not what was written.
    pub(crate) fn call_of(&self, row: u32) -> Result<Option<(IdempotencyKey, Position)>> {
        let frame = self.frame_of(row)?;
        Ok(frame.attrs.key.map(|key| (IdempotencyKey::trusted(key.into()), frame.first)))
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
