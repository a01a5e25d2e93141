//! Which events are looked at.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Result;
use crate::event::{Event, Filter, NamePattern, Position};
use crate::store::{Order, Scan, ScanLimits, Snapshot, StoreStats};

/// Events spread evenly over all positions.
const SPREAD: u64 = 240;
/// Types that get events of their own, the most frequent first.
const TYPES_MAX: usize = 60;
/// Events of a type, where it has as many.
const PER_TYPE: usize = 6;
/// The longest the looking takes: 1 s; then what is there has to do.
const TIME_MAX: Duration = Duration::from_secs(1);

pub(super) struct Gathered {
    /// Spread over all positions: shares are taken from these.
    pub(super) spread: Vec<Event>,
    /// More of the types that the spread hardly met.
    pub(super) more: Vec<Event>,
}

impl Gathered {
    pub(super) fn all(&self) -> impl Iterator<Item = &Event> {
        self.spread.iter().chain(&self.more)
    }
}

pub(super) fn gather(snapshot: &Snapshot, stats: &StoreStats, clock: &dyn Clock) -> Result<Gathered> {
    let started = clock.elapsed();
    let head = snapshot.head().get();
    let strata = head.min(SPREAD);
    let mut spread = Vec::new();
    for stratum in 0..strata {
        let (from, to) = (portion(head, stratum, strata), portion(head, stratum + 1, strata));
        // A fixed scatter within each stratum: an even step would fall in with data that has a rhythm.
        let place = from + 1 + scatter(stratum) % (to - from).max(1);
        spread.extend(readable(snapshot.event(Position::new(place))));
    }
    let mut met: HashMap<&str, usize> = HashMap::new();
    for event in &spread {
        *met.entry(event.event_type.as_str()).or_default() += 1;
    }
    let known: HashSet<Position> = spread.iter().map(|event| event.position).collect();
    let mut more: Vec<Event> = Vec::new();
    for one in stats.event_types.iter().take(TYPES_MAX) {
        let name = one.event_type.as_str();
        let here = met.get(name).copied().unwrap_or(0);
        let time_left = TIME_MAX.saturating_sub(clock.elapsed().saturating_sub(started));
        if here >= PER_TYPE || u64::try_from(here).is_ok_and(|here| here >= one.count) || time_left.is_zero()
        {
            continue;
        }
        for order in [Order::Ascending, Order::Descending] {
            let filter =
                Filter { event_type: Some(NamePattern::Exact(name.to_owned())), ..Filter::default() };
            let limits =
                ScanLimits { events_max: PER_TYPE / 2, time_max: time_left, ..ScanLimits::default() };
            let page = snapshot.scan(&Scan { filter, order, ..Scan::default() }, &limits)?;
            for event in page.events {
                let is_new = !known.contains(&event.position)
                    && more.iter().all(|known| known.position != event.position);
                more.extend(Some(event).filter(|_| is_new));
            }
        }
    }
    Ok(Gathered { spread, more })
}

/// A damaged event is not looked at; the rest still tells what is there.
fn readable(read: Result<Option<Event>>) -> Option<Event> {
    read.ok().flatten()
}

fn portion(whole: u64, part: u64, parts: u64) -> u64 {
    let product = u128::from(whole) * u128::from(part) / u128::from(parts.max(1));
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// The `SplitMix64` finaliser: the same number for the same stratum, and no pattern among them.
fn scatter(stratum: u64) -> u64 {
    let mut z = stratum.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
