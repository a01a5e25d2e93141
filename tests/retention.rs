//! What retention empties is gone, and everything else about it stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::clock::{Clock, ManualClock};
use allsource::event::{Event, EventDraft, EventId, Filter, IdempotencyKey, NamePattern, Timestamp};
use allsource::store::disk::{Disk, RealDisk};
use allsource::store::{
    Append, Durability, Options, RETENTION_APPLIED, RETENTION_ENTITY, RetentionPolicy, Store,
};

use parquet::file::reader::SerializedFileReader;

use crate::machines::faulty_disk::{Call, Fault, FaultyDisk};
use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::small_options;

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

fn options(disk: Arc<dyn Disk>, clock: &Arc<ManualClock>) -> Options {
    Options {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        hot_window_bytes: 32 << 10,
        ..small_options(disk, 1)
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_micros(1_000 * DAY_US)))
}

fn secret(number: i64) -> String {
    format!("secret-{number:04}-{}", "x".repeat(100))
}

fn draft(number: i64) -> EventDraft {
    let kind = ["order.placed", "order.paid", "login"][usize::try_from(number % 3).expect("small")];
    let draft =
        EventDraft::new(&format!("user {}", number % 7), kind, format!("{{\"it\":\"{}\"}}", secret(number)));
    let draft = draft.and_then(|draft| draft.with_metadata(format!("{{\"by\":\"{}\"}}", secret(number))));
    let draft = draft.expect("a draft").at(Timestamp::from_micros(900 * DAY_US + number * DAY_US / 10));
    draft.with_event_id(EventId::new(format!("given {number}")).expect("an id"))
}

fn append(number: i64) -> Append {
    let key = IdempotencyKey::new(format!("call {number}")).expect("a key");
    Append { events: vec![draft(number)], idempotency_key: Some(key), ..Append::default() }
}

/// Events 0 to 299: number `n` happened `n / 10` days after day 900.
fn filled(store: &Store) -> Vec<Event> {
    for number in 0..300 {
        store.append(append(number)).expect("stored");
    }
    read_all(&store.snapshot(), &Filter::default()).expect("readable")
}

