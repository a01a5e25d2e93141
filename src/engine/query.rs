//! The read path above the store: from what a reader wants to a page of events.

use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::filter::Conditions;
use crate::event::limits::NAME_BYTES_MAX;
use crate::event::{EntityId, Event, Filter, NamePattern, Position, TimeZone, Timestamp, parse_zone, quote};
use crate::store::{Order, Scan, ScanLimits, ScanPlan, Snapshot, Work};

/// The longest a call scans: 2 s; then it answers with what it has.
pub(super) const SCAN_TIME_MAX: Duration = Duration::from_secs(2);
/// The most payload bytes one page holds: 16 MiB.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// How long a call goes on counting what did not fit into its page: 500 ms.
const COUNT_TIME_MAX: Duration = Duration::from_millis(500);
/// A day, in microseconds.
const DAY_US: i64 = 86_400_000_000;
/// The events counted at a time.
const COUNT_STEP: usize = 4_096;

/// Which events a reader wants, in the words it used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish<'a> {
    /// An entity, or a prefix with a trailing star.
    pub entity_id: Option<&'a str>,
    /// An event type, or a prefix with a trailing star.
    pub event_type: Option<&'a str>,
    /// From this time on.
    pub since: Option<&'a str>,
    /// Before this time.
    pub until: Option<&'a str>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<&'a str>,
    /// Up to this time of the world.
    pub as_of: Option<&'a str>,
    /// Recorded up to this time.
    pub known_at: Option<&'a str>,
    /// Up to this position.
    pub as_of_position: Option<u64>,
    /// The zone of dates without one.
    pub time_zone: Option<&'a str>,
}

/// A wish, understood and bound to a view of the store.
#[derive(Clone)]
pub(crate) struct View {
    /// What the store held at the position or time that was asked for.
    pub snapshot: Snapshot,
    /// Whether that is less than it holds now.
    pub is_cut: bool,
    /// Which events.
    pub filter: Filter,
    /// The zone in which answers are written.
    pub zone: TimeZone,
}

impl Wish<'_> {
    /// Understands the wish over a snapshot; `now` is what relative times count from.
    ///
    /// # Errors
    /// `Invalid` naming the argument: a time that is no time, a zone that is none, a condition that does not parse.
    pub(crate) fn over(&self, snapshot: Snapshot, now: Timestamp) -> Result<View> {
        let zone = match self.time_zone {
            None => TimeZone::UTC,
            Some(name) => parse_zone(name).map_err(|error| error.context("time_zone"))?,
        };
        let time = |name: &str, text: Option<&str>| {
            text.map(|text| Timestamp::parse(text, now, zone))
                .transpose()
                .map_err(|error| error.context(name).with("argument", name))
        };
        let filter = Filter {
            entity_id: name_pattern("entity_id", self.entity_id)?,
            event_type: name_pattern("event_type", self.event_type)?,
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            as_of: time("as_of", self.as_of)?,
            conditions: Conditions::parse(&self.conditions, now, zone)?,
        };
        self.check_times(&filter)?;
        let mut bound = self.as_of_position.map_or(Position::MAX, Position::new);
        if let Some(known_at) = time("known_at", self.known_at)? {
            bound = bound.min(snapshot.position_known_at(known_at)?);
        }
        let is_cut = bound < snapshot.head();
        let snapshot = if is_cut { snapshot.up_to(bound) } else { snapshot };
        Ok(View { snapshot, is_cut, filter, zone })
    }

    /// Refuses a stretch of time that can hold no event: it is a slip, not a question.
    fn check_times(&self, filter: &Filter) -> Result<()> {
        let said = |text: Option<&str>| quote(text.unwrap_or_default());
        let (since, until, as_of) = (said(self.since), said(self.until), said(self.as_of));
        let message = match (filter.since, filter.until, filter.as_of) {
            (Some(from), Some(to), _) if from == to => {
                let day_after = Timestamp::from_micros(to.as_micros().saturating_add(DAY_US)).to_string();
                let day_after = day_after.split('T').next().unwrap_or_default();
                format!(
                    "read since {since} until {until}: until is exclusive, so that holds nothing; for the whole day use until {day_after}"
                )
            }
            (Some(from), Some(to), _) if from > to => {
                format!("read since {since} until {until}: since is after until; swap them")
            }
            (Some(from), _, Some(to)) if from > to => {
                format!(
                    "read since {since} as of {as_of}: since is after as_of; give an earlier since or a later as_of"
                )
            }
            _ => return Ok(()),
        };
        Err(Error::invalid("empty_time_range", message).with("argument", "since"))
    }
}

/// The pattern of a name; one that is longer than any stored name is a slip.
fn name_pattern(argument: &str, text: Option<&str>) -> Result<Option<NamePattern>> {
    let pattern = text.map(NamePattern::parse);
    if let Some(NamePattern::Exact(name) | NamePattern::Prefix(name)) = &pattern
        && name.len() > NAME_BYTES_MAX
    {
        let message = format!(
            "read {argument} {}: it is {} bytes but no name is longer than {NAME_BYTES_MAX}; shorten it, or end it with * for a prefix",
            quote(name),
            name.len()
        );
        return Err(Error::invalid("name_too_long", message).with("argument", argument));
    }
    Ok(pattern)
}

