//! How long does an agent wait for `query_events`? From before its request is written to a warm server until the answer is read.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::client::Client;
use crate::sets::Sets;

/// Calls of each kind whose time counts.
const CALLS: usize = 1_000;
/// Calls of each kind before them.
const WARM_UP: usize = 50;
/// The names that are asked for in turn.
const NAMES: usize = 500;
/// The first whole day of the loan log, and the days behind it that are asked for.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2011, 10, 1).expect("a date");
const DAYS: u64 = 160;

/// A kind of call: its name, and the arguments of the n-th.
type Kind = (&'static str, Box<dyn Fn(usize) -> Value>);

/// Times each kind of call on the loan store, and prints what that comes to.
pub fn measure(sets: &Sets) {
    if !sets.names().contains(&"loans") {
        println!("stdio: the loan applications are not there");
        return;
    }
    let mut client = sets.serve("loans");
    println!(
        "\n| `query_events` over stdio | p50 | p99 | worst | bytes of the answer |\n| --- | --- | --- | --- | --- |"
    );
    let mut all = Vec::new();
    for (name, arguments) in kinds(&mut client) {
        let (times, bytes) = times(&mut client, &arguments);
        print(name, times.clone(), bytes);
        all.extend(times);
    }
    print("all of them", all, 0);
}

fn kinds(client: &mut Client) -> Vec<Kind> {
    let names = |client: &mut Client, sql: &str| -> Vec<Value> {
        let answer = client.call("run_sql", &json!({"sql": sql, "max_tokens": 10_000})).body;
        let rows = answer["table"]["rows"].as_array().expect("rows");
        rows.iter().map(|row| row[0].clone()).collect()
    };
    let entities = names(client, &format!("SELECT entity_id FROM entities ORDER BY entity_id LIMIT {NAMES}"));
    let types = names(client, "SELECT event_type FROM event_types ORDER BY event_type");
    let of = |names: &[Value]| {
        let names = names.to_vec();
        move |n: usize| names[n % names.len()].clone()
    };
    let (entity, event_type, filtered) = (of(&entities), of(&types), of(&types));
    let day = |n: usize, more: u64| (FIRST_DAY + Days::new(n as u64 % DAYS + more)).to_string();
    vec![
        ("one entity", Box::new(move |n| json!({"entity_id": entity(n)}))),
        ("a type, the newest 50", Box::new(move |n| json!({"event_type": event_type(n)}))),
        (
            "a type and a condition, the newest 50",
            Box::new(move |n| {
                let condition = format!("payload.amount_requested > {}", 1_000 * (n % 40));
                json!({"event_type": filtered(n), "where": [condition]})
            }),
        ),
        (
            "a day, the first 50",
            Box::new(move |n| json!({"since": day(n, 0), "until": day(n, 1), "order": "asc"})),
        ),
        ("the newest 50", Box::new(|_| json!({}))),
    ]
}

fn times(client: &mut Client, arguments: &dyn Fn(usize) -> Value) -> (Vec<Duration>, usize) {
    let mut times = Vec::with_capacity(CALLS);
    let mut bytes = 0;
    for n in 0..WARM_UP + CALLS {
        let answered = client.call("query_events", &arguments(n));
        assert!(answered.body.get("error").is_none(), "{}", answered.body);
        if n >= WARM_UP {
            times.push(answered.took);
            bytes += answered.body.to_string().len();
        }
    }
    (times, bytes / CALLS)
}

fn print(name: &str, mut times: Vec<Duration>, bytes: usize) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let bytes = if bytes == 0 { String::new() } else { bytes.to_string() };
    println!("| {name} | {:.2?} | {:.2?} | {:.2?} | {bytes} |", at(50), at(99), at(100));
}
