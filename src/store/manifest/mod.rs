//! *Which files make up this branch?* One small JSON document, replaced whole.
//!
//! ```text
//! {"crc32c":"9ae0daaf","manifest":{ … }}
//! ```
//!
//! **Invariant:** a file that the manifest names is durable before the manifest is, and [`invariants`] hold in every
//! manifest that was ever swapped in.

mod fork;
mod invariants;
mod swap;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use fork::{ForkEntry, MadeBy, PromotedAs};
pub(crate) use swap::{load, place, swap};

use super::segment::SegmentEntry;
use super::upkeep::Retention;

/// The version of the layout of a data directory: 2 since there are segments, 3 since index files find an entity by the
/// hash of its name. A store of an older format is opened as it is and takes this one by the first open for writing; its
/// index files stay as they are until they are merged.
pub(crate) const FORMAT: u32 = 3;

/// What a branch consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of the layout, [`FORMAT`].
    pub format: u32,
    /// The branch's name.
    pub branch: String,
    /// What generated event ids XOR their position with.
    pub id_key: u64,
    /// Raised by every open that may have lost positions.
    pub epoch: u64,
    /// Every position up to here is durable.
    pub synced_through: u64,
    /// Positions may have been visible that a crash took away: the branch was opened with interval durability and
    /// not closed since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
    /// Damage was found in a log file: the next open proves all of them before it trusts an index.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspect: bool,
    /// It is a backup's: it is read like any other and takes no writes, and an interrupted later backup may have left
    /// log files beside it that it does not name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// The segments, oldest first, without a gap from position 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentEntry>,
    /// How long what is kept.
    #[serde(default, skip_serializing_if = "Retention::is_empty")]
    pub retention: Retention,
    /// Positions that were given a name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, u64>,
    /// Of a fork: where it comes from, and how long it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<ForkEntry>,
    /// The first position of each log file, rising. The first of them begins at position 1, behind a segment or behind a
    /// fork's cut; those that segments hold too are kept for speed. A fork has none before its first append, and then one.
    pub log_files: Vec<u64>,
}

impl Manifest {
    /// The last position that a segment holds; 0 when there is none.
    pub(crate) fn sealed_through(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.last)
    }

    /// The last position that the branch shares with the one it was forked from; 0 of `main`.
    pub(crate) fn cut(&self) -> u64 {
        self.fork.as_ref().map_or(0, |fork| fork.cut)
    }

    /// The segments whose log files are gone: only they can be read, and only they are rewritten.
    pub(crate) fn cold(&self) -> &[SegmentEntry] {
        let hot = self.log_files.first().copied().unwrap_or(1);
        self.segments.get(..self.segments.partition_point(|segment| segment.last < hot)).unwrap_or_default()
    }
}
