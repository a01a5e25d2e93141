//! *In what order are the candidates of a scan met?* From stretch to stretch, in the order of the scan.

use std::vec::IntoIter;

use super::candidates::Candidates;
use super::reader::Reader;
use super::{Order, Scan, ScanPlan};
use crate::error::{ErrorKind, Result};
use crate::event::{EntityId, Event, Filter, NamePattern, Position, Text, Version};
use crate::store::index::{EntityKey, Postings, Span};
use crate::store::options::Mode;
use crate::store::snapshot::Snapshot;
use crate::store::view::Range;

/// A scan under way.
pub(super) struct Walk<'a> {
    filter: &'a Filter,
    order: Order,
    mode: Mode,
    low: Position,
    high: Position,
    stops: IntoIter<Stop<'a>>,
    current: Option<Current<'a>>,
    /// How the first stretch that gave candidates was read.
    pub(super) plan: Option<ScanPlan>,
    /// The candidates.
    pub(super) rows: Vec<u32>,
}

/// A stretch that may hold matches; with the entity's rows when these are known already.
struct Stop<'a> {
    range: &'a Range,
    entity: Option<Postings>,
}

struct Current<'a> {
    range: &'a Range,
    span: Span,
    candidates: Candidates,
    reader: Reader<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, scan: &'a Scan) -> Result<Self> {
        let low = scan.after.next();
        let high = scan.before.map_or(Position::MAX, Position::previous).min(snapshot.head());
        let mut stops = match stops(snapshot, &scan.filter, low, high) {
            Err(error) if error.kind() == ErrorKind::Corrupt && snapshot.mode() == Mode::Read => {
                every_stop(snapshot, low, high)
            }
            stops => stops?,
        };
        if scan.order == Order::Ascending {
            stops.reverse();
        }
        Ok(Self {
            filter: &scan.filter,
            order: scan.order,
            mode: snapshot.mode(),
            low,
            high,
            stops: stops.into_iter(),
            current: None,
            plan: None,
            rows: Vec::new(),
        })
    }

    /// There is no position in the bounds of the scan.
    pub(super) fn is_empty(&self) -> bool {
        self.low > self.high
    }

    /// The last position in the order of the scan.
    pub(super) fn end(&self) -> Position {
        match self.order {
            Order::Ascending => self.high,
            Order::Descending => self.low,
        }
    }

    /// Gets the next candidates into `rows`, at most 256, and the stretch that they belong to; `None` behind the last.
    /// They may be none although there are more.
    pub(super) fn next(&mut self) -> Result<Option<&'a Range>> {
        loop {
            if let Some(current) = &mut self.current
                && current.candidates.next(&mut self.rows)?
            {
                current.reader.take(&self.rows);
                if !self.rows.is_empty() {
                    self.plan.get_or_insert(current.candidates.plan);
                }
                return Ok(Some(current.range));
            }
            let Some(stop) = self.stops.next() else { return Ok(None) };
            self.current = Some(self.enter(&stop)?);
        }
    }

    /// Gets the first `count` candidates on their way; worth it before they are read one after the other.
    pub(super) fn prefetch(&self, count: usize) {
        if let Some(current) = &self.current {
            current.reader.prefetch(count);
        }
    }

    /// The event of the `at`-th candidate, unless its names or its time rule it out.
    pub(super) fn read(&mut self, at: usize) -> Result<Option<Event>> {
        match (&mut self.current, self.rows.get(at)) {
            (Some(current), Some(&row)) => current.reader.read(at, row, self.filter),
            _ => Ok(None),
        }
    }

    fn enter(&self, stop: &Stop<'a>) -> Result<Current<'a>> {
        let index = &stop.range.index;
        let span = Span {
            low: index.row_of(self.low.max(index.first())),
            high: index.row_of(self.high.min(index.last())),
        };
        let candidates =
            Candidates::bind(index, self.filter, stop.entity.as_ref(), span, self.order, self.mode)?;
        Ok(Current { range: stop.range, span, candidates, reader: Reader::new(stop.range) })
    }

    /// The position through which all is decided, once the present candidates are.
    pub(super) fn decided(&self) -> Option<Position> {
        let current = self.current.as_ref()?;
        let row = match (current.candidates.left(), self.order) {
            (Some(left), Order::Ascending) => left.low.saturating_sub(1),
            (Some(left), Order::Descending) => left.high.saturating_add(1),
            (None, Order::Ascending) => current.span.high,
            (None, Order::Descending) => current.span.low,
        };
        Some(current.range.index.position_of(row))
    }
}

/// The stretches to read, newest first.
fn stops<'a>(
    snapshot: &'a Snapshot,
    filter: &Filter,
    low: Position,
    high: Position,
) -> Result<Vec<Stop<'a>>> {
    match &filter.entity_id {
        Some(NamePattern::Exact(entity)) if low <= high => entity_stops(snapshot, entity, low, high),
        _ => Ok(every_stop(snapshot, low, high)),
    }
}

fn every_stop(snapshot: &Snapshot, low: Position, high: Position) -> Vec<Stop<'_>> {
    let meets = |range: &&Range| low <= high && range.index.first() <= high && range.index.last() >= low;
    let ranges = snapshot.ranges().iter().rev().map(AsRef::as_ref);
    ranges.filter(meets).map(|range| Stop { range, entity: None }).collect()
}

/// The stretches that hold an entity: from the one with its head down to the one with its version 1, no other.
fn entity_stops<'a>(
    snapshot: &'a Snapshot,
    entity: &str,
    low: Position,
    high: Position,
) -> Result<Vec<Stop<'a>>> {
    let head = snapshot.entity_head(&EntityId::trusted(Text::from(entity)))?;
    let Some(head) = head.filter(|head| head.position >= low) else { return Ok(Vec::new()) };
    let key = EntityKey::new(entity);
    let mut stops = Vec::new();
    for range in snapshot.ranges().iter().rev().map(AsRef::as_ref) {
        if range.index.first() > head.position {
            continue;
        }
        if range.index.last() < low {
            break;
        }
        if let Some(postings) = range.index.entity(key)? {
            let is_oldest = postings.first_version == Version::ZERO.next();
            if range.index.first() <= high {
                stops.push(Stop { range, entity: Some(postings) });
            }
            if is_oldest {
                break;
            }
        }
    }
    Ok(stops)
}
