//! *What does the command line need that no agent may see?* Bulk work, care and completions, with a tool's shape: JSON
//! object in, JSON object out, so that they pass through the door between processes like a tool call.
//!
//! Useful for: import, export, verify, backup, completions, prompts. Not for: anything with a budget, pages or next steps.
//!
//! Payloads and metadata travel as text (`"payload": "{\"a\":1}"`), so that the bytes arrive as they came.
//!
//! | operation | arguments | result |
//! | --- | --- | --- |
//! | `append_batch` | `events[]` {`entity_id`, `event_type`, `payload` (text), `metadata`? (text), `event_id`?, `timestamp`? (µs since 1970)}, `idempotency_key`? | `stored`, `already_stored`, `duplicate`, `head_position` |
//! | `known_keys` | `keys[]` | `known[]` (true or false for each, in order), `positions[]` (where the append begins, or null) |
//! | `export_page` | `after_position`? (0), `entity_id`?, `event_type`?, `since`?, `until`?, `where[]`?, `as_of`?, `known_at`?, `as_of_position`?, `time_zone`?, `bytes_max`? (8 MiB) | `events[]` {`position`, `version`, `event_id`, `entity_id`, `event_type`, `timestamp`, `recorded_at`, `payload` (text), `metadata`? (text)}, `next_position` (the next `after_position`; absent at the end), `head_position`, `damaged`? |
//! | `verify` | `repair`? (false) | `events`, `files`, `damage[]` {`file`, `offset`, `first_position`, `last_position` (both 0 when no position is known to be lost), `derived` (can be built anew), `reason`}, `repaired[]` (as `damage`), `not_repaired`? (why nothing was) |
//! | `backup` | `dir` (an absolute path) | `through` (the last position in it), `kept`, `linked`, `copied`, `removed` (files), `copied_bytes` |
//! | `compact` | `hot_window_bytes`? | `sealed`, `retired` (log files), `merged`, `segments` (there now), `bytes_before`, `bytes_after` |
//! | `retention_list` | – | `policies[]` {`event_type`, `max_age_seconds`?, `max_events`?, `max_bytes`?} |
//! | `retention_set` | the fields of a policy | as `retention_list` |
//! | `retention_clear` | `event_type` | `cleared` |
//! | `retention_run` | `dry_run`? (false) | `emptied[]` {`policy`, `events`, `bytes`} |
//! | `snapshot` | `entities[]`? (names, or prefixes with a trailing star; all) | `saved`, `short` (too few events to need it), `failed`, `missing[]`, `more` (a prefix stands for more than 10,000) |
//! | `index_progress` | `wait_ms`? (0) | `head_position`, `indexed_through`, `lag`?, `model`?, `indexed_model`?, `vectors`?, `vector_bytes`?, `graphs`?, `graph_bytes`?, `failure`? |
//! | `reindex` | `model`? (the embedder's, which must be the owner's), `vectors`? (false: everything) | `head_position`; returns when it has begun |
//! | `complete` | `kind` (`entity_id`, `event_type`, `branch`), `prefix`? (""), `limit`? (100) | `values[]` |
//! | `prompt` | `name`, `arguments`? {} | `text` |
//! | `recent_queries` | – | `queries[]` {`query_id`, `tool`, `arguments`, `when`} of the last 7 days, newest first, `more`? (how many did not fit) |
//! | `touched` | `after_position`?, `asked_at`? (µs; as answered before), `wait_ms`? (0; at most 5,000, for news) | `head_position`, `asked_at` (when a query was last asked), `entities[]`?, `types[]`? (of the events behind `after_position`), `everything`? (they are too many) |
//!
//! `append_batch`, `known_keys`, `export_page` and `verify` take `branch`? too (`main`); of a fork `verify` proves the fork alone.
//!
//! **Invariant:** permission to write is checked as for tools.

mod append_batch;
mod backup;
mod compact;
mod complete;
mod export_page;
mod index;
mod known_keys;
mod prompt;
mod recent_queries;
mod retention;
mod snapshot;
mod sql;
mod touched;
mod verify;

pub(super) use index::told_of;

use serde_json::Value;

use super::Object;
use super::refusal::among_branches;
use crate::engine::{Caller, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;

/// One operation of the table.
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Does it.
    pub(crate) run: fn(&Engine, &Object, &Caller) -> Result<Object>,
}

/// Every operation.
pub static OPERATIONS: &[Operation] = &[
    append_batch::OPERATION,
    known_keys::OPERATION,
    export_page::OPERATION,
    sql::OPERATION,
    verify::OPERATION,
    backup::OPERATION,
    compact::OPERATION,
    retention::LIST,
    retention::SET,
    retention::CLEAR,
    retention::RUN,
    snapshot::OPERATION,
    index::PROGRESS,
    index::REINDEX,
    complete::OPERATION,
    prompt::OPERATION,
    recent_queries::OPERATION,
    touched::OPERATION,
];

