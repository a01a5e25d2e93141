//! Writing a segment from other segments: to make one of several, or to empty what is no longer kept.

use std::ops::Range;
use std::sync::Arc;

use parquet::data_type::ByteArray;

use super::calls;
use super::column::Column;
use super::cursor::Cursor;
use super::format::Section;
use super::reader::Segment;
use super::source::{SegmentSource, Values};
use crate::error::{Error, Result};
use crate::event::{Position, Timestamp};
use crate::store::log::Attrs;

/// Whether payload and metadata of an event are no longer kept, from its type, its position and when it happened.
pub(crate) type Empties<'a> = &'a dyn Fn(&str, Position, Timestamp) -> bool;

/// Adjacent segments.
pub(crate) struct SegmentsSource<'a> {
    parts: Vec<Part<'a>>,
    first: Position,
    last: Position,
    empties: Option<Empties<'a>>,
}

struct Part<'a> {
    segment: &'a Segment,
    cursor: Cursor<'a>,
    /// The number of its first row among all rows.
    first_row: u32,
}

impl<'a> SegmentsSource<'a> {
    /// Takes segments in order of position, and what of them is not kept.
    ///
    /// # Errors
    /// `Internal` when there is none, or a gap between two of them.
    pub(crate) fn new(segments: &'a [Arc<Segment>], empties: Option<Empties<'a>>) -> Result<Self> {
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
            return Err(Error::internal("write a segment of no segments"));
        };
        let follows = |pair: &[Arc<Segment>]| match pair {
            [one, next] => one.last().next() == next.first() && one.header().id_key == next.header().id_key,
            _ => true,
        };
        if !segments.windows(2).all(follows) {
            return Err(Error::internal("write a segment of segments that do not follow one another"));
        }
        let parts = segments.iter().map(|segment| Part {
            segment,
            cursor: segment.replay(),
            first_row: u32::try_from(segment.first().get() - first.first().get()).unwrap_or(u32::MAX),
        });
        Ok(Self { parts: parts.collect(), first: first.first(), last: last.last(), empties })
    }
}

impl Part<'_> {
    fn push(
        &mut self,
        column: Column,
        row: u32,
        empties: Option<Empties<'_>>,
        out: &mut Values,
    ) -> Result<()> {
        if column.is_number() {
            out.numbers.push(self.cursor.number(column, row)?);
            return Ok(());
        }
        if column.is_optional() {
            let is_emptied = match empties {
                Some(empties) => {
                    let event_type = self.cursor.bytes(Column::EventType, row)?.unwrap_or_default();
                    let timestamp = Timestamp::from_micros(self.cursor.number(Column::Timestamp, row)?);
                    let event_type = std::str::from_utf8(&event_type).unwrap_or_default();
                    empties(event_type, self.segment.position_of(row), timestamp)
                }
                None => false,
            };
            let text = if is_emptied { None } else { self.cursor.bytes(column, row)? };
            out.push_optional(text);
            return Ok(());
        }
        out.has_given_ids |= column == Column::EventId && self.segment.header().has_given_ids;
        let text = self.cursor.bytes(column, row)?.unwrap_or_default();
        out.texts.push(ByteArray::from(text));
        Ok(())
    }
}

impl SegmentSource for SegmentsSource<'_> {
    fn first(&self) -> Position {
        self.first
    }

    fn last(&self) -> Position {
        self.last
    }

    fn id_key(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.segment.header().id_key)
    }

    fn read(&mut self, column: Column, rows: Range<u32>, out: &mut Values) -> Result<()> {
        out.clear();
        for part in &mut self.parts {
            let end = part.first_row.saturating_add(part.segment.rows());
            for row in rows.start.max(part.first_row)..rows.end.min(end) {
                part.push(column, row - part.first_row, self.empties, out)?;
            }
        }
        Ok(())
    }

    fn calls(&mut self, each: &mut dyn FnMut(u32, &Attrs)) -> Result<()> {
        for part in &self.parts {
            let section = part.segment.section(Section::Calls)?;
            let shown =
                calls::each(section, part.segment.cache(), |row, attrs| each(part.first_row + row, attrs));
            shown.ok_or_else(|| part.segment.bad_envelope(Section::Calls))?;
        }
        Ok(())
    }
}
