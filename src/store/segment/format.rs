//! The bytes of an envelope: what a segment needs beyond its Parquet file. All numbers are little-endian.
//!
//! ```text
//! <first>-<last>-<generation>.envelope
//!   0  8  magic            "allsenv" and the format version, 1
//!   8  8  first_position
//!  16  8  last_position
//!  24  8  parquet_bytes    size of the Parquet file
//!  32  8  id_key           what generated event ids XOR their position with
//!  40  8  recorded_first   recorded_at of the first position, µs since 1970
//!  48  8  recorded_last    and of the last
//!  56  8  emptied          how many events have neither payload nor metadata any more
//!  64  4  generation
//!  68  4  flags            1: an event id was given by a caller; 2: an event has metadata
//!  72  4  group_rows       rows in each group of rows but the last
//!  76  4  zero
//!  80     4 × section      8 offset, 8 len, 4 CRC-32C of the section, 4 zero
//! 176  4  crc              CRC-32C of bytes 0 to 176
//! 180  4  zero
//! 184     the sections, one behind the other, in this order:
//!         blocks           per 4 KiB of the Parquet file, the last one shorter: 4 CRC-32C
//!         chunks           per group of rows, per column: 8 offset of the first byte, 8 offset behind the last,
//!                          4 number of its first page in `pages`, 4 how many they are
//!         pages            per page: 8 offset of its header, 4 its first row, counted from the first position
//!         calls            see `calls`; what frames say of the calls that made them
//! ```
//!
//! A dictionary lies between the first byte of a chunk and its first page. The places of the pages are those of the
//! Parquet file's own page index, in a form that is read where it lies: a look-up parses no footer, and an open segment
//! takes no memory.
//!
//! The header is proved when a segment is opened, a section when it is first used, all of it by `verify`.

use crate::event::{Position, Timestamp};

/// The size of a block of the Parquet file that has a checksum of its own: 4 KiB.
pub(super) const BLOCK_BYTES: usize = 4 << 10;
pub(super) const HEADER_BYTES: usize = 184;
pub(super) const CHUNK_BYTES: usize = 24;
pub(super) const PAGE_BYTES: usize = 12;
pub(super) const SECTIONS: usize = 4;

const MAGIC: [u8; 8] = *b"allsenv\x01";
const SECTION_TABLE: usize = 80;
const SECTION_BYTES: usize = 24;
const CRC: usize = 176;
const FLAG_GIVEN_IDS: u32 = 1;
const FLAG_METADATA: u32 = 2;

/// A part of an envelope that is proved by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Blocks,
    Chunks,
    Pages,
    Calls,
}

impl Section {
    pub(super) const ALL: [Self; SECTIONS] = [Self::Blocks, Self::Chunks, Self::Pages, Self::Calls];
}

/// Where a section lies, and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub offset: u64,
    pub len: u64,
    pub crc: u32,
}

/// The first bytes of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub first: Position,
    pub last: Position,
    pub generation: u32,
    pub parquet_bytes: u64,
    pub id_key: u64,
    pub recorded: (Timestamp, Timestamp),
    pub emptied: u64,
    pub has_given_ids: bool,
    pub has_metadata: bool,
    pub group_rows: u32,
    pub places: [Place; SECTIONS],
}

/// Where the pages of one column in one group of rows lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub start: u64,
    pub end: u64,
    pub first_page: u32,
    pub pages: u32,
}

/// Where a page lies, and the first of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PagePlace {
    pub offset: u64,
    pub first_row: u32,
}

