//! *How much is there?* Counts and ranges from the indexes, without reading events.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Snapshot, heads};
use crate::error::Result;
use crate::event::{EventType, Filter, NamePattern, Position, Text, Timestamp};
use crate::store::index::{EntityKey, RangeIndex, TIME_BLOCK};
use crate::store::log::LogFile;
use crate::store::read::Reader;
use crate::store::segment::Segment;
use crate::store::view::Range;

/// An event type and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCount {
    /// The type.
    pub event_type: EventType,
    /// How many events have it.
    pub count: u64,
}

/// What a branch holds, from its indexes alone: the cost does not grow with the number of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreStats {
    /// Events, without those that are known to be damaged.
    pub events: u64,
    /// Entities that have at least one event.
    pub entities: u64,
    /// Event types, most frequent first.
    pub event_types: Vec<TypeCount>,
    /// The earliest and the latest timestamp.
    pub time_range: Option<(Timestamp, Timestamp)>,
    /// When the last batch was committed.
    pub last_recorded_at: Option<Timestamp>,
    /// Bytes of log in use.
    pub log_bytes: u64,
    /// What lies in segments.
    pub segments: SegmentStats,
    /// Bytes of index files.
    pub index_bytes: u64,
}

/// What a branch holds in Parquet, its hot log apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentStats {
    /// Segments.
    pub count: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Events in them.
    pub events: u64,
    /// Events in them whose payload and metadata retention has emptied.
    pub emptied: u64,
}

pub(super) fn stats(snapshot: &Snapshot) -> Result<StoreStats> {
    let mut stats = StoreStats { events: readable(snapshot), ..StoreStats::default() };
    let mut types: HashMap<String, u64> = HashMap::new();
    let mut times = None;
    for range in snapshot.ranges() {
        let cut = range.row_up_to(snapshot.head);
        stats.entities += range.entities_born(snapshot.head)?;
        range.index.type_counts(cut, |name, count| match types.get_mut(name) {
            Some(total) => *total += u64::from(count),
            None => drop(types.insert(name.to_owned(), u64::from(count))),
        })?;
        times = join(times, times_of(range, snapshot.head)?);
        if let RangeIndex::File(file) = &range.index {
            stats.index_bytes += file.size();
        }
    }
    stats.event_types = types
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(name, count)| TypeCount { event_type: EventType::trusted(Text::from(name)), count })
        .collect();
    stats
        .event_types
        .sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.event_type.cmp(&b.event_type)));
    stats.time_range = times;
    stats.last_recorded_at = last_recorded_at(snapshot);
    stats.log_bytes = log_bytes(snapshot);
    stats.segments = segments(snapshot);
    Ok(stats)
}

/// How many positions are known to be damaged.
pub(super) fn damaged(snapshot: &Snapshot) -> u64 {
    snapshot.ranges().iter().map(|range| range.index.damaged(range.row_up_to(snapshot.head))).sum()
}

fn readable(snapshot: &Snapshot) -> u64 {
    snapshot.head.get().saturating_sub(damaged(snapshot))
}

/// How many events match, when the indexes alone can tell.
pub(super) fn count(snapshot: &Snapshot, filter: &Filter) -> Result<Option<u64>> {
    let names = Filter {
        entity_id: filter.entity_id.clone(),
        event_type: filter.event_type.clone(),
        ..Filter::default()
    };
    if *filter != names {
        return Ok(None);
    }
    match (&filter.entity_id, &filter.event_type) {
        (None, None) => Ok(Some(readable(snapshot))),
        // A version counts the damaged events of the entity too.
        (Some(NamePattern::Exact(entity)), None) if damaged(snapshot) == 0 => Ok(Some(
            heads::newest_of(snapshot, EntityKey::new(entity))?.map_or(0, |(head, _)| head.version.get()),
        )),
        (None, Some(NamePattern::Exact(event_type))) => {
            let mut count = 0;
            for range in snapshot.ranges() {
                if let Some(postings) = range.index.event_type(event_type)? {
                    count += u64::from(postings.rank(range.row_up_to(snapshot.head))?.count);
                }
            }
            Ok(Some(count))
        }
        _ => Ok(None),
    }
}

