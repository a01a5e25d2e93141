//! `validate_events`: which events do not fit, stored ones or drafts.

use serde_json::{Value, json};

use crate::engine::{Measure, Survey, View, filter_of};
use crate::error::{Error, Result};
use crate::event::{NamePattern, quote};
use crate::schema::{Checker, Registry, Subject};
use crate::tools::answer::{Reply, Step};
use crate::tools::argument::{Argument, BRANCH, BUDGET, Field, Kind, LIMIT_MAX, POSITION};
use crate::tools::call::Call;
use crate::tools::packing::Rows;
use crate::tools::{Hints, Object, Tool};

/// The misfits that an answer shows when nothing else is asked for.
const MISFITS_DEFAULT: usize = 20;
/// The events that one call looks at: 1,000,000.
const EVENTS_MAX: u64 = 1_000_000;

const ARGUMENTS: &[Argument] = &[
    Argument::optional("subject", Kind::Text, "By this subject's schema, its events"),
    Argument::optional("schema", Kind::Raw, "By this JSON Schema instead"),
    Argument::optional("events", Kind::Objects, "Drafts as append_events takes them, instead"),
    Argument::optional("event_type", Kind::Text, "Only this type; a trailing * means prefix"),
    Argument::optional("since", Kind::Text, "From this time"),
    Argument::optional("until", Kind::Text, "Before this time"),
    Argument::optional("as_of_position", POSITION, "Events and schemas up to this position"),
    Argument::optional("before_position", POSITION, "Only earlier events, to go on"),
    BRANCH,
    Argument::optional("limit", Kind::Integer { min: 1, max: LIMIT_MAX }, "Most misfits shown; 20"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "validate_events",
    title: "Validate events",
    toolset: "schema",
    description: "Check payloads and change nothing: stored events (newest first; by type, time or subject), or a draft batch as \
                  append_events takes it. By the schema registered for each event's type, by one subject's, or by a schema of your own \
                  before you register it. Answers how many were checked and failed, and the first misfits with path, keyword and \
                  reason. Up to 1,000,000 events or 2 s a call; go on with before_position.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("checked", "integer"),
        Field::new("failed", "integer"),
        Field { name: "passed_over", json_type: "integer", about: "No schema, or emptied" },
        Field::new("table", "object"),
    ],
    limit_default: MISFITS_DEFAULT,
    example: r#"{"event_type": "order.placed", "schema": {"type": "object", "required": ["total"]}}"#,
    run,
};

/// A draft or stored event that does not fit, as a row.
type Row = Value;

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let wish = call.wish();
    let mut view = wish.over(call.snapshot()?, call.now)?;
    let registry = call.engine.schemas(&view.snapshot)?;
    let subject = call.arguments.text("subject").map(Subject::parse).transpose()?;
    let own = own_checker(call)?;
    if let (Some(subject), None) = (&subject, &own)
        && registry.entry(subject).is_none()
    {
        let message = format!(
            "validate by the schema of {}: none is registered; give schema, or another subject",
            quote(&subject.to_string())
        );
        let step = Step::new("list_schemas", json!({}), "the subjects there are").to_value();
        return Err(
            Error::new(crate::ErrorKind::NotFound, "unknown_subject", message).with("next_steps", vec![step])
        );
    }
    let by_subject = subject.as_ref().and_then(|subject| registry.entry(subject)?.newest());
    let registered = by_subject.and_then(|version| call.engine.checker(version));
    let draft = own.as_ref().or(registered.as_deref());
    let mut reply = Reply { head_position: Some(view.snapshot.head()), ..Reply::default() };
    if call.arguments.has("events") {
        drafts(call, &mut reply, &registry, draft)?;
        return Ok(reply);
    }
    if let Some(subject) = subject.as_ref().filter(|_| view.filter.event_type.is_none()) {
        view.filter.event_type = filter_of(subject).event_type;
    }
    let measure = match (draft, &subject) {
        (None, _) => Measure::Registered(&registry),
        (Some(checker), Some(subject)) => Measure::Of { subject, registry: &registry, checker },
        (Some(checker), None) => Measure::Draft(checker),
    };
    let before = call.arguments.ordinal("before_position").map(crate::event::Position::new);
    let survey = call.engine.survey(&view, &measure, before, EVENTS_MAX, call.limit())?;
    told(call, &mut reply, &survey, &view, registry.is_empty() && draft.is_none());
    Ok(reply)
}

