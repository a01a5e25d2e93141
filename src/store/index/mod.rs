//! *Which positions are meant?* Entities, types, ids, keys and times to positions, and positions to records.
//!
//! Useful for: finding events without reading others. Not for: what an event says; the log alone knows that, and
//! whoever reads an event through an index checks that it is the one that was meant.
//!
//! **Invariant:** an index is derived from the log and holds nothing that the log does not.
//!
//! The newest stretch of the log has a [`MemoryIndex`], every older one an [`IndexFile`]; both answer the same
//! questions through [`RangeIndex`]. Inside an index positions are counted from its first, from 0, and called rows.
#![expect(
    clippy::cast_possible_truncation,
    reason = "a range holds fewer than 2^32 positions and its files fewer than 4 GiB; both are checked when they are opened"
)]

mod bloom;
mod buckets;
mod build;
mod entities;
mod file;
mod format;
mod from_log;
mod from_segment;
mod hashes;
mod heads;
mod directory;
mod memory;
mod merge;
mod names;
mod postings;
mod proof;
mod range;
#[cfg(test)]
pub(crate) mod fixture;

pub(crate) use directory::{file_name, index_dir, list_indexes, positions_of};
pub(crate) use file::IndexFile;
pub(crate) use format::{TIME_BLOCK, hash_of, hash_of_id};
pub(crate) use from_log::{index_frames, push_frame};
pub(crate) use from_segment::index_rows;
pub(crate) use heads::{CachedHead, HeadCache};
pub(crate) use memory::{MemoryIndex, NewEntry, NewFrame};
pub(crate) use merge::merge_files;
pub(crate) use postings::Span;
pub(crate) use proof::IndexDamage;
pub(crate) use range::{EntityKey, NameKind, Postings, RangeIndex};
