//! *What led to this, what came of it, what belongs to the same request?* Follows ids in metadata from event to event.
//!
//! `metadata.causation_id` is the event id of what led to an event; `metadata.correlation_id` is shared by all that belongs
//! to one request. Causes are looked up by their ids. Effects and what is correlated are found by the keyword index as far as it
//! is, and behind it among the events themselves.
//!
//! **Invariant:** every event is read and its id compared, so an index can hide a relation and never make one up; and an event
//! is followed once, so a circle ends.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::query::{SCAN_TIME_MAX, View};
use crate::clock::Clock;
use crate::error::Result;
use crate::event::filter::{Conditions, Path};
use crate::event::{Event, EventId, Filter, Position};
use crate::indexer::Published;
use crate::search::PositionSet;
use crate::store::{Scan, ScanLimits};

/// The most steps from a start: 32.
pub(crate) const HOPS_MAX: usize = 32;
/// The most events that are related, the starts among them: 1,000.
pub(crate) const RELATED_MAX: usize = 1_000;
/// The most events behind the index that are looked at for their ids: 1,000,000.
const BEHIND_MAX: usize = 1_000_000;
/// The events that are read at a time.
const STEP: usize = 4_096;

/// How events belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// What led to the starts, and to that.
    Causes,
    /// What came of the starts, and of that.
    Effects,
    /// What shares a start's `correlation_id`.
    Correlation,
}

impl Relation {
    /// The path of the id that tells it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Causes | Self::Effects => "metadata.causation_id",
            Self::Correlation => "metadata.correlation_id",
        }
    }
}

/// An event that is related.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The steps from a start; 0 is a start.
    pub hop: usize,
    /// Whether the filter lets it through.
    pub is_shown: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Related {
    /// All of it, the starts too.
    pub places: BTreeMap<Position, Place>,
    /// Starts that have no such id.
    pub without: usize,
    /// Causes that are named and are no event here: how many, and the first.
    pub unknown: (usize, Option<String>),
    /// Time ran out, or more lies behind the index than is looked at.
    pub timed_out: bool,
    /// There is more than [`RELATED_MAX`].
    pub is_full: bool,
    /// Events [`HOPS_MAX`] steps away, which were not followed.
    pub last: Vec<EventId>,
    /// How many events were looked at.
    pub examined: u64,
    /// How far the index knew it.
    pub indexed_through: Position,
}

/// Follows a relation from `starts` over a view, using the index where there is one. `shown` says which events are shown.
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written.
pub(crate) fn follow(
    relation: Relation,
    starts: &[Event],
    view: &View,
    shown: &Filter,
    index: Option<&Arc<Published>>,
    clock: &dyn Clock,
) -> Result<Related> {
    let mut walk = Walk {
        relation,
        path: Path::parse(relation.path())?,
        view,
        shown,
        index,
        clock,
        until: clock.elapsed().saturating_add(SCAN_TIME_MAX),
        behind: None,
        found: Related::default(),
    };
    walk.run(starts)?;
    Ok(walk.found)
}

struct Walk<'a> {
    relation: Relation,
    path: Path,
    view: &'a View,
    shown: &'a Filter,
    index: Option<&'a Arc<Published>>,
    clock: &'a dyn Clock,
    /// When time is up.
    until: Duration,
    /// Where the ids behind the index stand, by their hashes; read when it is first needed.
    behind: Option<HashMap<u64, Vec<Position>>>,
    found: Related,
}