fn own_checker(call: &Call<'_>) -> Result<Option<Checker>> {
    let schema = call.arguments.map("schema");
    schema.map(|schema| Checker::compile(&Value::Object(schema.clone()).to_string())).transpose()
}

fn told(call: &Call<'_>, reply: &mut Reply, survey: &Survey, view: &View, is_unknown: bool) {
    put_counts(reply, survey.checked, survey.failed, survey.passed_over);
    if let Some(scanned_to) = survey.scanned_to {
        reply.incomplete = true;
        reply.scanned_to = Some(scanned_to);
        let mut arguments: Object = call.arguments.object().clone();
        arguments.insert("before_position".to_owned(), scanned_to.get().into());
        reply.untrusted.push("/next_steps");
        reply.next_steps.push(Step::new(
            "validate_events",
            Value::Object(arguments),
            "the events before these",
        ));
    }
    if is_unknown {
        reply.warnings.push("no schema is registered, so nothing was checked; give schema".to_owned());
        let event_type = match &view.filter.event_type {
            Some(NamePattern::Exact(name)) => json!({"subject": crate::engine::exactly(name), "infer": true}),
            _ => json!({}),
        };
        reply.untrusted.push("/next_steps");
        reply.next_steps.push(Step::new("list_schemas", event_type, "what a schema could be"));
    }
    let row = |failure: &crate::engine::Failure| {
        json!([
            failure.event.position.get(),
            failure.event.entity_id.as_str(),
            failure.event.event_type.as_str(),
            failure.violation.path,
            failure.violation.keyword,
            failure.violation.reason,
        ])
    };
    put_rows(reply, "position", survey.failures.iter().map(row).collect());
}

/// Checks the drafts of the call.
fn drafts(call: &Call<'_>, reply: &mut Reply, registry: &Registry, own: Option<&Checker>) -> Result<()> {
    let (mut looked_at, mut failed, mut passed_over, mut rows) = (0, 0, 0, Vec::new());
    for (index, item) in call.arguments.items("events").iter().enumerate() {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        if own.is_none() && text("event_type").is_empty() {
            let message =
                format!("validate events[{index}]: event_type is missing; it says which schema is meant");
            return Err(Error::invalid("missing_argument", message).with("argument", "events"));
        }
        let by_type = || call.engine.checker(registry.of_type(text("event_type"))?.newest()?);
        let found = if own.is_none() { by_type() } else { None };
        let Some(checker) = own.or(found.as_deref()) else {
            passed_over += 1;
            continue;
        };
        looked_at += 1;
        let payload = item.get("payload").map_or_else(|| "{}".to_owned(), Value::to_string);
        let Some(first) = checker.violations(&payload).into_iter().next() else { continue };
        failed += 1;
        if rows.len() < call.limit() {
            rows.push(json!([
                index,
                text("entity_id"),
                text("event_type"),
                first.path,
                first.keyword,
                first.reason
            ]));
        }
    }
    put_counts(reply, looked_at, failed, passed_over);
    put_rows(reply, "index", rows);
    Ok(())
}

fn put_counts(reply: &mut Reply, checked: u64, failed: u64, passed_over: u64) {
    reply.field("checked", checked);
    reply.field("failed", failed);
    if passed_over > 0 {
        reply.field("passed_over", passed_over);
    }
}

fn put_rows(reply: &mut Reply, place: &str, rows: Vec<Row>) {
    if rows.is_empty() {
        return;
    }
    reply.untrusted.push("/table");
    let columns = [place, "entity_id", "event_type", "path", "keyword", "reason"].map(str::to_owned);
    reply.rows = Some(Rows { columns: Some(columns.into()), name: "table", items: rows, paging: None });
}
