//! Reading events of a segment by row.

use std::sync::Arc;

use bytes::Bytes;
use zstd::bulk::Decompressor;

use super::column::{COLUMNS, Column};
use super::page::Page;
use super::reader::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{
    EntityId, Event, EventId, EventType, Filter, Json, NamePattern, Text, Timestamp, Version,
};
use crate::store::log::generated_id;

/// What an emptied payload reads as.
const EMPTIED: &[u8] = b"null";

/// How many pages a reader needed beyond the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PagesRead {
    /// Read, proved and decoded.
    pub decoded: u64,
    /// Found decoded.
    pub cached: u64,
}

/// Reads events by row; it holds the page of each column that it read last.
pub(crate) struct Cursor<'a> {
    segment: &'a Segment,
    current: [Option<Current>; COLUMNS],
    zstd: Option<Decompressor<'static>>,
    keeps: bool,
    read: PagesRead,
}

struct Current {
    /// Its number among all pages of the segment.
    number: u32,
    first_row: u32,
    end_row: u32,
    page: Arc<Page>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(segment: &'a Segment, keeps: bool) -> Self {
        Self { segment, current: Default::default(), zstd: None, keeps, read: PagesRead::default() }
    }

    /// How many pages were needed so far.
    pub(crate) fn pages(&self) -> PagesRead {
        self.read
    }

    /// Says whether the pages that it decodes from here on are kept for other readers.
    pub(crate) fn keep(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// Leaves the pages in which `next` lies to whoever goes on reading everything from there.
    pub(crate) fn leave(&mut self, next: u32) {
        if self.keeps {
            return;
        }
        let columns = Column::ALL.into_iter().zip(&self.current);
        for (column, current) in columns.filter_map(|(column, current)| Some((column, current.as_ref()?))) {
            if (current.first_row..current.end_row).contains(&next) {
                self.segment.leave(column, current.number, &current.page);
            }
        }
    }

    /// When the event of a row happened.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn timestamp(&mut self, row: u32) -> Result<Timestamp> {
        self.number(Column::Timestamp, row).map(Timestamp::from_micros)
    }

