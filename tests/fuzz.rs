//! Whatever an agent sends, the answer keeps to its budget, and a mistake is told by the name of the argument that has it.
//!
//! Some hundred calls by chance over a small store, the same in every run.

mod calls;
mod draw;
mod known;
mod values;
mod verdict;

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::EventDraft;
use allsource::store::{Append, Options, Store};
use allsource::tools;
use serde_json::{Map, Value, json};

use calls::Made;
use draw::Draw;
use known::{Answered, Known};

/// The calls of each kind.
const CALLS: usize = 400;

/// A shop's orders, and tickets with texts longer than any answer.
fn filled(engine: &Engine) {
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
    engine.store().append(Append { events, ..Append::default() }).expect("stored");
}

#[track_caller]
fn check(seed: u64, judge: impl Fn(&mut Draw, &Known) -> (Made, Option<String>)) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), Options::default()).expect("a store");
    let engine = Engine::new(store, SystemClock::shared());
    filled(&engine);
    let mut ask = |tool: &str, arguments: &Map<String, Value>| {
        let answer = tools::call(&engine, tool, arguments, &Caller::default());
        Answered { body: Value::Object(answer.body), is_error: answer.is_error }
    };
    let mut draw = Draw::new(seed);
    let mut known = Known::of(&mut ask, &mut draw);
    let mut wrong = Vec::new();
    for _ in 0..CALLS {
        let (made, fault) = judge(&mut draw, &known);
        let answered = ask(made.tool, &made.arguments);
        known.learn(made.tool, &answered.body);
        let verdict = match &fault {
            None => verdict::of_valid(&made.arguments, &answered),
            Some(fault) => verdict::of_invalid(&made.arguments, fault, &answered),
        };
        let call = Value::Object(made.arguments);
        wrong.extend(verdict.map(|verdict| format!("{} {call}: {verdict}", made.tool)));
    }
    assert!(wrong.is_empty(), "{} of {CALLS} answers:\n{}", wrong.len(), wrong.join("\n"));
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
