//! *Where do events lie that are older than the hot log?* In Parquet files that other tools read too, each with an
//! envelope beside it.
//!
//! Useful for: writing a segment from a full log file or from other segments, reading an event by its row, proving that
//! what is there is what was written. Not for: finding a row by name or time ([`index`](super::index)), or deciding when
//! a segment is written.
//!
//! **Invariant:** a segment is written once and never changed; no byte of it is believed before the checksum of its block
//! was seen to match, and nothing in it can make the reader panic.
#![expect(
    clippy::cast_possible_truncation,
    reason = "a segment holds fewer than 2^32 rows, which is checked when it is opened, and a page fewer than 2^16"
)]

mod cache;
mod calls;
mod column;
mod columns;
mod compare;
mod cursor;
mod encoding;
#[cfg(test)]
mod fixture;
mod format;
mod lost_names;
mod merge;
mod name;
mod page;
mod reader;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod thrift;
mod verify;
mod write;

pub(crate) use cache::PageCache;
pub(crate) use column::Column;
pub(crate) use cursor::{Cursor, PagesRead};
pub(crate) use lost_names::found_segments;
pub(crate) use merge::{Empties, SegmentsSource};
pub(crate) use name::{SegmentEntry, SegmentName, segment_dir};
pub(crate) use reader::Segment;
pub(crate) use source::{LogSource, SegmentSource};
pub(crate) use verify::SegmentDamage;
pub(crate) use write::{WriteSettings, withdraw, write};
