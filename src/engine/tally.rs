//! What do the events of a view add up to? Counted by looking at each, for at most two seconds.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::query::View;
use crate::clock::Clock;
use crate::error::Result;
use crate::event::filter::Path;
use crate::event::{Event, EventType, Position, Timestamp};
use crate::store::{Scan, ScanLimits};

/// The longest a tally takes.
const TIME_MAX: Duration = Duration::from_secs(2);
/// The events of one step.
const STEP: usize = 4_096;
/// The most different entities that are told apart: 1,000,000.
const ENTITIES_MAX: usize = 1_000_000;
/// The most different values of a path that are told apart: 100,000.
const VALUES_MAX: usize = 100_000;
/// The most characters of a value that tell it from others; the rest of it is cut off.
const VALUE_CHARS_MAX: usize = 256;

/// What the events add up to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many there are.
    pub events: u64,
    /// How many entities they belong to.
    pub entities: u64,
    /// Event types, most frequent first.
    pub types: Vec<(EventType, u64)>,
    /// The earliest and the latest timestamp.
    pub time_range: Option<(Timestamp, Timestamp)>,
    /// How often each value of each path that was asked for occurs.
    pub values: Vec<Values>,
    /// How far it was counted when time ran out.
    pub scanned_to: Option<Position>,
}

/// How often the values of a path occur.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Values {
    /// Values as text, most frequent first.
    pub counts: Vec<(String, u64)>,
    /// Further values were not told apart: there were too many different ones.
    pub is_partial: bool,
}

#[derive(Default)]
struct Counting {
    counts: HashMap<String, u64>,
    is_partial: bool,
}

impl Counting {
    /// Counts what `path` leads to; each element of an array, and no null.
    fn take(&mut self, path: &Path, event: &Event) {
        match path.extract(event) {
            None | Some(Value::Null) => {}
            Some(Value::Array(elements)) => {
                elements.iter().filter(|value| !value.is_null()).for_each(|value| self.add(value));
            }
            Some(value) => self.add(&value),
        }
    }

    fn add(&mut self, value: &Value) {
        let mut text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some((end, _)) = text.char_indices().nth(VALUE_CHARS_MAX) {
            text.truncate(end);
        }
        if let Some(count) = self.counts.get_mut(&text) {
            *count += 1;
        } else if self.counts.len() < VALUES_MAX {
            self.counts.insert(text, 1);
        } else {
            self.is_partial = true;
        }
    }

    fn finish(self) -> Values {
        let mut counts: Vec<(String, u64)> = self.counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Values { counts, is_partial: self.is_partial }
    }
}

/// Adds up the events of the view, and counts the values of `paths`.
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written.
pub(crate) fn tally(view: &View, paths: &[Path], clock: &dyn Clock) -> Result<Tally> {
    let started = clock.elapsed();
    let mut tally = Tally::default();
    let mut types: HashMap<EventType, u64> = HashMap::new();
    let mut entities = HashSet::new();
    let mut values: Vec<Counting> = paths.iter().map(|_| Counting::default()).collect();
    let mut after = Position::ZERO;
    loop {
        let left = TIME_MAX.saturating_sub(clock.elapsed().saturating_sub(started));
        let scan = Scan { filter: view.filter.clone(), after, ..Scan::default() };
        let limits = ScanLimits { events_max: STEP, time_max: left, ..ScanLimits::default() };
        let page = view.snapshot.scan(&scan, &limits)?;
        for event in &page.events {
            tally.events += 1;
            *types.entry(event.event_type.clone()).or_default() += 1;
            if entities.len() < ENTITIES_MAX {
                // Hashes stand for the names: a collision among a million is a one in ten million chance.
                entities.insert(xxhash_rust::xxh3::xxh3_64(event.entity_id.as_str().as_bytes()));
            }
            for (path, counting) in paths.iter().zip(&mut values) {
                counting.take(path, event);
            }
            let (first, last) = tally.time_range.unwrap_or((event.timestamp, event.timestamp));
            tally.time_range = Some((first.min(event.timestamp), last.max(event.timestamp)));
        }
        match page.scanned_to {
            _ if page.complete => break,
            Some(to) if to > after && !left.is_zero() => after = to,
            _ => {
                tally.scanned_to = Some(after);
                break;
            }
        }
    }
    tally.entities = u64::try_from(entities.len()).unwrap_or(u64::MAX);
    tally.values = values.into_iter().map(Counting::finish).collect();
    tally.types = types.into_iter().collect();
    tally.types.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(tally)
}
