//! *How does an event get in?* From a caller's wish to an answer that holds.
//!
//! `path` shows the whole way on one screen; then, in its order: `prepare` (what can be done before its turn, with
//! `duplicate` and `conflict`), `queue` (whose turn it is), `group` (what is decided under the commit lock), `commit` (write, sync, publish, answer).
//!
//! **Invariant:** one order, one committer. Nothing is visible before it is as durable as promised, and nothing is
//! answered before it is visible.

mod call;
mod commit;
mod conflict;
mod duplicate;
mod group;
mod path;
mod prepare;
mod queue;

pub use call::{Append, AppendCondition, Appended, StoredEvent};
pub(crate) use commit::Verdict;
pub(crate) use prepare::{Preparation, Prepared};
pub(crate) use queue::GroupCommit;
