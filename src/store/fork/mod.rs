//! *What is tried without harm?* Copy-on-write branches: an agent forks the store, appends, looks, and promotes or discards.
//!
//! Useful for: what-if, experiments, work that somebody should see before it counts. Not for: a second store; a fork
//! holds at most what one append may.
//!
//! ```text
//! DIR/tenants/default/forks/<id>/manifest.json    its parent, its cut, how long it stays
//! DIR/tenants/default/forks/<id>/log/             what was appended to it: one file, from its first append on
//! ```
//!
//! A fork reads its own log, then its parent's *current* files up to the cut. Making one writes a manifest and copies
//! nothing. What it added goes to its parent as one frame, which says which fork it was: that frame alone decides whether a
//! fork was promoted.
//!
//! **Invariant:** nothing that a fork does changes a file of its parent, but for that one frame.

mod create;
mod entry;
mod forks;
mod id;
mod life;
mod lineage;
mod log;
mod offer;
mod open;
mod promote;
mod sweep;
mod tags;
mod verify;

pub use entry::{ForkChange, ForkInfo, ForkListed, ForkState, NewFork};
pub(crate) use forks::Forks;
pub use id::ForkId;
pub(crate) use lineage::Lineage;
pub(crate) use promote::FORK as FORK_STAMP;
pub use promote::{OnConflict, Promoted, Promotion, PromotionConflict};
pub use tags::Tag;
