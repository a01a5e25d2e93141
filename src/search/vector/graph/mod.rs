//! Graphs over sealed sets: for searches over many vectors that need not look at each of them.
//!
//! They are hierarchical navigable small world graphs (Malkov and Yashunin, *Efficient and robust approximate nearest
//! neighbor search using hierarchical navigable small world graphs*, 2016). Who is whose neighbour is kept in a [file](mod@format)
//! that is searched where it is mapped; the vectors are those of the set. A vector that a search for itself does not find
//! is on a list that is scored each time.
//!
//! **Invariant:** a graph can be deleted at any time. It costs time, never an answer.

mod beam;
mod build;
mod format;
mod search;
mod work;

pub(super) use format::Graph;
pub(super) use search::GraphSearch;
pub(crate) use work::{GraphStep, Graphs};
