//! Encoding a frame: by the caller before its turn, completed under the commit lock.

use super::format::{
    FLAG_METADATA, FLAG_UUID, FRAME_HEADER_BYTES, RECORD_HEADER_BYTES, checksum, i64_at, put, u32_at,
};
use crate::event::{EntityId, EventId, EventType, Json, Position, Timestamp, Version};

/// A frame that is being written: encoded by the caller, completed under the commit lock.
#[derive(Debug)]
pub(crate) struct FrameBuilder {
    bytes: Vec<u8>,
    records: Vec<u32>,
}

/// What a frame learns when it is committed.
pub(crate) struct FrameStamp {
    pub first_position: Position,
    pub synced_through: Position,
    pub recorded_at: Timestamp,
}

/// One event on its way into a frame.
pub(crate) struct RecordParts<'a> {
    pub entity_id: &'a EntityId,
    pub event_type: &'a EventType,
    pub event_id: Option<&'a EventId>,
    pub timestamp: Option<Timestamp>,
    pub metadata: Option<&'a Json>,
    pub payload: &'a Json,
}

/// Bytes that an event takes in a frame, its id counted as text.
pub(crate) fn record_bytes(parts: &RecordParts<'_>) -> usize {
    RECORD_HEADER_BYTES
        + parts.entity_id.as_str().len()
        + parts.event_type.as_str().len()
        + parts.event_id.map_or(0, |id| id.as_u128().map_or_else(|| id.to_string().len(), |_| 16))
        + parts.metadata.map_or(0, |metadata| metadata.as_str().len())
        + parts.payload.as_str().len()
}

impl FrameBuilder {
    /// A frame with room for `bytes` bytes and `events` events.
    pub(crate) fn new(attrs: &[u8], bytes: usize, events: usize) -> Self {
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + attrs.len() + bytes);
        frame.resize(FRAME_HEADER_BYTES, 0);
        frame.extend_from_slice(attrs);
        put(&mut frame, 40, &len_u32(attrs.len()).to_le_bytes());
        Self { bytes: frame, records: Vec::with_capacity(events) }
    }

    /// Adds an event whose version, and timestamp if not given, are stamped later.
    pub(crate) fn push(&mut self, parts: &RecordParts<'_>) {
        let start = self.bytes.len();
        let uuid = parts.event_id.and_then(EventId::as_u128).map(u128::to_be_bytes);
        let text = parts.event_id.filter(|_| uuid.is_none()).map(ToString::to_string);
        let id: &[u8] = uuid
            .as_ref()
            .map(<[u8; 16]>::as_slice)
            .or(text.as_deref().map(str::as_bytes))
            .unwrap_or_default();
        let (entity, kind) = (parts.entity_id.as_str(), parts.event_type.as_str());
        let metadata = parts.metadata.map_or("", Json::as_str);
        let flags = if uuid.is_some() { FLAG_UUID } else { 0 }
            | if parts.metadata.is_some() { FLAG_METADATA } else { 0 };
        let len = RECORD_HEADER_BYTES
            + entity.len()
            + kind.len()
            + id.len()
            + metadata.len()
            + parts.payload.as_str().len();

        let mut header = [0; RECORD_HEADER_BYTES];
        put(&mut header, 0, &len_u32(len).to_le_bytes());
        put(&mut header, 8, &len_u32(start).to_le_bytes());
        put(&mut header, 12, &len_u32(self.records.len()).to_le_bytes());
        put(&mut header, 24, &parts.timestamp.unwrap_or(Timestamp::MIN).as_micros().to_le_bytes());
        put(&mut header, 32, &len_u16(entity.len()).to_le_bytes());
        put(&mut header, 34, &len_u16(kind.len()).to_le_bytes());
        put(&mut header, 36, &len_u16(id.len()).to_le_bytes());
        put(&mut header, 38, &flags.to_le_bytes());
        put(&mut header, 40, &len_u32(metadata.len()).to_le_bytes());

        self.records.push(len_u32(start));
        self.bytes.extend_from_slice(&header);
        for part in
            [entity.as_bytes(), kind.as_bytes(), id, metadata.as_bytes(), parts.payload.as_str().as_bytes()]
        {
            self.bytes.extend_from_slice(part);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The whole frame, once it is [stamped](Self::stamp).
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each record begins, in bytes from the start of the frame.
    pub(crate) fn records(&self) -> &[u32] {
        &self.records
    }

    /// Completes the frame: position and time, a version for each event, and the checksums.
    pub(crate) fn stamp(&mut self, stamp: &FrameStamp, versions: &[Version]) {
        for (&start, version) in self.records.iter().zip(versions) {
            let start = start as usize;
            let len = u32_at(&self.bytes, start) as usize;
            let Some(record) = self.bytes.get_mut(start..start + len) else { continue };
            put(record, 16, &version.get().to_le_bytes());
            if i64_at(record, 24) == Timestamp::MIN.as_micros() {
                put(record, 24, &stamp.recorded_at.as_micros().to_le_bytes());
            }
            let crc = checksum(record);
            put(record, 4, &crc.to_le_bytes());
        }
        let len = len_u32(self.bytes.len());
        let body_crc = crc32c::crc32c(self.bytes.get(FRAME_HEADER_BYTES..).unwrap_or_default());
        put(&mut self.bytes, 0, &len.to_le_bytes());
        put(&mut self.bytes, 8, &body_crc.to_le_bytes());
        put(&mut self.bytes, 12, &len_u32(self.records.len()).to_le_bytes());
        put(&mut self.bytes, 16, &stamp.first_position.get().to_le_bytes());
        put(&mut self.bytes, 24, &stamp.synced_through.get().to_le_bytes());
        put(&mut self.bytes, 32, &stamp.recorded_at.as_micros().to_le_bytes());
        let header_crc = checksum(self.bytes.get(..FRAME_HEADER_BYTES).unwrap_or_default());
        put(&mut self.bytes, 4, &header_crc.to_le_bytes());
    }
}

/// Lengths are checked against the batch limit, far below 4 GiB, before anything is encoded.
fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn len_u16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
