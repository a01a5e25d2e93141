//! *Does this candidate's record speak against it?* Reads the candidates of one stretch, a chunk at a time.
//!
//! **Invariant:** what a name or a time rules out is not read further; everything else is for the filter to decide.

use crate::error::Result;
use crate::event::{Event, Filter, NamePattern};
use crate::store::log::{LogFile, Record};
use crate::store::segment::{Cursor, Segment};
use crate::store::view::{Range, Rows};

/// Reads rows of one stretch.
pub(super) enum Reader<'a> {
    Log { range: &'a Range, log: &'a LogFile, offsets: Vec<u32> },
    Segment { range: &'a Range, segment: &'a Segment, cursor: Box<Cursor<'a>> },
    Lost { range: &'a Range, file: &'a str },
}

impl<'a> Reader<'a> {
    pub(super) fn new(range: &'a Range) -> Self {
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

    /// The event of `row`, which is the `at`-th of the chunk, unless its names or its time rule it out.
    pub(super) fn read(&mut self, at: usize, row: u32, filter: &Filter) -> Result<Option<Event>> {
        match self {
            Self::Log { range, log, offsets } => {
                let offset = offsets.get(at).copied().unwrap_or_default();
                let position = range.index.position_of(row);
                let read = log.event_if(position, offset, |record| may_match(filter, record));
                read.or_else(|error| range.blame(error))
            }
            Self::Segment { range, segment, cursor } => {
                cursor.candidate(range.segment_row(segment, row), filter)
            }
            Self::Lost { range, file } => Err(range.missing(file, row)),
        }
    }
}

fn may_match(filter: &Filter, record: &Record) -> bool {
    let names = |pattern: &Option<NamePattern>, name: Option<&str>| match (pattern, name) {
        (Some(pattern), Some(name)) => pattern.matches(name),
        _ => true,
    };
    let timestamp = record.timestamp();
    filter.since.is_none_or(|since| timestamp >= since)
        && filter.until.is_none_or(|until| timestamp < until)
        && filter.as_of.is_none_or(|as_of| timestamp <= as_of)
        && names(&filter.event_type, record.event_type())
        && names(&filter.entity_id, record.entity_id())
}