fn policy(event_type: &str) -> RetentionPolicy {
    RetentionPolicy {
        event_type: event_type.to_owned(),
        max_age_seconds: None,
        max_events: None,
        max_bytes: None,
    }
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Whether a file of a store holds a text, as it is or in a row of Parquet.
fn holds_text(dir: &Path, text: &str) -> bool {
    let mut found = Vec::new();
    files(dir, &mut found);
    found.iter().any(|path| {
        let bytes = fs::read(path).expect("readable");
        let is_plain = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let is_parquet = path.extension().is_some_and(|ending| ending == "parquet");
        is_plain || (is_parquet && rows(path).iter().any(|row| row.contains(text)))
    })
}

fn rows(path: &Path) -> Vec<String> {
    let file = SerializedFileReader::new(fs::File::open(path).expect("readable")).expect("Parquet");
    file.into_iter().map(|row| row.expect("a row").to_string()).collect()
}

fn records(store: &Store) -> Vec<Event> {
    let kind = Some(NamePattern::Exact(RETENTION_APPLIED.to_owned()));
    read_all(&store.snapshot(), &Filter { event_type: kind, ..Filter::default() }).expect("readable")
}

/// Every event is as it was, but emptied where `is_gone` says so.
fn check(store: &Store, before: &[Event], is_gone: &dyn Fn(&Event) -> bool) {
    let after = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    let after: Vec<_> =
        after.into_iter().filter(|event| event.event_type.as_str() != RETENTION_APPLIED).collect();
    assert_eq!(after.len(), before.len());
    for (was, is) in before.iter().zip(&after) {
        assert_eq!(is.emptied, is_gone(was), "position {}", was.position);
        if !is.emptied {
            assert_eq!(is, was);
            continue;
        }
        assert_eq!((is.payload.as_str(), &is.metadata), ("null", &None));
        let names = |event: &Event| {
            (
                event.position,
                event.version,
                event.event_id.clone(),
                event.entity_id.clone(),
                event.event_type.clone(),
            )
        };
        assert_eq!(names(is), names(was));
        assert_eq!((is.timestamp, is.recorded_at), (was.timestamp, was.recorded_at));
    }
    assert_eq!(store.verify().damage, Vec::new());
}

#[test]
fn what_is_too_old_is_emptied_and_no_file_holds_it_any_more() {
    let root = scratch();
    let (dir, clock) = (root.path().join("store"), clock());
    let store = Store::open(&dir, options(Arc::new(RealDisk), &clock)).expect("opens");
    let before = filled(&store);
    // At day 1,000, what happened before day 915: numbers 0 to 149.
    let limit = RetentionPolicy { max_age_seconds: Some(85 * 24 * 60 * 60), ..policy("order.*") };
    let is_gone = |event: &Event| {
        event.event_type.as_str().starts_with("order.") && event.timestamp.as_micros() < 915 * DAY_US
    };
    store.set_retention(limit.clone()).expect("set");
    let would = store.apply_retention(true).expect("computed");
    check(&store, &before, &|_| false);
    assert!(records(&store).is_empty());
    let done = store.apply_retention(false).expect("applied");
    assert_eq!(done, would);
    assert_eq!((done.len(), done[0].events, &done[0].policy), (1, 100, &limit));
    check(&store, &before, &is_gone);
    let told = records(&store);
    assert_eq!((told.len(), told[0].entity_id.as_str()), (1, RETENTION_ENTITY));
    assert!(told[0].payload.as_str().contains("\"events\":100"), "{}", told[0].payload.as_str());
    // Once is enough.
    assert_eq!(store.apply_retention(false).expect("applied"), Vec::new());
    assert_eq!(records(&store).len(), 1);
    // A call that is sent again is known, by its key and by its ids.
    assert!(store.append(append(0)).expect("known").duplicate);
    let by_id = Append { idempotency_key: None, ..append(0) };
    assert!(store.append(by_id).expect("known").events[0].already_stored);
    assert_eq!(store.retention(), vec![limit]);
    store.close().expect("closes");
    let store = Store::open(&dir, options(Arc::new(RealDisk), &clock)).expect("opens again");
    check(&store, &before, &is_gone);
    assert_eq!(store.retention().len(), 1);
    store.close().expect("closes");
    for event in before.iter().step_by(13) {
        let number = i64::try_from(event.position.get()).expect("small") - 1;
        assert_eq!(holds_text(&dir, &secret(number)), !is_gone(event), "number {number}");
    }
}

#[test]
fn the_newest_events_or_bytes_of_each_type_are_kept() {
    let root = scratch();
    let (dir, clock) = (root.path().join("store"), clock());
    let store = Store::open(&dir, options(Arc::new(RealDisk), &clock)).expect("opens");
    let before = filled(&store);
    let of_type =
        |name: &'static str| before.iter().rev().filter(move |event| event.event_type.as_str() == name);
    let bytes = |event: &Event| {
        event.payload.as_str().len() + event.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len())
    };
    let login_bytes = 10 * bytes(&before[2]) as u64 + 5;
    store.set_retention(RetentionPolicy { max_events: Some(7), ..policy("order.*") }).expect("set");
    store.set_retention(RetentionPolicy { max_bytes: Some(login_bytes), ..policy("login") }).expect("set");
    let done = store.apply_retention(false).expect("applied");
    assert_eq!(done.iter().map(|emptied| emptied.events).collect::<Vec<_>>(), [90, 186]);
    let kept: Vec<_> = of_type("order.placed")
        .take(7)
        .chain(of_type("order.paid").take(7))
        .chain(of_type("login").take(10))
        .map(|event| event.position)
        .collect();
    check(&store, &before, &|event| !kept.contains(&event.position));
    assert!(
        store.clear_retention("login").expect("cleared") && !store.clear_retention("login").expect("gone")
    );
    assert_eq!(store.apply_retention(false).expect("applied"), Vec::new());
}

#[test]
fn a_damaged_segment_is_passed_over_until_it_is_restored() {
    let root = scratch();
    let (dir, clock) = (root.path().join("store"), clock());
    let options = || Options { segment_bytes_max: 1, ..options(Arc::new(RealDisk), &clock) };
    let store = Store::open(&dir, options()).expect("opens");
    let before = filled(&store);
    store.compact_to(0).expect("compacted");
    store.close().expect("closes");
    let mut found = Vec::new();
    files(&dir, &mut found);
    let mut segments: Vec<_> =
        found.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect();
    segments.sort();
    assert!(segments.len() > 1, "{segments:?}");
    let whole = fs::read(&segments[0]).expect("readable");
    let mut broken = whole.clone();
    broken[100..1_000].fill(0x55);
    fs::write(&segments[0], &broken).expect("damaged");

    let store = Store::open(&dir, options()).expect("opens again");
    store.set_retention(RetentionPolicy { max_events: Some(1), ..policy("order.*") }).expect("set");
    let first: u64 = store.apply_retention(false).expect("passed over").iter().map(|done| done.events).sum();
    assert_eq!(store.apply_retention(false).expect("nothing more to do"), Vec::new());
    let told = records(&store).len();
    assert_eq!(told, 1);
    fs::write(&segments[0], &whole).expect("restored");
    let second: u64 = store.apply_retention(false).expect("applied").iter().map(|done| done.events).sum();
    assert!(first > 0 && second > 0 && first + second == 198, "{first} and {second}");
    let kept = [before[298].position, before[297].position, before[299].position];
    check(&store, &before, &|event| {
        event.event_type.as_str().starts_with("order.") && !kept.contains(&event.position)
    });
}

