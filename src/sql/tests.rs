//! Statements that mean no good: each ends in an answer or an error that says what is wrong, and the next one is answered.

use std::time::Duration;

use tempfile::TempDir;

use super::hostile::{bombs, deep, files, gibberish, long, makers, patterns, regexes, types, writes};
use super::{Outcome, RunLimits, run, value};
use crate::clock::SystemClock;
use crate::engine::{Engine, Wish};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventDraft, TimeZone};
use crate::store::{Append, Options, Store};

/// Enough for any honest statement here, and soon over for the others.
const SHORT: RunLimits =
    RunLimits { time_max: Duration::from_millis(300), rows_max: 100, bytes_max: 1 << 20 };
/// Only a hang gets here.
const PATIENT: RunLimits = RunLimits { time_max: Duration::from_mins(2), rows_max: 100, bytes_max: 1 << 20 };

struct Ground {
    engine: Engine,
    _dir: TempDir,
}

impl Ground {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let store = Store::open(dir.path(), Options::default()).expect("a store");
        let event = |number: u64| {
            let payload = format!(r#"{{"n":{number},"text":"word {number}"}}"#);
            EventDraft::new(&format!("e-{}", number % 50), "t.x", payload).expect("a draft")
        };
        let events = (0..2_000).map(event).collect();
        store.append(Append { events, ..Append::default() }).expect("stored");
        Self { engine: Engine::new(store, SystemClock::shared()), _dir: dir }
    }

    fn run(&self, sql: &str, limits: RunLimits) -> Result<Outcome> {
        let now = self.engine.clock().now();
        let view = Wish::default().over(self.engine.store().snapshot(), now)?;
        run(&self.engine, &view, now, sql, limits, false)
    }
}

fn said(error: &Error) -> bool {
    error.kind() != ErrorKind::Internal && error.message().len() > 10
}

#[test]
fn hostile_statements_end_and_the_next_is_answered() {
    let ground = Ground::new();
    let groups = [
        ("writes", writes()),
        ("files", files()),
        ("bombs", bombs()),
        ("makers", makers()),
        ("regexes", regexes()),
        ("patterns", patterns()),
        ("deep", deep()),
        ("long", long()),
        ("types", types()),
        ("gibberish", gibberish()),
    ];
    let total: usize = groups.iter().map(|(_, statements)| statements.len()).sum();
    assert!(total >= 500, "{total} statements");
    for (group, statements) in groups {
        for sql in statements {
            let outcome = ground.run(&sql, SHORT);
            let shown: String = sql.chars().take(200).collect();
            match &outcome {
                Err(error) => assert!(said(error), "{group}: {shown}: {error}"),
                Ok(_) => assert!(!["writes", "files", "patterns"].contains(&group), "{shown} was run"),
            }
        }
        let count = ground.run("SELECT count(*) FROM events", PATIENT).expect("the engine goes on");
        assert_eq!(value(count.batches[0].column(0), 0, TimeZone::UTC), 2_000, "after {group}");
    }
    let sorted = ground
        .run("SELECT payload FROM events ORDER BY payload LIMIT 1", PATIENT)
        .expect("memory was given back");
    assert_eq!(sorted.rows, 1);
}
