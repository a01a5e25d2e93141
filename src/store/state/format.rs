//! The bytes of a file of saved states. All numbers are little-endian.
//!
//! ```text
//! <generation>.states
//!   0  8  magic           "allssta" and the format version, 1; another way of folding is another version
//!   8  8  id_key          of the branch: the states of another store are not taken
//!  16  8  epoch           of the branch: behind a lost position all states are made anew
//!  24  4  crc             CRC-32C of bytes 0 to 24
//!  28  4  zero
//!  32     records, each beginning at a multiple of 8; zeros follow the last
//!
//! record header, 64 bytes
//!   0  4  header_crc      CRC-32C of bytes 4 to 64
//!   4  4  body_crc        CRC-32C of the body
//!   8  4  document_len
//!  12  4  entity_len
//!  16  4  synced          every byte of the file before this one was durable when the record was written
//!  20  4  zero, which no JSON text can hold: a document cannot pose as a record
//!  24  8  entity_hash     XXH3-64 of the entity id
//!  32  8  position        of the last event in the state; 0: a mark, which has no body and is there for `synced` alone
//!  40  8  version         of that event
//!  48  8  recorded_at     of that event, µs since 1970
//!  56  8  timestamp_max   the greatest of the events in the state, µs since 1970
//!  64     body            the entity id, the document
//! ```
//!
//! A record is not synced when it is written. So a bad one is damage only where a later record says that it was
//! durable; else a power cut tore it, and nothing is lost but time.

use super::SavedState;
use crate::event::{EntityId, Position, Text, Timestamp, Version};
use crate::store::index::hash_of;

pub(super) const HEADER_BYTES: usize = 32;
const RECORD_HEADER_BYTES: usize = 64;
/// Where records may begin.
const ALIGNMENT: usize = 8;
const MAGIC: [u8; 8] = *b"allssta\x01";

/// Whose states these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub id_key: u64,
    pub epoch: u64,
}

/// Why the header of a file was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// It is not what was written.
    Damaged,
    /// It is of another store, an earlier epoch or another version of the format.
    Foreign,
}

impl Owner {
    /// The header of a file.
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &self.id_key.to_le_bytes());
        put(&mut bytes, 16, &self.epoch.to_le_bytes());
        let crc = crc32c::crc32c(bytes.get(..24).unwrap_or_default());
        put(&mut bytes, 24, &crc.to_le_bytes());
        bytes
    }

    /// Whether the file is this owner's.
    pub(super) fn check(self, file: &[u8]) -> Result<(), BadHeader> {
        let header = file.get(..HEADER_BYTES).ok_or(BadHeader::Damaged)?;
        if header == self.encode() {
            return Ok(());
        }
        let is_whole = u32_at(header, 24) == crc32c::crc32c(header.get(..24).unwrap_or_default())
            && u32_at(header, 28) == 0;
        Err(if is_whole { BadHeader::Foreign } else { BadHeader::Damaged })
    }
}

/// What stands before a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordHeader {
    body_crc: u32,
    document_len: usize,
    entity_len: usize,
    pub synced: u64,
    pub entity_hash: u64,
    pub position: Position,
    pub version: Version,
    recorded_at: Timestamp,
    pub timestamp_max: Timestamp,
}

impl RecordHeader {
    /// The header at `at`, if it is what was written.
    fn decode(file: &[u8], at: usize) -> Option<Self> {
        let bytes = file.get(at..)?.get(..RECORD_HEADER_BYTES)?;
        if u32_at(bytes, 0) != crc32c::crc32c(bytes.get(4..)?) {
            return None;
        }
        let len = |at| usize::try_from(u32_at(bytes, at)).ok();
        let time = |at| Timestamp::from_micros(u64_at(bytes, at).cast_signed());
        let header = Self {
            body_crc: u32_at(bytes, 4),
            document_len: len(8)?,
            entity_len: len(12)?,
            synced: u64::from(u32_at(bytes, 16)),
            entity_hash: u64_at(bytes, 24),
            position: Position::new(u64_at(bytes, 32)),
            version: Version::new(u64_at(bytes, 40)),
            recorded_at: time(48),
            timestamp_max: time(56),
        };
        (header.record_bytes() <= file.len() - at).then_some(header)
    }

