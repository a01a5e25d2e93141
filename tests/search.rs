//! What is stored is found: by words, by meaning, soon after, after a restart, and after retention has emptied it no more.

mod crashes;
mod models;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::EventDraft;
use allsource::indexer::{Indexer, SearchOptions, SearchQuery};
use allsource::store::{Append, NewFork, Options, RetentionPolicy, Store};
use allsource::tools;
use serde_json::{Value, json};

use models::Bag;

/// Only a hang gets here.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Searches with a model that is quick to load.
pub(super) fn options(model: &'static str) -> SearchOptions {
    SearchOptions { embedder: Some(Arc::new(Bag::named(model))), ..SearchOptions::default() }
}

fn open(dir: &Path) -> Engine {
    let store = Store::open(dir, Options::default()).expect("a store");
    Engine::new(store, SystemClock::shared()).searching(options("bag/1"))
}

fn append(engine: &Engine, entity: &str, event_type: &str, payload: &str) {
    let events = vec![EventDraft::new(entity, event_type, payload.to_owned()).expect("a draft")];
    engine.store().append(Append { events, ..Append::default() }).expect("stored");
}

/// A call that must succeed, over everything that is stored.
#[track_caller]
fn ask(engine: &Engine, tool: &str, mut arguments: Value) -> Value {
    // A call waits 5 s; on a machine that is busy with other tests that may be too short.
    assert!(engine.indexer().expect("an indexer").catch_up(PATIENCE));
    arguments["wait_for_position"] = json!(-1);
    let answer = tools::call(engine, tool, arguments.as_object().expect("an object"), &Caller::default());
    assert!(!answer.is_error, "{:?}", answer.body);
    assert!(answer.body.get("fresh").is_none(), "{:?}", answer.body);
    Value::Object(answer.body)
}

/// The positions of a table's rows.
fn positions(answer: &Value) -> Vec<u64> {
    let rows = answer["table"]["rows"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row[0].as_u64().expect("a position")).collect()
}

#[track_caller]
fn check(engine: &Engine, tool: &str, arguments: Value, expected: &[u64]) {
    let said = arguments.to_string();
    assert_eq!(positions(&ask(engine, tool, arguments)), expected, "{said}");
}

/// Twelve notes on three tickets.
fn tickets(dir: &Path) -> Engine {
    let engine = open(dir);
    let texts = [
        "the card was declined by the bank",
        "customer calls about a missing parcel",
        "parcel found at the neighbour",
        "refund granted for order A-4711",
    ];
    for n in 0..12 {
        let payload = json!({"text": texts[n % 4], "number": n, "tag": format!("mark{n}")});
        let event_type = if n % 4 == 3 { "ticket.refunded" } else { "ticket.noted" };
        append(&engine, &format!("ticket-{}", n % 3), event_type, &payload.to_string());
    }
    engine
}

#[test]
fn events_are_found_by_words_by_meaning_and_by_both() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    check(&engine, "hybrid_search", json!({"keywords": "mark7"}), &[8]);
    check(&engine, "hybrid_search", json!({"keywords": "A-4711"}), &[12, 8, 4]);
    check(&engine, "hybrid_search", json!({"keywords": "payload.text:neighbours"}), &[11, 7, 3]);
    let near = ask(
        &engine,
        "semantic_search_events",
        json!({"query": "the bank declined the card", "threshold": 0.2, "limit": 3}),
    );
    let mut found = positions(&near);
    found.sort_unstable();
    assert_eq!(found, [1, 5, 9], "{near:#}");
    let both = ask(&engine, "hybrid_search", json!({"keywords": "mark2", "semantic_query": "parcel found"}));
    assert_eq!(positions(&both)[0], 3, "{both:#}");
}

#[test]
fn every_filter_applies_inside_a_search() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    let words = |more: Value| {
        let mut arguments = json!({"keywords": "parcel"});
        arguments.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        arguments
    };
    check(&engine, "hybrid_search", words(json!({"entity_id": "ticket-2"})), &[3, 6]);
    check(&engine, "hybrid_search", words(json!({"event_type": "ticket.refunded"})), &[]);
    check(&engine, "hybrid_search", words(json!({"as_of_position": 3})), &[3, 2]);
    check(&engine, "hybrid_search", words(json!({"where": ["payload.number = 6"]})), &[7]);
    check(&engine, "hybrid_search", words(json!({"since": "2999-01-01"})), &[]);
    let meaning = json!({"query": "parcel found at the neighbour", "entity_id": "ticket-1", "threshold": 0.2, "limit": 1});
    check(&engine, "semantic_search_events", meaning, &[11]);
}

