//! The events of a view, one by one, for an analysis: as numbers and symbols, read once and not kept.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::query::View;
use crate::analysis::{Dictionary, Names, Observer, Seen};
use crate::clock::Clock;
use crate::error::Result;
use crate::event::filter::{Path, Places, Spot};
use crate::event::{Event, Position};
use crate::store::{Scan, ScanLimits};

/// The longest an analysis reads: 10 s; then it is made of what was read.
pub(crate) const OBSERVE_TIME_MAX: Duration = Duration::from_secs(10);
/// The events of one step.
const STEP: usize = 4_096;
/// The most different keys: 2,000,000.
const KEYS_MAX: usize = 2_000_000;
/// The most groups that are told apart: 20,000; further ones are one group.
const GROUPS_MAX: usize = 20_000;
/// The group of the groups beyond.
const FURTHER: &str = "(further groups)";
/// The most characters of a name that tell it from others.
const NAME_CHARS_MAX: usize = 256;

/// What of each event is wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Whose it is; `None` for its entity.
    pub key: Option<Path>,
    /// What groups it.
    pub by: Option<Path>,
    /// What is measured.
    pub value: Option<Path>,
}

/// Why an analysis did not see every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Time was up.
    Time,
    /// What an analysis may hold was full.
    Room,
}

/// What was met on the way.
#[derive(Default)]
pub(crate) struct Observed {
    /// The names behind the symbols.
    pub names: Dictionary,
    /// How many events were taken in.
    pub events: u64,
    /// How many had no key and were passed over.
    pub without_key: u64,
    /// How many had a number to measure.
    pub numbers: u64,
    /// Groups beyond the most that are told apart were taken as one.
    pub has_further_groups: bool,
    /// The last event that was looked at, when there are more.
    pub scanned_to: Option<Position>,
    /// Why there are more.
    pub stopped: Option<Stopped>,
    /// Positions that could not be read because their bytes are damaged.
    pub damaged: u64,
}

/// What becomes of an event.
enum Sight {
    Seen(Seen),
    /// It has no key.
    Passed,
    /// It has a name for which there is no room.
    NoRoom,
}

/// Shows the events of a view to an observer, in order of position, for at most 10 s.
///
/// # Errors
/// `Invalid` (`many_values`); `Corrupt` when stored bytes are not what was written.
pub(crate) fn observe(
    view: &View,
    wanted: &Wanted,
    clock: &dyn Clock,
    observer: &mut Observer,
) -> Result<Observed> {
    let paths: Vec<&Path> = [&wanted.key, &wanted.by, &wanted.value].into_iter().flatten().collect();
    let places = Places::new(&paths)?;
    let started = clock.elapsed();
    let mut met = Observed::default();
    let mut after = Position::ZERO;
    loop {
        let left = OBSERVE_TIME_MAX.saturating_sub(clock.elapsed().saturating_sub(started));
        let scan = Scan { filter: view.filter.clone(), after, ..Scan::default() };
        let limits = ScanLimits { events_max: STEP, time_max: left, ..ScanLimits::default() };
        let page = view.snapshot.replay(&scan, &limits)?;
        met.damaged += page.damaged;
        for event in &page.events {
            let has_room = match met.see(event, wanted, &places) {
                Sight::Seen(seen) => observer.take(&seen),
                Sight::Passed => true,
                Sight::NoRoom => false,
            };
            if !has_room {
                met.scanned_to = Some(event.position);
                met.stopped = Some(Stopped::Room);
                return Ok(met);
            }
        }
        match page.scanned_to {
            _ if page.complete => return Ok(met),
            Some(to) if to > after && !left.is_zero() => after = to,
            _ => {
                met.scanned_to = Some(after);
                met.stopped = Some(Stopped::Time);
                return Ok(met);
            }
        }
    }
}

impl Observed {
    /// The event as an analysis sees it.
    fn see(&mut self, event: &Event, wanted: &Wanted, places: &Places) -> Sight {
        let mut spots = places.read(event).into_iter();
        let mut next = |path: &Option<Path>| path.as_ref().map(|_| spots.next().flatten());
        let (key, by, value) = (next(&wanted.key), next(&wanted.by), next(&wanted.value));
        let key = match &key {
            None => event.entity_id.as_str(),
            Some(Some(spot)) => spot.text(),
            Some(None) => {
                self.without_key += 1;
                return Sight::Passed;
            }
        };
        let names = &mut self.names;
        let Some(symbol) = names.keys.intern(begin(key), KEYS_MAX) else { return Sight::NoRoom };
        let Some(event_type) = names.types.intern(event.event_type.as_str(), usize::MAX) else {
            return Sight::NoRoom;
        };
        let group = by
            .flatten()
            .map(|spot| group(&mut names.groups, begin(spot.text()), &mut self.has_further_groups));
        self.events += 1;
        let number = value.as_ref().and_then(|spot| spot.as_ref()).and_then(Spot::number);
        self.numbers += u64::from(number.is_some());
        // What is counted as different is the value, or whose the event is where no value is measured.
        let hash = match &value {
            None => Some(xxh3_64(key.as_bytes())),
            Some(spot) => spot.as_ref().map(|spot| xxh3_64(spot.text().as_bytes())),
        };
        Sight::Seen(Seen {
            position: event.position,
            timestamp: event.timestamp,
            key: symbol,
            event_type,
            by: group.flatten(),
            number,
            hash,
        })
    }
}

/// The symbol of a group; beyond the most it is that of all further ones.
fn group(groups: &mut Names, name: &str, is_full: &mut bool) -> Option<crate::analysis::Symbol> {
    groups.intern(name, GROUPS_MAX).or_else(|| {
        *is_full = true;
        groups.intern(FURTHER, usize::MAX)
    })
}

/// The beginning of a name, as far as it counts.
fn begin(name: &str) -> &str {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((at, _)) => name.get(..at).unwrap_or(name),
        None => name,
    }
}
