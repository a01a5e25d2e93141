//! What SQL answers: the statements of `tests/sql/*.slt` (format of sqllogictest) over a small shop, through the tool as agents
//! call it.

use std::fs;
use std::path::{Path, PathBuf};

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::{EventDraft, Timestamp};
use allsource::store::{Append, NewFork, Options, Store};
use allsource::tools;
use serde_json::{Value, json};
use sqllogictest::{DBOutput, DefaultColumnType, Runner};
use tempfile::TempDir;

/// 2026-01-05T00:00:00Z, a Monday.
const START_US: i64 = 1_767_571_200_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// Thirty orders, one every six hours: placed, then paid an hour later, and every second one shipped two hours later. Order 7 is
/// cancelled on a fork.
struct Shop {
    engine: Engine,
    fork: String,
    _dir: TempDir,
}

impl Shop {
    fn open() -> Self {
        let dir = TempDir::new().expect("a directory");
        let store = Store::open(dir.path(), Options::default()).expect("a store");
        let mut events = Vec::new();
        for order in 0..30_i64 {
            let at = |hours: i64| Timestamp::from_micros(START_US + (order * 6 + hours) * HOUR_US);
            let entity = format!("order-{order}");
            let mut event = |kind: &str, hours: i64, payload: Value| {
                let draft =
                    EventDraft::new(&entity, kind, payload.to_string()).expect("a draft").at(at(hours));
                let metadata = json!({"actor": format!("clerk-{}", order % 3)}).to_string();
                events.push(draft.with_metadata(metadata).expect("metadata"));
            };
            let customer = json!({"name": format!("c{}", order % 4), "vip": order % 4 == 0});
            event("order.placed", 0, json!({"total": order * 10, "customer": customer, "note": null}));
            event("order.paid", 1, json!({"amount": format!("{}.50", order * 10), "version": 2}));
            if order % 2 == 0 {
                event("OrderShipped", 2, json!({"carrier": if order % 4 == 0 { "DHL" } else { "UPS" }}));
            }
        }
        store.append(Append { events, ..Append::default() }).expect("stored");
        let asked = NewFork { purpose: "to cancel order 7".to_owned(), ..NewFork::default() };
        let fork = store.create_fork(asked).expect("a fork");
        let cancelled =
            EventDraft::new("order-7", "order.cancelled", r#"{"reason":"late"}"#).expect("a draft");
        let on_fork = store.fork(&fork.id).expect("the fork");
        on_fork.append(Append { events: vec![cancelled], ..Append::default() }).expect("stored");
        let fork = fork.id.to_string();
        Self { engine: Engine::new(store, SystemClock::shared()), fork, _dir: dir }
    }

    fn ask(&self, sql: &str) -> Result<Value, String> {
        let arguments = json!({"sql": sql.replace("$fork", &self.fork), "max_tokens": 10_000});
        let given = arguments.as_object().expect("an object");
        let answer = tools::call(&self.engine, "run_sql", given, &Caller::default());
        if answer.is_error {
            let error = &answer.body["error"];
            return Err(format!("{}: {}", error["code"], error["message"]));
        }
        Ok(Value::Object(answer.body))
    }
}

/// Why a statement failed, as the tool says it.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl sqllogictest::DB for Shop {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let answer = self.ask(sql).map_err(Refused)?;
        let columns = answer["table"]["columns"].as_array().expect("columns").len();
        let cell = |cell: &Value| match cell {
            Value::Null => "NULL".to_owned(),
            Value::String(text) if text.is_empty() => "(empty)".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let rows = answer["table"]["rows"].as_array().expect("rows").iter();
        let rows = rows.map(|row| row.as_array().expect("a row").iter().map(cell).collect()).collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }
}

fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let entries = fs::read_dir(dir).expect("the folder of statements");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    files
}

#[test]
fn statements_answer_what_their_files_say() {
    let files = files();
    assert!(files.len() >= 5, "{files:?}");
    let failures: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let mut runner = Runner::new(|| async { Ok(Shop::open()) });
            runner.run_file(file).err().map(|error| error.display(false).to_string())
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
