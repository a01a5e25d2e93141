//! `list_schemas`: what is registered, and what could be.

use serde_json::{Value, json};

use super::told::{fails, inferred, stored};
use crate::engine::{Measure, Wish};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Filter, nearest, quote};
use crate::schema::{Checker, Entry, Operation, Registry, Subject};
use crate::store::Snapshot;
use crate::tools::answer::{Reply, Step};
use crate::tools::argument::{Argument, BRANCH, BUDGET, Field, Kind, LIMIT_DEFAULT, POSITION};
use crate::tools::call::Call;
use crate::tools::packing::Rows;
use crate::tools::{Hints, Tool};

/// The most subjects that an answer lists: 500.
const SUBJECTS_MAX: usize = 500;
/// The most subjects that an error names.
const NEAREST_MAX: usize = 5;
/// The events that a proposal is tried on: 100,000.
const EVENTS_MAX: u64 = 100_000;

const VERSION: Kind = Kind::Integer { min: 1, max: i64::MAX };

const ARGUMENTS: &[Argument] = &[
    Argument::optional("subject", Kind::Text, "One subject, or an event type: with its schema"),
    Argument::optional("version", VERSION, "This version's schema; the newest"),
    Argument::optional("infer", Kind::Flag, "Propose a schema from the stored events"),
    Argument::optional("known_at", Kind::Text, "As registered by this time"),
    Argument::optional("as_of_position", POSITION, "As registered up to this position"),
    BRANCH,
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "list_schemas",
    title: "List schemas",
    toolset: "schema",
    description: "The registered schemas: subjects with version, mode, enforcement and how many events each is for. With subject \
                  (or an event type, whose nearest subject is shown) the schema itself, its versions and upcasts. infer proposes a \
                  schema from up to 10,000 stored events of a subject, notes nulls and mixed types, and says how many events would \
                  fail it; register_schema takes it. known_at and as_of_position show what was registered then.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("subject", "string"),
        Field::new("version", "integer"),
        Field::new("mode", "string"),
        Field::new("enforcement", "string"),
        Field::new("events", "integer"),
        Field::new("looked_at", "integer"),
        Field::new("fails", "object"),
        Field::new("notes", "array"),
        Field::new("versions", "array"),
        Field::new("upcast", "array"),
        Field::new("schema", "object"),
        Field::new("table", "object"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"subject": "order.placed", "infer": true}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let wish = Wish {
        known_at: call.arguments.text("known_at"),
        as_of_position: call.arguments.ordinal("as_of_position"),
        ..Wish::default()
    };
    let snapshot = wish.over(call.snapshot()?, call.now)?.snapshot;
    let registry = call.engine.schemas(&snapshot)?;
    let mut reply = Reply { head_position: Some(snapshot.head()), ..Reply::default() };
    match (call.arguments.text("subject"), call.arguments.flag("infer")) {
        (None, true) => {
            let message =
                "infer a schema: subject is missing; give an event type, or a prefix with a trailing *";
            return Err(Error::invalid("missing_argument", message).with("argument", "subject"));
        }
        (None, false) => all(&mut reply, &registry, &snapshot)?,
        (Some(subject), true) => propose(call, &mut reply, &registry, snapshot, &Subject::parse(subject)?)?,
        (Some(subject), false) => one(call, &mut reply, &registry, &snapshot, subject)?,
    }
    Ok(reply)
}

fn all(reply: &mut Reply, registry: &Registry, snapshot: &Snapshot) -> Result<()> {
    let counts = counts(registry, snapshot)?;
    let row = |entry: &Entry| {
        json!([
            entry.subject.to_string(),
            entry.versions.len(),
            entry.mode.name(),
            entry.enforcement.name(),
            counts(entry),
        ])
    };
    let rows: Vec<Value> = registry.entries().take(SUBJECTS_MAX).map(row).collect();
    if rows.is_empty() {
        reply.warnings.push("no schema is registered up to there".to_owned());
        let commonest = snapshot.stats()?.event_types.into_iter().map(|one| one.event_type);
        if let Some(event_type) =
            commonest.into_iter().find(|event_type| Subject::parse(event_type.as_str()).is_ok())
        {
            let arguments = json!({"subject": crate::engine::exactly(event_type.as_str()), "infer": true});
            reply.untrusted.push("/next_steps");
            reply.next_steps.push(Step::new(
                "list_schemas",
                arguments,
                "what a schema of the commonest type would be",
            ));
        }
        return Ok(());
    }
    if registry.entries().count() > SUBJECTS_MAX {
        reply
            .warnings
            .push(format!("only the first {SUBJECTS_MAX} subjects are shown; ask for one by its name"));
    }
    reply.untrusted.push("/table");
    let columns = ["subject", "version", "mode", "enforcement", "events"].map(str::to_owned);
    reply.rows = Some(Rows { columns: Some(columns.into()), name: "table", items: rows, paging: None });
    Ok(())
}

