//! Graphs over sealed sets: for searches over many vectors that need not look at each of them.
//!
//! hnsw_rs builds a graph (Malkov and Yashunin, *Efficient and robust approximate nearest neighbor search using hierarchical
//! navigable small world graphs*, 2016). Who is whose neighbour is then taken out of it and kept in a [file](format) that is
//! searched where it is mapped: a tenth of the memory, no loader to trust, and the vectors are those of the set.
//!
//! **Invariant:** a graph can be deleted at any time. It costs time, never an answer.

mod build;
mod format;
mod search;
mod work;

pub(super) use format::Graph;
pub(super) use search::GraphSearch;
pub(crate) use work::{GraphStep, Graphs};
