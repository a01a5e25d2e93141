//! The bytes of a log file. All numbers are little-endian.
//!
//! ```text
//! file header, 64 bytes
//!   0  8  magic            "allsrc\0" and the format version, 1
//!   8  4  crc              CRC-32C of bytes 12 to 64
//!  12  4  zero
//!  16  8  first_position   of the first frame that belongs here
//!  24  8  synced_through   every position up to here was durable when the file was made
//!  32  8  id_key           what generated event ids XOR their position with
//!  40  8  last_recorded_at of the frame before the first one here, µs since 1970
//!  48 16  zero
//!
//! frame header, 48 bytes; a zero length ends the log
//!   0  4  len              bytes of the whole frame, this header included
//!   4  4  header_crc       CRC-32C of bytes 0 to 4 and 8 to 48
//!   8  4  body_crc         CRC-32C of bytes 48 to len
//!  12  4  count            events, at least 1
//!  16  8  first_position
//!  24  8  synced_through   every position up to here was durable when the frame was written
//!  32  8  recorded_at      µs since 1970; greater than that of the frame before
//!  40  4  attrs_len        bytes of attrs, 0 if there are none
//!  44  4  zero, which no JSON text can hold: a payload cannot pose as a frame
//!  48     attrs            JSON: idempotency key, request hash, conditions
//!         records          `count` of them, one after the other, to the end of the frame
//!
//! record header, 44 bytes
//!   0  4  len              bytes of the whole record, this header included
//!   4  4  crc              CRC-32C of bytes 0 to 4 and 8 to len
//!   8  4  frame_distance   from the first byte of the frame to the first byte of the record
//!  12  4  index            in the frame, from 0: the event's position is first_position + index
//!  16  8  version
//!  24  8  timestamp        µs since 1970
//!  32  2  entity_len
//!  34  2  type_len
//!  36  2  id_len           0: the id is generated from recorded_at, position and id_key
//!  38  2  flags            1: the id is the 16 bytes of a UUID, else it is text; 2: has metadata
//!  40  4  metadata_len
//!  44     entity_id, event_type, id, metadata, payload (to the end of the record)
//! ```
//!
//! The frame's checksum makes a batch atomic; the record's own proves each event when it is read, without reading
//! the rest of its batch.

use bytes::Bytes;

use crate::event::{EntityId, Event, EventId, EventType, Json, Position, Text, Timestamp, Version};

/// `allsrc`, zero, and the format version.
pub(crate) const MAGIC: [u8; 8] = *b"allsrc\0\x01";
pub(crate) const FILE_HEADER_BYTES: usize = 64;
pub(crate) const FRAME_HEADER_BYTES: usize = 48;
pub(crate) const RECORD_HEADER_BYTES: usize = 44;

const FLAG_UUID: u16 = 1;
const FLAG_METADATA: u16 = 2;

/// Reads little-endian numbers; beyond the end of `bytes` there are zeros, which no checksum accepts.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    u64_at(bytes, at).cast_signed()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The checksum of `bytes` with the four bytes at 4, its own place, left out.
fn checksum(bytes: &[u8]) -> u32 {
    let before = crc32c::crc32c(bytes.get(..4).unwrap_or_default());
    crc32c::crc32c_append(before, bytes.get(8..).unwrap_or_default())
}

/// A log file's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub first_position: Position,
    pub synced_through: Position,
    pub id_key: u64,
    pub last_recorded_at: Timestamp,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 16, &self.first_position.get().to_le_bytes());
        put(&mut bytes, 24, &self.synced_through.get().to_le_bytes());
        put(&mut bytes, 32, &self.id_key.to_le_bytes());
        put(&mut bytes, 40, &self.last_recorded_at.as_micros().to_le_bytes());
        let crc = crc32c::crc32c(bytes.get(12..).unwrap_or_default());
        put(&mut bytes, 8, &crc.to_le_bytes());
        bytes
    }

    /// The header at the start of `file`, or why it is none.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, &'static str> {
        let bytes = file.get(..FILE_HEADER_BYTES).ok_or("the file is shorter than its header")?;
        if bytes.get(..7) != MAGIC.get(..7) {
            return Err("it does not begin with the magic bytes of a log file");
        }
        if bytes.get(7) != MAGIC.get(7) {
            return Err("its format version is newer than this program; update allsource");
        }
        if u32_at(bytes, 8) != crc32c::crc32c(bytes.get(12..).unwrap_or_default()) {
            return Err("the checksum of its header does not match");
        }
        Ok(Self {
            first_position: Position::new(u64_at(bytes, 16)),
            synced_through: Position::new(u64_at(bytes, 24)),
            id_key: u64_at(bytes, 32),
            last_recorded_at: Timestamp::from_micros(i64_at(bytes, 40)),
        })
    }
}

/// A frame's first bytes, proved by their checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub len: u32,
    pub body_crc: u32,
    pub count: u32,
    pub first_position: Position,
    pub synced_through: Position,
    pub recorded_at: Timestamp,
    pub attrs_len: u32,
}

impl FrameHeader {
    /// The header at the start of `bytes`; `None` when its checksum does not match or a number cannot be.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER_BYTES)?;
        let header = Self {
            len: u32_at(bytes, 0),
            body_crc: u32_at(bytes, 8),
            count: u32_at(bytes, 12),
            first_position: Position::new(u64_at(bytes, 16)),
            synced_through: Position::new(u64_at(bytes, 24)),
            recorded_at: Timestamp::from_micros(i64_at(bytes, 32)),
            attrs_len: u32_at(bytes, 40),
        };
        let body = (header.len as usize).checked_sub(FRAME_HEADER_BYTES)?;
        let possible = header.count > 0 && header.attrs_len as usize <= body && u32_at(bytes, 44) == 0;
        (possible && u32_at(bytes, 4) == checksum(bytes)).then_some(header)
    }

    pub(crate) fn last_position(&self) -> Position {
        Position::new(self.first_position.get() + u64::from(self.count) - 1)
    }

    /// Whether the frame that starts `bytes` is whole.
    pub(crate) fn proves(&self, bytes: &[u8]) -> bool {
        bytes
            .get(FRAME_HEADER_BYTES..self.len as usize)
            .is_some_and(|body| crc32c::crc32c(body) == self.body_crc)
    }
}

