//! Events cut into buckets of time and groups: what time series, trends and anomalies are made of.

use std::collections::HashMap;

use super::aggregate::{Aggregate, Fold};
use super::calendar::Bucket;
use super::frequency::HELD_MAX;
use super::question::Question;
use super::seen::{Dictionary, Seen, Symbol};
use crate::error::{Error, Result};
use crate::event::TimeZone;

/// The most buckets between the first and the last event: 20,000.
const BUCKETS_MAX: usize = 20_000;
/// The most cells, a bucket of a group each, that are held: 500,000.
const CELLS_MAX: usize = 500_000;
/// The groups that are shown on their own; the others are added up: 8.
const GROUPS_SHOWN: usize = 8;

/// Buckets being filled.
pub(crate) struct Series {
    bucket: Bucket,
    zone: TimeZone,
    aggregate: Aggregate,
    approximate: bool,
    cells: HashMap<(Option<Symbol>, i64), Fold>,
    totals: HashMap<Option<Symbol>, u64>,
    /// The bucket that the event before fell into: most often also that of the next.
    last: Option<(i64, i64)>,
    held: usize,
}

/// Filled buckets: one line of values for each group.
pub(crate) struct Grid {
    /// Where each bucket begins, without gap.
    pub starts: Vec<i64>,
    /// The name and the values of each group, the largest first; the last may be that of all others.
    pub lines: Vec<(Option<String>, Vec<Option<f64>>)>,
}

impl Series {
    pub(crate) fn new(question: &Question) -> Self {
        Self {
            bucket: question.bucket,
            zone: question.zone,
            aggregate: question.aggregate,
            approximate: question.approximate,
            cells: HashMap::new(),
            totals: HashMap::new(),
            last: None,
            held: 0,
        }
    }

    pub(crate) fn take(&mut self, seen: &Seen) -> bool {
        let at = seen.timestamp.as_micros();
        let start = match self.last {
            Some((start, next)) if start <= at && at < next => start,
            _ => {
                let start = self.bucket.start(at, self.zone);
                self.last = Some((start, self.bucket.next(start, self.zone)));
                start
            }
        };
        *self.totals.entry(seen.by).or_default() += 1;
        let fresh = || Fold::new(self.aggregate, self.approximate);
        let cell = self.cells.entry((seen.by, start)).or_insert_with(fresh);
        self.held += cell.take(seen);
        self.held < HELD_MAX && self.cells.len() < CELLS_MAX
    }

    /// The buckets from the first to the last event, gaps included.
    ///
    /// # Errors
    /// `Invalid` (`too_many_buckets`).
    pub(crate) fn finish(self, names: &Dictionary) -> Result<Grid> {
        let mut groups: Vec<(Option<Symbol>, u64)> =
            self.totals.iter().map(|(group, n)| (*group, *n)).collect();
        let text = |group: Option<Symbol>| group.map(|group| names.groups.text(group));
        groups.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| text(a.0).cmp(&text(b.0))));
        let shown = if groups.len() > GROUPS_SHOWN + 1 { GROUPS_SHOWN } else { groups.len() };
        let starts = self.starts()?;
        let place: HashMap<i64, usize> = starts.iter().copied().zip(0..).collect();
        let line_of: HashMap<Option<Symbol>, usize> =
            groups.iter().take(shown).map(|(group, _)| *group).zip(0..).collect();
        let lines = shown + usize::from(groups.len() > shown);
        let mut folds: Vec<Vec<Option<Fold>>> =
            (0..lines).map(|_| starts.iter().map(|_| None).collect()).collect();
        for ((group, start), fold) in self.cells {
            let line = line_of.get(&group).copied().unwrap_or(shown);
            let Some(slot) =
                place.get(&start).and_then(|at| folds.get_mut(line).and_then(|line| line.get_mut(*at)))
            else {
                continue;
            };
            match slot {
                Some(before) => before.merge(fold),
                None => *slot = Some(fold),
            }
        }
        let nothing = self.aggregate.of_nothing();
        let values = |line: Vec<Option<Fold>>| -> Vec<Option<f64>> {
            line.into_iter().map(|fold| fold.map_or(nothing, Fold::finish)).collect()
        };
        let shown_groups = groups.iter().take(shown).map(|(group, _)| text(*group).map(str::to_owned));
        let others = groups.len() - shown;
        let titles = shown_groups.chain((others > 0).then(|| Some(format!("{others} others"))));
        Ok(Grid { starts, lines: titles.zip(folds.into_iter().map(values)).collect() })
    }

    fn starts(&self) -> Result<Vec<i64>> {
        let held = || self.cells.keys().map(|(_, start)| *start);
        let (Some(first), Some(last)) = (held().min(), held().max()) else { return Ok(Vec::new()) };
        let mut starts = vec![first];
        let mut at = first;
        while at < last {
            at = self.bucket.next(at, self.zone);
            starts.push(at);
            if starts.len() > BUCKETS_MAX {
                let message = format!(
                    "fill buckets of a {}: there are more than {BUCKETS_MAX} between the first and the last event; give a longer \
                     bucket, or since and until",
                    self.bucket.name()
                );
                return Err(Error::invalid("too_many_buckets", message).with("argument", "bucket"));
            }
        }
        Ok(starts)
    }
}
