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

use crate::event::{Position, Timestamp};

/// `allsrc`, zero, and the format version.
pub(crate) const MAGIC: [u8; 8] = *b"allsrc\0\x01";
pub(crate) const FILE_HEADER_BYTES: usize = 64;
pub(crate) const FRAME_HEADER_BYTES: usize = 48;
pub(crate) const RECORD_HEADER_BYTES: usize = 44;

pub(super) const FLAG_UUID: u16 = 1;
pub(super) const FLAG_METADATA: u16 = 2;

/// Reads little-endian numbers; beyond the end of `bytes` there are zeros, which no checksum accepts.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub(super) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    u64_at(bytes, at).cast_signed()
}

pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The checksum of `bytes` with the four bytes at 4, its own place, left out.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
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
    /// What the header of a log file says as far as it is known without a look at it.
    pub(crate) fn presumed(first_position: Position, id_key: u64) -> Self {
        let synced_through = first_position.previous();
        Self { first_position, synced_through, id_key, last_recorded_at: Timestamp::MIN }
    }

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
