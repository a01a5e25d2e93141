//! What a schema costs: checking one payload, and an append to a store without and with schemas.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench measures real time on real files, prints what it finds, and has nobody to report an error to"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::EventDraft;
use allsource::schema::Checker;
use allsource::store::{Append, Durability, Options, Store};
use allsource::tools;
use serde_json::json;

/// Calls that are timed together; the least of the rounds counts.
const CALLS: u32 = 100_000;
const ROUNDS: u32 = 5;

const SCHEMA: &str = r#"{"type":"object","properties":{"order_id":{"type":"string","format":"uuid"},"customer":{"type":"string","minLength":1},"total":{"type":"number","minimum":0},"currency":{"enum":["EUR","USD","GBP"]},"placed_at":{"type":"string","format":"date-time"},"items":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"},"qty":{"type":"integer","minimum":1}},"required":["sku","qty"]}},"note":{"type":["string","null"]},"express":{"type":"boolean"}},"required":["order_id","customer","total","currency","placed_at"],"additionalProperties":false}"#;
const PAYLOAD: &str = r#"{"order_id":"0195d2a8-7c1e-7000-8000-000000000001","customer":"customer-48213","total":129.95,"currency":"EUR","placed_at":"2026-02-28T10:15:30.250Z","items":[{"sku":"A-1","qty":2},{"sku":"B-77","qty":1}],"note":"leave at the door","express":true}"#;

fn main() {
    // The same, in words that no plan knows: every payload goes through the validator.
    let general = SCHEMA.replace(r#""additionalProperties":false"#, r#""unevaluatedProperties":false"#);
    let misfit = PAYLOAD.replace("129.95", "-1");
    check("check/plan", SCHEMA, PAYLOAD);
    check("check/validator", &general, PAYLOAD);
    check("check/misfit", SCHEMA, &misfit);
    append();
}

/// Times the check of one payload.
fn check(name: &str, schema: &str, payload: &str) {
    let checker = Checker::compile(schema).expect("a schema");
    let took = least(|| drop(black_box(checker.violations(black_box(payload)))), CALLS);
    println!("{name}: {took:?} for {} bytes", payload.len());
}

/// Times one append of one event, synced at intervals so that the disk is not what is measured.
fn append() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for a bench");
    let options = Options { durability: Durability::Interval { ms: 1_000 }, ..Options::default() };
    let engine =
        Engine::new(Store::open(dir.path(), options).expect("a healthy disk"), SystemClock::shared());
    let caller = Caller::default();
    let one = |event_type: &str| Append {
        events: vec![EventDraft::new("order-1", event_type, PAYLOAD).expect("a draft")],
        ..Append::default()
    };
    let calls = CALLS / 5;
    let raw = least(|| drop(engine.store().append(one("order.placed")).expect("stored")), calls);
    let without = least(|| drop(engine.append(one("order.placed"), &caller).expect("stored")), calls);
    let registration = json!({"branch": "main", "subject": "order.*", "schema": serde_json::from_str::<serde_json::Value>(SCHEMA).expect("JSON"), "enforcement": "reject"});
    let answer =
        tools::call(&engine, "register_schema", registration.as_object().expect("an object"), &caller);
    assert!(!answer.is_error, "{:?}", answer.body);
    let other = least(|| drop(engine.append(one("other"), &caller).expect("stored")), calls);
    let with = least(|| drop(engine.append(one("order.placed"), &caller).expect("stored")), calls);
    println!("append/store alone: {raw:?}");
    println!("append/no schema in the store: {without:?}");
    println!("append/no schema for the type: {other:?}");
    println!("append/checked: {with:?}");
}

fn least(mut call: impl FnMut(), calls: u32) -> Duration {
    let round = |_| {
        let began = Instant::now();
        (0..calls).for_each(|_| call());
        began.elapsed() / calls
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}
