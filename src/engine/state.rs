//! What was an entity at a moment? The one place where states are folded, from a saved one on where there is one.

use std::time::Duration;

use super::fold::{Fold, Folded};
use super::query::{Stretch, View};
use super::{Engine, Upcaster};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Event, Filter, NamePattern, Position, TimeZone, Timestamp, Version, quote};
use crate::store::{Damage, Order, SavedState, Snapshot};

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
    /// What payloads go through before they are folded.
    upcaster: Option<&'e Upcaster>,
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
        self.state_brought_up(entity, moment, provenance, None)
    }

    /// The same, from payloads that `upcaster` brought up to the newest schemas; no saved state knows those.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn state_brought_up(
        &self,
        entity: &EntityId,
        moment: Moment<'_>,
        provenance: bool,
        upcaster: Option<&Upcaster>,
    ) -> Result<StateAt> {
        if let Some(upcaster) = upcaster {
            let mut run = self.run(entity, moment, Fold::new(provenance), None);
            run.upcaster = Some(upcaster);
            return run.finish(Position::ZERO, Some(TIME_MAX));
        }
        let save_every = Some(self.store().state_every_events()).filter(|events| *events > 0);
        let (run, after) = if provenance {
            (self.run(entity, moment, Fold::new(true), save_every), Position::ZERO)
        } else {
            self.resume(entity, moment, save_every)
        };
        run.finish(after, Some(TIME_MAX))
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
        run.finish(after, None)?;
        let saved = self.store().saved_state(&snapshot, entity, None, None);
        Ok(saved.is_some_and(|(state, _)| state.version == head.version))
    }

    /// Folds a sample of the saved states anew; gives those that differ.
    pub(super) fn wrong_states(&self) -> Vec<Damage> {
        if self.store().reads_around_damage() || self.store().is_fork() {
            return Vec::new();
        }
        let snapshot = self.store().snapshot();
        let (file, sample) = self.store().sample_of_states(VERIFIED_STATES);
        let mut wrong = Vec::new();
        for saved in sample {
            let moment = Moment { snapshot: &snapshot, as_of: None, version: Some(saved.version) };
            let run = self.run(&saved.entity_id, moment, Fold::new(false), None);
            // An event that cannot be read is damage to the log, which is in the report already.
            let Ok(folded) = run.all_of(Position::ZERO) else { continue };
            if folded.as_ref() != Some(&saved) {
                self.store().discard_state(&saved);
                let reason = format!(
                    "the saved state of {} at version {} is not what its events fold into; no event is lost: `allsource \
                     verify --repair` removes this file, and states are folded from the events",
                    quote(saved.entity_id.as_str()),
                    saved.version
                );
                let (first_position, last_position) = (Position::ZERO, Position::ZERO);
                wrong.push(Damage { file: file.clone(), offset: 0, first_position, last_position, reason });
            }
        }
        wrong
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
        Run { engine: self, entity, moment, fold, saved, save_every, durable, upcaster: None }
    }
}