impl Walk<'_> {
    fn run(&mut self, starts: &[Event]) -> Result<()> {
        let mut level = Vec::new();
        for start in starts {
            self.found.examined += 1;
            self.found.without += usize::from(self.id_at(start).is_none());
            self.add(start, 0, &mut level);
        }
        // Everything that is correlated is one step away.
        let hops = if self.relation == Relation::Correlation { 1 } else { HOPS_MAX };
        for hop in 1..=hops {
            if level.is_empty() || self.found.is_full || self.found.timed_out {
                return Ok(());
            }
            level = self.step(&level, hop)?;
        }
        if self.relation != Relation::Correlation {
            self.found.last = level.into_iter().map(|link| link.event_id).collect();
        }
        Ok(())
    }

    /// The events one step behind those of `level` that were not reached yet, in the order of their positions.
    fn step(&mut self, level: &[Link], hop: usize) -> Result<Vec<Link>> {
        let mut next = Vec::new();
        if self.relation == Relation::Causes {
            for cause in self.causes(level)? {
                self.add(&cause, hop, &mut next);
            }
            return Ok(next);
        }
        let wanted: HashSet<String> = match self.relation {
            Relation::Correlation => level.iter().filter_map(|link| link.id.clone()).collect(),
            _ => level.iter().map(|link| link.event_id.to_string()).collect(),
        };
        for position in self.holders(&wanted)?.iter() {
            if self.found.places.contains_key(&position) {
                continue;
            }
            if self.clock.elapsed() > self.until {
                self.found.timed_out = true;
                break;
            }
            let Some(event) = self.view.snapshot.event(position)? else { continue };
            self.found.examined += 1;
            if self.id_at(&event).is_some_and(|id| wanted.contains(&id)) {
                self.add(&event, hop, &mut next);
            }
            if self.found.is_full {
                break;
            }
        }
        Ok(next)
    }

    /// The events that those of a level name as what led to them, the oldest first.
    fn causes(&mut self, level: &[Link]) -> Result<Vec<Event>> {
        let mut named: Vec<&str> = level.iter().filter_map(|link| link.id.as_deref()).collect();
        named.sort_unstable();
        named.dedup();
        let ids: Vec<Option<EventId>> = named.iter().map(|name| EventId::new(*name).ok()).collect();
        let known: Vec<&EventId> = ids.iter().flatten().collect();
        let mut events = self.view.snapshot.events_by_id(&known)?.into_iter();
        let mut causes = Vec::new();
        for (name, id) in named.into_iter().zip(&ids) {
            self.found.examined += 1;
            if let Some(cause) = id.as_ref().and_then(|_| events.next()).flatten() {
                causes.push(cause);
            } else {
                self.found.unknown.0 += 1;
                self.found.unknown.1.get_or_insert_with(|| name.to_owned());
            }
        }
        causes.sort_by_key(|cause| cause.position);
        self.found.timed_out |= self.clock.elapsed() > self.until;
        Ok(causes)
    }

    /// Where events stand that may have one of these ids.
    fn holders(&mut self, wanted: &HashSet<String>) -> Result<PositionSet> {
        let mut found = PositionSet::default();
        let mut behind = Position::ZERO;
        if let Some(index) = self.index {
            behind = index.keyword_through.min(self.view.snapshot.head());
            let ids = wanted.iter().map(String::as_str);
            index.reader.keyword().add_holders(self.relation.path(), ids, behind, &mut found)?;
        }
        self.found.indexed_through = behind;
        let by_hash = match self.behind.take() {
            Some(known) => known,
            None => self.read_behind(behind)?,
        };
        for position in wanted.iter().filter_map(|id| by_hash.get(&hash(id))).flatten() {
            found.insert(*position);
        }
        self.behind = Some(by_hash);
        Ok(found)
    }

    /// The ids of the events behind a position.
    fn read_behind(&mut self, mut after: Position) -> Result<HashMap<u64, Vec<Position>>> {
        let mut by_hash: HashMap<u64, Vec<Position>> = HashMap::new();
        let condition = format!("{} IS NOT NULL", self.relation.path());
        let conditions = Conditions::parse(&[&condition], self.clock.now(), self.view.zone)?;
        let filter = Filter { conditions, ..Filter::default() };
        let mut count = 0;
        while after < self.view.snapshot.head() {
            let time_max = self.until.saturating_sub(self.clock.elapsed());
            let scan = Scan { filter: filter.clone(), after, ..Scan::default() };
            let limits = ScanLimits { events_max: STEP, time_max, ..ScanLimits::default() };
            let page = self.view.snapshot.scan(&scan, &limits)?;
            self.found.examined += page.examined;
            count += page.events.len();
            for event in &page.events {
                if let Some(id) = self.id_at(event) {
                    by_hash.entry(hash(&id)).or_default().push(event.position);
                }
            }
            match page.scanned_to {
                _ if page.complete => break,
                Some(to) if to > after && !time_max.is_zero() && count < BEHIND_MAX => after = to,
                _ => {
                    self.found.timed_out = true;
                    break;
                }
            }
        }
        Ok(by_hash)
    }

    /// Adds an event unless it is there, had not happened by `as_of`, or there is no more room.
    fn add(&mut self, event: &Event, hop: usize, level: &mut Vec<Link>) {
        if hop > 0 && self.view.filter.as_of.is_some_and(|as_of| event.timestamp > as_of) {
            return;
        }
        let is_full = self.found.places.len() >= RELATED_MAX;
        let id = self.id_at(event);
        match self.found.places.entry(event.position) {
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if is_full => self.found.is_full = true,
            Entry::Vacant(place) => {
                place.insert(Place { hop, is_shown: self.shown.matches(event) });
                level.push(Link { event_id: event.event_id.clone(), id });
            }
        }
    }

    /// The id by which an event is related; of a number its digits.
    fn id_at(&self, event: &Event) -> Option<String> {
        match self.path.extract(event)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// What is needed of an event to go on from it.
struct Link {
    event_id: EventId,
    /// The id that it names.
    id: Option<String>,
}

fn hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}
