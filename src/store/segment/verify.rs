//! Proving all of a segment: every checksum, and every row.

use parquet::file::metadata::ParquetMetaDataReader;

use super::column::Column;
use super::cursor::Cursor;
use super::format::{BLOCK_BYTES, Section};
use super::reader::Segment;
use crate::error::{Error, Result};
use crate::event::{EventId, Position, Timestamp};
use crate::store::log::generated_id;

/// What is wrong with a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentDamage {
    /// The file: the Parquet file or the envelope.
    pub file: String,
    /// The offset in it.
    pub offset: u64,
    /// The first position that cannot be read because of it, 0 if all can.
    pub first: Position,
    /// The last of them, 0 if all can be read.
    pub last: Position,
    /// What is wrong, as a sentence fragment.
    pub reason: String,
}

impl Segment {
    /// Proves every checksum; if all are right, decodes every row and proves what must hold between rows. `goes_on` is asked
    /// now and then; when it says no, what was found until then is given.
    pub(crate) fn verify(&self, goes_on: &dyn Fn() -> bool) -> Vec<SegmentDamage> {
        let mut damage = self.envelope_damage();
        if damage.is_empty() {
            damage = self.block_damage(goes_on);
        }
        if damage.is_empty() {
            damage.extend(self.footer_damage());
        }
        if damage.is_empty() {
            damage.extend(self.row_damage(goes_on));
        }
        damage
    }

    /// What is wrong with the envelope: without it no position can be read.
    fn envelope_damage(&self) -> Vec<SegmentDamage> {
        let file = self.name().envelope_name();
        let all = |offset, reason: &str| SegmentDamage {
            file: file.clone(),
            offset,
            first: self.first(),
            last: self.last(),
            reason: reason.to_owned(),
        };
        let broken = Section::ALL.into_iter().filter(|section| self.section(*section).is_err());
        let mut damage: Vec<_> = broken
            .map(|section| {
                let offset = self.header().places.get(section as usize).map_or(0, |place| place.offset);
                all(offset, "a section of the envelope is not what was written")
            })
            .collect();
        if damage.is_empty() && crc32c::crc32c(self.envelope()) != self.entry().envelope_crc {
            damage.push(all(0, "the envelope is not the one that the manifest names"));
        }
        damage
    }

    fn block_damage(&self, goes_on: &dyn Fn() -> bool) -> Vec<SegmentDamage> {
        let Ok(blocks) = self.section(Section::Blocks) else { return Vec::new() };
        let mut damage = Vec::new();
        for block in 0..self.parquet().len().div_ceil(BLOCK_BYTES) {
            if block % 256 == 0 && !goes_on() {
                break;
            }
            if self.block_is_sound(blocks, block) {
                continue;
            }
            let (first, last) = self.positions_of_block(block).ok().flatten().unwrap_or_default();
            damage.push(SegmentDamage {
                file: self.name().file_name(),
                offset: (block * BLOCK_BYTES) as u64,
                first,
                last,
                reason: "a block of the file is not what was written".to_owned(),
            });
        }
        damage
    }

    /// What is wrong with what other programs read first.
    fn footer_damage(&self) -> Option<SegmentDamage> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(self.parquet());
        let rows = metadata.map(|metadata| metadata.file_metadata().num_rows());
        let is_sound = rows.is_ok_and(|rows| rows == i64::from(self.rows()));
        (!is_sound).then(|| SegmentDamage {
            file: self.name().file_name(),
            offset: self.parquet().len().saturating_sub(8) as u64,
            first: Position::ZERO,
            last: Position::ZERO,
            reason: "its footer does not describe its rows".to_owned(),
        })
    }

    fn row_damage(&self, goes_on: &dyn Fn() -> bool) -> Option<SegmentDamage> {
        let mut cursor = self.replay();
        let mut before = None;
        let mut emptied = 0;
        for row in 0..self.rows() {
            if row % 1_024 == 0 && !goes_on() {
                return None;
            }
            match self.check_row(&mut cursor, row, &mut before) {
                Ok(is_emptied) => emptied += u64::from(is_emptied),
                Err(error) => return Some(self.row_is_wrong(row, &error)),
            }
        }
        let header = self.header();
        let recorded = before.unwrap_or(Timestamp::MIN);
        let is_described = (header.emptied, header.recorded.1) == (emptied, recorded)
            && (self.entry().emptied, self.entry().recorded_last()) == (emptied, recorded);
        (!is_described).then(|| {
            let error = Error::internal("the envelope says other things of its rows than the rows do");
            self.row_is_wrong(self.rows() - 1, &error)
        })
    }

    /// Proves one row; says whether it was emptied.
    fn check_row(&self, cursor: &mut Cursor<'_>, row: u32, before: &mut Option<Timestamp>) -> Result<bool> {
        let event = cursor.event(row)?;
        let wrong = |reason: &str| Err(Error::internal(reason.to_owned()));
        if cursor.number(Column::Position, row)?.cast_unsigned() != event.position.get() {
            return wrong("the column position does not count on");
        }
        if before.is_some_and(|before| event.recorded_at < before) {
            return wrong("the event is older than the one before it");
        }
        *before = Some(event.recorded_at);
        let id = cursor.bytes(Column::EventId, row)?.unwrap_or_default();
        if id != event.event_id.to_string() {
            return wrong("the column event_id has another id than the event");
        }
        if !self.header().has_given_ids
            && EventId::clone(&event.event_id)
                != generated_id(event.recorded_at, event.position, self.header().id_key)
        {
            return wrong("the id is not the one that the store makes");
        }
        if !self.header().has_metadata && cursor.bytes(Column::Metadata, row)?.is_some() {
            return wrong("the event has metadata that the envelope denies");
        }
        Ok(event.emptied)
    }

    fn row_is_wrong(&self, row: u32, error: &Error) -> SegmentDamage {
        let position = self.position_of(row);
        SegmentDamage {
            file: self.name().file_name(),
            offset: self.find(Column::Position, row).map_or(0, |found| found.offset),
            first: position,
            last: position,
            reason: error.message().to_owned(),
        }
    }
}
