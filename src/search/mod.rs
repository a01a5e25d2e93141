//! *Which events speak of this?* Keyword and vector indexes over events: positions and scores.
//!
//! Useful for: finding positions by words, by meaning, or by both. Not for: the events themselves (read them from the
//! [`store`](crate::store)), or deciding when something is indexed (the `indexer`).
//!
//! What a fork added has indexes of its own, in memory; a `SearchReader` looks at them and at `main`'s as if they were one.
//!
//! **Invariant:** never reads the store. What is in here came from the indexer, and can be made anew from the log.

pub mod embed;
mod fork;
mod fusion;
mod keyword;
mod leaves;
mod positions;
mod reader;
pub mod vector;
mod wipe;

pub use fusion::{Fusion, MEANING_WEIGHT, Ranked};
pub use vector::{VectorPath, VectorStats};

pub(crate) use fork::ForkIndex;
pub(crate) use keyword::{
    Highlight, KeywordHit, KeywordIndex, KeywordQuery, KeywordReader, Narrow, damaged_files, highlight,
    open_to_read,
};
pub(crate) use positions::PositionSet;
pub(crate) use reader::{DEPTH, SearchReader, Wanted};
pub(crate) use vector::verify as verify_vectors;
pub(crate) use vector::{
    GraphStep, Graphs, TextHash, VectorCheckpoint, VectorFound, VectorHit, VectorOptions, VectorReader,
    Vectors,
};
pub(crate) use wipe::wipe;
