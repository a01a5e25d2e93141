//! The bytes of an index file and of its rows file. All numbers are little-endian.
//!
//! ```text
//! <first>-<last>.index
//!   0  8  magic            "allsidx" and the format version, 2
//!   8  8  first_position
//!  16  8  last_position
//!  24  8  log_end          the log file's offset behind the last position's frame; 0 when made from a segment
//!  32  8  entities_born    entities whose version 1 is in here
//!  40  8  timestamp_min    µs since 1970
//!  48  8  timestamp_max
//!  56  8  recorded_first   recorded_at of the first position, µs since 1970
//!  64  8  recorded_last    and of the last
//!  72     8 × section      8 offset, 8 len, 4 CRC-32C of the section, 4 zero
//! 264  4  crc              CRC-32C of bytes 0 to 264
//! 268  4  zero
//! 272     the sections, one behind the other, in this order:
//!         entities         entity ids → offsets of their entries in stream_postings, in buckets by hash
//!         streams          fst map: entity id → the same offset, in order of names
//!         stream_postings  per entity: varint name len, name, varint first_version, varint count, list of positions
//!         types            4 count; per type in order of names: 4 name offset, 4 name len, 4 count,
//!                          4 offset of its list in type_postings; then the names
//!         type_postings    lists of positions
//!         ids              given event ids → positions
//!         calls            idempotency keys → first positions of their frames
//!         times            per 1,024 positions: 8 smallest, 8 greatest timestamp
//!
//! <first>-<last>.rows      lives as long as the log is in row form
//!   0  8  magic            "allsrow" and the format version, 1
//!   8  8  first_position
//!  16  8  last_position
//!  24  4  rows_crc         CRC-32C of bytes 32 to the end
//!  28  4  crc              CRC-32C of bytes 0 to 28
//!  32     per position: 4 offset of its record in the log file
//! ```
//!
//! In format version 1, which is read but not written any more, the first section is a split-block Bloom filter over the
//! entity ids, and the entries in `stream_postings` are without their names.
//!
//! The header is proved when a file is opened, a section when it is first used, all of it by `verify`.

use super::postings::Malformed;
use crate::event::{EventId, Position, Timestamp};

pub(super) const HEADER_BYTES: usize = 272;
pub(super) const ROWS_HEADER_BYTES: usize = 32;
/// How many positions share one entry in `times`.
pub(crate) const TIME_BLOCK: u32 = 1_024;
/// A type's entry in `types`, without its name.
pub(super) const TYPE_BYTES: usize = 16;
pub(super) const SECTIONS: usize = 8;

/// How a file finds an entity: its format version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Layout {
    /// A Bloom filter says that it may be there, then the map of names where.
    Filtered = 1,
    /// A table of hashes says where.
    #[default]
    Hashed = 2,
}

const KIND: [u8; 7] = *b"allsidx";
const ROWS_KIND: [u8; 7] = *b"allsrow";
const ROWS_VERSION: u8 = 1;
const SECTION_TABLE: usize = 72;
const SECTION_BYTES: usize = 24;
const UNKNOWN: &str = "its format version is not known to this program; update allsource";
const CRC: usize = 264;
const ROWS_CRC: usize = 28;

/// The hash by which names are looked up: XXH3-64.
pub(crate) fn hash_of(name: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name)
}

/// The hash by which a given event id is looked up.
pub(crate) fn hash_of_id(event_id: &EventId) -> u64 {
    match event_id.as_u128() {
        Some(bits) => hash_of(&bits.to_le_bytes()),
        None => hash_of(event_id.to_string().as_bytes()),
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn time_at(bytes: &[u8], at: usize) -> Option<Timestamp> {
    u64_at(bytes, at).map(|micros| Timestamp::from_micros(micros.cast_signed()))
}

/// A part of an index file that is proved by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Entities,
    Streams,
    StreamPostings,
    Types,
    TypePostings,
    Ids,
    Calls,
    Times,
}

impl Section {
    pub(super) const ALL: [Self; SECTIONS] = [
        Self::Entities,
        Self::Streams,
        Self::StreamPostings,
        Self::Types,
        Self::TypePostings,
        Self::Ids,
        Self::Calls,
        Self::Times,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Entities => "entities",
            Self::Streams => "streams",
            Self::StreamPostings => "stream_postings",
            Self::Types => "types",
            Self::TypePostings => "type_postings",
            Self::Ids => "ids",
            Self::Calls => "calls",
            Self::Times => "times",
        }
    }
}

