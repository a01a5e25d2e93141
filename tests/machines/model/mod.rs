//! The model machine: operations of every kind on a store and on a plain list, which must agree on every answer.

pub mod plain;
pub mod plan;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allsource::clock::{ManualClock, SeededIds};
use allsource::event::{EntityId, Event, Filter, IdempotencyKey, Position};
use allsource::store::{Append, Durability, Head, Options, Order, Scan, ScanLimits, Snapshot, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::faulty_disk::FaultyDisk;
use super::scratch;
use super::workload::{NEW_YEAR, small_options};
use plain::Model;
use plan::{Operation, ReadPlan, TYPES, at, entity, operation, pattern};

/// The store and the model, side by side.
struct Pair<'a> {
    dir: &'a Path,
    disk: FaultyDisk,
    clock: Arc<ManualClock>,
    durability: Durability,
    hot_window_bytes: u64,
    store: Option<Store>,
    model: Model,
    sent: Vec<Append>,
}

impl Pair<'_> {
    fn store(&mut self) -> Store {
        if let Some(store) = &self.store {
            return store.clone();
        }
        let options = Options {
            clock: Arc::clone(&self.clock) as _,
            ids: Arc::new(SeededIds::new(7)),
            durability: self.durability,
            hot_window_bytes: self.hot_window_bytes,
            head_cache_entries_max: 2,
            ..small_options(Arc::new(self.disk.clone()), 7)
        };
        let store = Store::open(self.dir, options).expect("a healthy store opens");
        self.store.insert(store).clone()
    }

    fn perform(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Append(plan) => self.append(&plan.append(&self.model)),
            Operation::SendAgain(which) if !self.sent.is_empty() => {
                let append = which.get(&self.sent).clone();
                self.append(&append)
            }
            Operation::SendAgain(_) => Ok(()),
            Operation::Reopen => {
                drop(self.store.take());
                self.everything()
            }
            Operation::Compact => self.compact(),
            Operation::Clock { seconds: seconds @ 0.. } => {
                self.clock.advance(Duration::from_secs(seconds.unsigned_abs()));
                Ok(())
            }
            Operation::Clock { seconds } => {
                self.clock.set(at(*seconds));
                Ok(())
            }
            Operation::Read(plan) => self.read(plan),
        }
    }

    fn append(&mut self, append: &Append) -> Result<(), TestCaseError> {
        let store = self.store();
        let refusal = self.model.refusal(append);
        let before = store.snapshot().head();
        match store.append(append.clone()) {
            Err(error) => {
                prop_assert_eq!(Some(error.code()), refusal, "{}", error);
                prop_assert_eq!(store.snapshot().head(), before);
                Ok(())
            }
            Ok(appended) => {
                prop_assert_eq!(refusal, None, "{:?} was taken", append);
                if append.dry_run {
                    prop_assert_eq!(store.snapshot().head(), before, "a dry run wrote");
                    return Ok(());
                }
                self.model.take(append, &appended)?;
                self.model.remember(append, &appended);
                prop_assert_eq!(appended.head.get(), self.model.events.len() as u64);
                self.sent.push(append.clone());
                Ok(())
            }
        }
    }

    /// What was pinned before can be read from the files that are gone, and everything from those that took their
    /// place.
    fn compact(&mut self) -> Result<(), TestCaseError> {
        let store = self.store();
        let before = store.snapshot();
        store.compact().expect("a healthy disk");
        everything_in(&self.model, &before)?;
        self.everything()
    }

    fn everything(&mut self) -> Result<(), TestCaseError> {
        let snapshot = self.store().snapshot();
        everything_in(&self.model, &snapshot)
    }

    fn read(&mut self, plan: &ReadPlan) -> Result<(), TestCaseError> {
        let events = &self.model.events;
        let position = |index: &prop::sample::Index| Position::new(index.index(events.len() + 2) as u64);
        let mut cut = plan.cut.as_ref().map_or(Position::MAX, position);
        let known_at =
            plan.known_at.filter(|_| !events.is_empty()).map(|index| index.get(events).recorded_at);
        let scan = Scan {
            filter: Filter {
                entity_id: plan.entity.map(|of| pattern(of, |number| entity(number).to_string())),
                event_type: plan
                    .event_type
                    .map(|of| pattern(of, |number| TYPES[usize::from(number)].to_owned())),
                since: plan.since.map(at),
                until: plan.until.map(at),
                as_of: plan.as_of.map(at),
                ..Filter::default()
            },
            order: if plan.descending { Order::Descending } else { Order::Ascending },
            after: position(&plan.after),
            before: plan.before.as_ref().map(position),
        };
        let store = self.store();
        let mut snapshot = store.snapshot();
        if let Some(time) = known_at {
            let known = snapshot.position_known_at(time).expect("readable");
            let last = self.model.events.iter().rev().find(|event| event.recorded_at <= time);
            prop_assert_eq!(known, last.map_or(Position::ZERO, |event| event.position));
            cut = cut.min(known);
        }
        snapshot = snapshot.up_to(cut);
        let mut expected: Vec<&Event> = self
            .model
            .events
            .iter()
            .filter(|event| event.position <= cut && event.position > scan.after)
            .filter(|event| scan.before.is_none_or(|before| event.position < before))
            .filter(|event| scan.filter.matches(event))
            .collect();
        if plan.descending {
            expected.reverse();
        }
        let found = pages(&snapshot, scan, plan.events_max)?;
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        Ok(())
    }
}

