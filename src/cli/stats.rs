//! `allsource stats`: what the store holds.

use serde_json::Value;

use super::answer::{ask, warnings};
use super::filter::FilterArgs;
use super::outcome::{Ended, Exit};
use super::{Terminal, table};
use crate::door::Host;
use crate::engine::Caller;
use crate::event::grouped;
use crate::tools::Object;

const EXAMPLES: &str = "\
Examples:
  allsource stats
  allsource stats --type 'order.*' --since now-7d
  allsource stats --format json | jq .counts";

/// The largest answer that a tool gives, in tokens.
const TOKENS_MAX: u64 = 10_000;

/// What `stats` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct StatsArgs {
    /// How it is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// The most event types, and the most payload paths, up to 1,000
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// The answer as an agent gets it
    Json,
}

/// Runs `allsource stats`.
pub(super) fn run(stats: &StatsArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let mut arguments = stats.filter.to_arguments();
    arguments.insert("limit".to_owned(), Value::from(stats.limit));
    arguments.insert("max_tokens".to_owned(), Value::from(TOKENS_MAX));
    let answer = ask(host, "quick_stats", &arguments, caller)?;
    for warning in warnings(&answer) {
        writeln!(terminal.err, "warning: {warning}")?;
    }
    match stats.format {
        Format::Json => writeln!(terminal.out, "{:#}", Value::Object(answer))?,
        Format::Text => {
            const ENVELOPE: [&str; 6] =
                ["warnings", "query_id", "next_steps", "untrusted", "branch", "complete"];
            for (name, value) in answer.iter().filter(|(name, _)| !ENVELOPE.contains(&name.as_str())) {
                write_section(name, value, terminal)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// One field of the answer: a line, a list of lines, or a table.
fn write_section(name: &str, value: &Value, terminal: &mut Terminal<'_>) -> Ended<()> {
    match value {
        Value::Object(part) if part.contains_key("columns") => {
            writeln!(terminal.out, "{name}:")?;
            let list = |name: &str| part.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            let columns: Vec<String> = list("columns").iter().map(table::cell).collect();
            let rows: Vec<Vec<Value>> =
                list("rows").iter().filter_map(|row| row.as_array().cloned()).collect();
            table::write(terminal.out, &columns, &rows, true)?;
        }
        Value::Object(part) => {
            writeln!(terminal.out, "{name}:")?;
            let width = part.keys().map(|name| name.chars().count()).max().unwrap_or(0);
            for (name, value) in part {
                writeln!(terminal.out, "  {name:width$}  {}", in_one_line(value))?;
            }
        }
        other => writeln!(terminal.out, "{name}: {}", in_one_line(other))?,
    }
    Ok(())
}

fn in_one_line(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        Value::Array(items) => items.iter().map(in_one_line).collect::<Vec<_>>().join(", "),
        Value::Object(part) => pairs(part),
        other => table::cell(other),
    }
}

fn pairs(part: &Object) -> String {
    part.iter().map(|(name, value)| format!("{name} {}", in_one_line(value))).collect::<Vec<_>>().join(", ")
}