#[test]
fn a_restart_goes_on_where_the_last_commit_was() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    check(&engine, "hybrid_search", json!({"keywords": "mark11"}), &[12]);
    engine.close().expect("closes");
    let engine = open(root.path());
    append(&engine, "ticket-9", "ticket.noted", r#"{"tag":"mark12"}"#);
    check(&engine, "hybrid_search", json!({"keywords": "mark12"}), &[13]);
    check(&engine, "hybrid_search", json!({"keywords": "mark11"}), &[12]);
}

#[test]
fn pages_of_a_ranking_follow_each_other_while_events_arrive() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    let whole =
        positions(&ask(&engine, "hybrid_search", json!({"keywords": "parcel card refund", "limit": 50})));
    let mut page = ask(&engine, "hybrid_search", json!({"keywords": "parcel card refund", "limit": 5}));
    let mut seen = positions(&page);
    while let Some(cursor) = page.get("next_cursor").cloned() {
        append(&engine, "ticket-9", "ticket.noted", r#"{"text":"another parcel, another card"}"#);
        let arguments = json!({"cursor": cursor});
        let answer = tools::call(
            &engine,
            "hybrid_search",
            arguments.as_object().expect("an object"),
            &Caller::default(),
        );
        assert!(!answer.is_error, "{:?}", answer.body);
        page = Value::Object(answer.body);
        seen.extend(positions(&page));
    }
    assert_eq!(seen, whole);
    assert_eq!(seen.len(), 12);
}

#[test]
fn an_event_like_another_is_found_and_the_other_is_not() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    let event = engine
        .store()
        .snapshot()
        .event(allsource::event::Position::new(3))
        .expect("readable")
        .expect("there");
    let like = json!({"like_event_id": event.event_id.to_string(), "limit": 2});
    check(&engine, "semantic_search_events", like, &[11, 7]);
}

#[test]
fn nothing_close_says_so_and_names_the_nearest() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    let answer =
        ask(&engine, "semantic_search_events", json!({"query": "volcano eruption", "threshold": 0.9}));
    assert_eq!(answer["matched"]["count"], 0, "{answer:#}");
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("similar enough") && warnings.contains("nearest is position"), "{warnings}");
    assert_eq!(answer["next_steps"][0]["arguments"]["threshold"], 0);
}

/// Retention leaves the row of an event and takes what it said: so does the index.
#[test]
fn what_retention_has_emptied_is_not_found_any_more() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    check(&engine, "hybrid_search", json!({"keywords": "neighbour"}), &[11, 7, 3]);
    let policy = RetentionPolicy {
        event_type: "ticket.noted".to_owned(),
        max_age_seconds: None,
        max_events: Some(1),
        max_bytes: None,
    };
    engine.store().set_retention(policy).expect("set");
    let emptied = engine.store().apply_retention(false).expect("applied");
    assert_eq!(emptied.iter().map(|one| one.events).sum::<u64>(), 8);
    let indexer = engine.indexer().expect("an indexer");
    let found = |words: &str| {
        let query = SearchQuery { keywords: Some(words), ..SearchQuery::default() };
        let found = indexer.search(&query, PATIENCE).expect("a search");
        found.iter().map(|hit| hit.position.get()).collect::<Vec<_>>()
    };
    assert!(indexer.catch_up(PATIENCE));
    assert_eq!(found("neighbour"), [11]);
    assert_eq!(found("declined"), [0; 0]);
    assert_eq!(found("mark0"), [0; 0]);
    assert_eq!(found("mark10"), [11]);
    assert!(found("entity_id:ticket-0").contains(&1), "the row itself is still found");
    let meaning =
        SearchQuery { meaning: Some("the card was declined by the bank"), ..SearchQuery::default() };
    let near = indexer.search(&meaning, PATIENCE).expect("a search");
    assert!(near.iter().all(|hit| hit.position.get() >= 4), "{near:?}");
}

