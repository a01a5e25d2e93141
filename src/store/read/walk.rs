//! *In what order are the candidates of a scan met?* From stretch to stretch, in the order of the scan.

use std::vec::IntoIter;

use super::candidates::Candidates;
use super::page::Reading;
use super::reader::Reader;
use super::{ColumnSink, Order, Scan, ScanPlan, Work};
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Filter, NamePattern, Position, Version};
use crate::store::index::{EntityKey, Postings, Span};
use crate::store::options::Mode;
use crate::store::segment::{Column, Segment};
use crate::store::snapshot::Snapshot;
use crate::store::view::Range;

/// The most candidates whose pages are kept for other readers: 8,192. Who reads on reads everything, and would push out
/// what others look up.
const KEPT_ROWS_MAX: usize = 8_192;
/// The most stretches whose first candidates are found before the first is read.
const AHEAD_MAX: usize = 16;

/// A scan under way.
pub(super) struct Walk<'a> {
    filter: &'a Filter,
    order: Order,
    mode: Mode,
    low: Position,
    high: Position,
    stops: IntoIter<Stop<'a>>,
    /// How many candidates were found before the first was read.
    pub(super) found_ahead: usize,
    /// The next stretches, whose first candidates are found already.
    ahead: IntoIter<Result<Current<'a>>>,
    current: Option<Current<'a>>,
    reading: Reading,
    /// How many candidates there were so far.
    taken: usize,
    /// The last segment that had candidates.
    segment: Option<&'a Segment>,
    work: Work,
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
    /// Its first candidates, when they were found ahead; their records are on their way from memory.
    found: Option<Vec<u32>>,
    is_loaded: bool,
    has_candidates: bool,
}

/// The stretches to read, and how many others were asked and have nothing.
#[derive(Default)]
struct Stops<'a> {
    stops: Vec<Stop<'a>>,
    ruled_out: u64,
}

