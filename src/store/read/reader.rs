//! *Does this candidate's record speak against it?* Reads the candidates of one stretch, a chunk at a time.
//!
//! **Invariant:** what a name or a time rules out is not read further; everything else is for the filter to decide.

use super::ColumnSink;
use crate::error::Result;
use crate::event::{Event, Filter, NamePattern, Position, Timestamp};
use crate::store::log::{LogFile, Record, generated_id};
use crate::store::segment::{Column, Cursor, PagesRead, Segment};
use crate::store::view::{Range, Rows};

/// Reads rows of one stretch; neighbouring rows of a segment cost little.
pub(crate) enum Reader<'a> {
    Log { range: &'a Range, log: &'a LogFile, offsets: Vec<u32> },
    Segment { range: &'a Range, segment: &'a Segment, cursor: Box<Cursor<'a>> },
    Lost { range: &'a Range, file: &'a str },
}

impl<'a> Reader<'a> {
    pub(crate) fn new(range: &'a Range) -> Self {
        match &range.rows {
            Rows::Log(log) => Self::Log { range, log, offsets: Vec::new() },
            Rows::Segment(segment) => Self::Segment { range, segment, cursor: Box::new(segment.cursor()) },
            Rows::Lost(file) => Self::Lost { range, file },
        }
    }

    /// Takes the rows of the next chunk.
    pub(super) fn take(&mut self, rows: &[u32]) {
        if let Self::Log { range, offsets, .. } = self {
            offsets.clear();
            range.index.offsets(rows, offsets);
        }
    }

    /// Gets the first `count` of the rows on their way from memory.
    pub(super) fn prefetch(&self, count: usize) {
        if let Self::Log { log, offsets, .. } = self {
            log.prefetch(offsets.get(..count).unwrap_or_default());
        }
    }

    /// Adds the event of `row`, which is the `at`-th of the chunk, to `to`, unless its names or its time rule it out; gives
    /// whether it did.
    pub(super) fn read(&mut self, at: usize, row: u32, filter: &Filter, to: &mut Vec<Event>) -> Result<bool> {
        match self {
            Self::Log { range, log, offsets } => {
                let offset = offsets.get(at).copied().unwrap_or_default();
                let position = range.index.position_of(row);
                let read = log.push_if(position, offset, |record| may_match(filter, record), to);
                read.or_else(|error| range.blame(error))
            }
            Self::Segment { range, segment, cursor } => {
                let event = cursor.candidate(range.segment_row(segment, row), filter)?;
                let is_there = event.is_some();
                to.extend(event);
                Ok(is_there)
            }
            Self::Lost { range, file } => Err(range.missing(file, row)),
        }
    }

    /// Gives the wanted columns of some of `rows`, of which the first is the `at`-th of the chunk, and how many they were.
    ///
    /// # Errors
    /// `Corrupt` when their bytes are not what was written; then nothing was given.
    pub(super) fn give(
        &mut self,
        at: usize,
        rows: &[u32],
        wanted: &[Column],
        sink: &mut impl ColumnSink,
    ) -> Result<usize> {
        let Some(&row) = rows.first() else { return Ok(0) };
        match self {
            Self::Log { range, log, offsets } => {
                let offset = offsets.get(at).copied().unwrap_or_default();
                let position = range.index.position_of(row);
                let given = give_record(log, position, offset, wanted, sink);
                given.or_else(|error| range.blame(error))?;
                Ok(1)
            }
            Self::Segment { range, segment, cursor } => {
                let rows: Vec<u32> = rows.iter().map(|row| range.segment_row(segment, *row)).collect();
                cursor.give(&rows, wanted, sink)
            }
            Self::Lost { range, file } => Err(range.missing(file, row)),
        }
    }

