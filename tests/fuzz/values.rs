//! Words that the arguments of tools understand: names, times, paths, conditions, statements.

use serde_json::Value;

use super::draw::Draw;
use super::known::Known;

/// A good text for the argument with that name.
pub(crate) fn text(draw: &mut Draw, known: &Known, tool: &str, name: &str) -> String {
    match name {
        "entity_id" if tool == "get_entity_state" => draw.pick(&known.entities).clone(),
        "entity_id" => pattern(draw, &known.entities),
        "event_type" | "subject" => pattern(draw, &known.types),
        "since" | "until" | "as_of" | "known_at" | "compare_as_of" => moment(draw, known),
        "branch" if ["append_events", "register_schema"].contains(&tool) => draw.pick(&known.forks).clone(),
        "branch" | "from_branch" | "parent" => branch(draw, known),
        "fork_id" => draw.pick(&known.forks).clone(),
        "after_fork_id" => "f-a".to_owned(),
        "time_zone" => (*draw.pick(&["UTC", "Europe/Berlin", "America/New_York"])).to_owned(),
        "refine" if known.queries.is_empty() => "q-000000000000".to_owned(),
        "refine" => draw.pick(&known.queries).1.clone(),
        "sql" => statement(draw, known),
        "from_sql" => {
            "SELECT entity_id, event_type, payload FROM events ORDER BY position LIMIT 3".to_owned()
        }
        "fail_if_exists" => condition(draw, known),
        "like_event_id" => draw.pick(&known.event_ids).clone(),
        "key" | "by" | "value" => path(draw, known),
        "window" => format!("{}d", 1 + draw.below(30)),
        "bucket" => (*draw.pick(&["minute", "hour", "day", "week", "15m"])).to_owned(),
        "aggregate" => (*draw.pick(&["count", "distinct", "sum", "mean", "min", "max", "p95"])).to_owned(),
        "idempotency_key" => format!("k-{}", draw.number()),
        "tag" | "untag" => format!("t{}", draw.below(5)),
        "compare" => (*draw.pick(&["previous", "branch:main"])).to_owned(),
        _ => words(draw, known),
    }
}

/// One to four words of the store's own texts.
fn words(draw: &mut Draw, known: &Known) -> String {
    let plain = |word: &str| -> String {
        word.chars().filter(|c| c.is_alphanumeric() || *c == ' ').take(60).collect()
    };
    let words: Vec<String> = (0..=draw.below(3)).map(|_| plain(draw.pick::<String>(&known.words))).collect();
    let words = words.join(" ");
    if words.trim().is_empty() { "process created".to_owned() } else { words }
}

/// A name, or the beginning of one.
fn pattern(draw: &mut Draw, names: &[String]) -> String {
    let name = draw.pick(names);
    if draw.one_in(3) {
        let kept: String = name.chars().take(1 + draw.below(6)).filter(|c| *c != '*' && *c != '\\').collect();
        format!("{kept}*")
    } else {
        name.replace('\\', "\\\\").replace('*', "\\*")
    }
}

/// A moment within the store's time, or one that counts from now.
fn moment(draw: &mut Draw, known: &Known) -> String {
    match draw.below(5) {
        0 => "now".to_owned(),
        1 => format!("now-{}d", 1 + draw.below(5_000)),
        2 => draw.pick(&known.times).chars().take(10).collect(),
        _ => draw.pick(&known.times).clone(),
    }
}

fn branch(draw: &mut Draw, known: &Known) -> String {
    match draw.below(4) {
        0 => "main".to_owned(),
        1 => format!("main@{}", 1 + draw.number() % known.head.max(1)),
        _ => draw.pick(&known.forks).clone(),
    }
}

/// A column or a path in a payload.
pub(crate) fn path(draw: &mut Draw, known: &Known) -> String {
    if draw.one_in(4) {
        return (*draw.pick(&["version", "event_type", "entity_id", "recorded_at", "metadata.actor"]))
            .to_owned();
    }
    draw.pick(&known.fields).0.clone()
}

/// A condition that some event may meet.
pub(crate) fn condition(draw: &mut Draw, known: &Known) -> String {
    let (path, value) = draw.pick(&known.fields);
    let literal = match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Null => return format!("{path} IS NULL"),
        other => other.to_string(),
    };
    match (draw.below(6), value) {
        (0, _) => format!("{path} IS NOT NULL"),
        (1, _) => format!("{path} != {literal}"),
        (2, Value::Number(_)) => format!("{path} > {literal}"),
        (2, Value::String(_)) => format!("{path} CONTAINS {literal}"),
        (3, _) => format!("{path} IN ({literal}, 'other') OR version > 2"),
        _ => format!("{path} = {literal}"),
    }
}

/// A SELECT over the events.
pub(crate) fn statement(draw: &mut Draw, known: &Known) -> String {
    let number = draw.below(50);
    match draw.below(6) {
        0 => "SELECT count(*) FROM events".to_owned(),
        1 => "SELECT event_type, count(*) AS n FROM events GROUP BY event_type ORDER BY n DESC".to_owned(),
        2 => format!("SELECT * FROM events ORDER BY position LIMIT {number}"),
        3 => format!("SELECT entity_id, version, state FROM entities LIMIT {number}"),
        4 => format!("SELECT position, payload FROM events WHERE position > {number} LIMIT {number}"),
        _ => {
            let types = draw.pick(&known.types).replace('\'', "''");
            format!("SELECT max(version), min(timestamp) FROM events WHERE event_type = '{types}'")
        }
    }
}
