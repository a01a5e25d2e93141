//! What does a caller need to know about its mistake? The argument at fault, what there is instead, an example from this store.

use serde_json::Value;

use super::{Object, TOOLS};
use crate::engine::{Engine, MAIN, exactly};
use crate::error::{Error, ErrorKind};
use crate::event::{nearest, quote};
use crate::store::ForkId;

/// Arguments that name a branch.
pub(super) const BRANCH_NAMES: [&str; 3] = ["branch", "from_branch", "fork_id"];
/// The most forks that an error lists beside `main`.
const BRANCHES_MAX: usize = 5;

/// The error with the argument at fault and the branches there are.
pub(super) fn explained(error: Error, engine: &Engine, given: &Object) -> Error {
    naming(among_branches(error, engine, given), given)
}

/// The error with the argument at fault, where whoever found it knew the value but not where that came from.
fn naming(error: Error, given: &Object) -> Error {
    if error.details().get("argument").is_some() {
        return error;
    }
    let suspects: &[&str] = match error.code() {
        code if code.starts_with("fork_") || code == "unknown_branch" => &BRANCH_NAMES,
        code if code.starts_with("sql_") => &["sql", "from_sql"],
        "unknown_tag" => &["untag", "branch", "from_branch"],
        "unknown_entity" => &["entity_id"],
        "unknown_subject" => &["subject"],
        _ => &[],
    };
    let Some(name) = suspects.iter().find(|name| given.contains_key(**name)) else { return error };
    error.with("argument", *name)
}

/// The error, its example speaking of this store's own types and entities.
pub(super) fn at_home(error: Error, engine: &Engine) -> Error {
    let Some(mut example) = error.details().get("example").cloned() else { return error };
    let snapshot = engine.store().snapshot();
    let Some(arguments) = example.get_mut("arguments").and_then(Value::as_object_mut) else { return error };
    let Ok(stats) = snapshot.stats() else { return error };
    if let (Some(given), Some(commonest)) = (arguments.get_mut("event_type"), stats.event_types.first()) {
        *given = exactly(commonest.event_type.as_str()).into();
        // What the example says of payloads and of times holds elsewhere.
        arguments.shift_remove("where");
        arguments.shift_remove("since");
    }
    if let (Some(given), Ok(Some(last))) = (arguments.get_mut("entity_id"), snapshot.event(snapshot.head())) {
        *given = last.entity_id.as_str().into();
    }
    if let (Some(given), Ok(live)) = (arguments.get_mut("fork_id"), engine.live_forks())
        && let Some(first) = live.first()
    {
        *given = first.as_str().into();
    }
    error.with("example", example)
}

/// The error of a branch that is not there, with some that are: those most like what was asked for first.
pub(super) fn among_branches(error: Error, engine: &Engine, given: &Object) -> Error {
    let Some(asked) = BRANCH_NAMES.iter().find_map(|name| given.get(*name)?.as_str()) else { return error };
    if error.code() != "unknown_branch" {
        return error;
    }
    let Ok(live) = engine.live_forks() else { return error };
    let names = || [MAIN].into_iter().chain(live.iter().map(ForkId::as_str));
    let near = nearest(asked, names(), BRANCHES_MAX);
    let mut branches = vec![MAIN];
    for name in near.iter().copied().chain(names()) {
        if branches.len() <= BRANCHES_MAX && !branches.contains(&name) {
            branches.push(name);
        }
    }
    let error = if near.is_empty() { error } else { error.with("nearest", near) };
    error.with("branches", branches)
}

pub(super) fn unknown_tool(name: &str) -> Error {
    let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
    let near = nearest(name, names.iter().copied(), 1);
    let remedy = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let message = format!("call {}: there is no such tool{remedy}", quote(name));
    Error::new(ErrorKind::NotFound, "unknown_tool", message).with("tools", names)
}