impl<'a> Walk<'a> {
    /// A walk from which `wanted` candidates at least will be read, if there are as many.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        scan: &'a Scan,
        reading: Reading,
        wanted: usize,
    ) -> Result<Self> {
        let low = scan.after.next();
        let high = scan.before.map_or(Position::MAX, Position::previous).min(snapshot.head());
        let Stops { mut stops, ruled_out } = match stops(snapshot, &scan.filter, low, high) {
            Err(error) if error.kind() == ErrorKind::Corrupt && snapshot.mode() == Mode::Read => {
                every_stop(snapshot, low, high)
            }
            stops => stops?,
        };
        if scan.order == Order::Ascending {
            stops.reverse();
        }
        let mut walk = Self {
            filter: &scan.filter,
            order: scan.order,
            mode: snapshot.mode(),
            low,
            high,
            stops: stops.into_iter(),
            found_ahead: 0,
            ahead: Vec::new().into_iter(),
            current: None,
            reading,
            taken: 0,
            segment: None,
            work: Work { ruled_out, ..Work::default() },
            plan: None,
            rows: Vec::new(),
        };
        walk.look_ahead(wanted);
        Ok(walk)
    }

    /// Finds the first candidates of the stretches of an entity, as many as are `wanted`, and gets their records on their
    /// way from memory: all at the same time, where stretch by stretch they would wait one after the other.
    fn look_ahead(&mut self, wanted: usize) {
        let mut found = 0;
        let mut ahead = Vec::new();
        while found < wanted && ahead.len() < AHEAD_MAX {
            if self.stops.as_slice().first().is_none_or(|stop| stop.entity.is_none()) {
                break;
            }
            let Some(stop) = self.stops.next() else { break };
            let current = self.enter(stop).and_then(Current::look);
            found += current.as_ref().map_or(0, |current| current.found.as_ref().map_or(0, Vec::len));
            ahead.push(current);
        }
        self.found_ahead = found;
        let mut left = wanted;
        for current in ahead.iter_mut().flatten() {
            let count = current.found.as_ref().map_or(0, Vec::len).min(left);
            current.reader.prefetch(count);
            current.is_loaded = true;
            left -= count;
        }
        self.ahead = ahead.into_iter();
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
                && current.take(&mut self.rows)?
            {
                let range = current.range;
                if !self.rows.is_empty() {
                    self.note();
                }
                return Ok(Some(range));
            }
            self.end_stretch();
            self.current = match (self.ahead.next(), self.stops.as_slice().is_empty()) {
                (Some(current), _) => Some(current?),
                (None, true) => return Ok(None),
                (None, false) => self.stops.next().map(|stop| self.enter(stop)).transpose()?,
            };
        }
    }

    /// Notes that the present stretch has candidates.
    fn note(&mut self) {
        let Some(current) = &mut self.current else { return };
        self.plan.get_or_insert(current.candidates.plan);
        self.taken += self.rows.len();
        current.reader.keep(self.reading == Reading::Some && self.taken <= KEPT_ROWS_MAX);
        if std::mem::replace(&mut current.has_candidates, true) {
            return;
        }
        match current.range.segment() {
            None => self.work.log_stretches += 1,
            Some(segment) if self.segment.is_some_and(|last| std::ptr::eq(last, segment.as_ref())) => {}
            Some(segment) => {
                self.work.segments += 1;
                self.segment = Some(segment);
            }
        }
    }

    /// Adds up what the stretch cost that was read to its end.
    fn end_stretch(&mut self) {
        if let Some(current) = self.current.take() {
            self.work.ruled_out += u64::from(!current.has_candidates);
            self.count_pages(&current);
        }
    }

    fn count_pages(&mut self, current: &Current<'a>) {
        let read = current.reader.pages();
        self.work.pages_decoded += read.decoded;
        self.work.pages_cached += read.cached;
    }

    /// Ends the walk behind `scanned_to`; gives what it touched.
    pub(super) fn leave(mut self, scanned_to: Option<Position>) -> Work {
        if let Some(mut current) = self.current.take() {
            self.count_pages(&current);
            if let Some(to) = scanned_to {
                let next = if self.order == Order::Ascending { to.next() } else { to.previous() };
                current.reader.leave(next);
            }
        }
        self.work
    }

    /// Gets the first `count` candidates on their way; worth it before they are read one after the other.
    pub(super) fn prefetch(&self, count: usize) {
        if let Some(current) = self.current.as_ref().filter(|current| !current.is_loaded) {
            current.reader.prefetch(count);
        }
    }

    /// Adds the event of the `at`-th candidate to `to`, unless its names or its time rule it out; gives whether it did.
    pub(super) fn read(&mut self, at: usize, to: &mut Vec<Event>) -> Result<bool> {
        match (&mut self.current, self.rows.get(at)) {
            (Some(current), Some(&row)) => current.reader.read(at, row, self.filter, to),
            _ => Ok(false),
        }
    }

    /// Gives the wanted columns of some candidates from the `at`-th on, and how many they were.
    pub(super) fn give(&mut self, at: usize, wanted: &[Column], sink: &mut impl ColumnSink) -> Result<usize> {
        match &mut self.current {
            Some(current) => current.reader.give(at, self.rows.get(at..).unwrap_or_default(), wanted, sink),
            None => Ok(0),
        }
    }

    fn enter(&self, stop: Stop<'a>) -> Result<Current<'a>> {
        let (range, index) = (stop.range, &stop.range.index);
        let span = Span {
            low: index.row_of(self.low.max(range.first())),
            high: index.row_of(self.high.min(range.last())),
        };
        let candidates = Candidates::bind(index, self.filter, stop.entity, span, self.order, self.mode)?;
        Ok(Current {
            range: stop.range,
            span,
            candidates,
            reader: Reader::new(stop.range),
            found: None,
            is_loaded: false,
            has_candidates: false,
        })
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

impl Current<'_> {
    /// Finds the first candidates.
    fn look(mut self) -> Result<Self> {
        let mut rows = Vec::new();
        if self.take(&mut rows)? {
            self.found = Some(rows);
        }
        Ok(self)
    }

    /// Puts the next candidates into `rows`; false behind the last.
    fn take(&mut self, rows: &mut Vec<u32>) -> Result<bool> {
        if let Some(found) = self.found.take() {
            *rows = found;
            return Ok(true);
        }
        self.is_loaded = false;
        if !self.candidates.next(rows)? {
            return Ok(false);
        }
        self.reader.take(rows);
        Ok(true)
    }
}

/// The stretches to read, newest first.
fn stops<'a>(snapshot: &'a Snapshot, filter: &Filter, low: Position, high: Position) -> Result<Stops<'a>> {
    match &filter.entity_id {
        Some(NamePattern::Exact(entity)) if low <= high => entity_stops(snapshot, entity, low, high),
        _ => Ok(every_stop(snapshot, low, high)),
    }
}

fn every_stop(snapshot: &Snapshot, low: Position, high: Position) -> Stops<'_> {
    let meets = |range: &&Range| low <= high && range.first() <= high && range.last() >= low;
    let ranges = snapshot.ranges().iter().rev().map(AsRef::as_ref);
    let stops = ranges.filter(meets).map(|range| Stop { range, entity: None }).collect();
    Stops { stops, ruled_out: 0 }
}

/// The stretches that hold an entity: from the one with its head down to the one with its version 1, no other.
fn entity_stops<'a>(
    snapshot: &'a Snapshot,
    entity: &str,
    low: Position,
    high: Position,
) -> Result<Stops<'a>> {
    let mut found = Stops::default();
    let key = EntityKey::new(entity);
    let Some((head, mut newest)) = snapshot.newest_of(key)? else { return Ok(found) };
    if head.position < low {
        return Ok(found);
    }
    for range in snapshot.ranges().iter().rev().map(AsRef::as_ref) {
        if range.first() > head.position {
            continue;
        }
        if range.last() < low {
            break;
        }
        // The first stretch that comes here is the one with the head.
        let postings = match newest.take() {
            None => range.index.entity(key)?,
            newest => newest,
        };
        match postings {
            Some(postings) => {
                let is_oldest = postings.first_version == Version::ZERO.next();
                if range.first() <= high {
                    found.stops.push(Stop { range, entity: Some(postings) });
                }
                if is_oldest {
                    break;
                }
            }
            None => found.ruled_out += 1,
        }
    }
    Ok(found)
}
