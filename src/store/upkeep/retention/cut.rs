//! What a policy leaves out at one moment: computed once, then carried out as it was written down.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Emptied, RetentionPolicy};
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Position, Timestamp};
use crate::store::index::Span;
use crate::store::read::Order;
use crate::store::segment::Cursor;
use crate::store::snapshot::Snapshot;
use crate::store::upkeep::merge::Damaged;
use crate::store::view::{Range, Rows};

/// The most types whose cut an event tells: 1,000. A prefix may stand for more, and a payload has its limit.
const TYPES_TOLD_MAX: usize = 1_000;

/// What one policy empties, and the event that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// The policy from which it comes.
    pub policy: RetentionPolicy,
    /// The last position that was there.
    pub head: u64,
    /// Up to where each type with something to empty is emptied.
    pub types: BTreeMap<String, TypeCut>,
    /// How many events are emptied, and how many bytes.
    pub events: u64,
    pub bytes: u64,
}

/// Up to where one type is emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TypeCut {
    /// Every event up to this position.
    pub through: u64,
    /// Every event with an earlier timestamp, in µs since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
}

impl Cut {
    /// What `policy` leaves out of a snapshot at the time `now`; `None` when that is nothing.
    ///
    /// Damaged segments count for nothing; those that are found are added to `damaged`.
    pub(super) fn of(
        policy: &RetentionPolicy,
        snapshot: &Snapshot,
        now: Timestamp,
        damaged: &mut Damaged,
    ) -> Result<Option<Self>> {
        let mut cut = Self {
            policy: policy.clone(),
            head: snapshot.head().get(),
            types: BTreeMap::new(),
            events: 0,
            bytes: 0,
        };
        let age_us = |seconds: u64| i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let before = policy.max_age_seconds.map(|age| now.as_micros().saturating_sub(age_us(age)));
        for count in snapshot.stats()?.event_types {
            let name = count.event_type.as_str();
            if !policy.matches(name) {
                continue;
            }
            let by_count = policy.max_events.map_or(Ok(0), |keep| last_beyond_count(snapshot, name, keep))?;
            let by_bytes =
                policy.max_bytes.map_or(Ok(0), |keep| last_beyond_bytes(snapshot, name, keep, damaged))?;
            cut.types.insert(name.to_owned(), TypeCut { through: by_count.max(by_bytes), before });
        }
        let mut due = BTreeSet::new();
        for range in snapshot.ranges() {
            let counted = unless_damaged(range, damaged, || {
                let (mut events, mut bytes) = (0, 0);
                cut.each_due(range, |event| {
                    if !due.contains(event.event_type.as_str()) {
                        due.insert(event.event_type.as_str().to_owned());
                    }
                    events += 1;
                    bytes += size(event);
                })?;
                Ok((events, bytes))
            })?;
            let (events, bytes) = counted.unwrap_or_default();
            cut.events += events;
            cut.bytes += bytes;
        }
        cut.types.retain(|name, _| due.contains(name));
        Ok((cut.events > 0).then_some(cut))
    }

    /// Whether an event is emptied.
    pub(super) fn empties(&self, event_type: &str, position: Position, timestamp: Timestamp) -> bool {
        position.get() <= self.head
            && self.types.get(event_type).is_some_and(|cut| {
                position.get() <= cut.through
                    || cut.before.is_some_and(|before| timestamp.as_micros() < before)
            })
    }

    /// Shows each event of a stretch that is to be emptied and is not yet, in order of position.
    pub(super) fn each_due(&self, range: &Range, mut each: impl FnMut(&Event)) -> Result<()> {
        if range.segment().is_some_and(|segment| segment.entry().emptied == u64::from(segment.rows())) {
            return Ok(());
        }
        let high = range.index.row_of(Position::new(self.head));
        if range.index.first().get() > self.head {
            return Ok(());
        }
        let earliest = range.index.time_range().map(|times| times.0);
        let (mut rows, mut of_type) = (Vec::new(), Vec::new());
        for (name, cut) in &self.types {
            let Some(postings) = range.index.event_type(name)? else { continue };
            let through = Position::new(cut.through);
            let is_young = |before: i64| earliest.is_some_and(|earliest| earliest.as_micros() >= before);
            let high = match cut.before.filter(|&before| !is_young(before)) {
                Some(_) => high,
                None if through < range.index.first() => continue,
                None => high.min(range.index.row_of(through)),
            };
            let span = Span { low: 0, high };
            postings.chunk(span, Order::Ascending, postings.count as usize, &mut of_type)?;
            rows.append(&mut of_type);
        }
        rows.sort_unstable();
        let mut reader = Reader::new(range);
        for row in rows {
            let event = reader.event(row)?;
            if !event.emptied && self.empties(event.event_type.as_str(), event.position, event.timestamp) {
                each(&event);
            }
        }
        Ok(())
    }

