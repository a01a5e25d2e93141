//! Many callers at once: a condition holds when its append goes in, a key is stored once, and a reader sees a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use allsource::ErrorKind;
use allsource::event::{
    EntityId, EventDraft, EventId, Expected, Filter, IdempotencyKey, NamePattern, Position,
};
use allsource::store::{Append, AppendCondition, Store};

use crate::machines::faulty_disk::FaultyDisk;
use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::small_options;

const CALLERS: u64 = 4;

fn event(entity: &str, event_type: &str, payload: u64) -> EventDraft {
    EventDraft::new(entity, event_type, payload.to_string()).expect("a valid draft")
}

/// Runs `call` with each caller's number, all at once, on a store of their own.
fn together(call: impl Fn(&Store, u64) + Sync) -> (tempfile::TempDir, Store) {
    let root = scratch();
    let options = small_options(Arc::new(FaultyDisk::over(root.path())), 1);
    let store = Store::open(&root.path().join("store"), options).expect("a healthy disk opens");
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (store, call) = (&store, &call);
            scope.spawn(move || call(store, caller));
        }
    });
    (root, store)
}

#[test]
fn of_several_who_expect_the_same_version_one_wins() {
    const EACH: u64 = 50;
    let counter = EntityId::new("counter").expect("a name");
    let (_root, store) = together(|store, caller| {
        for _ in 0..EACH {
            loop {
                let head = store.snapshot().entity_head(&counter).expect("readable").unwrap_or_default();
                let append = Append {
                    events: vec![event("counter", "counted", caller)],
                    expected: vec![(counter.clone(), Expected::Exactly(head.version))],
                    ..Append::default()
                };
                match store.append(append) {
                    Ok(appended) => {
                        assert_eq!(appended.events[0].version, head.version.next());
                        break;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                        assert!(
                            error.details()["current_version"].as_u64() > Some(head.version.get()),
                            "{error}"
                        );
                    }
                }
            }
        }
    });
    assert_eq!(store.snapshot().head().get(), CALLERS * EACH);
}

#[test]
fn of_several_who_register_the_same_name_one_wins() {
    const NAMES: u64 = 40;
    let won = AtomicU64::new(0);
    let (_root, store) = together(|store, caller| {
        for name in 0..NAMES {
            let event_type = format!("registered {name}");
            let filter =
                Filter { event_type: Some(NamePattern::Exact(event_type.clone())), ..Filter::default() };
            let append = Append {
                events: vec![event(&format!("account {caller} {name}"), &event_type, caller)],
                conditions: vec![AppendCondition { filter, after: Position::ZERO }],
                ..Append::default()
            };
            match store.append(append) {
                Ok(_) => drop(won.fetch_add(1, Ordering::Relaxed)),
                Err(error) => assert_eq!(error.code(), "condition_conflict", "{error}"),
            }
        }
    });
    assert_eq!(won.into_inner(), NAMES);
    assert_eq!(store.snapshot().head().get(), NAMES);
}

#[test]
fn of_several_who_send_the_same_call_one_stores_it_and_all_get_its_answer() {
    const CALLS: u64 = 60;
    let (_root, store) = together(|store, _| {
        for call in 0..CALLS {
            let append = Append {
                events: vec![event("order", "changed", call), event("other", "changed", call)],
                idempotency_key: Some(IdempotencyKey::new(format!("call {call}")).expect("a key")),
                ..Append::default()
            };
            let appended = store.append(append).expect("the same call again is no mistake");
            let stored =
                store.snapshot().event(appended.events[1].position).expect("readable").expect("there");
            assert_eq!(stored.payload.as_str(), call.to_string());
        }
    });
    assert_eq!(store.snapshot().head().get(), CALLS * 2);
}

#[test]
fn of_several_who_send_the_same_event_one_stores_it() {
    const EVENTS: u64 = 60;
    let (_root, store) = together(|store, caller| {
        for n in 0..EVENTS {
            let known =
                event("order", "changed", n).with_event_id(EventId::new(format!("id {n}")).expect("an id"));
            let own = event(&format!("caller {caller}"), "sent", n);
            store.append(Append { events: vec![known, own], ..Append::default() }).expect("stored or known");
        }
    });
    assert_eq!(store.snapshot().head().get(), EVENTS * (CALLERS + 1));
}

#[test]
fn a_reader_sees_whole_batches_and_nothing_moves_under_it() {
    const EACH: u64 = 80;
    let done = AtomicBool::new(false);
    let root = scratch();
    let options = small_options(Arc::new(FaultyDisk::over(root.path())), 1);
    let store = Store::open(&root.path().join("store"), options).expect("a healthy disk opens");
    let looks = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let snapshot = store.snapshot();
                let events = read_all(&snapshot, &Filter::default()).expect("readable");
                assert_eq!(events.len() as u64, snapshot.head().get());
                assert_eq!(events.len() % 3, 0, "half a batch is visible");
                assert_eq!(snapshot.stats().expect("readable").events, snapshot.head().get());
                assert_eq!(read_all(&snapshot, &Filter::default()).expect("readable"), events);
                looks.fetch_add(1, Ordering::Relaxed);
            }
        });
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..EACH {
                        let events = (0..3).map(|at| event(&format!("writer {writer} {at}"), "wrote", n));
                        store
                            .append(Append { events: events.collect(), ..Append::default() })
                            .expect("stored");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().expect("no writer panics");
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("the reader does not panic");
    });
    assert!(looks.into_inner() > 0);
    assert_eq!(store.snapshot().head().get(), 2 * EACH * 3);
}