impl Run<'_> {
    /// Folds everything behind `after`, or what there is time for.
    fn finish(mut self, after: Position, time_max: Option<Duration>) -> Result<StateAt> {
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
        match self.upcaster {
            Some(upcaster) => self.fold.apply(&upcaster.bring_up(event.clone())),
            None => self.fold.apply(event),
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::Value;
    use tempfile::TempDir;

    use super::*;
    use crate::clock::{ManualClock, SeededIds, SystemClock};
    use crate::event::EventDraft;
    use crate::store::{Append, Durability, Mode, Options, Store};

    const ENTITY: &str = "order-7";

    fn options() -> Options {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000_000)));
        Options { state_every_events: 3, clock, ids: Arc::new(SeededIds::new(7)), ..Options::default() }
    }

    fn open(dir: &TempDir, options: Options) -> Engine {
        Engine::new(Store::open(dir.path(), options).expect("a store"), SystemClock::shared())
    }

    fn entity() -> EntityId {
        EntityId::new(ENTITY).expect("a name")
    }

    fn append(engine: &Engine, payload: &str) {
        let draft = EventDraft::new(ENTITY, "changed", payload.to_owned()).expect("a draft");
        engine.store().append(Append { events: vec![draft], ..Append::default() }).expect("stored");
    }

    /// A store whose entity has `count` events: `{"n":1}`, `{"n":2}` …
    fn with_events(dir: &TempDir, options: Options, count: u64) -> Engine {
        let engine = open(dir, options);
        (1..=count).for_each(|n| append(&engine, &format!("{{\"n\":{n}}}")));
        engine
    }

    fn state(engine: &Engine) -> Value {
        let snapshot = engine.store().snapshot();
        let moment = Moment { snapshot: &snapshot, as_of: None, version: None };
        let found = engine.state_at(&entity(), moment, false).expect("readable");
        found.folded.state.unwrap_or_default()
    }

    /// The version of the last saved state.
    fn saved(engine: &Engine) -> Option<u64> {
        let snapshot = engine.store().snapshot();
        let found = engine.store().saved_state(&snapshot, &entity(), None, None);
        found.map(|(state, _)| state.version.get())
    }

    /// Puts a state in the place of the saved one that the events do not fold into.
    fn falsify(engine: &Engine) {
        let snapshot = engine.store().snapshot();
        let (state, _) = engine.store().saved_state(&snapshot, &entity(), None, None).expect("a state");
        let false_state = SavedState { document: br#"{"n":"false"}"#.to_vec(), ..state };
        assert!(engine.store().save_state(&snapshot, &false_state));
    }

    #[test]
    fn a_state_is_saved_once_enough_events_came() {
        let dir = TempDir::new().expect("a directory");
        let engine = with_events(&dir, options(), 2);
        for (count, expected) in [(2, None), (3, Some(3)), (4, Some(3)), (5, Some(3)), (6, Some(6))] {
            if count > 2 {
                append(&engine, &format!("{{\"n\":{count}}}"));
            }
            assert_eq!(state(&engine)["n"], count);
            assert_eq!(saved(&engine), expected, "after {count} events");
        }
        let never = TempDir::new().expect("a directory");
        let engine = with_events(&never, Options { state_every_events: 0, ..options() }, 9);
        assert_eq!((state(&engine)["n"].as_u64(), saved(&engine)), (Some(9), None));
    }

    #[test]
    fn a_state_that_its_events_do_not_fold_into_is_found_and_not_used_again() {
        let dir = TempDir::new().expect("a directory");
        let engine = with_events(&dir, options(), 5);
        state(&engine);
        assert_eq!(engine.verify().damage, []);
        falsify(&engine);
        assert_eq!(state(&engine)["n"], "false", "a saved state is what is read");
        let damage = engine.verify().damage;
        assert_eq!(damage.len(), 1, "{damage:?}");
        assert_eq!(damage[0].file, "000001.states");
        assert!(damage[0].reason.contains("\"order-7\" at version 5"), "{}", damage[0].reason);
        assert_eq!(state(&engine)["n"], 5);
    }

    #[test]
    fn what_a_power_cut_may_take_away_is_not_saved() {
        let dir = TempDir::new().expect("a directory");
        let interval = Durability::Interval { ms: 3_600_000 };
        let engine = with_events(&dir, Options { durability: interval, ..options() }, 9);
        assert_eq!((state(&engine)["n"].as_u64(), saved(&engine)), (Some(9), None));
        drop(engine);
        let engine = open(&dir, Options { durability: interval, ..options() });
        append(&engine, "{\"n\":10}");
        assert_eq!((state(&engine)["n"].as_u64(), saved(&engine)), (Some(10), Some(9)));
    }

    #[test]
    fn states_of_events_that_are_gone_are_not_used() {
        let (here, there) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
        let engine = with_events(&here, options(), 3);
        state(&engine);
        drop(engine);
        // The same id key, the same positions and versions, but not the same events.
        let later = Arc::new(ManualClock::at(Timestamp::from_micros(2_000_000)));
        drop(with_events(&there, Options { clock: later.clone(), ..options() }, 4));
        let states = |dir: &TempDir| dir.path().join("tenants/default/main/states");
        #[expect(clippy::disallowed_methods, reason = "moves the files behind the store's back")]
        std::fs::rename(states(&here), states(&there)).expect("moved");
        let engine = open(&there, Options { clock: later, state_every_events: 0, ..options() });
        assert_eq!((saved(&engine), state(&engine)["n"].as_u64()), (None, Some(4)));
        assert_eq!(engine.verify().damage, []);
    }

    #[test]
    fn a_fold_of_what_is_replaced_meanwhile_is_not_saved() {
        let dir = TempDir::new().expect("a directory");
        let engine = with_events(&dir, Options { run_bytes: 256, ..options() }, 3);
        let before = engine.store().snapshot();
        append(&engine, &format!("{{\"text\":\"{}\"}}", "x".repeat(1_000)));
        let moment = Moment { snapshot: &before, as_of: None, version: None };
        engine.state_at(&entity(), moment, false).expect("readable");
        assert_eq!(saved(&engine), None);
    }

    #[test]
    fn a_store_that_reads_around_damage_uses_no_saved_state() {
        let dir = TempDir::new().expect("a directory");
        let engine = with_events(&dir, options(), 5);
        state(&engine);
        falsify(&engine);
        drop(engine);
        let reading = || open(&dir, Options { mode: Mode::Read, ..options() });
        assert_eq!(state(&reading())["n"], "false", "states serve whoever only reads, too");
        let log = dir.path().join("tenants/default/main/log/00000000000000000001.log");
        let mut bytes = std::fs::read(&log).expect("a log file");
        let at = bytes.windows(7).position(|window| window == br#"{"n":3}"#).expect("the event");
        bytes[at + 5] = b'8';
        #[expect(clippy::disallowed_methods, reason = "damages the file behind the store's back")]
        std::fs::write(&log, bytes).expect("the log file can be changed");
        assert_eq!(state(&reading())["n"], 5);
        assert_eq!(saved(&reading()), None);
    }

    #[test]
    fn states_are_saved_on_demand_and_forgotten() {
        let dir = TempDir::new().expect("a directory");
        let engine = with_events(&dir, options(), 2);
        assert!(engine.save_state(&entity()).expect("saved"));
        assert_eq!(saved(&engine), Some(2));
        assert!(engine.save_state(&entity()).expect("saved already"));
        assert!(!engine.save_state(&EntityId::new("nobody").expect("a name")).expect("no entity"));
        engine.store().forget_states(Position::new(3)).expect("nothing to forget");
        assert_eq!(saved(&engine), Some(2));
        engine.store().forget_states(Position::new(2)).expect("forgotten");
        assert_eq!(saved(&engine), None);
        let reading = open(&dir, Options { mode: Mode::Read, ..options() });
        assert_eq!(reading.save_state(&entity()).expect_err("only read").code(), "read_only");
    }

    #[derive(Clone, Debug)]
    struct Question {
        version: Option<u64>,
        position: u64,
        as_of: Option<i64>,
    }

    fn question() -> impl Strategy<Value = Question> {
        let version = prop::option::of(1_u64..30);
        let as_of = prop::option::of(0_i64..8);
        (version, 1_u64..60, as_of).prop_map(|(version, position, as_of)| Question {
            version,
            position,
            as_of,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// A fold for the provenance uses no saved state: it is the model.
        #[test]
        fn every_moment_is_the_same_with_and_without_saved_states(
            events in prop::collection::vec((0_i64..8, 0_u8..4, any::<bool>()), 1..30),
            questions in prop::collection::vec(question(), 1..20),
        ) {
            let dir = TempDir::new().expect("a directory");
            let engine = open(&dir, options());
            for (n, (time, key, other)) in events.iter().enumerate() {
                let name = if *other { "other" } else { ENTITY };
                let payload = match key {
                    0 => "{\"k\":null}".to_owned(),
                    key => format!("{{\"{key}\":{n},\"k\":{{\"{n}\":1e{key}}}}}"),
                };
                let draft = EventDraft::new(name, "changed", payload).expect("a draft");
                let events = vec![draft.at(Timestamp::from_micros(*time))];
                engine.store().append(Append { events, ..Append::default() }).expect("stored");
            }
            let ask = |engine: &Engine, question: &Question, provenance| {
                let snapshot = engine.store().snapshot().up_to(Position::new(question.position));
                let moment = Moment {
                    snapshot: &snapshot,
                    as_of: question.as_of.map(Timestamp::from_micros),
                    version: question.version.map(Version::new),
                };
                let folded = engine.state_at(&entity(), moment, provenance).expect("readable").folded;
                let text = folded.state.as_ref().map(ToString::to_string);
                (text, Folded { provenance: Vec::new(), ..folded })
            };
            for question in &questions {
                prop_assert_eq!(ask(&engine, question, false), ask(&engine, question, true), "{:?}", question);
            }
            prop_assert_eq!(engine.verify().damage, []);
            drop(engine);
            let engine = open(&dir, options());
            for question in questions.iter().rev() {
                prop_assert_eq!(ask(&engine, question, false), ask(&engine, question, true), "{:?}", question);
            }
        }
    }
}