/// Every event, entity, type, id and key.
pub fn everything_in(model: &Model, snapshot: &Snapshot) -> Result<(), TestCaseError> {
    prop_assert_eq!(snapshot.head().get(), model.events.len() as u64);
    for event in &model.events {
        let found = snapshot.event(event.position).expect("readable");
        prop_assert_eq!(found.as_ref(), Some(event));
        let found = snapshot.event_by_id(&event.event_id).expect("readable");
        prop_assert_eq!(found.as_ref(), Some(event));
    }
    for number in 0..7 {
        let entity = entity(number);
        let last = model.events.iter().rev().find(|event| event.entity_id == entity);
        let head = last.map(|event| Head { version: event.version, position: event.position });
        prop_assert_eq!(snapshot.entity_head(&entity).expect("readable"), head);
    }
    for number in 0..8 {
        let key = IdempotencyKey::new(format!("key {number}")).expect("a key");
        let first = model.calls.get(key.as_str()).and_then(|(_, appended)| {
            appended.events.iter().find(|event| !event.already_stored).map(|event| event.position)
        });
        prop_assert_eq!(snapshot.call(&key).expect("readable"), first);
    }
    counts(model, snapshot)
}

fn counts(model: &Model, snapshot: &Snapshot) -> Result<(), TestCaseError> {
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    let mut entities: Vec<&EntityId> = model.events.iter().map(|event| &event.entity_id).collect();
    for event in &model.events {
        *types.entry(event.event_type.to_string()).or_default() += 1;
    }
    entities.sort();
    entities.dedup();
    let stats = snapshot.stats().expect("readable");
    prop_assert_eq!(stats.events, model.events.len() as u64);
    prop_assert_eq!(stats.entities, entities.len() as u64);
    let found = stats.event_types.iter().map(|count| (count.event_type.to_string(), count.count));
    prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), types);
    let times = model.events.iter().map(|event| event.timestamp);
    prop_assert_eq!(stats.time_range, times.clone().min().zip(times.max()));
    let prefixed: Vec<&EntityId> =
        entities.iter().copied().filter(|entity| entity.as_str().starts_with("order")).collect();
    let found = snapshot.entity_ids("order", 100).expect("readable");
    prop_assert_eq!(found.iter().collect::<Vec<_>>(), prefixed);
    Ok(())
}

/// Reads page by page.
pub fn pages(snapshot: &Snapshot, mut scan: Scan, events_max: usize) -> Result<Vec<Event>, TestCaseError> {
    let limits = ScanLimits { events_max, ..ScanLimits::default() };
    let mut found = Vec::new();
    loop {
        let page = snapshot.scan(&scan, &limits).expect("readable");
        prop_assert!(page.events.len() <= events_max);
        found.extend(page.events);
        if page.complete {
            return Ok(found);
        }
        let behind = page.scanned_to.expect("an unfinished page looked at something");
        match scan.order {
            Order::Ascending => {
                prop_assert!(behind > scan.after);
                scan.after = behind;
            }
            Order::Descending => {
                prop_assert!(scan.before.is_none_or(|before| behind < before));
                scan.before = Some(behind);
            }
        }
    }
}

#[track_caller]
fn agrees(durability: Durability, hot_window_bytes: u64, cases: u32) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let operations = prop::collection::vec(operation(), 20..90);
    let outcome = TestRunner::new_with_rng(config, rng()).run(&operations, |operations| {
        let root = scratch();
        let mut pair = Pair {
            dir: &root.path().join("store"),
            disk: FaultyDisk::over(root.path()),
            clock: Arc::new(ManualClock::at(NEW_YEAR)),
            durability,
            hot_window_bytes,
            store: None,
            model: Model::default(),
            sent: Vec::new(),
        };
        for operation in &operations {
            pair.perform(operation)?;
        }
        pair.everything()?;
        drop(pair.store.take());
        pair.everything()
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// The same cases in every run.
pub fn rng() -> prop::test_runner::TestRng {
    prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha)
}

/// Keeps no full log file.
const COLD: u64 = 0;
/// Keeps one or two.
const WARM: u64 = 20 << 10;

#[test]
fn the_store_answers_as_a_plain_list_would() {
    agrees(Durability::Fsync, COLD, 32);
    agrees(Durability::Fsync, WARM, 32);
}

#[test]
fn the_store_answers_as_a_plain_list_would_under_interval_durability() {
    agrees(Durability::Interval { ms: 86_400_000 }, WARM, 24);
}
