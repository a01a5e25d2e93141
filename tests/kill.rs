//! The real server is killed in the middle of its work, again and again, and keeps what it acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use allsource::clock::{IdSource, SeededIds};
use allsource::event::{Event, Filter};
use allsource::indexer::{Indexer, SearchOptions, SearchQuery};
use allsource::store::{Mode, Options, Store};
use serde_json::{Value, json};

use crate::machines::ledger::read_all;

const KILLS: u64 = 50;
/// Appends that are sent without waiting for an answer, in each life of the server.
const CALLS: u64 = 30;
/// Only a hang gets here.
const PATIENCE: Duration = Duration::from_mins(2);

/// The server as a client sees it: JSON lines in, JSON lines out.
struct Server {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_allsource"))
            .args(["mcp", "--data"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let requests = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut server = Self { child, requests, answers };
        let client = json!({"name": "kill", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        server.send(&json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params}));
        server.answer().expect("the server answers a greeting");
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    fn send(&mut self, request: &Value) {
        writeln!(self.requests, "{request}").expect("the server reads");
    }

    /// The next answer; `None` when the server is gone.
    fn answer(&mut self) -> Option<Value> {
        let mut line = String::new();
        // What the server was writing when it was killed is no answer.
        let whole = self.answers.read_line(&mut line).is_ok() && line.ends_with('\n');
        whole.then(|| serde_json::from_str(&line).expect("an answer is JSON"))
    }

    fn append(&mut self, batch: u64) {
        let arguments = json!({"branch": "main", "events": events(batch)});
        let params = json!({"name": "append_events", "arguments": arguments});
        self.send(&json!({"jsonrpc": "2.0", "id": batch, "method": "tools/call", "params": params}));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("a process that was started here");
        self.child.wait().expect("a process that was started here");
    }
}

/// The events of a batch: one to five, over up to three entities.
fn events(batch: u64) -> Vec<Value> {
    let size = 1 + batch % 5;
    let event = |at: u64| {
        json!({
            "entity_id": format!("order-{}", (batch + at) % 3),
            "event_type": "order.changed",
            "payload": {"batch": batch, "at": at, "word": word(batch, at), "text": "x".repeat(usize::try_from(batch % 7).expect("small") * 90)},
        })
    };
    (0..size).map(event).collect()
}

/// A word that no other event has.
fn word(batch: u64, at: u64) -> String {
    format!("w{}", batch * 10 + at)
}

/// The positions that an answer acknowledges, with the batch.
fn acknowledged(answer: &Value) -> (u64, Vec<u64>) {
    let batch = answer["id"].as_u64().expect("the id of a call");
    let content = &answer["result"]["structuredContent"];
    let positions =
        content["positions"].as_array().unwrap_or_else(|| panic!("an append was refused: {answer}"));
    (batch, positions.iter().map(|position| position.as_u64().expect("a number")).collect())
}

/// What the store holds, by batch, after checking that nothing is half, twice or out of step.
fn stored(dir: &Path) -> BTreeMap<u64, Vec<u64>> {
    let options = Options { mode: Mode::Read, ..Options::default() };
    let store = Store::open(dir, options).expect("a killed store can be read");
    let events = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut batches: BTreeMap<u64, Vec<(u64, &Event)>> = BTreeMap::new();
    for (position, event) in (1..).zip(&events) {
        assert_eq!(event.position.get(), position);
        let version = versions.entry(event.entity_id.as_str()).or_default();
        *version += 1;
        assert_eq!(event.version.get(), *version, "of {}", event.entity_id);
        let payload = event.payload.to_value();
        let number = |name: &str| payload[name].as_u64().expect("a number");
        batches.entry(number("batch")).or_default().push((number("at"), event));
    }
    for (batch, events) in &batches {
        let places = events.iter().map(|(at, _)| *at);
        assert!(places.eq(0..=batch % 5), "batch {batch} is not there exactly once");
        let times: BTreeSet<_> = events.iter().map(|(_, event)| event.recorded_at).collect();
        assert_eq!(times.len(), 1, "batch {batch} is torn");
    }
    let positions =
        |events: Vec<(u64, &Event)>| events.iter().map(|(_, event)| event.position.get()).collect();
    batches.into_iter().map(|(batch, events)| (batch, positions(events))).collect()
}

/// After a kill, a store of this kind showed parts of batches that it had never acknowledged.
#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged() {
    let root = tempfile::tempdir().expect("a directory for a test");
    let dir = root.path().join("store");
    let dice = SeededIds::new(50);
    let mut promised: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for life in 0..KILLS {
        let mut server = Server::start(&dir);
        for batch in life * CALLS..(life + 1) * CALLS {
            server.append(batch);
        }
        for _ in 0..dice.next_u64() % CALLS {
            promised.extend([acknowledged(&server.answer().expect("the server lives"))]);
        }
        server.child.kill().expect("the server lives");
        while let Some(answer) = server.answer() {
            promised.extend([acknowledged(&answer)]);
        }
        drop(server);
        let stored = stored(&dir);
        for (batch, positions) in &promised {
            assert_eq!(stored.get(batch), Some(positions), "batch {batch} after {} kills", life + 1);
        }
    }
    assert!(promised.len() as u64 > KILLS, "too little was acknowledged to prove anything");
}

/// How often the server is killed while it makes segments: `ALLSOURCE_KILL_ROUNDS`, or few, for they take long.
fn rounds() -> u64 {
    std::env::var("ALLSOURCE_KILL_ROUNDS")
        .ok()
        .map_or(6, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Starts `allsource compact` on the store, beside the server that has it open.
fn compact(dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_allsource"))
        .args(["compact", "--hot-window", "0", "--data"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// Each answer of the server is a step of the clock by which it is killed: while it writes, syncs, makes segments of its
/// log, deletes log files or merges segments. Whoever asked for that takes over, and may be killed as well.
#[test]
fn kills_while_segments_are_made_lose_nothing_that_was_acknowledged() {
    let root = tempfile::tempdir().expect("a directory for a test");
    let dir = root.path().join("store");
    let dice = SeededIds::new(51);
    let mut promised: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for life in 0..rounds() {
        let mut server = Server::start(&dir);
        let mut asked = compact(&dir);
        for batch in life * CALLS..(life + 1) * CALLS {
            server.append(batch);
        }
        for _ in 0..dice.next_u64() % (CALLS + 1) {
            promised.extend([acknowledged(&server.answer().expect("the server lives"))]);
        }
        server.child.kill().expect("the server lives");
        while let Some(answer) = server.answer() {
            promised.extend([acknowledged(&answer)]);
        }
        drop(server);
        if dice.next_u64().is_multiple_of(2) {
            asked.kill().expect("a process that was started here");
        }
        asked.wait().expect("a process that was started here");
        let stored = stored(&dir);
        for (batch, positions) in &promised {
            assert_eq!(stored.get(batch), Some(positions), "batch {batch} after {} kills", life + 1);
        }
        let reader = Store::open(&dir, Options { mode: Mode::Read, ..Options::default() }).expect("readable");
        assert_eq!(reader.verify().damage, [], "after {} kills", life + 1);
    }
    assert!(promised.len() as u64 > rounds(), "too little was acknowledged to prove anything");
    let segments = std::fs::read_dir(dir.join("tenants/default/main/segments")).expect("a folder").count();
    assert!(segments > 0, "no segment was ever made");
}

/// The server indexes what is appended while it is killed. Whoever opens the store next indexes the rest: every stored event
/// is found once, by its own word, and a word that no event has finds none.
#[test]
fn kills_while_events_are_indexed_leave_each_findable_once() {
    let root = tempfile::tempdir().expect("a directory for a test");
    let dir = root.path().join("store");
    let dice = SeededIds::new(52);
    for life in 0..rounds() {
        let mut server = Server::start(&dir);
        for batch in life * CALLS..(life + 1) * CALLS {
            server.append(batch);
        }
        // What is waited for has been committed to the index, at least in part.
        let call =
            json!({"name": "hybrid_search", "arguments": {"keywords": "order", "wait_for_position": -1}});
        for _ in 0..dice.next_u64() % CALLS {
            server.send(&json!({"jsonrpc": "2.0", "id": "search", "method": "tools/call", "params": call}));
            server.answer().expect("the server lives");
        }
        server.child.kill().expect("the server lives");
        drop(server);
        let stored = stored(&dir);
        let store = Store::open(&dir, Options::default()).expect("a killed store can be opened");
        let indexer = Indexer::start(&store, SearchOptions::default()).expect("a thread");
        assert!(indexer.catch_up(PATIENCE), "after {} kills: {:?}", life + 1, indexer.progress());
        for batch in 0..(life + 2) * CALLS {
            for at in 0..=batch % 5 {
                let word = word(batch, at);
                let query = SearchQuery { keywords: Some(&word), ..SearchQuery::default() };
                let found = indexer.search(&query, PATIENCE).expect("a search");
                let found: Vec<u64> = found.iter().map(|hit| hit.position.get()).collect();
                let expected = stored
                    .get(&batch)
                    .and_then(|positions| positions.get(usize::try_from(at).expect("small")));
                assert_eq!(found.as_slice(), expected.copied().as_slice(), "{word} after {} kills", life + 1);
            }
        }
    }
    assert!(!stored(&dir).is_empty(), "nothing was ever stored");
}
