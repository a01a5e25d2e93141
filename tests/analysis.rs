//! An analysis is the same wherever the events lie, whoever asks, and however it is checked: against a plain loop over an export.

use std::collections::BTreeMap;
use std::sync::Arc;

use allsource::clock::ManualClock;
use allsource::engine::{Caller, Engine};
use allsource::event::{EventDraft, Timestamp};
use allsource::store::{Append, Options, Store};
use allsource::tools;
use serde_json::{Value, json};

use crate::machines::scratch;
use crate::machines::workload::NEW_YEAR;

const HOUR_US: i64 = 3_600_000_000;
const KINDS: [&str; 4] = ["asked", "offered", "signed", "declined"];

/// An event of the log: key, kind, hours behind the beginning.
type Told = (u64, &'static str, i64);

/// A year of cases, which no two numbers of make alike; stored in another order than they happened.
fn log() -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for case in 0..400_u64 {
        let begin = i64::try_from(case * 7_919 % 8_760).expect("small");
        let steps = 1 + case % 4;
        for step in 0..steps {
            let kind = KINDS[usize::try_from((step + case / 97 % 2 * step) % 4).expect("small")];
            let wait = i64::try_from(step * (case % 13 + 1)).expect("small");
            told.push((case, kind, begin + wait));
        }
    }
    told.sort_by_key(|(case, _, hour)| (case % 3, *hour));
    told
}

fn engine(dir: &std::path::Path, hot_window_bytes: u64) -> Engine {
    let clock = Arc::new(ManualClock::at(NEW_YEAR));
    let options = Options { clock: clock.clone(), hot_window_bytes, ..Options::default() };
    Engine::new(Store::open(dir, options).expect("a store"), clock)
}

fn filled(dir: &std::path::Path) -> Engine {
    let engine = engine(dir, Options::default().hot_window_bytes);
    let begin = NEW_YEAR.as_micros() - 9_000 * HOUR_US;
    let draft = |(case, kind, hour): &Told| {
        let payload = json!({"amount": case % 11, "hour": hour}).to_string();
        let at = Timestamp::from_micros(begin + hour * HOUR_US);
        EventDraft::new(&format!("case-{case}"), kind, payload).expect("a draft").at(at)
    };
    let events = log().iter().map(draft).collect();
    engine.store().append(Append { events, ..Append::default() }).expect("stored");
    engine
}

/// All rows of an analysis.
fn rows(engine: &Engine, question: &Value) -> Vec<Vec<Value>> {
    let mut found = Vec::new();
    let mut arguments = question.as_object().expect("an object").clone();
    loop {
        let answer = tools::call(engine, "analyze_events", &arguments, &Caller::default());
        assert!(!answer.is_error, "{:?}", answer.body);
        let page = answer.body["table"]["rows"].as_array().expect("rows").clone();
        found.extend(page.into_iter().map(|row| row.as_array().expect("a row").clone()));
        let Some(cursor) = answer.body.get("next_cursor") else { return found };
        arguments = [("cursor".to_owned(), cursor.clone())].into_iter().collect();
    }
}

#[track_caller]
fn check(engine: &Engine) {
    let mut stories: BTreeMap<u64, Vec<(i64, &str)>> = BTreeMap::new();
    for (case, kind, hour) in log() {
        stories.entry(case).or_default().push((hour, kind));
    }
    let mut edges: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut took: Vec<i64> = Vec::new();
    let (mut asked, mut offered) = (0_u64, 0_u64);
    for story in stories.values_mut() {
        story.sort_by_key(|(hour, _)| *hour);
        for pair in story.windows(2) {
            *edges.entry((pair[0].1.to_owned(), pair[1].1.to_owned())).or_default() += 1;
        }
        took.push(story[story.len() - 1].0 - story[0].0);
        if let Some(at) = story.iter().position(|(_, kind)| *kind == "asked") {
            asked += 1;
            offered += u64::from(story[at + 1..].iter().any(|(_, kind)| *kind == "offered"));
        }
    }
    let found = rows(engine, &json!({"analysis": "transitions", "limit": 3}));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let found: BTreeMap<_, _> =
        found.iter().map(|row| ((text(&row[0]), text(&row[1])), row[2].as_u64().expect("a count"))).collect();
    assert_eq!(found, edges);
    took.sort_unstable();
    let durations = &rows(engine, &json!({"analysis": "duration"}))[0];
    assert_eq!((&durations[0], &durations[5]), (&json!(400), &json!(took[399] * 3_600)));
    let median = (took[199] + took[200]) * 1_800;
    assert_eq!(durations[2], json!(median));
    let funnel = rows(engine, &json!({"analysis": "funnel", "steps": ["asked", "offered"]}));
    assert_eq!((&funnel[0][2], &funnel[1][2]), (&json!(asked), &json!(offered)));
    let weeks = rows(engine, &json!({"analysis": "time_series", "bucket": "week", "limit": 1_000}));
    let total: u64 = weeks.iter().map(|row| row[1].as_u64().expect("a count")).sum();
    assert_eq!(total, log().len() as u64);
}

#[test]
fn an_analysis_is_that_of_a_plain_loop_in_the_log_and_in_segments() {
    let root = scratch();
    let engine = filled(root.path());
    check(&engine);
    engine.close().expect("closes");
    let engine = self::engine(root.path(), 0);
    engine.store().compact().expect("room");
    engine.close().expect("closes");
    let engine = self::engine(root.path(), 0);
    check(&engine);
}