    /// What the event says that records it.
    pub(super) fn record(&self) -> String {
        let types: serde_json::Map<_, _> = self
            .types
            .iter()
            .take(TYPES_TOLD_MAX)
            .map(|(name, cut)| {
                let mut limits = serde_json::Map::new();
                if cut.through > 0 {
                    limits.insert("through_position".to_owned(), cut.through.into());
                }
                if let Some(before) = cut.before {
                    limits.insert("before".to_owned(), Timestamp::from_micros(before).to_string().into());
                }
                (name.clone(), limits.into())
            })
            .collect();
        json!({
            "policy": self.policy,
            "events": self.events,
            "bytes": self.bytes,
            "head_position": self.head,
            "event_type_count": self.types.len(),
            "event_types": types,
        })
        .to_string()
    }

    pub(super) fn emptied(&self) -> Emptied {
        Emptied { policy: self.policy.clone(), events: self.events, bytes: self.bytes }
    }
}

/// Bytes of payload and metadata.
fn size(event: &Event) -> u64 {
    if event.emptied {
        return 0;
    }
    (event.payload.as_str().len() + event.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len()))
        as u64
}

/// The newest event of a type that is not among its newest `keep`; 0 when there is none.
fn last_beyond_count(snapshot: &Snapshot, event_type: &str, keep: u64) -> Result<u64> {
    let (mut kept, mut rows) = (0, Vec::new());
    for range in snapshot.ranges().iter().rev() {
        let Some(postings) = range.index.event_type(event_type)? else { continue };
        let high = range.index.row_of(snapshot.head());
        let count = u64::from(postings.rank(high)?.count);
        if kept + count <= keep {
            kept += count;
            continue;
        }
        let wanted = usize::try_from(keep - kept + 1).unwrap_or(usize::MAX);
        postings.chunk(Span { low: 0, high }, Order::Descending, wanted, &mut rows)?;
        return Ok(rows.last().map_or(0, |&row| range.index.position_of(row).get()));
    }
    Ok(0)
}

/// Reads a stretch, or nothing of it when it lies in a damaged segment.
fn unless_damaged<T>(
    range: &Range,
    damaged: &mut Damaged,
    read: impl FnOnce() -> Result<T>,
) -> Result<Option<T>> {
    let segment = range.segment();
    if segment.is_some_and(|segment| damaged.contains(&segment.name())) {
        return Ok(None);
    }
    match (read(), segment) {
        (Err(error), Some(segment))
            if error.kind() == ErrorKind::Corrupt && !segment.verify(&|| true).is_empty() =>
        {
            tracing::error!("failed to {error}; retention passes segment {} over", segment.name());
            damaged.insert(segment.name());
            Ok(None)
        }
        (read, _) => read.map(Some),
    }
}

/// The newest event of a type that does not fit into `keep` bytes with all that are newer; 0 when there is none.
fn last_beyond_bytes(snapshot: &Snapshot, event_type: &str, keep: u64, damaged: &mut Damaged) -> Result<u64> {
    let (mut kept, mut rows) = (0, Vec::new());
    for range in snapshot.ranges().iter().rev() {
        let Some(postings) = range.index.event_type(event_type)? else { continue };
        let span = Span { low: 0, high: range.index.row_of(snapshot.head()) };
        postings.chunk(span, Order::Descending, postings.count as usize, &mut rows)?;
        let beyond = unless_damaged(range, damaged, || {
            let mut reader = Reader::new(range);
            for &row in &rows {
                let event = reader.event(row)?;
                kept += size(&event);
                if kept > keep {
                    return Ok(event.position.get());
                }
            }
            Ok(0)
        })?;
        if let Some(position) = beyond.filter(|&position| position > 0) {
            return Ok(position);
        }
    }
    Ok(0)
}

/// Reads neighbouring events of a stretch.
struct Reader<'a> {
    range: &'a Range,
    cursor: Option<Cursor<'a>>,
}

impl<'a> Reader<'a> {
    fn new(range: &'a Range) -> Self {
        Self { range, cursor: range.segment().map(|segment| segment.replay()) }
    }

    fn event(&mut self, row: u32) -> Result<Event> {
        match (&mut self.cursor, &self.range.rows) {
            (Some(cursor), Rows::Segment(segment)) => cursor.event(self.range.segment_row(segment, row)),
            _ => self.range.event(row),
        }
    }
}
