//! The registry of a branch is the fold of its events, however it is come by.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::Registration;
use crate::clock::SystemClock;
use crate::engine::{Caller, Engine};
use crate::event::{EventDraft, Position};
use crate::schema::{Change, Enforcement, Subject};
use crate::store::{Append, Options, Store};

fn engine(dir: &TempDir) -> Engine {
    Engine::new(Store::open(dir.path(), Options::default()).expect("a store"), SystemClock::shared())
}

fn register(engine: &Engine, subject: &str, enforcement: Enforcement) {
    let change = Change {
        schema: Some(json!({"required": ["a"]})),
        enforcement: Some(enforcement),
        ..Change::default()
    };
    let asked = Registration { subject: Subject::parse(subject).expect("a subject"), change, dry_run: false };
    engine.register_schema(asked, &Caller::default()).expect("registered");
}

fn event(payload: &str) -> Append {
    let draft = EventDraft::new("e", "t", payload).expect("a draft");
    Append { events: vec![draft], ..Append::default() }
}

#[test]
fn what_is_known_is_folded_on_and_the_past_stays_the_past() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine(&dir);
    let subjects = |at: u64| {
        let snapshot = engine.store().snapshot().up_to(Position::new(at));
        engine.schemas(&snapshot).expect("readable").entries().count()
    };
    assert_eq!(subjects(u64::MAX), 0);
    engine.append(event("{}"), &Caller::default()).expect("nothing is registered");
    register(&engine, "t", Enforcement::Reject);
    register(&engine, "u", Enforcement::Off);
    assert_eq!((subjects(u64::MAX), subjects(2), subjects(1), subjects(u64::MAX)), (2, 1, 0, 2));
    let error = engine.append(event("{}"), &Caller::default()).expect_err("refused");
    assert_eq!(error.code(), "schema_violation");
    engine.append(event(r#"{"a":1}"#), &Caller::default()).expect("it fits");
}

/// An import of a whole store must bring its schemas along, and hold to them.
#[test]
fn an_import_brings_schemas_and_keeps_to_them() {
    let (one, other) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let (from, to) = (engine(&one), engine(&other));
    register(&from, "t", Enforcement::Reject);
    let stored = from.store().snapshot().event(Position::new(1)).expect("readable").expect("there");
    let draft =
        EventDraft::new(stored.entity_id.as_str(), stored.event_type.as_str(), stored.payload.as_str())
            .expect("a draft");
    let copy = Append { events: vec![draft], ..Append::default() };
    assert_eq!(to.append(copy.clone(), &Caller::default()).expect_err("claimed").code(), "reserved_name");
    to.append_as_given(copy, &Caller::default()).expect("copied");
    let error = to.append_as_given(event("{}"), &Caller::default()).expect_err("refused");
    assert_eq!((error.code(), error.details()["index"].as_u64()), ("schema_violation", Some(0)));
}

/// Of two who register at once on the same knowledge one must look again.
#[test]
fn versions_registered_at_once_are_all_counted() {
    let dir = TempDir::new().expect("a directory");
    let engine = Arc::new(engine(&dir));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let engine = Arc::clone(&engine);
            scope.spawn(move || {
                for n in 0..5 {
                    let schema = json!({"title": format!("{thread}-{n}")});
                    let change = Change { schema: Some(schema), ..Change::default() };
                    loop {
                        let subject = Subject::parse("t").expect("a subject");
                        let asked = Registration { subject, change: change.clone(), dry_run: false };
                        match engine.register_schema(asked, &Caller::default()) {
                            Ok(_) => break,
                            Err(error) => assert_eq!(error.code(), "version_conflict"),
                        }
                    }
                }
            });
        }
    });
    let registry = engine.schemas(&engine.store().snapshot()).expect("readable");
    let entry = registry.of_type("t").expect("an entry");
    let numbers: Vec<u32> = entry.versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<u32>>());
}