impl Header {
    /// The whole envelope: header and sections.
    pub(super) fn encode(mut self, sections: [Vec<u8>; SECTIONS]) -> Vec<u8> {
        let mut offset = HEADER_BYTES as u64;
        for (place, section) in self.places.iter_mut().zip(&sections) {
            *place = Place { offset, len: section.len() as u64, crc: crc32c::crc32c(section) };
            offset += section.len() as u64;
        }
        let flags =
            u32::from(self.has_given_ids) * FLAG_GIVEN_IDS + u32::from(self.has_metadata) * FLAG_METADATA;
        let mut bytes = Vec::with_capacity(usize::try_from(offset).unwrap_or_default());
        bytes.extend_from_slice(&MAGIC);
        for number in [self.first.get(), self.last.get(), self.parquet_bytes, self.id_key] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for time in [self.recorded.0, self.recorded.1] {
            bytes.extend_from_slice(&time.as_micros().to_le_bytes());
        }
        bytes.extend_from_slice(&self.emptied.to_le_bytes());
        for number in [self.generation, flags, self.group_rows, 0] {
            bytes.extend_from_slice(&number.to_le_bytes());
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

    /// Reads and proves the header of a whole envelope.
    pub(super) fn decode(envelope: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "it is shorter than its header";
        let header = envelope.get(..HEADER_BYTES).ok_or(SHORT)?;
        let [kind @ .., version] = MAGIC;
        match header.first_chunk::<8>().ok_or(SHORT)? {
            [found @ .., _] if *found != kind => {
                return Err("it does not begin with the magic bytes of an envelope");
            }
            [.., found] if *found != version => {
                return Err("its format version is not known to this program; update allsource");
            }
            _ => {}
        }
        let crc = crc32c::crc32c(header.get(..CRC).ok_or(SHORT)?);
        if u64_at(header, CRC) != Some(u64::from(crc)) {
            return Err("the checksum of its header does not match");
        }
        let decoded = Self::fields(header).ok_or(SHORT)?;
        let inside = |place: &Place| {
            place.offset.checked_add(place.len).is_some_and(|end| end <= envelope.len() as u64)
        };
        if !decoded.places.iter().all(inside) {
            return Err("it is shorter than its header says");
        }
        let rows = decoded.last.get().checked_sub(decoded.first.get());
        if rows.is_none_or(|rows| rows >= u64::from(u32::MAX)) || decoded.group_rows == 0 {
            return Err("its positions are in no order");
        }
        Ok(decoded)
    }

    fn fields(header: &[u8]) -> Option<Self> {
        let number = |at| u64_at(header, at);
        let time = |at| Some(Timestamp::from_micros(u64_at(header, at)?.cast_signed()));
        let flags = u32_at(header, 68)?;
        let mut places = [Place::default(); SECTIONS];
        for (index, place) in places.iter_mut().enumerate() {
            let at = SECTION_TABLE + index * SECTION_BYTES;
            *place = Place { offset: number(at)?, len: number(at + 8)?, crc: u32_at(header, at + 16)? };
        }
        Some(Self {
            first: Position::new(number(8)?),
            last: Position::new(number(16)?),
            generation: u32_at(header, 64)?,
            parquet_bytes: number(24)?,
            id_key: number(32)?,
            recorded: (time(40)?, time(48)?),
            emptied: number(56)?,
            has_given_ids: flags & FLAG_GIVEN_IDS != 0,
            has_metadata: flags & FLAG_METADATA != 0,
            group_rows: u32_at(header, 72)?,
            places,
        })
    }
}

impl Chunk {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.start.to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
        out.extend_from_slice(&self.first_page.to_le_bytes());
        out.extend_from_slice(&self.pages.to_le_bytes());
    }

    pub(super) fn decode(chunks: &[u8], index: usize) -> Option<Self> {
        let at = index.checked_mul(CHUNK_BYTES)?;
        Some(Self {
            start: u64_at(chunks, at)?,
            end: u64_at(chunks, at + 8)?,
            first_page: u32_at(chunks, at + 16)?,
            pages: u32_at(chunks, at + 20)?,
        })
    }
}

impl PagePlace {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.first_row.to_le_bytes());
    }

    pub(super) fn decode(pages: &[u8], page: u32) -> Option<Self> {
        let at = (page as usize).checked_mul(PAGE_BYTES)?;
        Some(Self { offset: u64_at(pages, at)?, first_row: u32_at(pages, at + 8)? })
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Header, Vec<u8>) {
        let header = Header {
            first: Position::new(7),
            last: Position::new(9),
            generation: 3,
            parquet_bytes: 12_345,
            id_key: 99,
            recorded: (Timestamp::from_micros(-5), Timestamp::from_micros(5)),
            emptied: 1,
            has_given_ids: true,
            has_metadata: false,
            group_rows: 131_072,
            places: [Place::default(); SECTIONS],
        };
        (header, header.encode(std::array::from_fn(|section| vec![section as u8; section * 3])))
    }

    #[test]
    fn a_header_reads_back() {
        let (header, bytes) = sample();
        let decoded = Header::decode(&bytes).expect("a header");
        assert_eq!(Header { places: header.places, ..decoded }, header);
        assert_eq!(decoded.places[3].offset + decoded.places[3].len, bytes.len() as u64);
    }

    #[test]
    fn a_flipped_bit_in_a_header_is_seen() {
        for bit in 0..HEADER_BYTES * 8 {
            let (_, mut bytes) = sample();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bytes).is_err(), "bit {bit}");
        }
    }
}
