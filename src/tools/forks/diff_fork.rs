//! `diff_fork`: what a fork changed.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::told::{FORK_ID, conflict};
use crate::engine::{EntityDiff, FieldMoved, ForkDiff, Numbers};
use crate::error::Result;
use crate::event::{Position, visible};
use crate::tools::answer::{Reply, Step};
use crate::tools::argument::{Argument, BUDGET, Field, Kind};
use crate::tools::call::Call;
use crate::tools::packing::{Paging, Rows};
use crate::tools::{Hints, Object, Tool};

/// The entities that an answer shows when nothing else is asked for.
const ENTITIES_DEFAULT: usize = 20;
/// The most lines of the summary.
const FIELDS_MAX: usize = 12;
/// The most conflicts that are shown.
const CONFLICTS_MAX: usize = 10;
/// The most changes of one entity that are shown.
const CHANGES_MAX: usize = 12;

const ARGUMENTS: &[Argument] = &[
    FORK_ID,
    Argument::optional("limit", Kind::Integer { min: 0, max: 1_000 }, "Most entities; 20"),
    Argument::optional("cursor", Kind::Text, "next_cursor of an answer; send it alone"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "diff_fork",
    title: "Diff fork",
    toolset: "forks",
    description: "What a fork changed against its parent. First a summary: per event type and field the entities it moved, min, mean \
                  and max before and after, three examples; then events added per type, conflicts that a promotion would meet now, \
                  and each touched entity with its versions and changed fields. Look at it before promote_fork; the \
                  confirmation_token stands for exactly this difference.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("events", "integer"),
        Field::new("entity_count", "integer"),
        Field::new("new_entities", "integer"),
        Field::new("summary", "array"),
        Field::new("event_types", "array"),
        Field::new("conflict_count", "integer"),
        Field::new("conflicts", "array"),
        Field::new("confirmation_token", "string"),
        Field::new("entities", "array"),
    ],
    limit_default: ENTITIES_DEFAULT,
    example: r#"{"fork_id": "f-k7m2x9qa"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let id = call.fork_id()?;
    call.engine = Cow::Owned(call.engine.branch(id.as_str())?);
    // A page behind the first is of the fork as it was then.
    let snapshot = call.snapshot()?;
    let diff = call.engine.diff_fork(&id)?;
    let mut reply = Reply { incomplete: !diff.complete, ..Reply::default() };
    if call.cursor.is_none() {
        summarise(&mut reply, &diff);
    }
    let seen = call.cursor.as_ref().map_or(Position::ZERO, |cursor| cursor.place);
    let is_shown = |entity: &&EntityDiff| entity.first > seen && entity.first <= snapshot.head();
    let mut left = diff.entities.iter().filter(is_shown).peekable();
    let shown: Vec<&EntityDiff> = left.by_ref().take(call.limit()).collect();
    let next = shown.last().filter(|_| left.peek().is_some()).map(|last| last.first);
    let places = shown.iter().map(|entity| entity.first).collect();
    let cursor = call.cursor_for(&snapshot, false);
    reply.untrusted.push("/entities");
    reply.rows = Some(Rows {
        columns: None,
        name: "entities",
        items: shown.into_iter().map(entity).collect(),
        paging: Some(Paging { cursor, places, next, is_ranked: false }),
    });
    if diff.entities.is_empty() {
        let arguments = json!({"branch": id.as_str(), "events": [{"entity_id": "order-1", "event_type": "…", "payload": {}}]});
        reply.next_steps.push(Step::new("append_events", arguments, "the fork added nothing yet"));
    }
    Ok(reply)
}

fn summarise(reply: &mut Reply, diff: &ForkDiff) {
    reply.field("events", diff.info.events());
    reply.field("entity_count", diff.entities.len());
    let new = diff.entities.iter().filter(|entity| entity.version_before.get() == 0).count();
    if new > 0 {
        reply.field("new_entities", new);
    }
    if !diff.fields.is_empty() {
        reply.untrusted.push("/summary");
        reply.field("summary", diff.fields.iter().take(FIELDS_MAX).map(field).collect::<Vec<_>>());
    }
    if diff.fields.len() > FIELDS_MAX {
        reply.warnings.push(format!("the summary leaves out {} more fields", diff.fields.len() - FIELDS_MAX));
    }
    let types = diff.types.iter().map(|one| {
        json!({"event_type": one.event_type.as_str(), "added": one.added, "before": one.before, "entities": one.entities})
    });
    reply.untrusted.push("/event_types");
    reply.field("event_types", types.collect::<Vec<_>>());
    if !diff.conflicts.is_empty() {
        reply.untrusted.push("/conflicts");
        reply.field("conflict_count", diff.conflicts.len());
        reply.field("conflicts", diff.conflicts.iter().take(CONFLICTS_MAX).map(conflict).collect::<Vec<_>>());
    }
    if diff.info.events() > 0 {
        reply.field("confirmation_token", diff.diff.as_str());
    }
}

fn field(moved: &FieldMoved) -> Value {
    let mut told = Object::new();
    told.insert("event_type".to_owned(), moved.event_type.as_str().into());
    told.insert("field".to_owned(), moved.path.as_str().into());
    told.insert("entities".to_owned(), moved.entities.into());
    for (name, numbers) in [("before", &moved.before), ("after", &moved.after)] {
        if let Some(numbers) = numbers {
            told.insert(name.to_owned(), numbers_of(numbers));
        }
    }
    let examples = moved.examples.iter().map(|(entity, before, after)| {
        json!([
            visible(entity.as_str()),
            before.clone().unwrap_or_default(),
            after.clone().unwrap_or_default()
        ])
    });
    told.insert("examples".to_owned(), examples.collect());
    told.into()
}

fn numbers_of(numbers: &Numbers) -> Value {
    let rounded = |number: f64| (number * 1e6).round() / 1e6;
    json!({"min": rounded(numbers.min), "mean": rounded(numbers.mean()), "max": rounded(numbers.max)})
}

fn entity(diff: &EntityDiff) -> Value {
    let mut told = Object::new();
    told.insert("entity_id".to_owned(), diff.entity_id.as_str().into());
    told.insert("versions".to_owned(), json!([diff.version_before.get(), diff.version_after.get()]));
    told.insert(
        "event_types".to_owned(),
        diff.types.iter().map(|event_type| Value::from(event_type.as_str())).collect(),
    );
    if let Some(changes) = &diff.changes {
        let shown = changes.iter().take(CHANGES_MAX);
        let shown = shown.map(|change| {
            json!([
                change.path,
                change.before.clone().unwrap_or_default(),
                change.after.clone().unwrap_or_default()
            ])
        });
        told.insert("changes".to_owned(), shown.collect());
        if changes.len() > CHANGES_MAX {
            told.insert("more_changes".to_owned(), (changes.len() - CHANGES_MAX).into());
        }
    }
    told.into()
}
