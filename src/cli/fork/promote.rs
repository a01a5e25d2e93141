//! `allsource fork promote`: shows what would happen, asks, does it.

use serde_json::Value;

use super::arguments::PromoteArgs;
use super::{about, answered, told};
use crate::cli::Terminal;
use crate::cli::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::{Caller, MAIN};
use crate::error::{Error, ErrorKind};
use crate::event::grouped;
use crate::tools::Object;

/// Runs `allsource fork promote`.
pub(super) fn run(promote: &PromoteArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let diff = answered(host, "diff_fork", about(&promote.fork_id), caller, terminal)?;
    told::summary(&diff, terminal)?;
    let mut arguments = about(&promote.fork_id);
    let mut set = |name: &str, value: Value| drop(arguments.insert(name.to_owned(), value));
    set("on_conflict", promote.on_conflict.as_str().into());
    set("dry_run", true.into());
    if !promote.entities.is_empty() {
        set("entities", promote.entities.clone().into());
    }
    let dry = answered(host, "promote_fork", arguments.clone(), caller, terminal)?;
    told::conflicts(&dry, terminal)?;
    if promote.on_conflict == "abort" && number(&dry, "conflict_count") > 0 {
        let remedy = "nothing was promoted: --on-conflict skip leaves these entities out, rebase appends behind what is there";
        writeln!(terminal.err, "{remedy}")?;
        return Ok(Exit::Failed);
    }
    let parent = dry.get("parent").and_then(Value::as_str).unwrap_or(MAIN).to_owned();
    if dry.get("duplicate") == Some(&Value::Bool(true)) {
        writeln!(terminal.out, "was promoted before: {}", what(&dry))?;
        return Ok(Exit::Done);
    }
    if number(&dry, "events") == 0 {
        writeln!(terminal.out, "nothing to promote")?;
        return Ok(Exit::Done);
    }
    if promote.dry_run {
        writeln!(terminal.out, "would promote {} to {parent}", what(&dry))?;
        return Ok(Exit::Done);
    }
    if !promote.yes && !agrees(&format!("promote {} to {parent}?", what(&dry)), terminal)? {
        writeln!(terminal.err, "nothing was promoted")?;
        return Ok(Exit::Failed);
    }
    arguments.shift_remove("dry_run");
    arguments
        .extend(dry.get_key_value("confirmation_token").map(|(name, token)| (name.clone(), token.clone())));
    let done = answered(host, "promote_fork", arguments, caller, terminal)?;
    if done.get("promoted") != Some(&Value::Bool(true)) {
        told::conflicts(&done, terminal)?;
        writeln!(terminal.err, "nothing was promoted: {parent} went on meanwhile; look again")?;
        return Ok(Exit::Failed);
    }
    let first = grouped(number(&done, "first_position"));
    writeln!(terminal.out, "promoted {} to {parent}, from position {first} on", what(&done))?;
    Ok(Exit::Done)
}

fn number(answer: &Object, name: &str) -> u64 {
    answer.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn what(answer: &Object) -> String {
    told::events_of(number(answer, "events"), number(answer, "entity_count"))
}

/// Asks at the terminal; whatever is no yes is a no.
fn agrees(question: &str, terminal: &mut Terminal<'_>) -> Ended<bool> {
    terminal.out.flush()?;
    write!(terminal.err, "{question} [y/N] ")?;
    terminal.err.flush()?;
    let mut said = String::new();
    std::io::stdin().read_line(&mut said).map_err(|error| {
        let message = "read the answer from standard input: it cannot be read; give --yes to promote without a question";
        Error::new(ErrorKind::Unavailable, "unreadable_input", message).caused_by(error)
    })?;
    if said.is_empty() {
        // Nobody pressed return.
        writeln!(terminal.err)?;
    }
    Ok(matches!(said.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
