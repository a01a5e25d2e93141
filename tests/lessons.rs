//! What went wrong in other event stores, each as a test that it does not here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use allsource::clock::{IdSource, ManualClock, SeededIds};
use allsource::event::{
    EntityId, Event, EventDraft, EventId, Expected, Filter, NamePattern, Position, Timestamp, Version,
};
use allsource::store::{Append, Options, Order, Scan, ScanLimits, Store};

use crate::machines::faulty_disk::FaultyDisk;
use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::{NEW_YEAR, small_options};

/// A directory and the disk over it.
struct Place {
    root: tempfile::TempDir,
    disk: FaultyDisk,
    clock: Arc<ManualClock>,
}

impl Place {
    fn new() -> Self {
        let root = scratch();
        let disk = FaultyDisk::over(root.path());
        Self { root, disk, clock: Arc::new(ManualClock::at(NEW_YEAR)) }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn open(&self) -> Store {
        let options = small_options(Arc::new(self.disk.clone()), 1);
        let options = Options { clock: Arc::clone(&self.clock) as _, hot_window_bytes: 0, ..options };
        Store::open(&self.dir(), options).expect("a healthy disk opens")
    }

    /// The store after a restart, with everything so far in Parquet alone.
    fn sealed(&self) -> Store {
        let store = self.open();
        store.compact().expect("a healthy disk");
        store.close().expect("a healthy disk");
        let logs = std::fs::read_dir(self.dir().join("tenants/default/main/log")).expect("a folder").count();
        assert_eq!(logs, 1, "a log file was kept");
        self.open()
    }
}

fn event(entity: &str, event_type: &str, payload: &str) -> EventDraft {
    EventDraft::new(entity, event_type, payload).expect("a valid draft")
}

fn batch(events: Vec<EventDraft>) -> Append {
    Append { events, ..Append::default() }
}

fn name(text: &str) -> EntityId {
    EntityId::new(text).expect("a name")
}

fn all(store: &Store) -> Vec<Event> {
    read_all(&store.snapshot(), &Filter::default()).expect("readable")
}

/// Versions restarted at 1 after a reopen (1, 2, 3, 4, 5, 1), because replay counted instead of reading; conditional
/// writes then took stale numbers.
#[test]
fn versions_go_on_after_a_reopen() {
    let place = Place::new();
    for version in 1..=6 {
        let store = if version < 4 { place.open() } else { place.sealed() };
        let append = Append {
            expected: vec![(name("order"), Expected::Exactly(Version::new(version - 1)))],
            ..batch(vec![event("order", "changed", "1")])
        };
        let appended = store.append(append.clone()).expect("the expectation holds");
        assert_eq!(appended.events[0].version.get(), version);
        let error = store.append(append).expect_err("the expectation holds no more");
        assert_eq!(error.details()["current_version"], version, "{error}");
    }
}

/// A duplicate event id was acknowledged, and dropped at the next load.
#[test]
fn a_known_event_id_is_told_not_dropped() {
    let place = Place::new();
    let draft =
        |payload| event("order", "placed", payload).with_event_id(EventId::new("id-1").expect("an id"));
    let first = place.open().append(batch(vec![draft("1")])).expect("stored");
    for open in [Place::open, Place::sealed, Place::open] {
        let store = open(&place);
        let again = store.append(batch(vec![draft("1")])).expect("known");
        assert!(again.events[0].already_stored);
        assert_eq!(again.events[0].position, first.events[0].position);
        let error = store.append(batch(vec![draft("2")])).expect_err("other content");
        assert_eq!(error.code(), "event_id_conflict", "{error}");
        assert_eq!(all(&store).len(), 1);
    }
}

/// The replay after a crash wrote everything a second time: 20,000 events became 40,000 rows.
#[test]
fn opening_again_and_again_stores_nothing_twice() {
    let place = Place::new();
    let store = place.open();
    for n in 0..200 {
        store.append(batch(vec![event("order", "changed", &n.to_string())])).expect("stored");
    }
    let before = all(&store);
    store.compact().expect("a healthy disk");
    store.append(batch(vec![event("order", "changed", "200")])).expect("stored");
    let before = [before, all(&store).split_off(200)].concat();
    drop(store);
    for state in [1, 1, 1] {
        let next = scratch();
        place.disk.cut_power(state, next.path());
        let disk = FaultyDisk::over(next.path());
        let options = || small_options(Arc::new(disk.clone()), 1);
        for _ in 0..3 {
            let store = Store::open(&next.path().join("store"), options()).expect("a healthy disk opens");
            assert_eq!(all(&store), before);
            assert_eq!(store.snapshot().stats().expect("readable").events, 201);
            store.compact().expect("a healthy disk");
            assert_eq!(all(&store), before);
        }
    }
}

/// Streams were sorted by timestamp: a clock that stepped backwards rebuilt the wrong state.
#[test]
fn a_clock_that_steps_back_changes_no_order() {
    let place = Place::new();
    let store = place.open();
    for n in 0..20_i64 {
        place.clock.set(Timestamp::from_micros(NEW_YEAR.as_micros() - n * 3_600_000_000));
        store.append(batch(vec![event("order", "changed", &n.to_string())])).expect("stored");
    }
    drop(store);
    for open in [Place::open, Place::sealed] {
        let events = all(&open(&place));
        assert_eq!(events.len(), 20);
        for (n, pair) in events.windows(2).enumerate() {
            assert_eq!(pair[0].payload.as_str(), n.to_string());
            assert!(pair[0].version < pair[1].version && pair[0].recorded_at < pair[1].recorded_at);
        }
    }
}

/// Timestamps lost their last digits in the column format: a read from an event's own timestamp on missed it after a
/// restart.
#[test]
fn an_event_is_found_from_its_own_timestamp_on() {
    let place = Place::new();
    let time = Timestamp::from_micros(NEW_YEAR.as_micros() + 123_457);
    let append = batch(vec![event("order", "placed", "1").at(time), event("order", "paid", "2")]);
    place.open().append(append).expect("stored");
    let since = Filter {
        since: Some(time),
        until: Some(Timestamp::from_micros(time.as_micros() + 1)),
        ..Filter::default()
    };
    let check = |store: Store| {
        let found = read_all(&store.snapshot(), &since).expect("readable");
        assert_eq!(found.iter().map(|event| event.position.get()).collect::<Vec<_>>(), [1]);
        assert_eq!(found[0].timestamp, time);
    };
    check(place.open());
    check(place.sealed());
}

/// One large event that did not compress blocked every checkpoint from then on.
#[test]
fn the_largest_event_goes_through_the_smallest_files() {
    let place = Place::new();
    let store = place.open();
    let dice = SeededIds::new(14);
    // Any character that needs no escape, so that nothing is left to compress.
    let text: String = (0..(1 << 20) - 2)
        .map(|_| match char::from(b' ' + (dice.next_u64() % 95) as u8) {
            '"' | '\\' => '~',
            other => other,
        })
        .collect();
    store.append(batch(vec![event("small", "before", "1")])).expect("stored");
    store.append(batch(vec![event("large", "came", &format!("\"{text}\""))])).expect("stored");
    store.append(batch(vec![event("small", "after", "2")])).expect("stored");
    drop(store);
    for (open, next) in [(Place::open as fn(&Place) -> Store, 4), (Place::sealed, 5), (Place::sealed, 6)] {
        let store = open(&place);
        assert_eq!(all(&store)[1].payload.as_str(), format!("\"{text}\""));
        let appended = store.append(batch(vec![event("small", "later", "3")])).expect("stored");
        assert_eq!(appended.events[0].position.get(), next);
        store.close().expect("a healthy disk");
    }
}

/// Global offsets were places in a list of one process: consumers missed or saw events again after a restart.
#[test]
fn a_follower_goes_on_where_it_was_after_a_restart() {
    let place = Place::new();
    let mut seen = Vec::new();
    let mut at = Position::ZERO;
    for round in 0..5 {
        let store = if round % 2 == 0 { place.open() } else { place.sealed() };
        for n in 0..10 {
            store
                .append(batch(vec![event("order", "changed", &(round * 10 + n).to_string())]))
                .expect("stored");
        }
        let mut feed = store.feed(at);
        let page = feed.pull(7).expect("readable");
        seen.extend(page.events.iter().map(|event| event.position.get()));
        at = feed.position();
    }
    assert_eq!(seen, (1..=35).collect::<Vec<_>>());
}

/// `limit` did not bound the scan: 100 rows of a type took 13 ms, and a hot entity among a million events 400 ms.
#[test]
fn a_limit_bounds_what_is_looked_at() {
    let place = Place::new();
    let store = place.open();
    for n in 0..200 {
        let events = (0..20)
            .map(|at| event(&format!("order {at}"), if at == 0 { "rare" } else { "usual" }, &n.to_string()));
        store.append(batch(events.collect())).expect("stored");
    }
    drop(store);
    let limits = ScanLimits { events_max: 50, ..ScanLimits::default() };
    let of_type = Filter { event_type: Some(NamePattern::Exact("rare".to_owned())), ..Filter::default() };
    let of_entity = Filter { entity_id: Some(NamePattern::Exact("order 7".to_owned())), ..Filter::default() };
    let check = |store: Store| {
        for filter in [&of_type, &of_entity, &Filter::default()] {
            for order in [Order::Ascending, Order::Descending] {
                let scan = Scan { filter: filter.clone(), order, ..Scan::default() };
                let page = store.snapshot().scan(&scan, &limits).expect("readable");
                assert_eq!(page.events.len(), 50);
                assert!(page.examined <= 60, "{:?} looked at {} events for 50", page.plan, page.examined);
            }
        }
    };
    check(place.open());
    check(place.sealed());
}

/// A slow reader held the one lock, and writers stood still for 0.7 s.
#[test]
fn a_reader_that_holds_what_it_read_stops_no_writer() {
    let place = Place::new();
    let store = place.open();
    store.append(batch(vec![event("order", "placed", "1")])).expect("stored");
    let snapshot = store.snapshot();
    let held = read_all(&snapshot, &Filter::default()).expect("readable");
    for n in 0..300 {
        store.append(batch(vec![event("order", "changed", &n.to_string())])).expect("stored");
    }
    store.compact().expect("a healthy disk");
    assert_eq!(read_all(&snapshot, &Filter::default()).expect("readable"), held, "a pinned view changed");
    assert_eq!(snapshot.stats().expect("readable").events, 1);
}

/// Positions were given before they were visible, so followers skipped events when several callers wrote at once;
/// and concurrent appends came out of version order.
#[test]
fn a_follower_beside_many_writers_sees_every_position_once_and_in_order() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 60;
    let place = Place::new();
    let store = place.open();
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    let own = event(&format!("writer {writer}"), "wrote", &n.to_string());
                    store
                        .append(batch(vec![own, event("shared", "touched", &n.to_string())]))
                        .expect("stored");
                }
            });
        }
        let mut feed = store.feed(Position::ZERO);
        while (seen.len() as u64) < WRITERS * EACH * 2 {
            assert!(feed.wait(Duration::from_mins(1)), "the feed stands still");
            seen.extend(feed.pull(13).expect("readable").events);
        }
    });
    let positions = seen.iter().map(|event| event.position.get());
    assert!(positions.eq(1..=WRITERS * EACH * 2), "a position is missing or comes twice");
    let shared = seen.iter().filter(|event| event.entity_id.as_str() == "shared");
    assert!(shared.map(|event| event.version.get()).eq(1..=WRITERS * EACH), "versions are out of order");
}

/// Event types with spaces or capitals were refused, but real logs have them.
#[test]
fn names_of_real_logs_are_taken_and_found() {
    let place = Place::new();
    let names = ["W_Completeren aanvraag", "A_SUBMITTED", "org/repo", "Bestellung über 10 €", "{9F85-x}"];
    place.open().append(batch(names.iter().map(|name| event(name, name, "1")).collect())).expect("stored");
    let store = place.open();
    for name in names {
        let exactly = Some(NamePattern::Exact(name.to_owned()));
        let filter = Filter { entity_id: exactly.clone(), event_type: exactly, ..Filter::default() };
        assert_eq!(read_all(&store.snapshot(), &filter).expect("readable").len(), 1, "{name}");
    }
}
