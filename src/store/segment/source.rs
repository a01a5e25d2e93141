//! What a segment is written from: events by row, one column at a time.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::data_type::ByteArray;

use super::column::Column;
use crate::error::{Error, Result};
use crate::event::{Event, Position, Timestamp};
use crate::store::log::{Attrs, Boundary, Checks, LogFile, Record, generated_id, records, walk};

/// The tenant of every event, until there are several.
const TENANT: &[u8] = b"default";

/// Events in order of position, without a gap.
pub(crate) trait SegmentSource {
    /// The first position.
    fn first(&self) -> Position;
    /// The last position.
    fn last(&self) -> Position;
    /// What generated event ids XOR their position with.
    fn id_key(&self) -> u64;
    /// Puts into `out` (emptied first) the values of some rows, counted from the first position, in a column.
    fn read(&mut self, column: Column, rows: Range<u32>, out: &mut Values) -> Result<()>;
    /// Shows what frames say of the calls that made them, each with its first row; rows rise.
    fn calls(&mut self, each: &mut dyn FnMut(u32, &Attrs)) -> Result<()>;
}

/// Values of neighbouring rows in one column: numbers or texts.
#[derive(Default)]
pub(crate) struct Values {
    pub numbers: Vec<i64>,
    /// The texts of those rows that have one.
    pub texts: Vec<ByteArray>,
    /// 1 for each row that has a text and 0 for the others, in columns where some have none.
    pub present: Vec<i16>,
    /// Whether an event id among the texts is not what the store would have made.
    pub has_given_ids: bool,
}

impl Values {
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.texts.clear();
        self.present.clear();
        self.has_given_ids = false;
    }

    pub(super) fn push_optional(&mut self, text: Option<Bytes>) {
        self.present.push(i16::from(text.is_some()));
        self.texts.extend(text.map(ByteArray::from));
    }
}

/// A full log file.
pub(crate) struct LogSource {
    log: Arc<LogFile>,
    last: Position,
    /// The offset of each row's record.
    records: Vec<u32>,
    frames: Vec<FramePlace>,
    tenant: ByteArray,
}

struct FramePlace {
    first_row: u32,
    offset: usize,
    recorded_at: Timestamp,
}

impl LogSource {
    /// Proves every frame of `log` and remembers where its records lie: 4 bytes an event, 24 a frame.
    ///
    /// # Errors
    /// `Corrupt` when a frame is not what was written.
    pub(crate) fn new(log: &Arc<LogFile>) -> Result<Self> {
        let (mut offsets, mut frames) = (Vec::new(), Vec::new());
        let start = Boundary::start(log);
        // What stands behind the last whole frame may be a torn tail that a new log file followed: whoever asked for the
        // source knows which position is the last, and compares.
        let (end, _) = walk(log, start, log.bytes().len(), Checks::All, |frame, offset| {
            frames.push(FramePlace {
                first_row: u32::try_from(offsets.len()).unwrap_or(u32::MAX),
                offset,
                recorded_at: frame.recorded_at,
            });
            let before = offsets.len();
            offsets.extend(records(log, frame, offset).map(|(at, _)| at));
            // A record less would move all that follow; reading the rows then finds them at wrong positions.
            offsets.resize(before + frame.count as usize, 0);
        });
        if offsets.is_empty() {
            return Err(log.damaged(end.next, u32::try_from(end.offset).unwrap_or(u32::MAX)));
        }
        Ok(Self {
            log: Arc::clone(log),
            last: end.next.previous(),
            records: offsets,
            frames,
            tenant: ByteArray::from(Bytes::from_static(TENANT)),
        })
    }

