//! Which files and indexes hold which positions, at one moment.

use std::sync::Arc;

use super::index::RangeIndex;
use super::log::{Attrs, LogFile};
use crate::error::{Error, Result};
use crate::event::{Event, IdempotencyKey, Position, Timestamp};

/// A stretch of positions: its events and its index. Several stretches may share a log file.
pub(crate) struct Range {
    pub rows: Rows,
    pub index: RangeIndex,
}

/// Where the events of a stretch lie.
pub(crate) enum Rows {
    /// In row form: the tail and the hot log.
    Log(Arc<LogFile>),
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

    /// The log file that holds the stretch, if it is in row form.
    pub(crate) fn log(&self) -> Option<&Arc<LogFile>> {
        match &self.rows {
            Rows::Log(log) => Some(log),
        }
    }

    /// Whether the stretch lies in that log file.
    pub(crate) fn is_in(&self, log: &Arc<LogFile>) -> bool {
        self.log().is_some_and(|own| Arc::ptr_eq(own, log))
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
        }
    }

    /// When the frame of a row was committed.
    ///
    /// # Errors
    /// `Corrupt` when its bytes are not what was written.
    pub(crate) fn recorded_at(&self, row: u32) -> Result<Timestamp> {
        match &self.rows {
            Rows::Log(log) => log.recorded_at(self.offset(row)),
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

    fn offset(&self, row: u32) -> u32 {
        self.index.offset(row).unwrap_or_default()
    }
}