/// Where a section lies, and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub offset: u64,
    pub len: u64,
    pub crc: u32,
}

/// The first bytes of an index file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub layout: Layout,
    pub first: Position,
    pub last: Position,
    pub log_end: u64,
    pub entities_born: u64,
    pub timestamps: (Timestamp, Timestamp),
    pub recorded: (Timestamp, Timestamp),
    pub places: [Place; SECTIONS],
}

impl Header {
    /// The whole file: header and sections.
    pub(super) fn encode(mut self, sections: [Vec<u8>; SECTIONS]) -> Vec<u8> {
        let mut offset = HEADER_BYTES as u64;
        for (place, section) in self.places.iter_mut().zip(&sections) {
            *place = Place { offset, len: section.len() as u64, crc: crc32c::crc32c(section) };
            offset += section.len() as u64;
        }
        let mut bytes = Vec::with_capacity(offset as usize);
        bytes.extend_from_slice(&KIND);
        bytes.push(self.layout as u8);
        for number in [self.first.get(), self.last.get(), self.log_end, self.entities_born] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for time in [self.timestamps.0, self.timestamps.1, self.recorded.0, self.recorded.1] {
            bytes.extend_from_slice(&time.as_micros().to_le_bytes());
        }
        for place in self.places {
            bytes.extend_from_slice(&place.offset.to_le_bytes());
            bytes.extend_from_slice(&place.len.to_le_bytes());
            bytes.extend_from_slice(&u64::from(place.crc).to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&u64::from(crc).to_le_bytes());
        bytes.extend(sections.into_iter().flatten());
        bytes
    }

    /// Reads and proves the header of a whole file.
    pub(super) fn decode(file: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "it is shorter than its header";
        let header = file.get(..HEADER_BYTES).ok_or(SHORT)?;
        let layout = match version_of(header, KIND)? {
            1 => Layout::Filtered,
            2 => Layout::Hashed,
            _ => return Err(UNKNOWN),
        };
        let crc = crc32c::crc32c(header.get(..CRC).ok_or(SHORT)?);
        if u64_at(header, CRC) != Some(u64::from(crc)) {
            return Err("the checksum of its header does not match");
        }
        let decoded = Self::fields(layout, header).map_err(|_| SHORT)?;
        let inside =
            |place: &Place| place.offset.checked_add(place.len).is_some_and(|end| end <= file.len() as u64);
        if !decoded.places.iter().all(inside) {
            return Err("it is shorter than its header says");
        }
        if decoded.first > decoded.last || decoded.last.get() - decoded.first.get() >= u64::from(u32::MAX) {
            return Err("its positions are in no order");
        }
        Ok(decoded)
    }

    fn fields(layout: Layout, header: &[u8]) -> Result<Self, Malformed> {
        let number = |at| u64_at(header, at).ok_or(Malformed);
        let time = |at| time_at(header, at).ok_or(Malformed);
        let mut places = [Place::default(); SECTIONS];
        for (index, place) in places.iter_mut().enumerate() {
            let at = SECTION_TABLE + index * SECTION_BYTES;
            let crc = u32_at(header, at + 16).ok_or(Malformed)?;
            *place = Place { offset: number(at)?, len: number(at + 8)?, crc };
        }
        Ok(Self {
            layout,
            first: Position::new(number(8)?),
            last: Position::new(number(16)?),
            log_end: number(24)?,
            entities_born: number(32)?,
            timestamps: (time(40)?, time(48)?),
            recorded: (time(56)?, time(64)?),
            places,
        })
    }
}

/// The whole rows file.
pub(super) fn encode_rows(first: Position, last: Position, rows: &[u32]) -> Vec<u8> {
    let body: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
    let mut bytes = Vec::with_capacity(ROWS_HEADER_BYTES + body.len());
    bytes.extend_from_slice(&ROWS_KIND);
    bytes.push(ROWS_VERSION);
    bytes.extend_from_slice(&first.get().to_le_bytes());
    bytes.extend_from_slice(&last.get().to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Proves the header of a rows file for these positions; its rows are proved by [`rows_are_whole`].
pub(super) fn check_rows(file: &[u8], first: Position, last: Position) -> Result<(), &'static str> {
    const SHORT: &str = "it is shorter than its header";
    let header = file.get(..ROWS_HEADER_BYTES).ok_or(SHORT)?;
    if version_of(header, ROWS_KIND)? != ROWS_VERSION {
        return Err(UNKNOWN);
    }
    if u32_at(header, ROWS_CRC) != Some(crc32c::crc32c(header.get(..ROWS_CRC).ok_or(SHORT)?)) {
        return Err("the checksum of its header does not match");
    }
    if u64_at(header, 8) != Some(first.get()) || u64_at(header, 16) != Some(last.get()) {
        return Err("it is about other positions");
    }
    if (file.len() - ROWS_HEADER_BYTES) as u64 != (last.get() - first.get() + 1) * 4 {
        return Err("its length is not that of its positions");
    }
    Ok(())
}

/// Whether the rows are those that were written.
pub(super) fn rows_are_whole(file: &[u8]) -> bool {
    u32_at(file, 24) == Some(crc32c::crc32c(file.get(ROWS_HEADER_BYTES..).unwrap_or_default()))
}

/// The format version of a file of this kind.
fn version_of(header: &[u8], kind: [u8; 7]) -> Result<u8, &'static str> {
    match header.first_chunk::<8>() {
        Some([found @ .., version]) if *found == kind => Ok(*version),
        Some(_) => Err("it does not begin with the magic bytes of its kind"),
        None => Err("it is shorter than its header"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let header = Header {
            layout: Layout::default(),
            first: Position::new(7),
            last: Position::new(9),
            log_end: 1_234,
            entities_born: 2,
            timestamps: (Timestamp::from_micros(-5), Timestamp::from_micros(5)),
            recorded: (Timestamp::from_micros(1), Timestamp::from_micros(2)),
            places: [Place::default(); SECTIONS],
        };
        header.encode(std::array::from_fn(|section| vec![section as u8; section * 3]))
    }

    #[test]
    fn a_header_reads_back() {
        let bytes = sample();
        let header = Header::decode(&bytes).expect("a header");
        assert_eq!((header.first.get(), header.last.get(), header.log_end), (7, 9, 1_234));
        assert_eq!(header.timestamps.0.as_micros(), -5);
        assert_eq!(header.places[7].len, 21);
        assert_eq!(header.places[7].offset + 21, bytes.len() as u64);
    }

    #[test]
    fn a_flipped_bit_in_a_header_is_seen() {
        let rows = encode_rows(Position::new(7), Position::new(9), &[64, 128, 256]);
        for at in 0..HEADER_BYTES * 8 {
            let mut bytes = sample();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(Header::decode(&bytes).is_err(), "bit {at} of the header");
        }
        for at in 0..rows.len() * 8 {
            let mut bytes = rows.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let sound =
                check_rows(&bytes, Position::new(7), Position::new(9)).is_ok() && rows_are_whole(&bytes);
            assert!(!sound, "bit {at} of the rows");
        }
        assert!(check_rows(&rows, Position::new(7), Position::new(9)).is_ok() && rows_are_whole(&rows));
    }
}
