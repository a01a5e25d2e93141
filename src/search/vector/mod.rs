//! *Which events mean something like this?* Vectors on disk, searched exactly or by graphs.
//!
//! Useful for: finding positions by a query vector, within a filter and up to a position. Not for: making vectors
//! ([`embed`](super::embed)), or deciding when they are added (the indexer).
//!
//! Events are added in order of their positions to the newest *set*: append-only files, one record for each different vector and
//! one for each event ([`mod@format`]). A full set is sealed. What counts of the files says a [`VectorCheckpoint`], which
//! lives where the keyword index commits, so both are always of one age.
//!
//! What a fork added is a set in memory, which a reader sees behind the sets of `main` up to the cut.
//!
//! **Invariant:** what a reader sees never changes: records are only added behind it, and its mappings stay.

mod alone;
mod bits;
mod checkpoint;
mod file;
mod filling;
mod format;
mod found;
mod gone;
mod graph;
mod kernel;
mod memory;
mod options;
mod plan;
mod quantise;
mod reader;
mod scan;
mod scope;
mod search;
mod set;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use alone::{VectorFilter, VectorIndex};
pub(crate) use checkpoint::VectorCheckpoint;
pub use format::TextHash;
pub use found::{VectorFound, VectorHit, VectorPath, Work};
pub(crate) use graph::{GraphStep, Graphs};
pub(crate) use memory::{AddedVectors, VectorMemory};
pub use options::VectorOptions;
pub(crate) use reader::VectorReader;
pub use reader::VectorStats;
pub(crate) use verify::verify;
pub(crate) use writer::Vectors;
