//! Reading one event's bytes.

use bytes::Bytes;

use super::event_id::generated_id;
use super::format::{
    FLAG_METADATA, FLAG_UUID, RECORD_HEADER_BYTES, checksum, i64_at, u16_at, u32_at, u64_at,
};
use crate::event::{EntityId, Event, EventId, EventType, Json, Position, Text, Timestamp, Version};

/// A record as it lies in a log file.
pub(crate) struct Record<'a> {
    file: &'a Bytes,
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at `offset`, proved by its own checksum; `None` when it is not whole.
    pub(crate) fn proved(file: &'a Bytes, offset: usize) -> Option<Self> {
        let record = Self::at(file, offset)?;
        (u32_at(record.bytes, 4) == checksum(record.bytes)).then_some(record)
    }

    /// The record at `offset` in a frame that was already proved.
    pub(crate) fn at(file: &'a Bytes, offset: usize) -> Option<Self> {
        let len = u32_at(file, offset) as usize;
        let end = offset.checked_add(len)?;
        let bytes = file.get(offset..end)?;
        (len >= RECORD_HEADER_BYTES).then_some(Self { file, offset, bytes })
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn frame_distance(&self) -> usize {
        frame_distance_at(self.bytes, 0)
    }

    pub(crate) fn index(&self) -> u32 {
        u32_at(self.bytes, 12)
    }

    pub(crate) fn version(&self) -> Version {
        Version::new(u64_at(self.bytes, 16))
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(i64_at(self.bytes, 24))
    }

    fn entity_len(&self) -> usize {
        usize::from(u16_at(self.bytes, 32))
    }

    fn type_len(&self) -> usize {
        usize::from(u16_at(self.bytes, 34))
    }

    fn id_len(&self) -> usize {
        usize::from(u16_at(self.bytes, 36))
    }

    fn has_flag(&self, flag: u16) -> bool {
        u16_at(self.bytes, 38) & flag != 0
    }

    fn text(&self, start: usize, len: usize) -> Option<Text> {
        let end = start.checked_add(len).filter(|&end| end <= self.bytes.len())?;
        Text::within(self.file, self.offset + start..self.offset + end)
    }

    pub(crate) fn entity_id(&self) -> Option<&str> {
        std::str::from_utf8(self.entity_id_bytes()?).ok()
    }

    pub(crate) fn event_type(&self) -> Option<&str> {
        std::str::from_utf8(self.event_type_bytes()?).ok()
    }

    pub(crate) fn entity_id_bytes(&self) -> Option<&[u8]> {
        self.bytes.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + self.entity_len())
    }

    pub(crate) fn event_type_bytes(&self) -> Option<&[u8]> {
        let start = RECORD_HEADER_BYTES + self.entity_len();
        self.bytes.get(start..start + self.type_len())
    }

    pub(crate) fn has_metadata(&self) -> bool {
        self.has_flag(FLAG_METADATA)
    }

    /// The metadata's bytes; `None` when its length cannot be.
    pub(crate) fn metadata(&self) -> Option<&[u8]> {
        let start = RECORD_HEADER_BYTES + self.entity_len() + self.type_len() + self.id_len();
        self.bytes.get(start..start.checked_add(u32_at(self.bytes, 40) as usize)?)
    }

    /// The payload's bytes; `None` when a length before it cannot be.
    pub(crate) fn payload(&self) -> Option<&[u8]> {
        let names = RECORD_HEADER_BYTES + self.entity_len() + self.type_len() + self.id_len();
        self.bytes.get(names.checked_add(u32_at(self.bytes, 40) as usize)?..)
    }

    /// The id the caller gave: `None` when it is generated or cannot be read.
    pub(crate) fn given_id(&self) -> Option<EventId> {
        let (start, len) = (RECORD_HEADER_BYTES + self.entity_len() + self.type_len(), self.id_len());
        if len == 0 {
            return None;
        }
        if self.has_flag(FLAG_UUID) {
            let bits = self.bytes.get(start..start + len)?.try_into().ok()?;
            return Some(EventId::from_u128(u128::from_be_bytes(bits)));
        }
        Some(EventId::trusted(self.text(start, len)?))
    }

    /// The event; `None` when a length or text in it cannot be, which its checksum rules out.
    #[inline]
    pub(crate) fn event(&self, position: Position, recorded_at: Timestamp, id_key: u64) -> Option<Event> {
        let (entity_len, type_len) = (self.entity_len(), self.type_len());
        let names_end = RECORD_HEADER_BYTES + entity_len + type_len;
        let metadata_at = names_end + self.id_len();
        let metadata_len = u32_at(self.bytes, 40) as usize;
        let event_id =
            if self.id_len() == 0 { generated_id(recorded_at, position, id_key) } else { self.given_id()? };
        // Names lie beside each other, and so do the documents: proving two texts to be UTF-8 is cheaper than four.
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        let (entity_id, event_type) =
            text(self.bytes.get(RECORD_HEADER_BYTES..names_end)?)?.split_at_checked(entity_len)?;
        let (metadata, payload) = text(self.bytes.get(metadata_at..)?)?.split_at_checked(metadata_len)?;
        let has_metadata = self.has_flag(FLAG_METADATA);
        let part = |text: &str| Text::part_of(self.file, text);
        Some(Event {
            position,
            version: self.version(),
            timestamp: self.timestamp(),
            recorded_at,
            event_id,
            entity_id: EntityId::trusted(part(entity_id)),
            event_type: EventType::trusted(part(event_type)),
            payload: Json::trusted(part(payload)),
            metadata: has_metadata.then(|| Json::trusted(part(metadata))),
            emptied: false,
        })
    }
}

/// From the first byte of its frame to the record at `offset`, whether that is one or not.
pub(super) fn frame_distance_at(file: &[u8], offset: usize) -> usize {
    u32_at(file, offset + 8) as usize
}
