//! *Which positions may hold what is wanted?* The bound plan of a scan, stretch by stretch.
//!
//! A stretch offers several lists of rows that contain every match: those of the entity, those of the type, those
//! of all names with a prefix, or simply all rows. The shortest is read, and blocks of 1,024 rows whose times lie
//! outside are passed over unread.
//!
//! **Invariant:** no match is ever left out; that a candidate matches is for the filter to decide. A damaged index
//! is an error with [`Mode::Write`]; with [`Mode::Read`] all rows are read instead.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Order, ScanPlan};
use crate::error::{ErrorKind, Result};
use crate::event::{Filter, NamePattern, Timestamp};
use crate::store::index::{NameKind, Postings, RangeIndex, Span, TIME_BLOCK};
use crate::store::options::Mode;

/// The most candidates that are taken at once, and the most that are decided between two looks at the clock.
pub(super) const CANDIDATES_MAX: usize = 256;
/// The most lists that are merged for a prefix; beyond that all rows are read.
const MERGED_MAX: usize = 64;

/// Where the candidates of one stretch come from.
pub(super) struct Candidates {
    source: Source,
    /// What is left of the stretch.
    span: Option<Span>,
    order: Order,
    mode: Mode,
    /// Per block of 1,024 rows, whether its times can match; empty when time does not matter.
    blocks: Vec<bool>,
    pub(super) plan: ScanPlan,
}

enum Source {
    All,
    One(Postings),
    Merged(Merge),
}

/// The part of a filter that blocks of times can rule out; both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeBounds {
    low: Timestamp,
    high: Timestamp,
}

impl TimeBounds {
    /// The bounds of a filter; `None` when it takes every time.
    pub(super) fn of(filter: &Filter) -> Option<Self> {
        if filter.since.is_none() && filter.until.is_none() && filter.as_of.is_none() {
            return None;
        }
        let before = filter.until.map(|until| Timestamp::from_micros(until.as_micros().saturating_sub(1)));
        let ends = [before, filter.as_of];
        Some(Self {
            low: filter.since.unwrap_or(Timestamp::MIN),
            high: ends.into_iter().flatten().min().unwrap_or(Timestamp::MAX),
        })
    }

    fn meets(self, times: (Timestamp, Timestamp)) -> bool {
        times.0 <= self.high && times.1 >= self.low
    }
}