    /// When the event of a row happened.
    ///
    /// # Errors
    /// `Corrupt` when its bytes are not what was written.
    pub(crate) fn timestamp(&mut self, row: u32) -> Result<Timestamp> {
        match self {
            Self::Segment { range, segment, cursor } => cursor.timestamp(range.segment_row(segment, row)),
            Self::Log { range, .. } | Self::Lost { range, .. } => {
                range.event(row).map(|event| event.timestamp)
            }
        }
    }

    /// When the frame of a row was committed.
    ///
    /// # Errors
    /// `Corrupt` when its bytes are not what was written.
    pub(crate) fn recorded_at(&mut self, row: u32) -> Result<Timestamp> {
        match self {
            Self::Segment { range, segment, cursor } => cursor.recorded_at(range.segment_row(segment, row)),
            Self::Log { range, .. } | Self::Lost { range, .. } => range.recorded_at(row),
        }
    }

    /// Says whether the pages that it decodes from here on are kept for other readers.
    pub(super) fn keep(&mut self, keeps: bool) {
        if let Self::Segment { cursor, .. } = self {
            cursor.keep(keeps);
        }
    }

    /// Leaves the pages in which `next` lies to whoever goes on from there.
    pub(super) fn leave(&mut self, next: Position) {
        if let Self::Segment { segment, cursor, .. } = self
            && (segment.first()..=segment.last()).contains(&next)
        {
            cursor.leave(segment.row_of(next));
        }
    }

    /// How many pages of the segment were needed so far.
    pub(crate) fn pages(&self) -> PagesRead {
        match self {
            Self::Segment { cursor, .. } => cursor.pages(),
            Self::Log { .. } | Self::Lost { .. } => PagesRead::default(),
        }
    }
}

/// Gives the wanted columns of a record.
fn give_record(
    log: &LogFile,
    position: Position,
    offset: u32,
    wanted: &[Column],
    sink: &mut impl ColumnSink,
) -> Result<()> {
    let (record, recorded_at) = log.record_of(position, offset)?;
    let damaged = || log.damaged(position, offset);
    let proved = |bytes| str_of(bytes).ok_or_else(damaged);
    // All of it is looked at before any of it is given.
    let (entity_id, event_type) = (proved(record.entity_id_bytes())?, proved(record.event_type_bytes())?);
    let payload = if wanted.contains(&Column::Payload) { proved(record.payload())? } else { "" };
    let has_metadata = record.has_metadata() && wanted.contains(&Column::Metadata);
    let metadata = if has_metadata { Some(proved(record.metadata())?) } else { None };
    for &column in wanted {
        match column {
            Column::Position => sink.number(column, position.get().cast_signed()),
            Column::Version => sink.number(column, record.version().get().cast_signed()),
            Column::Timestamp => sink.number(column, record.timestamp().as_micros()),
            Column::RecordedAt => sink.number(column, recorded_at.as_micros()),
            Column::EntityId => sink.text(column, Some(entity_id)),
            Column::EventType => sink.text(column, Some(event_type)),
            Column::Payload => sink.text(column, Some(payload)),
            Column::Metadata => sink.text(column, metadata),
            Column::TenantId => sink.text(column, None),
            Column::EventId => {
                let made = || generated_id(recorded_at, position, log.header().id_key);
                sink.text(column, Some(&record.given_id().unwrap_or_else(made).to_string()));
            }
        }
    }
    Ok(())
}

fn str_of(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

fn may_match(filter: &Filter, record: &Record) -> bool {
    let names = |pattern: &Option<NamePattern>, name: Option<&[u8]>| match (pattern, name) {
        (Some(pattern), Some(name)) => pattern.matches_bytes(name),
        _ => true,
    };
    let timestamp = record.timestamp();
    filter.since.is_none_or(|since| timestamp >= since)
        && filter.until.is_none_or(|until| timestamp < until)
        && filter.as_of.is_none_or(|as_of| timestamp <= as_of)
        && names(&filter.event_type, record.event_type_bytes())
        && names(&filter.entity_id, record.entity_id_bytes())
}
