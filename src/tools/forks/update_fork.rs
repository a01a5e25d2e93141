//! `update_fork`: keeps, extends, tags, resets or restores.

use super::dropping::{TOKEN, check_agreed};
use super::told::{FORK, FORK_ID, QUOTA_BYTES, QUOTA_EVENTS, TTL, fork};
use crate::engine::{MAIN, check_fork_writes};
use crate::error::{Error, Result};
use crate::event::Position;
use crate::store::{ForkChange, ForkId};
use crate::tools::answer::Reply;
use crate::tools::argument::{Argument, BUDGET, Kind, LIMIT_DEFAULT, POSITION};
use crate::tools::call::Call;
use crate::tools::{Hints, Object, Tool};

const ARGUMENTS: &[Argument] = &[
    FORK_ID,
    Argument::optional("ttl_seconds", TTL, "Lifetime after last use; 0 keeps it"),
    Argument::optional("quota_events", QUOTA_EVENTS, "Most events of its own"),
    Argument::optional("quota_bytes", QUOTA_BYTES, "Most bytes of its own"),
    Argument::optional("purpose", Kind::Text, "What it is for"),
    Argument::optional("tag", Kind::Text, "Name a position; read it as branch@name"),
    Argument::optional("tag_position", POSITION, "The position that tag names; the last"),
    Argument::optional("untag", Kind::Text, "Remove this tag"),
    Argument::optional("reset", Kind::Flag, "Drop all it added; cut at its parent's end"),
    Argument::optional("restore", Kind::Flag, "Bring it back after discard_fork"),
    TOKEN,
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "update_fork",
    title: "Update fork",
    toolset: "forks",
    description: "Change a fork: keep or extend it (ttl_seconds), raise quotas, name a position (tag; every tool then takes \
                  branch@tag), restore it after a discard, or reset it: that drops every event it added (those not promoted \
                  only with confirmation_token) and forks its parent's present end. fork_id main takes tag and untag only. One of tag, untag, reset and restore at a time.",
    hints: Hints { read_only: false, destructive: true, idempotent: false, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: FORK,
    limit_default: LIMIT_DEFAULT,
    example: r#"{"fork_id": "f-k7m2x9qa", "ttl_seconds": 604800}"#,
    run,
};

/// The arguments of which a call has one at most.
const ACTIONS: [&str; 4] = ["tag", "untag", "reset", "restore"];

fn run(call: &mut Call<'_>) -> Result<Reply> {
    check_fork_writes(call.caller)?;
    let is_asked =
        |name: &str| call.arguments.has(name) && call.arguments.object().get(name) != Some(&false.into());
    if ACTIONS.into_iter().filter(|name| is_asked(name)).count() > 1 {
        let message =
            "update a fork: of tag, untag, reset and restore one is taken at a time; send several calls";
        return Err(Error::invalid("bad_argument", message).with("argument", "tag"));
    }
    if call.arguments.text("fork_id") == Some(MAIN) {
        return tag_main(call);
    }
    let id = call.fork_id()?;
    let change = ForkChange {
        ttl_seconds: call.arguments.ordinal("ttl_seconds"),
        quota_events: call.arguments.ordinal("quota_events"),
        quota_bytes: call.arguments.ordinal("quota_bytes"),
        purpose: call.arguments.text("purpose").map(str::to_owned),
    };
    // Before anything is dropped: a call that is refused changes nothing.
    change.check()?;
    let store = call.engine.store();
    if call.arguments.flag("restore") {
        store.restore_fork(&id)?;
    } else if call.arguments.flag("reset") {
        check_agreed(call, &id, "reset")?;
        store.reset_fork(&id)?;
    } else {
        tag(call, &id)?;
    }
    let info = store.update_fork(&id, &change)?;
    let mut reply = Reply { fields: fork(&info), ..Reply::default() };
    reply.untrusted.push("/purpose");
    Ok(reply)
}

fn tag(call: &Call<'_>, id: &ForkId) -> Result<()> {
    let position = call.arguments.ordinal("tag_position").map(Position::new);
    if let Some(name) = call.arguments.text("tag") {
        call.engine.branch(id.as_str())?.store().tag(name, position)?;
    }
    if let Some(name) = call.arguments.text("untag") {
        call.engine.branch(id.as_str())?.store().untag(name)?;
    }
    Ok(())
}

/// Names on `main` change no event: whoever may fork may set them.
fn tag_main(call: &Call<'_>) -> Result<Reply> {
    let store = call.engine.store().main();
    let position = call.arguments.ordinal("tag_position").map(Position::new);
    match (call.arguments.text("tag"), call.arguments.text("untag")) {
        (Some(name), _) => drop(store.tag(name, position)?),
        (_, Some(name)) => store.untag(name)?,
        _ => {
            let message = "update main: only tag and untag are taken; main has no lifetime, quota or parent";
            return Err(Error::invalid("bad_argument", message).with("argument", "fork_id"));
        }
    }
    let mut reply = Reply { head_position: Some(store.snapshot().head()), ..Reply::default() };
    let tags: Object =
        store.tags().into_iter().map(|(name, position)| (name, position.get().into())).collect();
    reply.field("tags", tags);
    Ok(reply)
}