impl Candidates {
    /// Binds a filter to the rows `span` of one stretch; `entity` when the entity's list is known already.
    pub(super) fn bind(
        index: &RangeIndex,
        filter: &Filter,
        entity: Option<Postings>,
        span: Span,
        order: Order,
        mode: Mode,
    ) -> Result<Self> {
        let mut blocks = Vec::new();
        let mut span = Some(span);
        if let Some(bounds) = TimeBounds::of(filter) {
            if index.time_range().is_some_and(|times| !bounds.meets(times)) {
                span = None;
            } else {
                match index.times() {
                    Ok(times) => blocks.extend(times.into_iter().map(|times| bounds.meets(times))),
                    Err(error) if is_read_around(&error, mode) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let all = (Source::All, ScanPlan::All);
        let found = match span.map(|span| cheapest(index, filter, entity, span, order)) {
            Some(Err(error)) if is_read_around(&error, mode) => Some(all),
            Some(found) => found?,
            None => None,
        };
        let Some((source, plan)) = found else { return Ok(Self::none(order, mode)) };
        Ok(Self { source, span, order, mode, blocks, plan })
    }

    fn none(order: Order, mode: Mode) -> Self {
        Self { source: Source::All, span: None, order, mode, blocks: Vec::new(), plan: ScanPlan::All }
    }

    /// Puts the next candidates, at most 256, into `rows` (emptied first); false when there are none left. The rows
    /// may be none although there are more.
    pub(super) fn next(&mut self, rows: &mut Vec<u32>) -> Result<bool> {
        rows.clear();
        let Some(span) = self.span else { return Ok(false) };
        let taken = match &mut self.source {
            Source::All => {
                self.span = next_rows(span, self.order, &self.blocks, rows);
                return Ok(true);
            }
            Source::One(postings) => postings.chunk(span, self.order, CANDIDATES_MAX, rows),
            Source::Merged(merge) => merge.next(rows),
        };
        if let Err(error) = taken {
            if !is_read_around(&error, self.mode) {
                return Err(error);
            }
            rows.clear();
            self.source = Source::All;
            return Ok(true);
        }
        self.span = match rows.last() {
            Some(&row) if rows.len() == CANDIDATES_MAX => behind(span, row, self.order),
            _ => None,
        };
        rows.retain(|&row| is_wanted(&self.blocks, row));
        Ok(true)
    }

    /// What is not decided once the rows that were given are; `None` when all is.
    pub(super) fn left(&self) -> Option<Span> {
        self.span
    }
}

fn is_read_around(error: &crate::error::Error, mode: Mode) -> bool {
    mode == Mode::Read && error.kind() == ErrorKind::Corrupt
}

fn is_wanted(blocks: &[bool], row: u32) -> bool {
    blocks.is_empty() || blocks.get((row / TIME_BLOCK) as usize).copied().unwrap_or(true)
}

/// What is left of `span` behind `row`.
fn behind(span: Span, row: u32, order: Order) -> Option<Span> {
    let left = match order {
        Order::Ascending => Span { low: row.checked_add(1)?, high: span.high },
        Order::Descending => Span { low: span.low, high: row.checked_sub(1)? },
    };
    (left.low <= left.high).then_some(left)
}

/// Takes up to 256 rows of the next wanted block; gives what is left.
fn next_rows(mut span: Span, order: Order, blocks: &[bool], rows: &mut Vec<u32>) -> Option<Span> {
    let more = CANDIDATES_MAX as u32 - 1;
    loop {
        let edge = match order {
            Order::Ascending => {
                let end = (span.low / TIME_BLOCK * TIME_BLOCK).saturating_add(TIME_BLOCK - 1).min(span.high);
                let taken = end.min(span.low.saturating_add(more));
                if is_wanted(blocks, span.low) {
                    rows.extend(span.low..=taken);
                    taken
                } else {
                    end
                }
            }
            Order::Descending => {
                let end = (span.high / TIME_BLOCK * TIME_BLOCK).max(span.low);
                let taken = end.max(span.high.saturating_sub(more));
                if is_wanted(blocks, span.high) {
                    rows.extend((taken..=span.high).rev());
                    taken
                } else {
                    end
                }
            }
        };
        match behind(span, edge, order) {
            Some(left) if rows.is_empty() => span = left,
            left => return left,
        }
    }
}

/// The shortest source that holds every match; `None` when there can be no match.
///
/// Lists are compared by their whole length. Any list has fewer rows in the span than the span has, so all rows are
/// read only for want of a list.
fn cheapest(
    index: &RangeIndex,
    filter: &Filter,
    mut entity: Option<Postings>,
    span: Span,
    order: Order,
) -> Result<Option<(Source, ScanPlan)>> {
    let mut best = (Source::All, ScanPlan::All);
    let mut rows = u64::MAX;
    let patterns = [
        (NameKind::Entity, &filter.entity_id, ScanPlan::Entity, ScanPlan::EntityPrefix),
        (NameKind::EventType, &filter.event_type, ScanPlan::EventType, ScanPlan::EventTypePrefix),
    ];
    for (kind, pattern, exact_plan, prefix_plan) in patterns {
        match pattern {
            None => {}
            Some(NamePattern::Exact(name)) => {
                let known = entity.take_if(|_| kind == NameKind::Entity);
                let found = if known.is_some() { known } else { index.named(kind, name)? };
                let Some(postings) = found else { return Ok(None) };
                if u64::from(postings.count) <= rows {
                    rows = u64::from(postings.count);
                    best = (Source::One(postings), exact_plan);
                }
            }
            Some(NamePattern::Prefix(prefix)) => {
                let Some(lists) = index.with_prefix(kind, prefix, MERGED_MAX)? else { continue };
                let total: u64 = lists.iter().map(|list| u64::from(list.count)).sum();
                if lists.is_empty() {
                    return Ok(None);
                }
                if total <= rows {
                    rows = total;
                    best = (Source::Merged(Merge::new(lists, span, order)?), prefix_plan);
                }
            }
        }
    }
    Ok(Some(best))
}

/// Several lists, read as one in order; no row is in two of them.
struct Merge {
    lists: Vec<Part>,
    heads: BinaryHeap<Reverse<(u32, usize)>>,
    order: Order,
}

struct Part {
    postings: Postings,
    left: Option<Span>,
    rows: std::vec::IntoIter<u32>,
}

impl Merge {
    fn new(lists: Vec<Postings>, span: Span, order: Order) -> Result<Self> {
        let lists = lists.into_iter().map(|postings| Part {
            postings,
            left: Some(span),
            rows: Vec::new().into_iter(),
        });
        let mut merge = Self { lists: lists.collect(), heads: BinaryHeap::new(), order };
        for at in 0..merge.lists.len() {
            merge.refill(at)?;
        }
        Ok(merge)
    }

    fn next(&mut self, rows: &mut Vec<u32>) -> Result<()> {
        while rows.len() < CANDIDATES_MAX {
            let Some(Reverse((key, at))) = self.heads.pop() else { return Ok(()) };
            rows.push(self.keyed(key));
            self.refill(at)?;
        }
        Ok(())
    }

    /// Puts the next row of a list onto the heap.
    fn refill(&mut self, at: usize) -> Result<()> {
        let order = self.order;
        let Some(part) = self.lists.get_mut(at) else { return Ok(()) };
        let row = match part.rows.next() {
            Some(row) => Some(row),
            None => part.fetch(order)?,
        };
        if let Some(row) = row {
            self.heads.push(Reverse((self.keyed(row), at)));
        }
        Ok(())
    }

    /// A row as the heap orders it, and back: the smallest key comes first in the order of the scan.
    fn keyed(&self, row: u32) -> u32 {
        match self.order {
            Order::Ascending => row,
            Order::Descending => u32::MAX - row,
        }
    }
}

impl Part {
    /// The first row of the next chunk of the list.
    fn fetch(&mut self, order: Order) -> Result<Option<u32>> {
        let Some(span) = self.left else { return Ok(None) };
        let mut rows = Vec::new();
        self.postings.chunk(span, order, CANDIDATES_MAX, &mut rows)?;
        self.left = match rows.last() {
            Some(&row) if rows.len() == CANDIDATES_MAX => behind(span, row, order),
            _ => None,
        };
        self.rows = rows.into_iter();
        Ok(self.rows.next())
    }
}