/// Whether a log ends here: the length of a next frame is zero, or there is no room for one.
pub(crate) fn ends(bytes: &[u8]) -> bool {
    bytes.len() < FRAME_HEADER_BYTES || u32_at(bytes, 0) == 0
}

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

    pub(crate) fn count(&self) -> usize {
        self.records.len()
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

/// A record as it lies in a log file.
pub(crate) struct Record {
    bytes: Bytes,
}

impl Record {
    /// The record at `offset`, proved by its own checksum; `None` when it is not whole.
    pub(crate) fn proved(file: &Bytes, offset: usize) -> Option<Self> {
        let record = Self::at(file, offset)?;
        (u32_at(&record.bytes, 4) == checksum(&record.bytes)).then_some(record)
    }

    /// The record at `offset` in a frame that was already proved.
    pub(crate) fn at(file: &Bytes, offset: usize) -> Option<Self> {
        let len = u32_at(file, offset) as usize;
        let end = offset.checked_add(len)?;
        (len >= RECORD_HEADER_BYTES && end <= file.len()).then(|| Self { bytes: file.slice(offset..end) })
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn frame_distance(&self) -> usize {
        u32_at(&self.bytes, 8) as usize
    }

    pub(crate) fn index(&self) -> u32 {
        u32_at(&self.bytes, 12)
    }

    pub(crate) fn version(&self) -> Version {
        Version::new(u64_at(&self.bytes, 16))
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(i64_at(&self.bytes, 24))
    }

    fn entity_len(&self) -> usize {
        usize::from(u16_at(&self.bytes, 32))
    }

    fn type_len(&self) -> usize {
        usize::from(u16_at(&self.bytes, 34))
    }

    fn id_len(&self) -> usize {
        usize::from(u16_at(&self.bytes, 36))
    }

    fn has_flag(&self, flag: u16) -> bool {
        u16_at(&self.bytes, 38) & flag != 0
    }

    fn text(&self, start: usize, len: usize) -> Option<Text> {
        let end = start.checked_add(len)?;
        if end > self.bytes.len() {
            return None;
        }
        Text::from_utf8(self.bytes.slice(start..end)).ok()
    }

    pub(crate) fn entity_id(&self) -> Option<&str> {
        str_at(&self.bytes, RECORD_HEADER_BYTES, self.entity_len())
    }

    pub(crate) fn event_type(&self) -> Option<&str> {
        str_at(&self.bytes, RECORD_HEADER_BYTES + self.entity_len(), self.type_len())
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
    pub(crate) fn event(&self, position: Position, recorded_at: Timestamp, id_key: u64) -> Option<Event> {
        let entity = RECORD_HEADER_BYTES;
        let kind = entity + self.entity_len();
        let metadata = kind + self.type_len() + self.id_len();
        let metadata_len = u32_at(&self.bytes, 40) as usize;
        let payload = metadata + metadata_len;
        let event_id =
            if self.id_len() == 0 { generated_id(recorded_at, position, id_key) } else { self.given_id()? };
        Some(Event {
            position,
            version: self.version(),
            timestamp: self.timestamp(),
            recorded_at,
            event_id,
            entity_id: EntityId::trusted(self.text(entity, self.entity_len())?),
            event_type: EventType::trusted(self.text(kind, self.type_len())?),
            payload: Json::trusted(self.text(payload, self.bytes.len().checked_sub(payload)?)?),
            metadata: if self.has_flag(FLAG_METADATA) {
                Some(Json::trusted(self.text(metadata, metadata_len)?))
            } else {
                None
            },
        })
    }
}

fn str_at(bytes: &[u8], start: usize, len: usize) -> Option<&str> {
    std::str::from_utf8(bytes.get(start..start.checked_add(len)?)?).ok()
}

const LOW_62_BITS: u64 = (1 << 62) - 1;

/// The id of an event that came without one: a `UUIDv7` (RFC 9562, 5.7) whose time is `recorded_at` to the
/// quarter of a microsecond (method 3 of 6.2) and whose low 62 bits are the position XOR the branch's key.
pub(crate) fn generated_id(recorded_at: Timestamp, position: Position, id_key: u64) -> EventId {
    let micros = recorded_at.as_micros().max(0).cast_unsigned();
    let (millis, rest) = (micros / 1_000, micros % 1_000);
    let high = (millis & 0xffff_ffff_ffff) << 16 | 0x7000 | (rest * 4_096 / 1_000);
    let low = 1 << 63 | ((position.get() ^ id_key) & LOW_62_BITS);
    EventId::from_u128(u128::from(high) << 64 | u128::from(low))
}

/// The position that a generated id names; whether that event has this id is for the caller to see.
pub(crate) fn generated_position(event_id: &EventId, id_key: u64) -> Option<Position> {
    let bits = event_id.as_u128()?;
    let is_v7 = (bits >> 76) & 0xf == 7;
    let low = u64::try_from(bits & u128::from(LOW_62_BITS)).ok()?;
    is_v7.then(|| Position::new(low ^ (id_key & LOW_62_BITS)))
}