/// A stretch of the events of a view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// In which direction.
    pub order: Order,
    /// Only positions after this one.
    pub after: Position,
    /// Only positions before this one.
    pub before: Option<Position>,
    /// The most events.
    pub events_max: usize,
}

/// The events of a stretch, and whether there are more.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page begins, when there may be more.
    pub next: Option<Position>,
    /// Time ran out before the page was full.
    pub timed_out: bool,
    /// How many events were looked at.
    pub examined: u64,
    /// How they were found.
    pub plan: ScanPlan,
    /// What was touched to find them.
    pub work: Work,
    /// Positions that could not be read because their bytes are damaged.
    pub damaged: u64,
}

impl View {
    /// The events of a stretch.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn find(&self, stretch: &Stretch) -> Result<Found> {
        let scan = Scan {
            filter: self.filter.clone(),
            order: stretch.order,
            after: stretch.after,
            before: stretch.before,
        };
        // One more than is wanted: it proves that there is a next page.
        let limits = ScanLimits {
            events_max: stretch.events_max.saturating_add(1),
            bytes_max: PAGE_BYTES_MAX,
            time_max: SCAN_TIME_MAX,
            ..ScanLimits::default()
        };
        let page = self.snapshot.scan(&scan, &limits)?;
        let mut found = Found {
            examined: page.examined,
            plan: page.plan,
            work: page.work,
            damaged: page.damaged,
            events: page.events,
            ..Found::default()
        };
        if found.events.len() > stretch.events_max {
            found.events.truncate(stretch.events_max);
            found.next = found.events.last().map(|event| event.position);
        } else if !page.complete {
            let bytes: usize = found.events.iter().map(|event| event.payload.as_str().len()).sum();
            found.timed_out = bytes < PAGE_BYTES_MAX / 2;
            found.next = page.scanned_to.or(Some(match stretch.order {
                Order::Ascending => stretch.after,
                Order::Descending => stretch.before.unwrap_or_else(|| self.snapshot.head().next()),
            }));
        }
        Ok(found)
    }

    /// How many readable events the view has, and whether that is all events: from the indexes where they know, else counted
    /// for at most 500 ms.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn count(&self, clock: &dyn Clock) -> Result<(u64, bool)> {
        match self.indexed_count()? {
            Some(count) => Ok((count, self.snapshot.damaged() == 0)),
            None => self.count_between(Position::ZERO, None, clock),
        }
    }

    /// How many readable events lie between two positions, neither of them counted, and whether that is all of them:
    /// counted for at most 500 ms.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn count_between(
        &self,
        mut after: Position,
        before: Option<Position>,
        clock: &dyn Clock,
    ) -> Result<(u64, bool)> {
        let mut exact = self.snapshot.damaged() == 0;
        if exact && self.filter == Filter::default() {
            let end = before.map_or(u64::MAX, Position::get).min(self.snapshot.head().next().get());
            return Ok((end.saturating_sub(after.next().get()), true));
        }
        let started = clock.elapsed();
        let mut count = 0;
        loop {
            let left = COUNT_TIME_MAX.saturating_sub(clock.elapsed().saturating_sub(started));
            let limits = ScanLimits { events_max: COUNT_STEP, time_max: left, ..ScanLimits::default() };
            let scan = Scan { filter: self.filter.clone(), after, before, ..Scan::default() };
            let page = self.snapshot.scan(&scan, &limits)?;
            count += u64::try_from(page.events.len()).unwrap_or_default();
            exact &= page.damaged == 0;
            match page.scanned_to {
                _ if page.complete => return Ok((count, exact)),
                Some(to) if to > after && !left.is_zero() => after = to,
                _ => return Ok((count, false)),
            }
        }
    }

    /// The number of events, where an index knows it without looking at one.
    fn indexed_count(&self) -> Result<Option<u64>> {
        let Filter { entity_id, event_type, since, until, as_of, conditions } = &self.filter;
        if since.is_some() || until.is_some() || as_of.is_some() || !conditions.is_empty() {
            return Ok(None);
        }
        match (entity_id, event_type) {
            (None, None) => Ok(Some(self.snapshot.head().get().saturating_sub(self.snapshot.damaged()))),
            // A version counts the damaged events of the entity too.
            (Some(NamePattern::Exact(name)), None) if self.snapshot.damaged() == 0 => {
                let Ok(entity) = EntityId::new(name.as_str()) else { return Ok(Some(0)) };
                Ok(Some(self.snapshot.entity_head(&entity)?.map_or(0, |head| head.version.get())))
            }
            (None, Some(pattern)) if !self.is_cut => {
                let types = self.snapshot.stats()?.event_types;
                let counts = types.iter().filter(|one| pattern.matches(one.event_type.as_str()));
                Ok(Some(counts.map(|one| one.count).sum()))
            }
            _ => Ok(None),
        }
    }
}

/// The pattern that means exactly this name, also when it ends with a star.
pub(crate) fn exactly(name: &str) -> String {
    match name.strip_suffix('*') {
        Some(stem) => format!("{stem}\\*"),
        None => name.to_owned(),
    }
}
