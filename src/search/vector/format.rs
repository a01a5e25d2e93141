//! The files of a set, byte by byte. Numbers are little-endian; a file is its records and nothing else.
//!
//! A set's files share a stem, `NUMBER-FIRST`: the number that no other set ever had, and its first position.
//!
//! ```text
//! STEM.vectors     a record per ordinal (a vector that no other of the set equals, numbered as it came):
//!   0   4  f32     1 / the length of the codes taken as a vector
//!   4   d  i8 × d  the codes: each number × 127 / the greatest magnitude in the vector, rounded
//!
//! STEM.sketches    a record per ordinal:
//!   0  8w  u64 × w w = d / 64, rounded up: bit i of the record is set where code i is positive, zeros behind the last
//!
//! STEM.texts       a record per text that was embedded, in order of their arrival:
//!   0  16  u128    the hash of the text
//!  16   4  u32     its ordinal, or NONE where its vector was zero
//!
//! STEM.rows        a record per event, the first position's first, without a gap:
//!   0   4  u32     the ordinal of its vector, or NONE
//!   4   4  u32     the row before this one that has the same ordinal, or NONE
//!
//! STEM.last        of a sealed set, a record per ordinal:
//!   0   4  u32     the last row that has it
//!
//! STEM.gone-N      rows whose event was emptied since: bit i is set where row i is gone; the Nth such file
//! STEM.graph       drawn in graph/format.rs: a cache that can be deleted
//! ```
//!
//! Which bytes of these count, and their CRC-32C, says the [checkpoint](super::checkpoint). What follows them is garbage
//! that the next records overwrite, or space that was reserved.

/// No ordinal, no row.
pub(super) const NONE: u32 = u32::MAX;
/// The size of a record of `texts`.
pub(super) const TEXT_BYTES: usize = 20;
/// The size of a record of `rows`.
pub(super) const ROW_BYTES: usize = 8;
/// The size of a record of `last`.
pub(super) const LAST_BYTES: usize = 4;
/// The size of the inverse length in front of the codes.
pub(super) const NORM_BYTES: usize = 4;

/// The hash of a text that was embedded (xxh3): equal texts have equal vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextHash(u128);

impl TextHash {
    /// The hash of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    }

    /// What a table sorts it by.
    pub(super) fn short(self) -> u64 {
        let bytes = self.0.to_le_bytes();
        bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// How many numbers a vector has, and what follows for its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    dimension: usize,
}

impl Shape {
    /// The shape of vectors with so many numbers.
    pub(super) fn new(dimension: usize) -> Self {
        Self { dimension }
    }

    /// How many numbers a vector has.
    pub(super) fn dimension(self) -> usize {
        self.dimension
    }

    /// The size of a record of `vectors`.
    pub(super) fn vector_bytes(self) -> usize {
        NORM_BYTES + self.dimension
    }

    /// How many words a sketch has.
    pub(super) fn sketch_words(self) -> usize {
        self.dimension.div_ceil(64)
    }

    /// The size of a record of `sketches`.
    pub(super) fn sketch_bytes(self) -> usize {
        self.sketch_words() * 8
    }
}

/// A record of `rows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The ordinal of the event's vector, or [`NONE`].
    pub(super) ordinal: u32,
    /// The row before it with that ordinal, or [`NONE`].
    pub(super) previous: u32,
}

impl Row {
    /// The row of an event without a vector.
    pub(super) const EMPTY: Self = Self { ordinal: NONE, previous: NONE };

    /// The record.
    pub(super) fn encode(self) -> [u8; ROW_BYTES] {
        let mut record = [0; ROW_BYTES];
        let (ordinal, previous) = record.split_at_mut(4);
        ordinal.copy_from_slice(&self.ordinal.to_le_bytes());
        previous.copy_from_slice(&self.previous.to_le_bytes());
        record
    }

    /// What a record says.
    pub(super) fn decode(record: [u8; ROW_BYTES]) -> Self {
        let both = u64::from_le_bytes(record);
        let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or(NONE);
        Self { ordinal: low(both), previous: low(both >> 32) }
    }

    /// The record with that number among `rows`.
    pub(super) fn at(rows: &[u8], number: u32) -> Option<Self> {
        let from = number as usize * ROW_BYTES;
        Some(Self::decode(*rows.get(from..)?.first_chunk()?))
    }
}

/// A record of `texts`.
pub(super) fn encode_text(text: TextHash, ordinal: u32) -> [u8; TEXT_BYTES] {
    let mut record = [0; TEXT_BYTES];
    let (hash, number) = record.split_at_mut(16);
    hash.copy_from_slice(&text.0.to_le_bytes());
    number.copy_from_slice(&ordinal.to_le_bytes());
    record
}

/// What a record of `texts` says.
pub(super) fn decode_text(record: &[u8]) -> Option<(TextHash, u32)> {
    let hash = u128::from_le_bytes(*record.first_chunk()?);
    let ordinal = u32::from_le_bytes(*record.get(16..)?.first_chunk()?);
    Some((TextHash(hash), ordinal))
}

/// The number at an index of a file of 32-bit numbers.
pub(super) fn u32_at(bytes: &[u8], index: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(index * 4..)?.first_chunk()?))
}

/// A count that the limits of a set keep below 2³².
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}
