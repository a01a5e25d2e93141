//! What counts of the files: lengths and checksums, to be kept where the search index commits.

use serde::{Deserialize, Serialize};

/// The version of the files that this program writes.
pub(super) const FORMAT: u32 = 1;

/// Up to where vectors are written and synced. Opening with it forgets everything behind it.
#[derive(Clone, Serialize, Deserialize, PartialEq, Debug)]
pub struct VectorCheckpoint {
    /// The version of the files.
    pub(super) format: u32,
    /// The embedder that made the vectors.
    pub(super) model: String,
    /// How many numbers a vector has.
    pub(super) dimension: usize,
    /// The number of the next set.
    pub(super) next_set: u64,
    /// The sets, in order of their positions; the last may be open to more.
    pub(super) sets: Vec<SetLengths>,
}

impl VectorCheckpoint {
    /// The embedder that made the vectors.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// What counts of the files of one set.
#[derive(Clone, Serialize, Deserialize, PartialEq, Debug)]
pub(super) struct SetLengths {
    /// The number that no other set ever had.
    pub(super) number: u64,
    /// The position of its first row.
    pub(super) first: u64,
    /// Each of the files.
    pub(super) vectors: Length,
    /// See [`format`](super::format).
    pub(super) sketches: Length,
    /// See [`format`](super::format).
    pub(super) texts: Length,
    /// See [`format`](super::format).
    pub(super) rows: Length,
    /// There once the set is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Length>,
    /// The number and length of the file of emptied rows, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gone: Option<(u64, Length)>,
}

/// How many bytes of a file count, and their CRC-32C.
#[derive(Clone, Copy, Serialize, Deserialize, PartialEq, Debug, Default)]
pub(super) struct Length {
    /// How many bytes count.
    pub(super) bytes: u64,
    /// Their CRC-32C.
    pub(super) crc: u32,
}

impl Length {
    /// The length of a file that is these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, crc: crc32c::crc32c(bytes) }
    }
}
