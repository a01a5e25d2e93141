//! A small store for the tests of the tools: a clock that stands still, ids that can be foreseen.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::budget::{TOKENS_DEFAULT, tokens_of};
use super::{Answer, Object, call};
use crate::clock::{ManualClock, SeededIds};
use crate::engine::{Caller, Engine};
use crate::event::{EventDraft, Timestamp};
use crate::store::disk::RealDisk;
use crate::store::{Append, Mode, Options, Store};

/// What the clock says: 2024-03-10T12:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_710_072_000_000_000);
const HOUR_US: i64 = 3_600_000_000;

/// An engine over a store in a directory of its own.
pub(crate) struct Shop {
    pub engine: Engine,
    pub caller: Caller,
    pub clock: Arc<ManualClock>,
    dir: TempDir,
}

impl Shop {
    /// A store without events.
    pub(crate) fn empty() -> Self {
        let dir = TempDir::new().expect("a directory");
        let clock = Arc::new(ManualClock::at(NOW));
        let engine = open(&dir, &clock);
        let caller = Caller { import_root: Some(dir.path().join("files")), ..Caller::default() };
        Self { engine, caller, clock, dir }
    }

    /// Ninety orders of three events each, an hour apart, ending now: `order.placed`, `order.paid`, `order.shipped`.
    pub(crate) fn with_orders() -> Self {
        let shop = Self::empty();
        let mut events = Vec::new();
        for number in 0..270_i64 {
            let order = number / 3;
            let (kind, payload) = match number % 3 {
                0 => (
                    "order.placed",
                    format!(
                        r#"{{"total":{},"currency":"EUR","customer":{{"id":"c-{}"}}}}"#,
                        order * 10,
                        order % 7
                    ),
                ),
                1 => ("order.paid", format!(r#"{{"method":"card","amount":{}}}"#, order * 10)),
                _ => ("order.shipped", format!(r#"{{"carrier":"DHL","parcel":"p-{order}"}}"#)),
            };
            let at = Timestamp::from_micros(NOW.as_micros() - (269 - number) * HOUR_US);
            events.push(EventDraft::new(&format!("order-{order}"), kind, payload).expect("a draft").at(at));
        }
        shop.append(events);
        shop
    }

    /// Stores events.
    pub(crate) fn append(&self, events: Vec<EventDraft>) {
        self.engine.store().append(Append { events, ..Append::default() }).expect("stored");
    }

    /// Appends an event with that metadata to an entity.
    pub(crate) fn append_as(&self, entity: &str, metadata: &str) {
        let draft = EventDraft::new(entity, "order.noted", r#"{"note":"x"}"#).expect("a draft");
        self.append(vec![draft.with_metadata(metadata).expect("metadata")]);
    }

    /// The same directory, opened again.
    pub(crate) fn reopened(self) -> Self {
        let Self { engine, caller, clock, dir } = self;
        drop(engine);
        let engine = open(&dir, &clock);
        Self { engine, caller, clock, dir }
    }

    /// The same store, all of it in segments.
    pub(crate) fn in_segments(self) -> Self {
        let Self { engine, caller, clock, dir } = self;
        drop(engine);
        let options = Options { hot_window_bytes: 0, clock: clock.clone(), ..Options::default() };
        let store = Store::open(dir.path(), options).expect("a store");
        store.compact().expect("room");
        store.close().expect("closes");
        let engine = open(&dir, &clock);
        Self { engine, caller, clock, dir }
    }

    /// The same store, opened for reading after a byte of the only place that holds `text` was changed.
    pub(crate) fn damaged(self, text: &[u8]) -> Self {
        let Self { engine, caller, clock, dir } = self;
        drop(engine);
        let log = dir.path().join("tenants/default/main/log/00000000000000000001.log");
        let mut bytes = std::fs::read(&log).expect("a log file");
        let at = bytes.windows(text.len()).position(|window| window == text).expect("the text is in the log");
        bytes[at + 2] ^= 1;
        #[expect(clippy::disallowed_methods, reason = "damages the file behind the store's back")]
        std::fs::write(&log, bytes).expect("the log file can be changed");
        let options = Options { mode: Mode::Read, clock: clock.clone(), ..Options::default() };
        let engine = Engine::new(Store::open(dir.path(), options).expect("readable"), clock.clone());
        Self { engine, caller, clock, dir }
    }

    /// Calls a tool; whatever it answers stays within its budget.
    pub(crate) fn answer(&self, tool: &str, arguments: &Value) -> Answer {
        let given = arguments.as_object().expect("an object");
        let answer = call(&self.engine, tool, given, &self.caller);
        let asked =
            given.get("max_tokens").and_then(Value::as_u64).and_then(|asked| usize::try_from(asked).ok());
        let size = tokens_of(&Value::Object(answer.body.clone()));
        assert!(size <= asked.unwrap_or(TOKENS_DEFAULT).min(10_000), "{size} tokens: {:?}", answer.body);
        answer
    }

    /// Calls a tool that must succeed.
    #[track_caller]
    pub(crate) fn ask(&self, tool: &str, arguments: &Value) -> Value {
        let answer = self.answer(tool, arguments);
        assert!(!answer.is_error, "{:?}", answer.body);
        Value::Object(answer.body)
    }

    /// Calls a tool that must refuse, and gives the error.
    #[track_caller]
    pub(crate) fn refused(&self, tool: &str, arguments: &Value, code: &str) -> Object {
        let answer = self.answer(tool, arguments);
        assert!(answer.is_error, "{:?}", answer.body);
        assert_eq!(answer.body["error"]["code"], code, "{:?}", answer.body);
        answer.body
    }

    /// Makes a fork, and gives its name.
    pub(crate) fn fork(&self) -> String {
        let made = self.ask("create_sandbox_fork", &serde_json::json!({"purpose": "try something"}));
        made["fork_id"].as_str().expect("a name").to_owned()
    }

    /// Puts a file where the caller may import it from.
    pub(crate) fn put_file(&self, name: &str, text: &str) {
        let root = self.caller.import_root.as_deref().expect("a root");
        std::fs::create_dir_all(root).expect("a directory");
        #[expect(clippy::disallowed_methods, reason = "the file is the user's, not the store's")]
        std::fs::write(root.join(name), text).expect("a file");
    }

    /// Drops what a fork added, with the token that names it.
    #[track_caller]
    pub(crate) fn reset(&self, fork: &str) {
        let call = serde_json::json!({"fork_id": fork, "reset": true});
        let asked = self.refused("update_fork", &call, "confirmation_needed");
        self.ask("update_fork", &asked["next_steps"][0]["arguments"]);
    }

    /// Sends every next step of an answer; all must succeed, and the first must find something.
    #[track_caller]
    pub(crate) fn follow(&self, answer: &Value) -> Value {
        let steps = answer["next_steps"].as_array().expect("next steps");
        let answers: Vec<Value> = steps
            .iter()
            .map(|step| self.ask(step["tool"].as_str().expect("a tool"), &step["arguments"]))
            .collect();
        answers.into_iter().next().expect("a step")
    }
}

fn open(dir: &TempDir, clock: &Arc<ManualClock>) -> Engine {
    let options = Options { clock: clock.clone(), ids: Arc::new(SeededIds::new(7)), ..Options::default() };
    let store = Store::open(dir.path(), options).expect("a store");
    Engine::new(store, clock.clone()).keeping_queries(dir.path(), Arc::new(RealDisk))
}

/// The rows of an answer's table.
pub(crate) fn rows(answer: &Value) -> Vec<Vec<Value>> {
    let rows = answer["table"]["rows"].as_array().cloned().unwrap_or_default();
    rows.into_iter().map(|row| row.as_array().cloned().expect("a row")).collect()
}

/// The positions in an answer's table.
pub(crate) fn positions(answer: &Value) -> Vec<u64> {
    rows(answer).iter().map(|row| row[0].as_u64().expect("a position")).collect()
}
