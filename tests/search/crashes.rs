//! The power goes while events are indexed: what is opened afterwards finds every stored event once, and no other.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allsource::event::{Event, EventDraft, Filter};
use allsource::indexer::{Indexer, SearchOptions, SearchQuery};
use allsource::store::{Append, Options, Store};

use super::{PATIENCE, options};
use crate::machines::faulty_disk::{Call, Fault, FaultyDisk};
use crate::machines::ledger::read_all;
use crate::machines::scratch;

/// Appends of the workload, three events each.
const APPENDS: u64 = 8;
/// The power goes at every that many disk calls: which of them are the store's own and which the index's differs from run to
/// run, so that in time every one is met.
const EVERY: usize = 7;

/// Sets so small that several are sealed.
fn small() -> SearchOptions {
    SearchOptions { set_vectors_max: 5, commit_interval: Duration::from_millis(1), ..options("bag/1") }
}

fn store(disk: &FaultyDisk, dir: &Path) -> Option<Store> {
    let options = Options { disk: Arc::new(disk.clone()), log_file_bytes: 64 << 10, ..Options::default() };
    Store::open(dir, options).ok()
}

/// Appends and indexes until the power goes, or to the end.
fn run(disk: &FaultyDisk, dir: &Path) {
    let Some(store) = store(disk, dir) else { return };
    let indexer = Indexer::start(&store, small()).expect("a thread");
    for batch in 0..APPENDS {
        let draft = |at: u64| {
            let payload = format!(r#"{{"text":"token{batch}x{at} of batch","batch":{batch},"at":{at}}}"#);
            EventDraft::new(&format!("order-{at}"), "order.changed", payload).expect("a draft")
        };
        let events = (0..3).map(draft).collect();
        if store.append(Append { events, ..Append::default() }).is_err() {
            return;
        }
        indexer.catch_up(PATIENCE);
    }
}

/// The positions of what is found.
fn found(indexer: &Indexer, query: &SearchQuery<'_>) -> Vec<u64> {
    let found = indexer.search(query, PATIENCE).expect("a search");
    found.iter().map(|hit| hit.position.get()).collect()
}

/// Every stored event is found by its own word once, and by its meaning; words of no stored event find nothing.
fn agrees(store: &Store, what: &str) {
    let indexer = Indexer::start(store, small()).expect("a thread");
    assert!(indexer.catch_up(PATIENCE), "{what}: {:?}", indexer.progress());
    let events = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    let number = |event: &Event, name: &str| event.payload.to_value()[name].as_u64().expect("a number");
    for batch in 0..APPENDS {
        for at in 0..3 {
            let word = format!("token{batch}x{at}");
            let stored =
                events.iter().filter(|event| (number(event, "batch"), number(event, "at")) == (batch, at));
            let stored: Vec<u64> = stored.map(|event| event.position.get()).collect();
            let query = SearchQuery { keywords: Some(&word), ..SearchQuery::default() };
            assert_eq!(found(&indexer, &query), stored, "{what}: {word}");
            let text = format!("order changed {word} of batch");
            let query = SearchQuery { meaning: Some(&text), ..SearchQuery::default() };
            let near = found(&indexer, &query);
            assert_eq!(near.len(), events.len(), "{what}: {near:?}");
        }
    }
}

#[test]
fn a_power_cut_while_indexing_leaves_every_event_findable_once() {
    for stop in (1..).step_by(EVERY) {
        let first = scratch();
        let disk = FaultyDisk::over(first.path()).stop_at(stop);
        run(&disk, &first.path().join("store"));
        for state in [0, 1, 7] {
            let second = scratch();
            disk.cut_power(state, second.path());
            let left = FaultyDisk::over(second.path());
            let what = format!("power cut at call {stop}, state {state}");
            let store = store(&left, &second.path().join("store")).expect("a store that a power cut left");
            agrees(&store, &what);
            store.close().expect("closes");
        }
        if !disk.has_stopped() {
            return;
        }
    }
}

/// A disk that fails once does not end indexing for good, and never an append.
#[test]
fn a_failing_call_of_the_index_fails_no_append() {
    let root = scratch();
    let disk = FaultyDisk::over(root.path());
    let store = store(&disk, &root.path().join("store")).expect("a store");
    for call in [Call::Write, Call::SyncData] {
        let indexer = Indexer::start(&store, small()).expect("a thread");
        assert!(indexer.catch_up(PATIENCE));
        disk.fail(Fault { call, within: "search", error: ErrorKind::StorageFull });
        let draft = EventDraft::new("order-1", "order.changed", r#"{"text":"one"}"#).expect("a draft");
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored all the same");
        assert!(!indexer.catch_up(PATIENCE), "indexing stands still");
        assert!(indexer.progress().is_some_and(|progress| progress.failure.is_some()));
    }
    let indexer = Indexer::start(&store, small()).expect("a thread");
    assert!(indexer.catch_up(PATIENCE), "{:?}", indexer.progress());
    let query = SearchQuery { keywords: Some("one"), ..SearchQuery::default() };
    assert_eq!(found(&indexer, &query), [2, 1]);
}
