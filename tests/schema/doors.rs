//! Whoever appends meets the schema: a library caller, an agent over the real program, an import at a terminal.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::EventDraft;
use allsource::store::{Append, Options, Store};
use allsource::tools;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mcp::{Client, Era};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"total": {"type": "number", "minimum": 0}, "state": {"enum": ["open", "paid"]}},
        "required": ["total"],
        "additionalProperties": false,
    })
}

fn registration() -> Value {
    json!({"branch": "main", "subject": "order.*", "schema": schema(), "enforcement": "reject"})
}

fn ask(engine: &Engine, tool: &str, arguments: &Value) -> Value {
    let answer = tools::call(engine, tool, arguments.as_object().expect("an object"), &Caller::default());
    assert!(!answer.is_error, "{:?}", answer.body);
    Value::Object(answer.body)
}

fn placed(payload: &str) -> Append {
    let draft = EventDraft::new("order-1", "order.placed", payload).expect("a draft");
    Append { events: vec![draft], ..Append::default() }
}

fn allsource(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_allsource"));
    command
        .args(arguments)
        .current_dir(dir)
        .env("ALLSOURCE_DATA", dir.join("store"))
        .output()
        .expect("it runs")
}

#[track_caller]
fn check(dir: &Path, arguments: &[&str], code: i32) -> String {
    let output = allsource(dir, arguments);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    out
}

#[test]
fn a_library_caller_is_refused_and_a_restart_forgets_nothing() {
    let dir = TempDir::new().expect("a directory");
    for is_first in [true, false] {
        let store = Store::open(dir.path(), Options::default()).expect("a store");
        let engine = Engine::new(store, SystemClock::shared());
        if is_first {
            engine.append(placed("{}"), &Caller::default()).expect("nothing is registered");
            ask(&engine, "register_schema", &registration());
        }
        let error = engine.append(placed(r#"{"total":-1}"#), &Caller::default()).expect_err("refused");
        assert_eq!((error.code(), error.details()["path"].as_str()), ("schema_violation", Some("/total")));
        assert!(error.message().contains("is -1; it must be at least 0"), "{error}");
        engine.append(placed(r#"{"total":1e2}"#), &Caller::default()).expect("it fits");
        let survey = ask(&engine, "validate_events", &json!({"event_type": "order.placed"}));
        assert_eq!(survey["failed"], 1);
        engine.close().expect("closes");
    }
}

#[test]
fn an_agent_registers_and_is_held_to_it_over_the_real_program() {
    let dir = TempDir::new().expect("a directory");
    let flags = ["--toolsets", "explore,write,forks,schema"];
    let event = |payload: Value| json!({"branch": "main", "events": [{"entity_id": "order-1", "event_type": "order.placed", "payload": payload}]});
    for era in [Era::Handshake, Era::Stateless] {
        let mut client = Client::open(dir.path(), era, &flags);
        client.done("append_events", event(json!({"total": 3, "state": "open"})));
        let made = client.done("register_schema", registration());
        assert_eq!(made["version"], 1);
        let error = client.refused("append_events", event(json!({"total": 3, "state": "gone"})));
        assert_eq!((&error["code"], &error["path"]), (&json!("schema_violation"), &json!("/state")));
        let shown = client.done("list_schemas", json!({"subject": "order.placed"}));
        assert_eq!((&shown["subject"], &shown["schema"]), (&json!("order.*"), &schema()));
        let error = client.refused("append_events", json!({"branch": "main", "events": [{"entity_id": "allsource.schema/order.*", "event_type": "x"}]}));
        assert_eq!(error["code"], "reserved_name");
        assert!(client.close().status.success());
    }
}

#[test]
fn tools_of_schemas_are_offered_when_they_are_asked_for() {
    let dir = TempDir::new().expect("a directory");
    let offered = |flags: &[&str]| {
        let mut client = Client::open(dir.path(), Era::Handshake, flags);
        let tools = client.ask("tools/list", json!({}))["result"]["tools"].to_string();
        tools.contains("register_schema")
    };
    assert!(!offered(&[]) && offered(&["--toolsets", "schema"]));
}

#[test]
fn a_person_infers_registers_checks_and_imports() {
    let dir = TempDir::new().expect("a directory");
    let line = |n: u64, total: &Value| {
        json!({"entity": format!("order-{n}"), "type": "order.placed", "time": "2024-01-01", "total": total})
            .to_string()
            + "\n"
    };
    let good: String = (0..20).map(|n| line(n, &json!(n))).collect();
    fs::write(dir.path().join("good.jsonl"), good).expect("written");
    check(dir.path(), &["import", "good.jsonl"], 0);
    let inferred = check(dir.path(), &["schema", "infer", "order.placed"], 0);
    fs::write(dir.path().join("order.json"), &inferred).expect("written");
    let out = check(
        dir.path(),
        &["schema", "register", "order.placed", "order.json", "--enforcement", "reject"],
        0,
    );
    assert_eq!(out, "order.placed is now: version 1, backward, reject\n0 of 20 stored events do not fit\n");
    let listed = check(dir.path(), &["schema", "list"], 0);
    assert!(listed.contains("order.placed") && listed.contains("reject"), "{listed}");
    let shown: Value =
        serde_json::from_str(&check(dir.path(), &["schema", "list", "order.placed"], 0)).expect("JSON");
    assert_eq!(shown, serde_json::from_str::<Value>(&inferred).expect("JSON"));
    let mixed = [line(30, &json!(1)), line(31, &json!("two")), line(32, &json!(3))].concat();
    fs::write(dir.path().join("mixed.jsonl"), mixed).expect("written");
    let output = allsource(dir.path(), &["import", "mixed.jsonl"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("mixed.jsonl:2:") && err.contains("/total"), "{err}");
    check(dir.path(), &["schema", "validate"], 0);
    fs::write(dir.path().join("small.json"), r#"{"properties": {"total": {"maximum": 10}}}"#)
        .expect("written");
    let misfits =
        check(dir.path(), &["schema", "validate", "--schema", "small.json", "--type", "order.*"], 1);
    assert_eq!(misfits.lines().count(), 10, "{misfits}");
    let out = check(dir.path(), &["schema", "register", "order.placed", "small.json", "--dry-run"], 1);
    assert!(out.starts_with("order.placed would be: version 2"), "{out}");
    let narrow = inferred.replace("\"total\"", "\"sum\"");
    fs::write(dir.path().join("narrow.json"), narrow).expect("written");
    check(dir.path(), &["schema", "register", "order.placed", "narrow.json"], 1);
    let out = check(dir.path(), &["schema", "register", "order.placed", "narrow.json", "--dry-run"], 1);
    assert!(out.contains("incompatible: PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"), "{out}");
}
