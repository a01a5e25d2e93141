//! `allsource schema`: what payloads must look like, from a terminal.

mod arguments;

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::answer::{ask, warnings};
use super::outcome::{Ended, Exit};
use super::{Terminal, table};
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::event::visible;
use crate::tools::Object;
use arguments::{Action, Format, ListArgs, RegisterArgs, ValidateArgs};
pub(super) use arguments::{LONG_ABOUT, SchemaArgs};

/// The largest answer that a tool gives, in tokens.
const TOKENS_MAX: u64 = 10_000;

/// Runs `allsource schema`.
pub(super) fn run(schema: &SchemaArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    match &schema.action {
        Action::Register(register) => self::register(register, host, caller, terminal),
        Action::List(list) => self::list(list, host, caller, terminal),
        Action::Validate(validate) => self::validate(validate, host, caller, terminal),
        Action::Infer { subject, branch } => infer(subject, branch.as_deref(), host, caller, terminal),
    }
}

/// Arguments of a call: those that were given.
fn given<const N: usize>(all: [(&str, Option<Value>); N]) -> Object {
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
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

/// A JSON document from a file, or from standard input.
fn document(path: &Path) -> Ended<Value> {
    let failed = |error: std::io::Error| {
        let message = format!("read the schema {}: it cannot be read; check the path", path.display());
        Error::new(ErrorKind::NotFound, "unreadable_file", message).caused_by(error)
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = std::fs::read_to_string(path).map_err(failed)?;
    }
    parsed(&text, &format!("the schema {}", path.display()))
}

fn parsed(text: &str, what: &str) -> Ended<Value> {
    let failed = |error: serde_json::Error| {
        Error::invalid("not_json", format!("read {what}: it is not JSON")).caused_by(error)
    };
    Ok(serde_json::from_str(text).map_err(failed)?)
}

fn register(register: &RegisterArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let arguments = given([
        ("branch", Some(register.branch.as_str().into())),
        ("subject", Some(register.subject.as_str().into())),
        ("schema", register.file.as_deref().map(document).transpose()?),
        ("infer", register.infer.then_some(true.into())),
        ("mode", register.mode.as_deref().map(Value::from)),
        ("enforcement", register.enforcement.as_deref().map(Value::from)),
        ("upcast", register.upcast.as_deref().map(|text| parsed(text, "--upcast")).transpose()?),
        ("dry_run", register.dry_run.then_some(true.into())),
    ]);
    let answer = answered(host, "register_schema", arguments, caller, terminal)?;
    let text = |name: &str| answer.get(name).map(table::cell).unwrap_or_default();
    let breaking = answer.get("breaking").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let what = match (answer.contains_key("unchanged"), register.dry_run) {
        (true, _) => "is unchanged",
        (false, true) => "would be",
        (false, false) => "is now",
    };
    let subject = table::cell(&register.subject.as_str().into());
    writeln!(
        terminal.out,
        "{subject} {what}: version {}, {}, {}",
        text("version"),
        text("mode"),
        text("enforcement")
    )?;
    for one in breaking {
        // Whole: what is wrong is the answer.
        let part = |name: &str| visible(one.get(name).and_then(Value::as_str).unwrap_or_default());
        writeln!(terminal.out, "incompatible: {} at {}: {}", part("kind"), part("path"), part("reason"))?;
    }
    if let Some(fails) = answer.get("fails") {
        let count = |name: &str| fails.get(name).and_then(Value::as_u64).unwrap_or(0);
        writeln!(terminal.out, "{} of {} stored events do not fit", count("failed"), count("checked"))?;
    }
    Ok(if breaking.is_empty() { Exit::Done } else { Exit::Failed })
}

fn list(list: &ListArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let arguments = given([
        ("subject", list.subject.as_deref().map(Value::from)),
        ("version", list.version.map(Value::from)),
        ("as_of_position", list.as_of_position.map(Value::from)),
        ("known_at", list.known_at.as_deref().map(Value::from)),
        ("branch", list.branch.as_deref().map(Value::from)),
    ]);
    let answer = answered(host, "list_schemas", arguments, caller, terminal)?;
    match (list.format, answer.get("schema")) {
        (Format::Json, _) => writeln!(terminal.out, "{:#}", Value::Object(answer))?,
        (Format::Text, Some(schema)) => {
            let text = |name: &str| answer.get(name).map(table::cell).unwrap_or_default();
            writeln!(
                terminal.err,
                "{} version {}, {}, {}, for {} events",
                text("subject"),
                text("version"),
                text("mode"),
                text("enforcement"),
                text("events")
            )?;
            writeln!(terminal.out, "{schema:#}")?;
        }
        (Format::Text, None) => rows(&answer, terminal)?,
    }
    Ok(Exit::Done)
}

/// The rows of an answer's table, as columns.
fn rows(answer: &Object, terminal: &mut Terminal<'_>) -> Ended<()> {
    let part = |name: &str| answer.get("table").and_then(|table| table.get(name)).and_then(Value::as_array);
    let Some((columns, rows)) = part("columns").zip(part("rows")) else { return Ok(()) };
    let columns: Vec<String> = columns.iter().map(table::cell).collect();
    let rows: Vec<Vec<Value>> = rows.iter().filter_map(Value::as_array).cloned().collect();
    table::write(terminal.out, &columns, &rows, true)?;
    Ok(())
}

fn validate(validate: &ValidateArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let arguments = given([
        ("subject", validate.subject.as_deref().map(Value::from)),
        ("schema", validate.schema.as_deref().map(document).transpose()?),
        ("event_type", validate.event_type.as_deref().map(Value::from)),
        ("since", validate.since.as_deref().map(Value::from)),
        ("until", validate.until.as_deref().map(Value::from)),
        ("branch", validate.branch.as_deref().map(Value::from)),
        ("limit", Some(validate.limit.into())),
    ]);
    let answer = answered(host, "validate_events", arguments, caller, terminal)?;
    let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (checked, failed) = (count("checked"), count("failed"));
    match validate.format {
        Format::Json => writeln!(terminal.out, "{:#}", Value::Object(answer))?,
        Format::Text => {
            rows(&answer, terminal)?;
            writeln!(terminal.err, "{failed} of {checked} events do not fit")?;
        }
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// The schema alone goes to standard output, for a file.
fn infer(
    subject: &str,
    branch: Option<&str>,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    let arguments = given([
        ("subject", Some(subject.into())),
        ("infer", Some(true.into())),
        ("branch", branch.map(Value::from)),
    ]);
    let answer = answered(host, "list_schemas", arguments, caller, terminal)?;
    for note in answer.get("notes").and_then(Value::as_array).into_iter().flatten() {
        writeln!(terminal.err, "{}", table::cell(note))?;
    }
    let schema = answer.get("schema").cloned().unwrap_or_default();
    writeln!(terminal.out, "{schema:#}")?;
    Ok(Exit::Done)
}