/// Performs the operation with that name.
///
/// # Errors
/// `NotFound` (`unknown_operation`) when there is none, else whatever the operation meets.
pub fn operate(engine: &Engine, name: &str, arguments: &Object, caller: &Caller) -> Result<Object> {
    let found = OPERATIONS.iter().find(|operation| operation.name == name);
    let operation = found.ok_or_else(|| {
        let message = format!("perform {}: there is no such operation", quote(name));
        Error::new(ErrorKind::NotFound, "unknown_operation", message)
    })?;
    let Some(asked) = arguments.get("branch").and_then(Value::as_str).filter(|_| takes_branch(name)) else {
        return (operation.run)(engine, arguments, caller);
    };
    let found = engine.branch_at(asked).map_err(|error| among_branches(error, engine, arguments));
    let (branch, point) = found?;
    let Some(point) = point else { return (operation.run)(&branch, arguments, caller) };
    if ![export_page::OPERATION.name, sql::OPERATION.name].contains(&name) {
        let message = format!("{name} on branch {}: only its end can be; leave @ out", quote(asked));
        return Err(Error::invalid("bad_argument", message).with("argument", "branch"));
    }
    let given = arguments.get("as_of_position").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let mut bounded = arguments.clone();
    bounded.insert("as_of_position".to_owned(), given.min(point.get()).into());
    (operation.run)(&branch, &bounded, caller)
}

/// Whether an operation is about one branch; the others are about the store.
fn takes_branch(name: &str) -> bool {
    [
        append_batch::OPERATION.name,
        known_keys::OPERATION.name,
        export_page::OPERATION.name,
        sql::OPERATION.name,
        verify::OPERATION.name,
    ]
    .contains(&name)
}

/// An answer of numbers.
fn answer<const N: usize>(fields: [(&str, u64); N]) -> Object {
    fields.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::Writes;
    use crate::tools::fixture::Shop;

    fn operate(shop: &Shop, name: &str, arguments: &Value) -> Result<Value> {
        let arguments = arguments.as_object().expect("an object");
        super::operate(&shop.engine, name, arguments, &shop.caller).map(Value::Object)
    }

    #[track_caller]
    fn check(shop: &Shop, name: &str, arguments: &Value, expected: &Value) {
        assert_eq!(operate(shop, name, arguments).expect("done"), *expected);
    }

    fn batch() -> Value {
        json!({"events": [
            {"entity_id": "a", "event_type": "t", "payload": "{ \"n\":1e2 }", "event_id": "e-1", "timestamp": 5},
            {"entity_id": "a", "event_type": "t", "payload": "[1, 2]", "metadata": "{\"actor\":\"x\"}"},
        ], "idempotency_key": "file:1"})
    }

    #[test]
    fn a_batch_goes_in_once_and_comes_out_as_it_was() {
        let shop = Shop::empty();
        let stored = json!({"stored": 2, "already_stored": 0, "duplicate": false, "head_position": 2});
        check(&shop, "append_batch", &batch(), &stored);
        let again = json!({"stored": 0, "already_stored": 2, "duplicate": true, "head_position": 2});
        check(&shop, "append_batch", &batch(), &again);
        check(
            &shop,
            "known_keys",
            &json!({"keys": ["file:0", "file:1"]}),
            &json!({"known": [false, true], "positions": [null, 1]}),
        );
        let page = operate(&shop, "export_page", &json!({})).expect("a page");
        assert_eq!(page["events"][0]["payload"], "{ \"n\":1e2 }");
        assert_eq!(page["events"][0]["timestamp"], "1970-01-01T00:00:00.000005Z");
        assert_eq!(page["events"][1]["metadata"], "{\"actor\":\"x\"}");
        assert!(page.get("next_position").is_none());
    }

    #[test]
    fn a_bad_event_is_named_and_nothing_goes_in() {
        let shop = Shop::empty();
        let bad = json!({"events": [
            {"entity_id": "a", "event_type": "t", "payload": "{}"},
            {"entity_id": "a", "event_type": "t", "payload": "{"},
        ]});
        let error = operate(&shop, "append_batch", &bad).expect_err("not JSON");
        assert_eq!((error.code(), &error.details()["index"]), ("not_json", &json!(1)));
        let mut readers = shop;
        readers.caller.writes = Writes::None;
        assert_eq!(operate(&readers, "append_batch", &batch()).expect_err("denied").code(), "writes_denied");
    }

    #[test]
    fn pages_of_an_export_have_every_event_once() {
        let shop = Shop::with_orders();
        let (mut after, mut seen) = (json!(0), Vec::new());
        loop {
            let page = operate(
                &shop,
                "export_page",
                &json!({"after_position": after, "event_type": "order.paid", "bytes_max": 500}),
            )
            .expect("a page");
            seen.extend(
                page["events"].as_array().expect("events").iter().map(|event| event["position"].clone()),
            );
            match page.get("next_position") {
                Some(next) => after = next.clone(),
                None => break,
            }
        }
        let expected: Vec<Value> = (0..90).map(|order| json!(order * 3 + 2)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn names_are_completed() {
        let shop = Shop::with_orders();
        check(
            &shop,
            "complete",
            &json!({"kind": "event_type", "prefix": "order.p"}),
            &json!({"values": ["order.paid", "order.placed"]}),
        );
        check(
            &shop,
            "complete",
            &json!({"kind": "entity_id", "prefix": "order-8", "limit": 2}),
            &json!({"values": ["order-8", "order-80"]}),
        );
        check(&shop, "complete", &json!({"kind": "branch"}), &json!({"values": ["main"]}));
        assert_eq!(
            operate(&shop, "complete", &json!({"kind": "x"})).expect_err("no kind").code(),
            "bad_argument"
        );
        assert_eq!(
            operate(&shop, "nothing", &json!({})).expect_err("no operation").code(),
            "unknown_operation"
        );
    }

    #[test]
    fn a_whole_store_is_verified() {
        let report = operate(&Shop::with_orders(), "verify", &json!({})).expect("a report");
        assert_eq!((&report["events"], &report["damage"]), (&json!(270), &json!([])));
    }
}