#[test]
fn a_fork_finds_no_more_of_what_retention_has_emptied_and_a_reader_finds_what_the_fork_added() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    let id = engine.store().create_fork(NewFork::default()).expect("a fork").id.to_string();
    append(
        &engine.branch(&id).expect("there"),
        "ticket-0",
        "ticket.noted",
        r#"{"text":"one more neighbour"}"#,
    );
    append(&engine, "ticket-0", "ticket.noted", r#"{"text":"a neighbour that came later"}"#);
    let words = json!({"keywords": "neighbour", "branch": id});
    check(&engine, "hybrid_search", words.clone(), &[13, 11, 7, 3]);
    let policy = RetentionPolicy {
        event_type: "ticket.noted".to_owned(),
        max_age_seconds: None,
        max_events: Some(4),
        max_bytes: None,
    };
    engine.store().set_retention(policy).expect("set");
    engine.store().apply_retention(false).expect("applied");
    check(&engine, "hybrid_search", words.clone(), &[13, 11]);
    engine.close().expect("closes");
    let reading = Options { mode: allsource::store::Mode::Read, ..Options::default() };
    let store = Store::open(root.path(), reading).expect("readable");
    let engine = Engine::new(store, SystemClock::shared()).searching(options("bag/1"));
    let answer =
        tools::call(&engine, "hybrid_search", words.as_object().expect("an object"), &Caller::default());
    assert_eq!(positions(&Value::Object(answer.body)), [13, 11]);
}

#[test]
fn a_reader_finds_what_the_last_writer_indexed() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    check(&engine, "hybrid_search", json!({"keywords": "mark7"}), &[8]);
    engine.close().expect("closes");
    // Something that a writer would remove.
    let stranger = root.path().join("tenants/default/main/search/vectors/000009-00000000000000000099.rows");
    std::fs::write(&stranger, "left over").expect("written");
    let reading = Options { mode: allsource::store::Mode::Read, ..Options::default() };
    let store = Store::open(root.path(), reading).expect("readable");
    let indexer = Indexer::start(&store, options("bag/1")).expect("a thread");
    let query = SearchQuery { keywords: Some("mark7"), meaning: Some("refund"), ..SearchQuery::default() };
    let found = indexer.search(&query, PATIENCE).expect("a search");
    assert_eq!(found.first().map(|hit| hit.position.get()), Some(8));
    assert!(stranger.exists(), "a reader changes nothing");
}

/// One byte of each file of both indexes: found by name, and the index is made anew.
#[test]
fn a_flipped_byte_in_an_index_is_found_and_mended() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    check(&engine, "hybrid_search", json!({"keywords": "mark7"}), &[8]);
    engine.close().expect("closes");
    let search = root.path().join("tenants/default/main/search");
    for part in ["keyword", "vectors"] {
        let files = std::fs::read_dir(search.join(part)).expect("a folder");
        let paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        for path in paths.into_iter().filter(|path| path.extension().is_none_or(|ending| ending != "json")) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let before = std::fs::read(&path).expect("readable");
            let mut bytes = before.clone();
            // Where records are, but not in what a file has reserved behind them.
            let Some(byte) = bytes.get_mut(3) else { continue };
            *byte ^= 4;
            std::fs::write(&path, bytes).expect("writable");
            let engine = open(root.path());
            let damage = engine.verify().damage;
            let place = format!("search/{part}/{name}");
            assert!(
                damage.iter().any(|damage| damage.file == place && damage.is_derived()),
                "{place}: {damage:?}"
            );
            engine.close().expect("closes");
            std::fs::write(&path, before).expect("writable");
        }
    }
    let engine = open(root.path());
    assert_eq!(engine.verify().damage, []);
    let path = std::fs::read_dir(search.join("vectors"))
        .expect("a folder")
        .next()
        .expect("one")
        .expect("a file")
        .path();
    let mut bytes = std::fs::read(&path).expect("readable");
    bytes[3] ^= 4;
    std::fs::write(&path, bytes).expect("writable");
    assert!(!engine.repair().expect("repaired").repaired.is_empty());
    assert!(engine.indexer().expect("an indexer").catch_up(PATIENCE));
    assert_eq!(engine.verify().damage, []);
    check(&engine, "hybrid_search", json!({"keywords": "mark7"}), &[8]);
}
