//! Reading what is in the page cache: an entity, a type, a stretch of time, a state; and opening.

use std::hint::black_box;
use std::path::Path;

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::{EventDraft, Filter, NamePattern, Timestamp};
use allsource::store::{Append, Durability, Options, Order, Scan, ScanLimits, Store};
use allsource::tools::{self, Object};
use criterion::Criterion;
use serde_json::json;

use crate::limit::copy;
use crate::report::time;
use crate::scratch;

pub const ENTITIES: usize = 30_000;
pub const EVENTS_PER_ENTITY: usize = 10;
pub const EVENTS: usize = ENTITIES * EVENTS_PER_ENTITY;
pub const TYPES: usize = 20;
/// The events of the long entity.
const LONG_EVENTS: usize = 10_000;
/// The first event's timestamp; each later one comes a second later.
const BEGIN_US: i64 = 1_700_000_000_000_000;
const SECOND_US: i64 = 1_000_000;

/// A store of 300,000 events: 30,000 entities of ten events each, spread over the whole log.
pub fn fill(dir: &Path, options: Options) -> Store {
    let options = Options { durability: Durability::Interval { ms: 1_000 }, ..options };
    let store = Store::open(dir, options).expect("a healthy disk");
    for first in (0..EVENTS).step_by(1_000) {
        let events = (first..first + 1_000).map(draft).collect();
        store.append(Append { events, ..Append::default() }).expect("a healthy disk");
    }
    store
}

fn draft(n: usize) -> EventDraft {
    let text = "x".repeat(150);
    let payload = format!(
        "{{\"field_{}\":{n},\"amount\":{},\"status\":\"status {}\",\"text\":\"{text}\"}}",
        n / ENTITIES,
        n % 1_000,
        n % 7
    );
    let time = Timestamp::from_micros(BEGIN_US + SECOND_US * i64::try_from(n).expect("small"));
    let event_type = format!("type {}", n % TYPES);
    EventDraft::new(&format!("entity-{}", n % ENTITIES), &event_type, payload)
        .expect("a valid draft")
        .at(time)
}

/// Numbers all over `0..end`, one after the other.
pub fn spread(end: usize) -> impl FnMut() -> usize {
    let mut n = 0_usize;
    move || {
        n = n.wrapping_add(2_654_435_761);
        (n >> 7) % end
    }
}

fn scan_of(filter: Filter, order: Order) -> Scan {
    Scan { filter, order, ..Scan::default() }
}

pub fn of_entity(n: usize) -> Scan {
    let entity_id = Some(NamePattern::Exact(format!("entity-{n}")));
    scan_of(Filter { entity_id, ..Filter::default() }, Order::Ascending)
}

pub fn of_type(n: usize) -> Scan {
    let event_type = Some(NamePattern::Exact(format!("type {n}")));
    scan_of(Filter { event_type, ..Filter::default() }, Order::Descending)
}

pub fn of_time(n: usize) -> Scan {
    let since = Timestamp::from_micros(BEGIN_US + SECOND_US * i64::try_from(n).expect("small"));
    let until = Timestamp::from_micros(since.as_micros() + 1_000 * SECOND_US);
    scan_of(Filter { since: Some(since), until: Some(until), ..Filter::default() }, Order::Ascending)
}

/// Times one page of a scan and prints it beside the time to copy the bytes that it gives.
pub fn page(
    criterion: &mut Criterion,
    store: &Store,
    name: &str,
    events_max: usize,
    mut scan: impl FnMut() -> Scan,
) {
    let limits = ScanLimits { events_max, ..ScanLimits::default() };
    let read = |scan: Scan| store.snapshot().scan(&scan, &limits).expect("a healthy disk");
    let sample = read(scan());
    assert_eq!(sample.events.len(), events_max, "{name} reads what it should");
    let bytes = sample.events.iter().map(|event| event.payload.as_str().len() + 80).sum();
    let mut times = time(criterion, name, scan, |scan| drop(black_box(read(scan))));
    times.print(name, copy(bytes), "copying as many bytes");
}

/// Measures every case.
pub fn measure(criterion: &mut Criterion) {
    let dir = scratch();
    let store = fill(dir.path(), Options::default());
    // Sealing is over when this returns; the log files stay, and reads use them.
    store.compact().expect("a healthy disk");
    let (mut entity, mut event_type, mut moment) = (spread(ENTITIES), spread(TYPES), spread(EVENTS - 1_000));
    page(criterion, &store, "read/entity, 10 events", EVENTS_PER_ENTITY, move || of_entity(entity()));
    page(criterion, &store, "read/type, limit 100", 100, move || of_type(event_type()));
    page(criterion, &store, "read/time range, limit 100", 100, move || of_time(moment()));
    state(criterion, &store);
    long_state(criterion);
    drop(store);
    open(criterion, dir.path());
}

/// The state of an entity as an agent gets it: arguments decoded, ten events folded, the answer built.
fn state(criterion: &mut Criterion, store: &Store) {
    let engine = Engine::new(store.clone(), SystemClock::shared());
    let mut entity = spread(ENTITIES);
    let arguments = || {
        let arguments = json!({"entity_id": format!("entity-{}", entity())});
        arguments.as_object().expect("an object").clone()
    };
    let ask = |arguments: Object| {
        let answer = tools::call(&engine, "get_entity_state", &arguments, &Caller::default());
        assert!(!answer.is_error);
        drop(black_box(answer));
    };
    let mut times = time(criterion, "state of an entity, 10 events", arguments, ask);
    times.print("state of an entity, 10 events", copy(10 * 300), "copying as many bytes");
}

/// The state of an entity of 10,000 events, with and without a saved one to go on from.
fn long_state(criterion: &mut Criterion) {
    let mut ask = |name: &str, state_every_events: u64| {
        let dir = scratch();
        let options = Options { state_every_events, ..Options::default() };
        let store = Store::open(dir.path(), options).expect("a healthy disk");
        for first in (0..LONG_EVENTS).step_by(1_000) {
            let events = (first..first + 1_000).map(|n| draft(n % EVENTS_PER_ENTITY * ENTITIES)).collect();
            store.append(Append { events, ..Append::default() }).expect("a healthy disk");
        }
        let engine = Engine::new(store, SystemClock::shared());
        let arguments = json!({"entity_id": "entity-0"}).as_object().expect("an object").clone();
        let ask = |arguments: Object| {
            let answer = tools::call(&engine, "get_entity_state", &arguments, &Caller::default());
            assert_eq!(answer.body["version"], LONG_EVENTS);
            drop(black_box(answer));
        };
        ask(arguments.clone());
        let mut times = time(criterion, name, || arguments.clone(), ask);
        times.print(name, copy(LONG_EVENTS * 300), "copying as many bytes");
        times.rate()
    };
    let folded = ask("state of an entity, 10,000 events, none saved", 0);
    let saved = ask("state of an entity, 10,000 events, saved", 100);
    println!("state of an entity, 10,000 events: a saved state makes it {:.1} times as fast", saved / folded);
}

/// Opening proves the newest log file, so its limit is reading that much memory once.
fn open(criterion: &mut Criterion, dir: &Path) {
    let mut times = time(
        criterion,
        "open, full tail",
        || (),
        |()| {
            let store = Store::open(dir, Options::default()).expect("a healthy disk");
            assert_eq!(store.snapshot().stats().expect("readable").events, EVENTS as u64);
        },
    );
    times.print("open, full tail", copy(1 << 20) * 64, "copying 64 MiB");
}