#[test]
fn a_policy_for_everything_spares_the_events_that_tell_of_it() {
    let root = scratch();
    let (dir, clock) = (root.path().join("store"), clock());
    let store = Store::open(&dir, options(Arc::new(RealDisk), &clock)).expect("opens");
    let before = filled(&store);
    store.set_retention(RetentionPolicy { max_events: Some(0), ..policy("*") }).expect("set");
    assert_eq!(store.apply_retention(false).expect("applied")[0].events, 300);
    assert_eq!(store.apply_retention(false).expect("applied"), Vec::new());
    check(&store, &before, &|_| true);
    assert!(records(&store).iter().all(|event| !event.emptied));
    assert_eq!(store.set_retention(policy("order.*")).expect_err("no limit").code(), "no_limit");
}

/// The power goes at every disk call of a run; the next run finishes it, and it is recorded once.
#[test]
fn an_interrupted_run_is_finished_and_recorded_once() {
    let (base, clock) = (scratch(), clock());
    let store = Store::open(&base.path().join("store"), options(Arc::new(RealDisk), &clock)).expect("opens");
    for number in 0..80 {
        store.append(append(number)).expect("stored");
    }
    store.compact().expect("compacts");
    store.set_retention(RetentionPolicy { max_events: Some(3), ..policy("*") }).expect("set");
    let before = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    store.close().expect("closes");
    let kept: Vec<_> = ["order.placed", "order.paid", "login"]
        .iter()
        .flat_map(|name| before.iter().rev().filter(|event| event.event_type.as_str() == *name).take(3))
        .map(|event| event.position)
        .collect();
    for stop in 1.. {
        let (first, second) = (scratch(), scratch());
        FaultyDisk::over(base.path()).cut_power(0, first.path());
        let disk = FaultyDisk::over(first.path()).stop_at(stop);
        if let Ok(store) = Store::open(&first.path().join("store"), options(Arc::new(disk.clone()), &clock)) {
            let _ = store.apply_retention(false);
        }
        disk.cut_power(stop as u64, second.path());
        let dir = second.path().join("store");
        let store = Store::open(&dir, options(Arc::new(RealDisk), &clock)).expect("opens after a power cut");
        store.apply_retention(false).expect("finished");
        check(&store, &before, &|event| !kept.contains(&event.position));
        assert_eq!(records(&store).len(), 1, "stopped at call {stop}");
        store.close().expect("closes");
        assert!(!holds_text(&dir, &secret(0)));
        if !disk.has_stopped() {
            assert!(stop > 20, "{stop} calls");
            return;
        }
    }
}

/// Under interval durability a power cut took events that a run had already noted as to be emptied, and the events that got
/// their positions were emptied in their place.
#[test]
fn what_a_power_cut_took_empties_nothing_that_comes_after_it() {
    let open = |disk: &FaultyDisk, root: &Path| {
        let durability = Durability::Interval { ms: 86_400_000 };
        // No index is due to be saved, and so no sync.
        let options = Options { durability, run_bytes: 1 << 20, ..options(Arc::new(disk.clone()), &clock()) };
        Store::open(&root.join("store"), options).expect("a store")
    };
    let (first, second) = (scratch(), scratch());
    let disk = FaultyDisk::over(first.path());
    let store = open(&disk, first.path());
    store.set_retention(RetentionPolicy { max_events: Some(1), ..policy("login") }).expect("set");
    for number in 0..12 {
        store.append(append(number * 3 + 2)).expect("stored");
    }
    disk.fail(Fault { call: Call::SyncData, within: "log", error: std::io::ErrorKind::Other });
    store.apply_retention(false).expect_err("what it would empty is not durable");
    disk.cut_power(0, second.path());

    let store = open(&FaultyDisk::over(second.path()), second.path());
    assert_eq!(store.snapshot().stats().expect("readable").events, 0);
    for number in 0..4 {
        store.append(append(number * 3 + 2)).expect("stored");
    }
    store.apply_retention(false).expect("a healthy disk");
    let events = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    let kept = events.iter().filter(|event| !event.emptied && event.event_type.as_str() == "login");
    assert_eq!(kept.map(|event| event.position.get()).collect::<Vec<_>>(), [4]);
}
