//! *Where are the bytes, and what survives a crash?* The only door to files.
//!
//! Useful for: appending events and reading them back, with the promises on [`Store`]. Not for: deciding what an
//! agent may do ([`engine`](crate::engine)), or how an answer looks ([`tools`](crate::tools)).
//!
//! **Invariant:** nothing above this module opens a file of the data directory.
//!
//! ```text
//! DIR/LOCK                                   held by the process that has the store open for writing
//! DIR/tenants/default/main/manifest.json     which files there are
//! DIR/tenants/default/main/log/              frames, in files of 64 MiB named by their first position
//! DIR/tenants/default/main/segments/         older events: Parquet files, each with an envelope
//! DIR/tenants/default/main/index/            what can be rebuilt from both: who is where
//! DIR/tenants/default/main/states/           folded states of long entities, which can be deleted at any time
//! DIR/tenants/default/main/search/           what the indexer makes of the events; can be deleted while the store is closed
//! DIR/tenants/default/forks/<id>/            a fork: what was appended to it, and where it comes from
//! ```
//!
//! A write goes: `append` prepares on a pinned [`Snapshot`] → decides, writes and syncs a group → the
//! in-memory part of `index` → the head moves → the caller is answered. A read pins a [`Snapshot`] and walks the index
//! of each range of positions, newest or oldest first, down to the record in a mapped log file or the row in a segment.
//! Behind all that, `upkeep` turns full log files into segments, merges these, and empties what is not kept.

mod append;
mod background;
mod backup;
mod branch;
mod close;
mod cold;
mod create;
mod discard;
pub mod disk;
mod feed;
mod followed;
mod following;
mod fork;
mod index;
mod leftovers;
mod log;
mod manifest;
mod mend;
mod open;
mod options;
pub(crate) mod priority;
mod prove;
mod read;
mod recover;
mod rescue;
mod rotate;
mod salvage;
mod segment;
mod snapshot;
mod upkeep;
mod state;
mod verify;
mod view;

pub use append::{Append, AppendCondition, Appended, StoredEvent};
pub use backup::{BackedUp, Restored};
pub use feed::{Feed, FeedWaker};
pub(crate) use fork::FORK_STAMP;
pub use fork::{
    ForkChange, ForkId, ForkInfo, ForkListed, ForkState, NewFork, OnConflict, Promoted, Promotion,
    PromotionConflict, Tag,
};
pub use open::Store;
pub use options::{Durability, Mode, Options, PlantedBug};
pub(crate) use read::ColumnSink;
pub use read::{Order, Page, Scan, ScanLimits, ScanPlan, Work};
pub use salvage::Salvaged;
pub(crate) use segment::Column;
pub use snapshot::{Head, SegmentStats, Snapshot, StoreStats, TypeCount};
pub(crate) use state::SavedState;
pub use upkeep::{Emptied, RETENTION_APPLIED, RETENTION_ENTITY, RetentionPolicy, Upkeep};
pub use verify::{Damage, VerifyReport};
