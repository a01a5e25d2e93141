//! `allsource fork`: try things on a copy that costs nothing, and make real what is good.

mod arguments;
mod promote;
mod told;

use serde_json::Value;

use super::answer::{ask, refused, warnings};
use super::outcome::{Ended, Exit};
use super::{Terminal, table};
use crate::door::Host;
use crate::engine::{Caller, MAIN};
use crate::event::counted;
use crate::tools::Object;
use arguments::{Action, CreateArgs, Format, TagArgs};
pub(super) use arguments::{ForkArgs, LONG_ABOUT};

/// The largest answer that a tool gives, in tokens.
const TOKENS_MAX: u64 = 10_000;
/// The forks that one call lists.
const PAGE_FORKS: u64 = 200;

/// What the refusal of a change that drops events brings, and the call that means it sends.
const TOKEN: &str = "confirmation_token";

/// Runs `allsource fork`.
pub(super) fn run(fork: &ForkArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let mut change = |tool: &str, fork_id: &str, flag: Option<&str>| {
        let mut asked = about(fork_id);
        asked.extend(flag.map(|flag| (flag.to_owned(), true.into())));
        let first = host.call(tool, &asked, caller);
        let token = first.body.get("error").and_then(|error| error.get(TOKEN)).cloned();
        let answer = match token {
            // Who typed the command agrees to what it does.
            Some(token) => {
                asked.insert(TOKEN.to_owned(), token);
                answered(host, tool, asked, caller, terminal)?
            }
            None if first.is_error => return Err(refused(&first.body).into()),
            None => first.body,
        };
        writeln!(terminal.out, "{}", told::line(&answer))?;
        Ok(Exit::Done)
    };
    match &fork.action {
        Action::Create(create) => self::create(create, host, caller, terminal),
        Action::List { all, format } => list(*all, *format, host, caller, terminal),
        Action::Diff { fork_id, format } => diff(fork_id, *format, host, caller, terminal),
        Action::Promote(arguments) => promote::run(arguments, host, caller, terminal),
        Action::Discard { fork_id } => change("discard_fork", fork_id, None),
        Action::Restore { fork_id } => change("update_fork", fork_id, Some("restore")),
        Action::Reset { fork_id } => change("update_fork", fork_id, Some("reset")),
        Action::Tag(arguments) => tag(arguments, host, caller, terminal),
    }
}

/// The arguments of a call about one branch.
fn about(branch: &str) -> Object {
    Object::from_iter([("fork_id".to_owned(), branch.into())])
}

/// The answer of a tool; its warnings go to standard error.
fn answered(
    host: &Host,
    tool: &str,
    mut arguments: Object,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended<Object> {
    arguments.insert("max_tokens".to_owned(), TOKENS_MAX.into());
    let answer = ask(host, tool, &arguments, caller)?;
    for warning in warnings(&answer) {
        writeln!(terminal.err, "warning: {warning}")?;
    }
    Ok(answer)
}

/// The id alone goes to standard output, for scripts.
fn create(create: &CreateArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let answer = answered(host, "create_sandbox_fork", create.to_arguments(), caller, terminal)?;
    writeln!(terminal.err, "{}", told::line(&answer))?;
    writeln!(terminal.out, "{}", answer.get("fork_id").map(table::cell).unwrap_or_default())?;
    Ok(Exit::Done)
}

fn list(all: bool, format: Format, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let page_of = [("limit".to_owned(), PAGE_FORKS.into()), ("include_over".to_owned(), all.into())];
    let mut arguments = Object::from_iter(page_of);
    let mut forks: Vec<Value> = Vec::new();
    loop {
        let answer = answered(host, "list_forks", arguments.clone(), caller, terminal)?;
        let page = answer.get("forks").and_then(Value::as_array).cloned().unwrap_or_default();
        // A page that the budget cut goes on behind the last fork that is shown.
        let last = page.last().and_then(|fork| fork.get("fork_id")).cloned();
        forks.extend(page);
        let count = answer.get("count").and_then(Value::as_u64).unwrap_or(0);
        let Some(last) = last.filter(|_| (forks.len() as u64) < count) else { break };
        arguments.insert("after_fork_id".to_owned(), last);
    }
    match format {
        Format::Json => writeln!(terminal.out, "{:#}", Value::from(forks))?,
        Format::Text if forks.is_empty() => writeln!(terminal.err, "there are no forks")?,
        Format::Text => {
            let columns =
                ["fork", "parent", "cut", "events", "state", "expires", "purpose"].map(str::to_owned);
            let rows: Vec<Vec<Value>> = forks.iter().map(told::row).collect();
            table::write(terminal.out, &columns, &rows, true)?;
        }
    }
    Ok(Exit::Done)
}

fn diff(fork_id: &str, format: Format, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let answer = answered(host, "diff_fork", about(fork_id), caller, terminal)?;
    match format {
        Format::Json => writeln!(terminal.out, "{:#}", Value::Object(answer))?,
        Format::Text => told::diff(&answer, terminal)?,
    }
    Ok(Exit::Done)
}

fn tag(tag: &TagArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let mut arguments = about(&tag.branch);
    let action = if tag.remove { "untag" } else { "tag" };
    arguments.insert(action.to_owned(), tag.name.as_str().into());
    arguments.extend(tag.position.map(|position| ("tag_position".to_owned(), position.into())));
    let answer = answered(host, "update_fork", arguments, caller, terminal)?;
    let tags = answer.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, position) in &tags {
        writeln!(terminal.out, "{}@{name}  position {position}", tag.branch)?;
    }
    if tags.is_empty() {
        let whose = if tag.branch == MAIN { MAIN } else { "the fork" };
        writeln!(terminal.err, "{whose} has {} now", counted(0, "tag"))?;
    }
    Ok(Exit::Done)
}
