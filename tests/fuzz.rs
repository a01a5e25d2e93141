//! Whatever an agent sends, the answer keeps to its budget, and a mistake is told by the name of the argument that has it.
//!
//! Some hundred calls by chance to the real program over a small store, the same in every run. `ALLSOURCE_FUZZ_DATA=FILE` takes a file of
//! JSON Lines instead (Windows logs have the largest payloads), and `ALLSOURCE_FUZZ_CALLS=10000` as many calls of each kind.

mod calls;
mod draw;
mod known;
mod values;
mod verdict;

use std::path::Path;
use std::process::Command;

use allsource::event::EventDraft;
use allsource::store::{Append, Options, Store};
use allsource::tools::TOOLS;
use serde_json::{Map, Value, json};

use crate::mcp::{Client, Era};
use calls::Made;
use draw::Draw;
use known::{Answered, Known};

/// The calls of each kind when no other number is asked for.
const CALLS: usize = 400;
/// What becomes an event of a row of the file.
const MAPPING: [&str; 6] =
    ["--entity", "/Hostname,=host", "--type", "/EventID,=record", "--timestamp", "/@timestamp,"];

/// How many calls of each kind are made.
fn count() -> usize {
    std::env::var("ALLSOURCE_FUZZ_CALLS").map_or(CALLS, |calls| calls.parse().expect("a number of calls"))
}

/// Makes the store: of the file that is named, or of made events.
fn fill(dir: &Path) {
    let Some(file) = std::env::var_os("ALLSOURCE_FUZZ_DATA") else { return fill_made(dir) };
    let mut import = Command::new(env!("CARGO_BIN_EXE_allsource"));
    let output = import.arg("import").args(MAPPING).arg("--data").arg(dir).arg(file).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{output:?}");
}

/// A shop's orders, and tickets with texts longer than any answer.
fn fill_made(dir: &Path) {
    let mut events = Vec::new();
    for order in 0..60 {
        let entity = format!("order-{order}");
        let placed =
            json!({"total": order * 10, "currency": "EUR", "customer": {"id": format!("c-{}", order % 7)}});
        let paid = json!({"method": "card", "amount": order * 10, "note": "paid at once"});
        let noted = json!({"text": format!("the parcel of {entity} is late ").repeat(1 + order * 20)});
        for (kind, payload) in [("order.placed", placed), ("order.paid", paid), ("ticket.noted", noted)] {
            events.push(EventDraft::new(&entity, kind, payload.to_string()).expect("a draft"));
        }
    }
    let store = Store::open(dir, Options::default()).expect("a store");
    store.append(Append { events, ..Append::default() }).expect("stored");
    store.close().expect("closes");
}

/// A server with every tool.
fn serve(dir: &Path) -> Client {
    let mut sets: Vec<&str> = TOOLS.iter().map(|tool| tool.toolset).collect();
    sets.dedup();
    let root = dir.to_str().expect("a plain path");
    Client::open(dir, Era::Handshake, &["--toolsets", &sets.join(","), "--import-root", root])
}

fn ask(client: &mut Client, tool: &str, arguments: &Map<String, Value>) -> Answered {
    let answer = client.ask("tools/call", json!({"name": tool, "arguments": arguments}));
    let result = &answer["result"];
    let body = result["structuredContent"].clone();
    let defect = if !body.is_object() {
        Some(format!("an error of the protocol: {answer}"))
    } else if result["content"][0]["text"] != json!(body.to_string()) {
        Some("its text says something else".to_owned())
    } else {
        None
    };
    Answered { body, is_error: result["isError"] == json!(true), defect }
}

#[track_caller]
fn check(seed: u64, judge: impl Fn(&mut Draw, &Known) -> (Made, Option<String>)) {
    let dir = tempfile::tempdir().expect("a directory");
    fill(dir.path());
    let mut client = serve(dir.path());
    let mut draw = Draw::new(seed);
    let mut known = Known::of(&mut |tool, arguments| ask(&mut client, tool, arguments), &mut draw);
    let mut wrong = Vec::new();
    for _ in 0..count() {
        let (made, fault) = judge(&mut draw, &known);
        let answered = ask(&mut client, made.tool, &made.arguments);
        known.learn(made.tool, &answered.body);
        let verdict = match &fault {
            None => verdict::of_valid(&made.arguments, &answered),
            Some(fault) => verdict::of_invalid(&made.arguments, fault, &answered, || {
                ask(&mut client, made.tool, &made.sound).is_error
            }),
        };
        let call = format!("{} {}", made.tool, Value::Object(made.arguments));
        wrong.extend(verdict.map(|verdict| format!("{call}: {verdict}")));
    }
    let ended = client.close();
    assert!(ended.status.success() && !ended.log.contains("panicked"), "{ended:?}");
    assert!(wrong.is_empty(), "{} of {} answers:\n{}", wrong.len(), count(), wrong.join("\n"));
}

#[test]
fn valid_calls_by_chance_keep_their_budget() {
    check(7, |draw, known| (calls::valid(draw, known), None));
}

#[test]
fn each_invalid_call_by_chance_is_told_which_argument_is_at_fault() {
    check(11, |draw, known| {
        let (made, fault) = calls::invalid(draw, known);
        (made, Some(fault))
    });
}
