//! What a segment is called, and what the manifest keeps of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::event::{Position, Timestamp};

/// The directory of a branch's segments.
pub(crate) fn segment_dir(branch_dir: &Path) -> PathBuf {
    branch_dir.join("segments")
}

/// What a segment is called: its positions, and how often they were rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    pub first: Position,
    pub last: Position,
    pub generation: u32,
}

impl SegmentName {
    /// The name of the Parquet file.
    pub(crate) fn file_name(&self) -> String {
        format!("{self}.parquet")
    }

    /// The name of the envelope beside it.
    pub(crate) fn envelope_name(&self) -> String {
        format!("{self}.envelope")
    }

    /// The name in that of a Parquet file or an envelope; `None` for any other file.
    pub(crate) fn parse(file_name: &str) -> Option<Self> {
        let stem = file_name.strip_suffix(".parquet").or_else(|| file_name.strip_suffix(".envelope"))?;
        let mut parts = stem.split('-').map(|digits| digits.parse::<u64>().ok());
        let (first, last) = (Position::new(parts.next()??), Position::new(parts.next()??));
        let name = Self { first, last, generation: parts.next()??.try_into().ok()? };
        (name.to_string() == stem && first <= last).then_some(name)
    }

    /// How many positions it holds.
    pub(crate) fn rows(&self) -> u64 {
        self.last.get() - self.first.get() + 1
    }
}

impl std::fmt::Display for SegmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:020}-{:020}-{:06}", self.first.get(), self.last.get(), self.generation)
    }
}

/// What the manifest keeps of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    /// The first position in it.
    pub first: u64,
    /// The last position in it.
    pub last: u64,
    /// How often these positions were rewritten.
    pub generation: u32,
    /// The size of the Parquet file.
    pub parquet_bytes: u64,
    /// The size of the envelope.
    pub envelope_bytes: u64,
    /// CRC-32C of the envelope, which holds the checksums of the Parquet file.
    pub envelope_crc: u32,
    /// How many events retention has emptied.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub emptied: u64,
    /// When the last position was recorded, in µs since 1970.
    pub recorded_last: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl SegmentEntry {
    pub(crate) fn name(&self) -> SegmentName {
        SegmentName { first: self.first(), last: self.last(), generation: self.generation }
    }

    pub(crate) fn first(&self) -> Position {
        Position::new(self.first)
    }

    pub(crate) fn last(&self) -> Position {
        Position::new(self.last)
    }

    pub(crate) fn recorded_last(&self) -> Timestamp {
        Timestamp::from_micros(self.recorded_last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_others_are_refused() {
        let name = SegmentName { first: Position::new(1), last: Position::new(160_000), generation: 3 };
        assert_eq!(name.file_name(), "00000000000000000001-00000000000000160000-000003.parquet");
        for file_name in [name.file_name(), name.envelope_name()] {
            assert_eq!(SegmentName::parse(&file_name), Some(name));
        }
        for stranger in [
            "1-2-3.parquet",
            "00000000000000000002-00000000000000000001-000003.parquet",
            "00000000000000000001-00000000000000160000-000003.index",
            "00000000000000000001-00000000000000160000.parquet",
            "",
        ] {
            assert_eq!(SegmentName::parse(stranger), None, "{stranger}");
        }
    }
}
