//! Calls by chance: good ones made from the table of tools and what the store holds, and bad ones with one mistake each.

use allsource::tools::{Argument, Kind, TOOLS, Tool};
use serde_json::{Map, Value, json};

use super::draw::Draw;
use super::known::Known;
use super::values::{condition, path, statement, text};

/// A call.
pub(crate) struct Made {
    pub(crate) tool: &'static str,
    pub(crate) arguments: Map<String, Value>,
    /// The same without the mistake that was put in.
    pub(crate) sound: Map<String, Value>,
}

/// Arguments of which a call can have one only: each is another thing to do.
const APART: &[&[&str]] = &[
    &["tag", "untag", "reset", "restore"],
    &["query", "like_event_id"],
    &["fusion", "meaning_weight"],
    &["events", "from_sql"],
    &["as_of_position", "known_at", "as_of", "version"],
    &["compare_version", "compare_as_of"],
    &["schema", "infer", "upcast"],
    &["after_position", "before_position"],
];

/// A call that the table of tools allows, over what the store holds.
pub(crate) fn valid(draw: &mut Draw, known: &Known) -> Made {
    let tool = &TOOLS[draw.below(TOOLS.len())];
    if let Some(cursor) = cursor_of(draw, known, tool) {
        let arguments = Map::from_iter([("cursor".to_owned(), cursor.into())]);
        return Made { tool: tool.name, sound: arguments.clone(), arguments };
    }
    let density = 2 + draw.below(8);
    let arguments = arguments(draw, known, tool, density);
    Made { tool: tool.name, sound: arguments.clone(), arguments }
}

/// A call with one mistake, and the argument that has it.
pub(crate) fn invalid(draw: &mut Draw, known: &Known) -> (Made, String) {
    loop {
        let tool = &TOOLS[draw.below(TOOLS.len())];
        let sound = arguments(draw, known, tool, 8);
        let mut arguments = sound.clone();
        if let Some(fault) = spoil(draw, tool, &mut arguments) {
            return (Made { tool: tool.name, arguments, sound }, fault);
        }
    }
}