/// Whether there is an event of a type behind a position: one look into the index of each stretch that reaches beyond it.
pub(super) fn has_after(snapshot: &Snapshot, event_type: &str, after: Position) -> Result<bool> {
    for range in snapshot.ranges().iter().rev().take_while(|range| range.last() > after) {
        let Some(postings) = range.index.event_type(event_type)? else { continue };
        let known = if range.first() > after { 0 } else { postings.rank(range.row_up_to(after))?.count };
        if postings.rank(range.row_up_to(snapshot.head))?.count > known {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The earliest and the latest timestamp of a stretch up to `head`.
///
/// Whole blocks of 1,024 rows are known; of the block in which the head lies at most 1,023 events are read.
fn times_of(range: &Range, head: Position) -> Result<Option<(Timestamp, Timestamp)>> {
    let (index, head) = (&range.index, range.up_to(head));
    let last = index.last();
    if last <= head
        && let Some(times) = index.time_range()
    {
        return Ok(Some(times));
    }
    let blocks = index.times()?;
    let rows = index.row_of(last.min(head)).saturating_add(1);
    // The in-memory index may have grown since its last position was asked for; then only full blocks are known.
    let whole = if last <= head && index.last() == last { rows } else { rows / TIME_BLOCK * TIME_BLOCK };
    let mut times = blocks
        .iter()
        .take(whole.div_ceil(TIME_BLOCK) as usize)
        .filter(|block| block.0 <= block.1)
        .copied()
        .fold(None, |all, block| join(all, Some(block)));
    let mut reader = Reader::new(range);
    for row in whole..rows {
        if !index.is_damaged(row) {
            let timestamp = reader.timestamp(row)?;
            times = join(times, Some((timestamp, timestamp)));
        }
    }
    Ok(times)
}

fn join(
    one: Option<(Timestamp, Timestamp)>,
    other: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

pub(super) fn last_recorded_at(snapshot: &Snapshot) -> Option<Timestamp> {
    let range = snapshot.ranges().last()?;
    range.recorded_at(range.row_up_to(snapshot.head)).ok()
}

/// The bytes in use of each log file: up to the end of the frame of its last position in view.
fn log_bytes(snapshot: &Snapshot) -> u64 {
    let ranges = snapshot.ranges();
    let newest_of_log = |(at, range): (usize, &Arc<Range>)| {
        let log = range.log()?;
        let is_newest = ranges.get(at + 1).is_none_or(|next| !next.is_in(log));
        is_newest.then(|| end_in(range, log, range.up_to(snapshot.head)))
    };
    ranges.iter().enumerate().filter_map(newest_of_log).sum()
}

/// The segments in view; several stretches of one follow each other.
fn segments(snapshot: &Snapshot) -> SegmentStats {
    let mut stats = SegmentStats::default();
    let mut before: Option<&Segment> = None;
    for segment in snapshot.ranges().iter().filter_map(|range| range.segment()) {
        if before.is_some_and(|before| std::ptr::eq(before, segment.as_ref())) {
            continue;
        }
        let entry = segment.entry();
        stats.count += 1;
        stats.bytes += entry.parquet_bytes + entry.envelope_bytes;
        stats.events += entry.last().min(snapshot.head).get() + 1 - entry.first;
        stats.emptied += entry.emptied;
        before = Some(segment);
    }
    stats
}

fn end_in(range: &Range, log: &LogFile, head: Position) -> u64 {
    match &range.index {
        RangeIndex::File(file) if file.last() <= head => file.log_end(),
        index => {
            let row = index.row_of(index.last().min(head));
            index.offset(row).and_then(|offset| log.end_of(offset)).unwrap_or_default()
        }
    }
}
