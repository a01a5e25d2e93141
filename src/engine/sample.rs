//! A fair sample of the events of a view: every event that matches is as likely as any other.
//!
//! Common events are found by drawing positions and keeping those that match; rare ones by a scan that keeps a
//! reservoir (Vitter 1985, algorithm R).

use std::collections::HashSet;
use std::time::Duration;

use super::query::View;
use crate::clock::{Clock, IdSource};
use crate::error::Result;
use crate::event::{Event, Position};
use crate::store::{Scan, ScanLimits};

/// Draws per event that is wanted, before the scan takes over.
const DRAWS_PER_EVENT: usize = 30;
/// The events of one step of the scan.
const SCAN_STEP: usize = 4_096;

/// Events by chance, in order of position.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// The events.
    pub events: Vec<Event>,
    /// How far the scan came when time ran out: the sample stands only for the events up to there.
    pub scanned_to: Option<Position>,
}

/// At most `size` different events of the view, looked for until the clock's elapsed time is `until`.
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written.
pub(crate) fn sample(
    view: &View,
    size: usize,
    random: &dyn IdSource,
    clock: &dyn Clock,
    until: Duration,
) -> Result<Sample> {
    let mut sample = match drawn(view, size, random)? {
        Some(events) => Sample { events, scanned_to: None },
        None => reservoir(view, size, random, clock, until)?,
    };
    sample.events.sort_by_key(|event| event.position);
    Ok(sample)
}

/// The events at random positions; `None` when too few of them match.
fn drawn(view: &View, size: usize, random: &dyn IdSource) -> Result<Option<Vec<Event>>> {
    let head = view.snapshot.head().get();
    let size_wanted = u64::try_from(size).unwrap_or(u64::MAX);
    if head <= size_wanted.saturating_mul(4) {
        return Ok(None);
    }
    let mut seen = HashSet::new();
    let mut events = Vec::with_capacity(size);
    for _ in 0..size.saturating_mul(DRAWS_PER_EVENT) {
        let position = Position::new(below(random, head) + 1);
        if !seen.insert(position) {
            continue;
        }
        events.extend(view.snapshot.event(position)?.filter(|event| view.filter.matches(event)));
        if events.len() == size {
            return Ok(Some(events));
        }
    }
    Ok(None)
}

fn reservoir(
    view: &View,
    size: usize,
    random: &dyn IdSource,
    clock: &dyn Clock,
    until: Duration,
) -> Result<Sample> {
    let mut kept: Vec<Event> = Vec::with_capacity(size);
    let mut met = 0_u64;
    let mut after = Position::ZERO;
    loop {
        let left = until.saturating_sub(clock.elapsed());
        let scan = Scan { filter: view.filter.clone(), after, ..Scan::default() };
        let limits = ScanLimits { events_max: SCAN_STEP, time_max: left, ..ScanLimits::default() };
        let page = view.snapshot.scan(&scan, &limits)?;
        for event in page.events {
            met += 1;
            if kept.len() < size {
                kept.push(event);
            } else if let Some(slot) =
                usize::try_from(below(random, met)).ok().and_then(|slot| kept.get_mut(slot))
            {
                *slot = event;
            }
        }
        match page.scanned_to {
            _ if page.complete => return Ok(Sample { events: kept, scanned_to: None }),
            Some(to) if to > after && !left.is_zero() => after = to,
            _ => return Ok(Sample { events: kept, scanned_to: Some(after) }),
        }
    }
}

/// A random number below `bound` (Lemire's multiplication; its bias below 2⁻³² does not matter here).
fn below(random: &dyn IdSource, bound: u64) -> u64 {
    let product = u128::from(random.next_u64()) * u128::from(bound);
    u64::try_from(product >> 64).unwrap_or_default()
}