    /// The event at a position of the log file.
    ///
    /// # Errors
    /// `Corrupt` when there is none, or its record is another position's.
    pub(super) fn event(&self, position: Position) -> Result<Event> {
        let row = u32::try_from(position.get().saturating_sub(self.log.first().get())).unwrap_or(u32::MAX);
        let after = self.frames.partition_point(|frame| frame.first_row <= row);
        let frame =
            after.checked_sub(1).and_then(|at| self.frames.get(at)).ok_or_else(|| self.damaged(row))?;
        let record = self.record(row)?;
        let is_here = frame.first_row + record.index() == row;
        let event = record.event(position, frame.recorded_at, self.log.header().id_key);
        event.filter(|_| is_here).ok_or_else(|| self.damaged(row))
    }

    fn position(&self, row: u32) -> Position {
        Position::new(self.log.first().get() + u64::from(row))
    }

    fn recorded_at(&self, row: u32) -> Timestamp {
        let after = self.frames.partition_point(|frame| frame.first_row <= row);
        let frame = after.checked_sub(1).and_then(|at| self.frames.get(at));
        frame.map_or(Timestamp::MIN, |frame| frame.recorded_at)
    }

    fn record(&self, row: u32) -> Result<Record<'_>> {
        let offset = self.records.get(row as usize).copied().unwrap_or_default();
        Record::at(self.log.bytes(), offset as usize).ok_or_else(|| self.damaged(row))
    }

    fn damaged(&self, row: u32) -> Error {
        self.log.damaged(self.position(row), self.records.get(row as usize).copied().unwrap_or_default())
    }

    /// A part of a record, sharing the memory of the log file.
    fn part(&self, row: u32, part: Option<&[u8]>) -> Result<Bytes> {
        part.map(|part| self.log.bytes().slice_ref(part)).ok_or_else(|| self.damaged(row))
    }

    fn push(&self, column: Column, row: u32, out: &mut Values) -> Result<()> {
        match column {
            Column::Position => out.numbers.push(self.position(row).get().cast_signed()),
            Column::RecordedAt => out.numbers.push(self.recorded_at(row).as_micros()),
            Column::Version => out.numbers.push(self.record(row)?.version().get().cast_signed()),
            Column::Timestamp => out.numbers.push(self.record(row)?.timestamp().as_micros()),
            Column::TenantId => out.texts.push(self.tenant.clone()),
            Column::EventId => {
                let given = self.record(row)?.given_id();
                out.has_given_ids |= given.is_some();
                let id = given.unwrap_or_else(|| {
                    generated_id(self.recorded_at(row), self.position(row), self.log.header().id_key)
                });
                out.texts.push(ByteArray::from(id.to_string().into_bytes()));
            }
            Column::EntityId => {
                let record = self.record(row)?;
                let name = self.part(row, record.entity_id().map(str::as_bytes))?;
                out.texts.push(ByteArray::from(name));
            }
            Column::EventType => {
                let record = self.record(row)?;
                let name = self.part(row, record.event_type().map(str::as_bytes))?;
                out.texts.push(ByteArray::from(name));
            }
            Column::Payload => {
                let record = self.record(row)?;
                out.push_optional(Some(self.part(row, record.payload())?));
            }
            Column::Metadata => {
                let record = self.record(row)?;
                let metadata =
                    record.has_metadata().then(|| self.part(row, record.metadata())).transpose()?;
                out.push_optional(metadata);
            }
        }
        Ok(())
    }
}

impl SegmentSource for LogSource {
    fn first(&self) -> Position {
        self.log.first()
    }

    fn last(&self) -> Position {
        self.last
    }

    fn id_key(&self) -> u64 {
        self.log.header().id_key
    }

    fn read(&mut self, column: Column, rows: Range<u32>, out: &mut Values) -> Result<()> {
        out.clear();
        for row in rows {
            self.push(column, row, out)?;
        }
        Ok(())
    }

    fn calls(&mut self, each: &mut dyn FnMut(u32, &Attrs)) -> Result<()> {
        for frame in &self.frames {
            let header = self.log.frame(frame.offset).ok_or_else(|| self.damaged(frame.first_row))?;
            if header.attrs_len > 0 {
                each(frame.first_row, &self.log.attrs(&header, frame.offset));
            }
        }
        Ok(())
    }
}
