//! *Which files make up this branch?* One small JSON document, replaced whole.
//!
//! ```text
//! {"crc32c":"9ae0daaf","manifest":{ … }}
//! ```
//!
//! **Invariant:** a file that the manifest names is durable before the manifest is, and [`invariants`] hold in every
//! manifest that was ever swapped in.

mod invariants;
mod swap;

use serde::{Deserialize, Serialize};

pub(crate) use swap::{load, swap};

/// The version of the layout of a data directory.
pub(crate) const FORMAT: u32 = 1;

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
    /// The first position of each log file, rising.
    pub log_files: Vec<u64>,
}
