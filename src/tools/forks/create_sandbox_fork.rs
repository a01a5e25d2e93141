//! `create_sandbox_fork`: a branch to try things on.

use super::told::{FORK, QUOTA_BYTES, QUOTA_EVENTS, TTL, fork};
use crate::engine::{Wish, check_fork_writes};
use crate::error::{Error, Result};
use crate::event::{Filter, IdempotencyKey, Position, Timestamp, quote};
use crate::store::{NewFork, Order, Scan, ScanLimits, Snapshot};
use crate::tools::answer::Reply;
use crate::tools::argument::{Argument, BUDGET, Kind, LIMIT_DEFAULT, POSITION};
use crate::tools::call::Call;
use crate::tools::{Hints, Tool};

const ARGUMENTS: &[Argument] = &[
    Argument::required("purpose", Kind::Text, "What it is for, up to 1,000 bytes"),
    Argument::optional("from_branch", Kind::Text, "Branch to fork: main, a fork, or name@tag"),
    Argument::optional("as_of_position", POSITION, "Cut behind this position; the last"),
    Argument::optional("known_at", Kind::Text, "Cut behind what was recorded by this time"),
    Argument::optional("as_of", Kind::Text, "Cut behind this time, if that is a prefix"),
    Argument::optional("ttl_seconds", TTL, "Lifetime after last use; 86400, 0 keeps"),
    Argument::optional("quota_events", QUOTA_EVENTS, "Most events of its own; 100000"),
    Argument::optional("quota_bytes", QUOTA_BYTES, "Most bytes of its own; 48 MiB"),
    Argument::optional("idempotency_key", Kind::Text, "Same key again returns the same fork"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "create_sandbox_fork",
    title: "Create sandbox fork",
    toolset: "forks",
    description: "Fork the store to try things without risk: in a millisecond, copying nothing. Every tool takes the fork_id as \
                  branch: append to it, query, search and compare; main does not notice. Then diff_fork shows what changed, \
                  promote_fork makes it real and discard_fork throws it away. Fork before bulk changes, repairs or what-ifs. \
                  It stays 24 h after its last use unless ttl_seconds says else, holds up to 100,000 events of its own, and may be \
                  forked in turn, to a depth of 8.",
    hints: Hints { read_only: false, destructive: false, idempotent: false, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: FORK,
    limit_default: LIMIT_DEFAULT,
    example: r#"{"purpose": "try a 10 % discount on open orders"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    check_fork_writes(call.caller)?;
    if call.arguments.text("purpose").is_none_or(|purpose| purpose.trim().is_empty()) {
        let message =
            "fork: purpose is empty; say in a few words what it is for, so that whoever lists forks knows";
        return Err(Error::invalid("bad_argument", message).with("argument", "purpose"));
    }
    let text = |name: &str| call.arguments.text(name).map(str::to_owned);
    let default = NewFork::default();
    let new = NewFork {
        purpose: text("purpose").unwrap_or_default(),
        creator: call.caller.client.clone(),
        cut: cut(call)?,
        ttl_seconds: call.arguments.ordinal("ttl_seconds").unwrap_or(default.ttl_seconds),
        quota_events: call.arguments.ordinal("quota_events").unwrap_or(default.quota_events),
        quota_bytes: call.arguments.ordinal("quota_bytes").unwrap_or(default.quota_bytes),
        idempotency_key: text("idempotency_key").map(IdempotencyKey::new).transpose()?,
    };
    let info = call.engine.create_fork(new, call.caller)?;
    let mut reply = Reply { fields: fork(&info), ..Reply::default() };
    reply.untrusted.push("/purpose");
    if info.duplicate {
        reply.field("duplicate", true);
    }
    Ok(reply)
}

/// Where the fork is to be cut off; `None`: behind the last event.
fn cut(call: &Call<'_>) -> Result<Option<Position>> {
    let snapshot = call.snapshot()?;
    let at = call.arguments.ordinal("as_of_position").map(Position::new);
    let (known_at, as_of) = (call.arguments.text("known_at"), call.arguments.text("as_of"));
    let given = [at.is_some(), known_at.is_some(), as_of.is_some()];
    if given.iter().filter(|is_given| **is_given).count() > 1 {
        let message = "fork: as_of_position, known_at and as_of each say where to cut; give one of them";
        return Err(Error::invalid("bad_argument", message).with("argument", "as_of_position"));
    }
    if at.is_some() {
        return Ok(at);
    }
    let wish = Wish { as_of, known_at, ..Wish::default() };
    let view = wish.over(snapshot, call.now)?;
    match view.filter.as_of {
        Some(as_of) => prefix(call, as_of, &view.snapshot).map(Some),
        None if known_at.is_some() || call.branch_point.is_some() => Ok(Some(view.snapshot.head())),
        None => Ok(None),
    }
}

/// The position up to which everything had happened by a time, and behind which nothing had.
fn prefix(call: &Call<'_>, as_of: Timestamp, snapshot: &Snapshot) -> Result<Position> {
    let one = |filter, order, snapshot: &Snapshot| {
        let scan = Scan { filter, order, ..Scan::default() };
        let page = snapshot.scan(&scan, &ScanLimits { events_max: 1, ..ScanLimits::default() })?;
        Ok::<_, Error>(page.events.first().map(|event| event.position))
    };
    let by_then = Filter { as_of: Some(as_of), ..Filter::default() };
    let last = one(by_then, Order::Descending, snapshot)?.unwrap_or(Position::ZERO);
    let since = Some(Timestamp::from_micros(as_of.as_micros().saturating_add(1)));
    let later = Filter { since, ..Filter::default() };
    let Some(later) = one(later, Order::Ascending, &snapshot.up_to(last))? else { return Ok(last) };
    let asked = quote(call.arguments.text("as_of").unwrap_or_default());
    let message = format!(
        "fork as of {asked}: position {last} had happened by then but position {later} before it had not, so that is no prefix of what \
         was recorded; cut with known_at or as_of_position, and read the fork with as_of"
    );
    Err(Error::invalid("not_a_prefix", message).with("argument", "as_of"))
}
