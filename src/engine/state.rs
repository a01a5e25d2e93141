//! What was an entity at a moment? The one place where states are folded, from a saved one on where there is one.

use std::time::Duration;

use super::Engine;
use super::fold::{Fold, Folded};
use super::query::{Stretch, View};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Event, Filter, NamePattern, Position, TimeZone, Timestamp, Version, quote};
use crate::store::{Damage, Order, SavedState, Snapshot, VerifyReport};

/// The events folded at a time.
const STEP: usize = 1_000;
/// The longest a fold for an answer goes on: 2 s. What it came to is saved, so that the next one goes on from there.
const TIME_MAX: Duration = Duration::from_secs(2);
/// How many saved states are folded anew to verify them: 64.
const VERIFIED_STATES: usize = 64;

/// Up to where an entity's events count.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'s> {
    /// Up to its head.
    pub snapshot: &'s Snapshot,
    /// Those that had happened by then.
    pub as_of: Option<Timestamp>,
    /// Up to this version.
    pub version: Option<Version>,
}

/// The state of an entity at a moment.
#[derive(Debug, Default)]
pub(crate) struct StateAt {
    /// The state.
    pub folded: Folded,
    /// Where folding stopped because time ran out, when it did.
    pub scanned_to: Option<Position>,
    /// Events that could not be read because their bytes are damaged.
    pub damaged: u64,
}

/// A fold under way.
struct Run<'e> {
    engine: &'e Engine,
    entity: &'e EntityId,
    moment: Moment<'e>,
    fold: Fold,
    /// How many events the state holds that is saved already.
    saved: u64,
    /// How many more there must be for it to be saved again; `None`: it never is.
    save_every: Option<u64>,
    /// Events behind this position may yet be lost.
    durable: Position,
}

impl Engine {
    /// The state of an entity at a moment, folded from the last saved state before it, or else from its first event.
    ///
    /// After [`state_every_events`](crate::store::Options::state_every_events) events that no saved state holds, the
    /// state is saved. `provenance` needs every event, so then no saved state is used.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn state_at(
        &self,
        entity: &EntityId,
        moment: Moment<'_>,
        provenance: bool,
    ) -> Result<StateAt> {
        let save_every = Some(self.store().state_every_events()).filter(|events| *events > 0);
        let (run, after) = if provenance {
            (self.run(entity, moment, Fold::new(true), save_every), Position::ZERO)
        } else {
            self.resume(entity, moment, save_every)
        };
        run.to_end(after, Some(TIME_MAX))
    }

    /// Saves the state of an entity as it is now, unless that is saved already; gives whether it is.
    ///
    /// # Errors
    /// `Denied` when the store is open for reading only, `Corrupt` when stored bytes are not what was written.
    pub(crate) fn save_state(&self, entity: &EntityId) -> Result<bool> {
        if !self.store().saves_states() {
            let message = "save a state: nothing can be written to the store; open it for writing";
            return Err(Error::new(ErrorKind::Denied, "read_only", message));
        }
        let snapshot = self.store().snapshot().up_to(self.store().durable());
        let Some(head) = snapshot.entity_head(entity)? else { return Ok(false) };
        let moment = Moment { snapshot: &snapshot, as_of: None, version: None };
        let (run, after) = self.resume(entity, moment, Some(1));
        run.to_end(after, None)?;
        let saved = self.store().saved_state(&snapshot, entity, None, None);
        Ok(saved.is_some_and(|(state, _)| state.version == head.version))
    }

    /// Proves all that is stored, as [`Store::verify`](crate::store::Store::verify) does, and folds a sample of at most
    /// 64 saved states anew: one that differs is damage to the file of saved states, and is not used any more.
    #[must_use]
    pub fn verify(&self) -> VerifyReport {
        let mut report = self.store().verify();
        if self.store().reads_around_damage() {
            return report;
        }
        let snapshot = self.store().snapshot();
        let (file, sample) = self.store().sample_of_states(VERIFIED_STATES);
        for saved in sample {
            let moment = Moment { snapshot: &snapshot, as_of: None, version: Some(saved.version) };
            let run = self.run(&saved.entity_id, moment, Fold::new(false), None);
            // An event that cannot be read is damage to the log, which is in the report already.
            let Ok(folded) = run.all_of(Position::ZERO) else { continue };
            if folded.as_ref() != Some(&saved) {
                self.store().discard_state(&saved);
                let reason = format!(
                    "the saved state of {} at version {} is not what its events fold into; no event is lost: close the \
                     store and delete this file from its states directory",
                    quote(saved.entity_id.as_str()),
                    saved.version
                );
                let (first_position, last_position) = (Position::ZERO, Position::ZERO);
                report.damage.push(Damage {
                    file: file.clone(),
                    offset: 0,
                    first_position,
                    last_position,
                    reason,
                });
            }
        }
        report
    }

    /// A fold that begins with the last saved state before the moment, and the position from which it goes on.
    fn resume<'e>(
        &'e self,
        entity: &'e EntityId,
        moment: Moment<'e>,
        save_every: Option<u64>,
    ) -> (Run<'e>, Position) {
        let found = self.store().saved_state(moment.snapshot, entity, moment.version, moment.as_of);
        let resumed = found.and_then(|(saved, last)| Some((Fold::after(&saved, &last)?, saved.position)));
        let (fold, after) = resumed.unwrap_or_else(|| (Fold::new(false), Position::ZERO));
        (self.run(entity, moment, fold, save_every), after)
    }

    fn run<'e>(
        &'e self,
        entity: &'e EntityId,
        moment: Moment<'e>,
        fold: Fold,
        save_every: Option<u64>,
    ) -> Run<'e> {
        let (saved, durable) = (fold.events(), self.store().durable());
        Run { engine: self, entity, moment, fold, saved, save_every, durable }
    }
}

