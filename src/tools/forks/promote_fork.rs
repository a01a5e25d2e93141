//! `promote_fork`: makes real what was tried.

use serde_json::{Value, json};

use super::told::{FORK_ID, conflict};
use crate::engine::{MAIN, Writes, check_fork_writes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EntityId;
use crate::store::{ForkId, OnConflict, Promoted, Promotion};
use crate::tools::answer::{Reply, Step};
use crate::tools::argument::{Argument, BUDGET, Field, Kind, LIMIT_DEFAULT};
use crate::tools::call::Call;
use crate::tools::{Hints, Tool};

/// The most conflicts that are shown.
const CONFLICTS_MAX: usize = 20;

const ARGUMENTS: &[Argument] = &[
    FORK_ID,
    Argument::optional("entities", Kind::Texts, "Only these entities; all it touched"),
    Argument::optional(
        "on_conflict",
        Kind::Choice(&["abort", "skip", "rebase"]),
        "What entities in conflict do",
    ),
    Argument::optional("dry_run", Kind::Flag, "Say what would happen, change nothing"),
    Argument::optional("confirmation_token", Kind::Text, "Of this same dry run: the diff is current"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "promote_fork",
    title: "Promote fork",
    toolset: "forks",
    description: "Append what a fork added to its parent: all of it or the entities given, as one atomic batch, exactly once. An \
                  entity whose parent moved since the cut is a conflict: abort (default) promotes nothing and reports, skip leaves \
                  it out, rebase appends behind the parent's events. Call with dry_run first; then send the same call with its \
                  confirmation_token. Read diff_fork before. The fork stays as it is.",
    hints: Hints { read_only: false, destructive: true, idempotent: true, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("promoted", "boolean"),
        Field::new("dry_run", "boolean"),
        Field::new("duplicate", "boolean"),
        Field::new("parent", "string"),
        Field::new("events", "integer"),
        Field::new("entity_count", "integer"),
        Field::new("first_position", "integer"),
        Field::new("already_promoted", "integer"),
        Field::new("confirmation_token", "string"),
        Field::new("conflict_count", "integer"),
        Field::new("conflicts", "array"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"fork_id": "f-k7m2x9qa", "dry_run": true}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    check_fork_writes(call.caller)?;
    let id = call.fork_id()?;
    let promotion = promotion(call)?;
    let parent = call.engine.store().fork_info(&id)?.parent;
    let promoted = call.engine.promote_fork(&id, &promotion, call.caller)?;
    let mut reply = Reply { head_position: Some(promoted.head), ..Reply::default() };
    reply.field(
        if promotion.dry_run { "dry_run" } else { "promoted" },
        promotion.dry_run || is_done(&promoted, &promotion),
    );
    let needs_person = parent == MAIN && call.caller.writes < Writes::All;
    if needs_person && promotion.dry_run {
        reply.warnings.push(format!(
            "main changes only when a person agrees: promote_fork asks them where this client can; else they run \
             `allsource fork promote {id}` in a terminal"
        ));
    }
    if parent != MAIN {
        reply.field("parent", parent);
    }
    tell(&mut reply, &promoted, &promotion);
    next_steps(call, &mut reply, &id, &promoted, &promotion);
    if needs_person {
        // The token alone would be refused.
        reply.next_steps.retain(|step| !step.sends("confirmation_token"));
    }
    Ok(reply)
}

fn promotion(call: &Call<'_>) -> Result<Promotion> {
    let dry_run = call.arguments.flag("dry_run");
    let token = call.arguments.text("confirmation_token").map(str::to_owned);
    let diff = call.caller.confirmed.clone().or(token);
    if diff.is_none() && !dry_run {
        let message = "promote a fork: a confirmation_token is needed, which shows that the difference was looked at; send the call with \
                       dry_run, look, and send it again with the token";
        let mut arguments = call.arguments.object().clone();
        arguments.insert("dry_run".to_owned(), true.into());
        let step = Step::new("promote_fork", Value::Object(arguments), "what would happen, and the token");
        return Err(Error::new(ErrorKind::Invalid, "confirmation_needed", message)
            .with("argument", "confirmation_token")
            .with("next_steps", vec![step.to_value()]));
    }
    let on_conflict = match call.arguments.text("on_conflict") {
        Some("skip") => OnConflict::Skip,
        Some("rebase") => OnConflict::Rebase,
        _ => OnConflict::Abort,
    };
    let entities = call.arguments.texts("entities").into_iter().map(EntityId::new).collect::<Result<_>>()?;
    Ok(Promotion { entities, on_conflict, dry_run, diff })
}

/// Whether all that was chosen is on the parent, but for what was to be skipped.
fn is_done(promoted: &Promoted, promotion: &Promotion) -> bool {
    promotion.on_conflict != OnConflict::Abort || promoted.conflicts.is_empty()
}

fn tell(reply: &mut Reply, promoted: &Promoted, promotion: &Promotion) {
    if promoted.duplicate {
        reply.field("duplicate", true);
    }
    reply.field("events", promoted.events);
    reply.field("entity_count", promoted.entities);
    if let Some(position) = promoted.first_position {
        reply.field("first_position", position.get());
    }
    if promoted.already_promoted > 0 {
        reply.field("already_promoted", promoted.already_promoted);
    }
    if promotion.dry_run {
        reply.field("confirmation_token", promoted.diff.as_str());
    }
    if !promoted.conflicts.is_empty() {
        reply.untrusted.push("/conflicts");
        reply.field("conflict_count", promoted.conflicts.len());
        reply.field(
            "conflicts",
            promoted.conflicts.iter().take(CONFLICTS_MAX).map(conflict).collect::<Vec<_>>(),
        );
    }
}

fn next_steps(call: &Call<'_>, reply: &mut Reply, id: &ForkId, promoted: &Promoted, promotion: &Promotion) {
    let again = |member: &str, value: Value| {
        let mut arguments = call.arguments.object().clone();
        arguments.shift_remove("dry_run");
        arguments.shift_remove("confirmation_token");
        arguments.insert(member.to_owned(), value);
        arguments
    };
    if promotion.on_conflict == OnConflict::Abort && !promoted.conflicts.is_empty() {
        for (choice, why) in [
            ("skip", "leaves out the entities in conflict"),
            ("rebase", "appends behind the parent's events"),
        ] {
            let mut arguments = again("on_conflict", choice.into());
            arguments.insert("dry_run".to_owned(), true.into());
            reply.next_steps.push(Step::new("promote_fork", arguments.into(), why));
        }
        let arguments = json!({"fork_id": id.as_str(), "reset": true});
        reply.next_steps.push(Step::new("update_fork", arguments, "drops what it added, to try anew"));
    } else if promotion.dry_run && promoted.events > 0 {
        let arguments = again("confirmation_token", promoted.diff.as_str().into());
        reply.next_steps.push(Step::new("promote_fork", arguments.into(), "does it"));
    }
}