    /// When the event of a row was recorded.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn recorded_at(&mut self, row: u32) -> Result<Timestamp> {
        self.number(Column::RecordedAt, row).map(Timestamp::from_micros)
    }

    /// Whether retention has emptied the event of a row.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn is_emptied(&mut self, row: u32) -> Result<bool> {
        let (page, at) = self.page(Column::Payload, row)?;
        Ok(!page.is_present(at))
    }

    /// The id of a row's event; `None` when every id in the segment is one that the store made.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn stored_id(&mut self, row: u32) -> Result<Option<EventId>> {
        if !self.segment.header().has_given_ids {
            return Ok(None);
        }
        self.text(Column::EventId, row).map(|id| Some(EventId::trusted(id)))
    }

    /// The event of a row.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn event(&mut self, row: u32) -> Result<Event> {
        let header = self.segment.header();
        let (id_key, has_given_ids, has_metadata) =
            (header.id_key, header.has_given_ids, header.has_metadata);
        let position = self.segment.position_of(row);
        let recorded_at = self.recorded_at(row)?;
        let event_id = if has_given_ids {
            EventId::trusted(self.text(Column::EventId, row)?)
        } else {
            generated_id(recorded_at, position, id_key)
        };
        let payload = self.optional(Column::Payload, row)?;
        let emptied = payload.is_none();
        let null = || Text::from_utf8(Bytes::from_static(EMPTIED)).unwrap_or_default();
        let metadata = if has_metadata { self.optional(Column::Metadata, row)? } else { None };
        Ok(Event {
            position,
            version: Version::new(self.number(Column::Version, row)?.cast_unsigned()),
            timestamp: self.timestamp(row)?,
            recorded_at,
            event_id,
            entity_id: EntityId::trusted(self.text(Column::EntityId, row)?),
            event_type: EventType::trusted(self.text(Column::EventType, row)?),
            payload: Json::trusted(payload.unwrap_or_else(null)),
            metadata: metadata.map(Json::trusted),
            emptied,
        })
    }

    /// The same, unless its names or its time rule it out: then its payload is not decoded.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn candidate(&mut self, row: u32, filter: &Filter) -> Result<Option<Event>> {
        if filter.since.is_some() || filter.until.is_some() || filter.as_of.is_some() {
            let timestamp = self.timestamp(row)?;
            let is_in_time = filter.since.is_none_or(|since| timestamp >= since)
                && filter.until.is_none_or(|until| timestamp < until)
                && filter.as_of.is_none_or(|as_of| timestamp <= as_of);
            if !is_in_time {
                return Ok(None);
            }
        }
        if self.is_named(Column::EventType, row, filter.event_type.as_ref())?
            && self.is_named(Column::EntityId, row, filter.entity_id.as_ref())?
        {
            return self.event(row).map(Some);
        }
        Ok(None)
    }

    fn is_named(&mut self, column: Column, row: u32, pattern: Option<&NamePattern>) -> Result<bool> {
        let Some(pattern) = pattern else { return Ok(true) };
        let (page, at) = self.page(column, row)?;
        match page.text(at).and_then(|name| std::str::from_utf8(name).ok()) {
            Some(name) => Ok(pattern.matches(name)),
            None => Err(self.unreadable(column, row)),
        }
    }

    /// The first row from `low` to `row`, which was itself recorded at `time`, that was recorded at `time`.
    pub(super) fn first_recorded_at(&mut self, time: Timestamp, low: u32, row: u32) -> Result<u32> {
        // Most frames are short: look nearby before looking everywhere.
        let (mut high, mut step) = (row, 1);
        loop {
            let below = high.saturating_sub(step).max(low);
            if below == high || self.recorded_at(below)? < time {
                return self.halve(below, high, |recorded_at| recorded_at >= time);
            }
            high = below;
            step *= 2;
        }
    }

    /// The first row behind `row` and before `end` that was recorded after `time`, or `end`.
    pub(super) fn first_recorded_after(&mut self, time: Timestamp, row: u32, end: u32) -> Result<u32> {
        let (mut low, mut step) = (row, 1_u32);
        loop {
            let above = low.saturating_add(step).min(end);
            if above == end || self.recorded_at(above)? > time {
                return self.halve(low, above, |recorded_at| recorded_at > time);
            }
            low = above;
            step = step.saturating_mul(2);
        }
    }

    /// The first row from `low` to `high` for which `holds`, as it does for `high`.
    fn halve(&mut self, mut low: u32, mut high: u32, holds: impl Fn(Timestamp) -> bool) -> Result<u32> {
        while low < high {
            let middle = low.midpoint(high);
            if holds(self.recorded_at(middle)?) { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    /// A number of a row.
    pub(super) fn number(&mut self, column: Column, row: u32) -> Result<i64> {
        let (page, at) = self.page(column, row)?;
        page.number(at).ok_or_else(|| self.unreadable(column, row))
    }

    fn text(&mut self, column: Column, row: u32) -> Result<Text> {
        let text = self.bytes(column, row)?.and_then(|bytes| Text::from_utf8(bytes).ok());
        text.ok_or_else(|| self.unreadable(column, row))
    }

    fn optional(&mut self, column: Column, row: u32) -> Result<Option<Text>> {
        match self.bytes(column, row)? {
            Some(bytes) => Text::from_utf8(bytes).map(Some).map_err(|_| self.unreadable(column, row)),
            None => Ok(None),
        }
    }

    /// The bytes of a row's text, if it has one.
    pub(super) fn bytes(&mut self, column: Column, row: u32) -> Result<Option<Bytes>> {
        let (page, at) = self.page(column, row)?;
        if !page.is_present(at) {
            return Ok(None);
        }
        page.shared_text(at).map(Some).ok_or_else(|| self.unreadable(column, row))
    }

    /// The segment that is read.
    pub(super) fn segment(&self) -> &'a Segment {
        self.segment
    }

    /// The row behind the last of the page that holds a row of a column.
    pub(super) fn page_end(&mut self, column: Column, row: u32) -> Result<u32> {
        self.page(column, row)?;
        let current = self.current.get(column.index()).and_then(Option::as_ref);
        Ok(current.map_or(row, |current| current.end_row))
    }

    /// The page that holds a row of a column, and the row's place in it.
    pub(super) fn page(&mut self, column: Column, row: u32) -> Result<(&Page, usize)> {
        let is_current = |current: &Option<Current>| {
            current.as_ref().is_some_and(|current| (current.first_row..current.end_row).contains(&row))
        };
        if !self.current.get(column.index()).is_some_and(is_current) {
            self.turn(column, row)?;
        }
        match self.current.get(column.index()) {
            Some(Some(current)) => Ok((&current.page, (row - current.first_row) as usize)),
            _ => Err(Error::internal("hold a page that was just read")),
        }
    }

    fn turn(&mut self, column: Column, row: u32) -> Result<()> {
        let found = self.segment.find(column, row)?;
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(self.segment.cache().decompressor().map_err(|error| {
                Error::new(ErrorKind::Unavailable, "no_memory", "make a decompressor").caused_by(error)
            })?),
        };
        let (page, was_cached) = self.segment.page(column, &found, zstd, self.keeps)?;
        self.read.cached += u64::from(was_cached);
        self.read.decoded += u64::from(!was_cached);
        if let Some(current) = self.current.get_mut(column.index()) {
            *current = Some(Current {
                number: found.page,
                first_row: found.first_row,
                end_row: found.end_row,
                page,
            });
        }
        Ok(())
    }

    /// The error for a value that its page does not hold, although the page is what was written.
    pub(super) fn unreadable(&self, column: Column, row: u32) -> Error {
        let position = self.segment.position_of(row);
        match self.segment.find(column, row) {
            Ok(found) => self.segment.damaged(found.offset, (position, position)),
            Err(error) => error,
        }
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        if let Some(zstd) = self.zstd.take() {
            self.segment.cache().put_back(zstd);
        }
    }
}