fn all(tool: &'static Tool) -> Vec<&'static Argument> {
    tool.arguments.iter().copied().flatten().collect()
}

fn cursor_of(draw: &mut Draw, known: &Known, tool: &Tool) -> Option<String> {
    let fitting: Vec<&String> =
        known.cursors.iter().filter(|(of, _)| of == tool.name).map(|(_, cursor)| cursor).collect();
    (!fitting.is_empty() && draw.one_in(6)).then(|| (*draw.pick(&fitting)).clone())
}

/// Good arguments: what is required, and of the rest each once in `density` times.
fn arguments(draw: &mut Draw, known: &Known, tool: &'static Tool, density: usize) -> Map<String, Value> {
    let mut made = Map::new();
    for argument in all(tool) {
        // Cursors go alone, and others say something about what must be there.
        let is_special = ["cursor", "confirmation_token", "clear", "fail_if_exists_after", "untag"]
            .contains(&argument.name)
            || (argument.name == "refine" && known.queries.is_empty());
        if argument.required || (!is_special && draw.one_in(density)) {
            let value = good(draw, known, tool.name, argument);
            made.insert(argument.name.to_owned(), value);
        }
    }
    for apart in APART {
        let mut given = apart.iter().filter(|name| made.contains_key(**name));
        given.next();
        given.copied().collect::<Vec<_>>().into_iter().for_each(|name| drop(made.remove(name)));
    }
    complete(draw, known, tool, &mut made);
    made
}

/// Adds what a tool wants one of, and keeps what is written away from `main`.
fn complete(draw: &mut Draw, known: &Known, tool: &Tool, made: &mut Map<String, Value>) {
    let has = |made: &Map<String, Value>, names: &[&str]| names.iter().any(|name| made.contains_key(*name));
    match tool.name {
        "promote_fork" => drop(made.insert("dry_run".to_owned(), true.into())),
        "append_events" if !has(made, &["events", "from_sql"]) => {
            let event = event(draw, known);
            made.insert("events".to_owned(), json!([event]));
        }
        "hybrid_search" if !has(made, &["keywords", "semantic_query"]) => {
            made.insert("keywords".to_owned(), text(draw, known, tool.name, "keywords").into());
        }
        "semantic_search_events" if !has(made, &["query", "like_event_id"]) => {
            made.insert("query".to_owned(), text(draw, known, tool.name, "query").into());
        }
        "register_schema" if !has(made, &["schema", "infer"]) => {
            made.insert("infer".to_owned(), true.into());
        }
        "analyze_events" if made["analysis"] == "duration" || made["analysis"] == "funnel" => {
            let steps = json!([draw.pick(&known.types), draw.pick(&known.types)]);
            made.insert("steps".to_owned(), steps);
        }
        "analyze_events" => drop(made.remove("steps")),
        _ => {}
    }
}

/// A good value of an argument.
fn good(draw: &mut Draw, known: &Known, tool: &str, argument: &Argument) -> Value {
    let name = argument.name;
    match argument.kind {
        Kind::Text => text(draw, known, tool, name).into(),
        Kind::Choice(choices) => (*draw.pick(choices)).into(),
        Kind::Integer { min, max } => integer(draw, known, name, min, max).into(),
        Kind::Budget => (500 + draw.below(12_000)).into(),
        Kind::Share => json!(f64::from(u8::try_from(draw.below(101)).expect("a percentage")) / 100.0),
        Kind::Flag => draw.one_in(2).into(),
        Kind::Texts => texts(draw, known, name),
        Kind::Choices(choices) => json!([draw.pick(choices)]),
        Kind::Integers => json!({draw.pick(&known.entities): -1}),
        Kind::Items(_) => items(draw, known, name),
        Kind::Raw => json!({"type": "object"}),
        Kind::Objects if name == "events" => json!([event(draw, known)]),
        Kind::Objects => json!([]),
    }
}

fn integer(draw: &mut Draw, known: &Known, name: &str, min: i64, max: i64) -> i64 {
    let head = i64::try_from(known.head).expect("a position");
    let (low, high) = match name {
        "limit" | "sample_size" => (min, max),
        "version" | "compare_version" => (1, 5),
        // Waiting for what was never written takes five seconds.
        "wait_for_position" => (-1, head),
        // Each fork of the run must live and take what is written to it.
        "ttl_seconds" => (86_400, 864_000),
        "quota_events" => (50_000, 100_000),
        "quota_bytes" => (40_000_000, 50_000_000),
        "text_offset" => (0, 500),
        name if name.ends_with("_ms") => (0, 5),
        _ => (min.max(0), max.min(head.max(1))),
    };
    low + i64::try_from(draw.number() % u64::try_from(high - low + 1).expect("a range")).expect("within it")
}

fn texts(draw: &mut Draw, known: &Known, name: &str) -> Value {
    let count = 1 + draw.below(3);
    let mut one = || -> Value {
        match name {
            "where" => condition(draw, known).into(),
            "fields" | "top_values" => path(draw, known).into(),
            "event_ids" => draw.pick(&known.event_ids).as_str().into(),
            "entities" => draw.pick(&known.entities).as_str().into(),
            _ => draw.pick(&known.types).as_str().into(),
        }
    };
    (0..count).map(|_| one()).collect()
}

fn items(draw: &mut Draw, known: &Known, name: &str) -> Value {
    match name {
        "variants" => json!([
            {"name": "a", "events": [event(draw, known)]},
            {"name": "b", "events": [event(draw, known), event(draw, known)]},
        ]),
        "measures" => json!([
            {"name": "state", "tool": "get_entity_state", "arguments": {"entity_id": draw.pick(&known.entities)},
             "path": "version"},
            {"name": "count", "tool": "run_sql", "arguments": {"sql": statement(draw, known)},
             "path": "table.rows[0][0]"},
        ]),
        _ => (0..=draw.below(3)).map(|_| event(draw, known)).collect(),
    }
}

fn event(draw: &mut Draw, known: &Known) -> Value {
    let (path, value) = draw.pick(&known.fields);
    let mut event = json!({"entity_id": draw.pick(&known.entities), "event_type": draw.pick(&known.types),
        "payload": {"by": "chance", "path": path, "value": value, "text": "long ".repeat(draw.below(400))}});
    if draw.one_in(4) {
        event["metadata"] = json!({"actor": "fuzz", "causation_id": draw.pick(&known.event_ids)});
    }
    if draw.one_in(4) {
        event["timestamp"] = draw.pick(&known.times).as_str().into();
    }
    event
}

/// Puts one mistake in, and says where; `None` where the mistake that was drawn does not go with the tool.
fn spoil(draw: &mut Draw, tool: &'static Tool, arguments: &mut Map<String, Value>) -> Option<String> {
    match draw.below(4) {
        0 => {
            let near = draw.pick(&all(tool)).name;
            let name = if draw.one_in(2) { format!("{near}s_") } else { format!("x{}", draw.below(1_000)) };
            arguments.insert(name.clone(), "anything".into());
            Some(name)
        }
        1 => {
            let required: Vec<&str> =
                all(tool).iter().filter(|argument| argument.required).map(|argument| argument.name).collect();
            let name = (!required.is_empty()).then(|| *draw.pick(&required))?;
            arguments.remove(name);
            Some(name.to_owned())
        }
        2 => {
            let argument = *draw.pick(&all(tool));
            arguments.insert(argument.name.to_owned(), mistyped(draw, argument.kind));
            Some(argument.name.to_owned())
        }
        _ => {
            let mut wrong: Vec<(&str, Value)> = all(tool)
                .iter()
                .filter_map(|argument| Some((argument.name, misspelt(tool.name, argument.name)?)))
                .collect();
            let (name, value) = wrong.swap_remove((!wrong.is_empty()).then(|| draw.below(wrong.len()))?);
            arguments.insert(name.to_owned(), value);
            Some(name.to_owned())
        }
    }
}

/// A value that is not of the kind, or out of its bounds.
fn mistyped(draw: &mut Draw, kind: Kind) -> Value {
    let wrong = match kind {
        Kind::Text => vec![json!([]), json!({}), json!(true), json!(["a", "b"])],
        Kind::Choice(_) => vec![json!("no-such-choice"), json!(7), json!([])],
        Kind::Integer { min, max: i64::MAX } => vec![json!(min - 1), json!("many"), json!(1.5), json!({})],
        Kind::Integer { min, max } => vec![json!(min - 1), json!(max + 1), json!("many"), json!([1])],
        Kind::Budget => vec![json!(10), json!(-1), json!("large"), json!({})],
        Kind::Share => vec![json!(1.5), json!(-0.1), json!("much"), json!([])],
        Kind::Flag => vec![json!("perhaps"), json!(2), json!([])],
        Kind::Texts | Kind::Choices(_) => vec![json!({}), json!("not a list"), json!([1]), json!([["a"]])],
        Kind::Integers => vec![json!([]), json!({"a": "b"}), json!({"a": 1.5}), json!("x")],
        Kind::Items(_) => vec![json!({}), json!([1]), json!([{"no_such_field": 1}]), json!("x")],
        Kind::Raw => vec![json!([]), json!("text"), json!(1)],
        Kind::Objects => vec![json!({}), json!([1]), json!("text")],
    };
    draw.pick(&wrong).clone()
}

/// A value of the right kind that does not read as what the argument says.
fn misspelt(tool: &str, name: &str) -> Option<Value> {
    Some(match name {
        "since" | "until" | "as_of" | "known_at" => json!("some day soon"),
        "where" => json!(["payload.total >"]),
        "fields" | "top_values" if tool == "query_events" || tool == "quick_stats" => json!(["payload..x"]),
        "time_zone" => json!("Mars/Olympus"),
        "branch" | "from_branch" => json!("no-such-branch"),
        "fork_id" | "parent" if tool != "list_forks" => json!("f-nonsense"),
        "cursor" => json!("nonsense"),
        "refine" => json!("q-nonsense"),
        "clear" => json!(["no_such_argument"]),
        "sql" | "from_sql" => json!("SELEC 1"),
        "fail_if_exists" => json!("payload.total >"),
        "window" | "bucket" | "aggregate" => json!("no-such-thing"),
        "by" | "key" | "value" => json!("payload..x"),
        "idempotency_key" | "purpose" => json!("x".repeat(2_000)),
        "find" | "use_case" | "context" => json!("x ".repeat(2_000)),
        "like_event_id" => json!("no-such-event"),
        _ => return None,
    })
}