impl Run<'_> {
    /// Folds everything behind `after`, or what there is time for.
    fn to_end(mut self, after: Position, time_max: Option<Duration>) -> Result<StateAt> {
        let (scanned_to, damaged) = self.fold_all(after, time_max)?;
        self.save_if_due();
        Ok(StateAt { folded: self.fold.finish(), scanned_to, damaged })
    }

    /// Folds everything behind `after` into what would be saved.
    fn all_of(mut self, after: Position) -> Result<Option<SavedState>> {
        self.fold_all(after, None)?;
        Ok(self.fold.saved(self.entity))
    }

    /// Gives where it stopped for want of time, if it did, and how many events could not be read.
    fn fold_all(
        &mut self,
        mut after: Position,
        time_max: Option<Duration>,
    ) -> Result<(Option<Position>, u64)> {
        let view = self.moment.view(self.entity);
        let clock = self.engine.clock();
        let started = clock.elapsed();
        let mut damaged = 0;
        loop {
            let Some(events_max) = self.wanted() else { return Ok((None, damaged)) };
            let stretch = Stretch { order: Order::Ascending, after, before: None, events_max };
            let found = view.find(&stretch)?;
            for event in &found.events {
                if self.moment.version.is_some_and(|last| event.version > last) {
                    return Ok((None, damaged));
                }
                self.take(event);
            }
            damaged += found.damaged;
            let is_over = || {
                let gone = clock.elapsed().saturating_sub(started);
                time_max.is_some_and(|time_max| found.timed_out || gone > time_max)
            };
            match found.next {
                None => return Ok((None, damaged)),
                Some(next) if is_over() => return Ok((Some(next), damaged)),
                Some(next) => after = next,
            }
        }
    }

    /// The most events of the next page; `None` when the last version that counts is in.
    fn wanted(&self) -> Option<usize> {
        let Some(last) = self.moment.version else { return Some(STEP) };
        let left = last.get().checked_sub(self.fold.version().get()).filter(|left| *left > 0)?;
        Some(usize::try_from(left).unwrap_or(STEP).min(STEP))
    }

    fn take(&mut self, event: &Event) {
        if event.position > self.durable {
            self.save_if_due();
            // What is taken from here on cannot be saved.
            self.save_every = None;
        }
        self.fold.apply(event);
    }

    fn save_if_due(&mut self) {
        let new = self.fold.events().saturating_sub(self.saved);
        if self.save_every.is_none_or(|events| new < events) {
            return;
        }
        if let Some(state) = self.fold.saved(self.entity) {
            self.engine.store().save_state(self.moment.snapshot, &state);
        }
    }
}

impl Moment<'_> {
    /// The events of an entity that count.
    fn view(&self, entity: &EntityId) -> View {
        let filter = Filter {
            // The name itself, not a pattern: a trailing star is part of it.
            entity_id: Some(NamePattern::Exact(entity.as_str().to_owned())),
            as_of: self.as_of,
            ..Filter::default()
        };
        View { snapshot: self.snapshot.clone(), is_cut: false, filter, zone: TimeZone::UTC }
    }
}
