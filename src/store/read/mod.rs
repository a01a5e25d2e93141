//! *Which events are these?* A [`Scan`] says what is wanted, a [`ScanPlan`] how it is found, a [`Page`] what was found.
//!
//! Useful for: reading many events, page by page, over a [`Snapshot`](super::Snapshot). Not for: conditions on
//! payloads to be answered without reading; only entities, types and times are indexed.
//!
//! A scan goes recipe → bound plan → page: [`Scan`] → the `walk` over stretches with the `candidates` of each → the
//! `page` that reads them and lets the filter decide.
//!
//! **Invariant:** order is position, and the pages of one snapshot joined are the matches, each once.
#![expect(clippy::cast_possible_truncation, reason = "candidates are counted in hundreds")]

mod candidates;
mod columns;
mod page;
mod reader;
mod walk;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod model;

pub(crate) use columns::ColumnSink;
pub(super) use columns::{columns, reach};
pub(super) use page::{Reading, page};
pub(super) use reader::Reader;

use std::time::Duration;

use crate::event::{Event, Filter, Position};

/// The direction of a read; the order is always that of positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Which events.
    pub filter: Filter,
    /// In which direction.
    pub order: Order,
    /// Only positions after this one.
    pub after: Position,
    /// Only positions before this one; `None` means up to the snapshot's head.
    pub before: Option<Position>,
}

/// Where one page of a scan ends at the latest.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// The most events in the page.
    pub events_max: usize,
    /// The most events that are looked at.
    pub examined_max: u64,
    /// The most payload and metadata bytes in the page.
    pub bytes_max: usize,
    /// The longest time, after which the page is given as far as it got.
    pub time_max: Duration,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self {
            events_max: 1_000,
            examined_max: u64::MAX,
            bytes_max: 64 << 20,
            time_max: Duration::from_hours(1),
        }
    }
}

/// One page of a scan.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events that matched, in the order of the scan.
    pub events: Vec<Event>,
    /// The scan went on to its end: there is no further page.
    pub complete: bool,
    /// The last position that was decided; the next page begins behind it. `None` when nothing was looked at.
    pub scanned_to: Option<Position>,
    /// How many events were looked at.
    pub examined: u64,
    /// How they were found.
    pub plan: ScanPlan,
    /// What was touched to find them.
    pub work: Work,
    /// Positions that could not be read because their bytes are damaged (only with [`Mode::Read`](super::Mode)).
    pub damaged: u64,
}

/// What a page of a scan touched.
///
/// A stretch is what one index covers: in row form a log file or a part of one, in Parquet a segment or a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Stretches in row form that had candidates.
    pub log_stretches: u64,
    /// Segments that had candidates.
    pub segments: u64,
    /// Stretches that were passed over because their index has no such name, or no such time.
    pub ruled_out: u64,
    /// Pages of segments that were read, proved and decoded.
    pub pages_decoded: u64,
    /// Pages of segments that were found decoded.
    pub pages_cached: u64,
}

/// How a scan finds its candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanPlan {
    /// Every position in the range, skipping blocks of 1,024 whose times lie outside.
    #[default]
    All,
    /// The postings of one entity.
    Entity,
    /// The postings of the entities with a prefix.
    EntityPrefix,
    /// The postings of one event type.
    EventType,
    /// The postings of the event types with a prefix.
    EventTypePrefix,
}
