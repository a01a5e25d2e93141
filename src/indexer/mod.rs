//! *When does an event become findable?* Follows the log in a thread of its own and is the only writer of the indexes.
//!
//! ```text
//! store ── feed ──▶ tail: words, vectors ── commit ──▶ published readers ──▶ whoever searches
//!                        (checkpoint inside the commit)
//! ```
//!
//! Useful for: starting and stopping the indexer, waiting until a position is findable, and building anew. Not for: what is
//! found ([`search`](crate::search)), or what an answer shows (`tools`).
//!
//! An append never waits for any of this. Who falls behind is the index: it says so ([`Progress`]), and a search can wait.
//!
//! What a fork added is none of the thread's business: it is indexed in memory when the fork is searched (`forks`).
//!
//! **Invariant:** what the keyword index commits names how far both indexes are and how long the vector files are, so after
//! a crash they agree with each other, and the rest is indexed again, each event once. Only durable events are indexed, so
//! an index never knows an event that the store has lost.

mod checkpoint;
mod emptied;
mod forks;
mod graphing;
mod options;
mod progress;
mod query;
mod shared;
mod tail;
mod thread;
mod vectoring;
mod verify;

pub use options::SearchOptions;
pub use progress::{Meaning, Progress};
pub use query::SearchQuery;
pub use shared::Rebuild;
pub use thread::Indexer;

pub(crate) use shared::Published;
pub(crate) use verify::verify;