/// How many stored events each subject is for.
fn counts(registry: &Registry, snapshot: &Snapshot) -> Result<impl Fn(&Entry) -> u64> {
    let mut counts = std::collections::HashMap::<String, u64>::new();
    for one in snapshot.stats()?.event_types {
        if let Some(entry) = registry.of_type(one.event_type.as_str()) {
            *counts.entry(entry.subject.to_string()).or_default() += one.count;
        }
    }
    Ok(move |entry: &Entry| counts.get(&entry.subject.to_string()).copied().unwrap_or(0))
}

fn one(
    call: &Call<'_>,
    reply: &mut Reply,
    registry: &Registry,
    snapshot: &Snapshot,
    asked: &str,
) -> Result<()> {
    let exact = Subject::parse(asked).ok();
    let entry =
        exact.as_ref().and_then(|subject| registry.entry(subject)).or_else(|| registry.of_type(asked));
    let entry = entry.ok_or_else(|| unknown(registry, asked))?;
    let wanted = call.arguments.ordinal("version");
    let found = match wanted {
        None => entry.newest(),
        Some(number) => entry.versions.iter().find(|version| u64::from(version.number) == number),
    };
    let version = found.ok_or_else(|| {
        let message = format!(
            "show version {} of {}: it has versions 1 to {}; ask for one of these",
            wanted.unwrap_or_default(),
            quote(&entry.subject.to_string()),
            entry.versions.len()
        );
        Error::new(ErrorKind::NotFound, "unknown_version", message).with("argument", "version")
    })?;
    for pointer in ["/subject", "/upcast", "/schema"] {
        reply.untrusted.push(pointer);
    }
    reply.field("subject", entry.subject.to_string());
    reply.field("version", version.number);
    reply.field("mode", entry.mode.name());
    reply.field("enforcement", entry.enforcement.name());
    reply.field("events", counts(registry, snapshot)?(entry));
    if entry.versions.len() > 1 {
        let told = |version: &crate::schema::Version| json!({"version": version.number, "position": version.position.get()});
        reply.field("versions", entry.versions.iter().map(told).collect::<Vec<_>>());
    }
    if !version.upcast.is_empty() {
        reply.field("upcast", version.upcast.iter().map(Operation::to_value).collect::<Vec<_>>());
    }
    reply.field("schema", version.schema.as_ref().clone());
    Ok(())
}

fn unknown(registry: &Registry, asked: &str) -> Error {
    let names: Vec<String> = registry.entries().map(|entry| entry.subject.to_string()).collect();
    let near = nearest(asked, names.iter().map(String::as_str), NEAREST_MAX);
    let remedy = match near.first() {
        Some(near) => format!("nearest: {}", quote(near)),
        None => "infer: true proposes one from what is stored".to_owned(),
    };
    let message = format!("show the schema of {}: none is registered; {remedy}", quote(asked));
    let step = Step::new("list_schemas", json!({}), "the subjects there are");
    Error::new(ErrorKind::NotFound, "unknown_subject", message)
        .with("nearest", near)
        .with("next_steps", vec![step.to_value()])
}

/// A schema as the stored events have it, tried on more of them than it was made from.
fn propose(
    call: &Call<'_>,
    reply: &mut Reply,
    registry: &Registry,
    snapshot: Snapshot,
    subject: &Subject,
) -> Result<()> {
    let view = stored(snapshot, subject);
    let inference = inferred(call, &view, subject, reply)?;
    let schema = inference.schema();
    reply.untrusted.push("/schema");
    reply.field("subject", subject.to_string());
    reply.field("looked_at", inference.looked_at());
    let total =
        view.snapshot.count(&Filter { event_type: view.filter.event_type.clone(), ..Filter::default() })?;
    if total.is_none_or(|total| total > inference.looked_at()) {
        let checker = Checker::compile(&schema.to_string())?;
        let measure = Measure::Of { subject, registry, checker: &checker };
        let survey = call.engine.survey(&view, &measure, None, EVENTS_MAX, 3)?;
        if survey.failed > 0 {
            reply.untrusted.push("/fails");
        }
        reply.field("fails", fails(&survey));
    }
    let arguments =
        json!({"branch": call.engine.store().branch_name(), "subject": subject.to_string(), "infer": true});
    reply.next_steps.push(Step::new("register_schema", arguments, "register this schema"));
    reply.untrusted.push("/next_steps");
    reply.field("schema", schema);
    Ok(())
}