    fn body_len(&self) -> usize {
        self.document_len.saturating_add(self.entity_len)
    }

    /// The whole record, and what lies before the next one.
    pub(super) fn record_bytes(&self) -> usize {
        self.body_len().saturating_add(RECORD_HEADER_BYTES).next_multiple_of(ALIGNMENT)
    }

    pub(super) fn is_mark(&self) -> bool {
        self.position == Position::ZERO
    }
}

/// A record; `synced` bytes of its file are durable.
pub(super) fn encode(state: &SavedState, synced: u64) -> Vec<u8> {
    let entity = state.entity_id.as_str().as_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(entity), &state.document);
    let numbers = [
        hash_of(entity),
        state.position.get(),
        state.version.get(),
        state.recorded_at.as_micros().cast_unsigned(),
        state.timestamp_max.as_micros().cast_unsigned(),
    ];
    let mut bytes = header(crc, state.document.len(), entity.len(), synced, numbers);
    bytes.extend_from_slice(entity);
    bytes.extend_from_slice(&state.document);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

/// A record that says only how much of the file is durable.
pub(super) fn encode_mark(synced: u64) -> Vec<u8> {
    header(0, 0, 0, synced, [0; 5])
}

fn header(body_crc: u32, document_len: usize, entity_len: usize, synced: u64, numbers: [u64; 5]) -> Vec<u8> {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = vec![0; RECORD_HEADER_BYTES];
    put(&mut bytes, 4, &body_crc.to_le_bytes());
    put(&mut bytes, 8, &small(document_len as u64));
    put(&mut bytes, 12, &small(entity_len as u64));
    put(&mut bytes, 16, &small(synced));
    for (index, number) in numbers.into_iter().enumerate() {
        put(&mut bytes, 24 + index * 8, &number.to_le_bytes());
    }
    let crc = crc32c::crc32c(bytes.get(4..).unwrap_or_default());
    put(&mut bytes, 0, &crc.to_le_bytes());
    bytes
}

/// The state in the record at `at`; `None` when its bytes are not what was written.
pub(super) fn decode(file: &[u8], at: usize) -> Option<SavedState> {
    let header = RecordHeader::decode(file, at)?;
    let (body, padding) = file
        .get(at + RECORD_HEADER_BYTES..at + header.record_bytes())?
        .split_at_checked(header.body_len())?;
    // Copied first, so that what was proved is what is given out, whatever becomes of the file.
    let mut body = body.to_vec();
    let is_padded = padding.iter().all(|byte| *byte == 0);
    if crc32c::crc32c(&body) != header.body_crc || !is_padded || header.is_mark() {
        return None;
    }
    let document = body.split_off(header.entity_len);
    Some(SavedState {
        entity_id: EntityId::trusted(Text::from(String::from_utf8(body).ok()?)),
        version: header.version,
        position: header.position,
        recorded_at: header.recorded_at,
        timestamp_max: header.timestamp_max,
        document,
    })
}

/// What a file holds besides its records.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Behind the last record.
    pub end: usize,
    /// Where a record should begin, but does not, although others follow.
    pub bad: Vec<usize>,
    /// Every byte before this one was durable once.
    pub synced: u64,
}

/// Calls `each` with every record header of a file; what is no record is passed over.
pub(super) fn walk(file: &[u8], mut each: impl FnMut(usize, &RecordHeader)) -> Walked {
    let mut walked = Walked { end: HEADER_BYTES, ..Walked::default() };
    let mut at = HEADER_BYTES;
    loop {
        let Some(header) = RecordHeader::decode(file, at) else {
            let Some(next) = next_record(file, at) else { return walked };
            walked.bad.push(at);
            at = next;
            continue;
        };
        each(at, &header);
        walked.synced = walked.synced.max(header.synced);
        at += header.record_bytes();
        walked.end = at;
    }
}

/// Where the next record begins behind the bad one at `at`; zeros are the end and not looked through.
fn next_record(file: &[u8], at: usize) -> Option<usize> {
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if file.get(at..at + RECORD_HEADER_BYTES).is_none_or(is_zero) {
        return None;
    }
    (at + ALIGNMENT..file.len()).step_by(ALIGNMENT).find(|&at| RecordHeader::decode(file, at).is_some())
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Beyond the end of `bytes` there are zeros, which no checksum accepts.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
