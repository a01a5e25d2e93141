//! `allsource query`: find events.

use serde_json::Value;

use super::answer::{ask, warnings};
use super::export::{text_of, write_record};
use super::filter::FilterArgs;
use super::outcome::{Ended, Exit};
use super::{Terminal, table};
use crate::door::Host;
use crate::engine::Caller;
use crate::event::counted;
use crate::import::EXPORT_FIELDS;
use crate::tools::Object;

const EXAMPLES: &str = "\
Examples:
  allsource query
  allsource query --type 'order.*' --since now-7d --where 'payload.amount > 100'
  allsource query --entity order-7 --order asc --format jsonl | jq .payload
  allsource query --type push --as-of 2015-02-22T21:30:00Z --limit 20 --fields payload.commits
  allsource query --type order.placed --format csv > orders.csv
  allsource query --entity order-7 --explain    which index, how many segments and pages
  allsource query --cursor TOKEN            the next page, as large as the one before

A condition is SQL-like: =, !=, <, <=, >, >=, IN, BETWEEN, LIKE, CONTAINS, IS NULL, AND, OR, NOT over event columns and \
payload or metadata paths. Exit codes: 0 done (also when nothing matches), 1 failed.";

/// The most rows of one page, whatever was asked for.
const PAGE_ROWS_MAX: u64 = 1_000;
/// The largest answer that a tool gives, in tokens.
const PAGE_TOKENS: u64 = 10_000;

/// What `query` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct QueryArgs {
    /// How events are shown
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// The most events; with --cursor the page has its own size
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u64,
    /// Newest or oldest first
    #[arg(long, value_name = "ORDER", value_parser = ["desc", "asc"], default_value = "desc")]
    order: String,
    /// Payload paths to show, such as payload.amount
    #[arg(long, value_name = "PATH,…", value_delimiter = ',')]
    fields: Vec<String>,
    /// Go on from the `next_cursor` of an answer
    #[arg(long, value_name = "TOKEN")]
    cursor: Option<String>,
    /// Say how each page was found and what that touched
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns
    Table,
    /// One answer as an agent gets it
    Json,
    /// One whole event a line
    Jsonl,
    /// One whole event a record, as `export` writes it
    Csv,
}

impl QueryArgs {
    fn to_arguments(&self) -> Object {
        let mut arguments = self.filter.to_arguments();
        let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
        if self.order != "desc" {
            set("order", Value::from(self.order.as_str()));
        }
        if !self.fields.is_empty() {
            set("fields", Value::from(self.fields.clone()));
        }
        if let Some(cursor) = &self.cursor {
            set("cursor", Value::from(cursor.as_str()));
        }
        if self.explain {
            set("explain", Value::Bool(true));
        }
        if matches!(self.format, Format::Jsonl | Format::Csv) {
            set("response_format", Value::from("detailed"));
        }
        set("max_tokens", Value::from(PAGE_TOKENS));
        arguments
    }
}

/// Runs `allsource query`.
pub(super) fn run(query: &QueryArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let mut arguments = query.to_arguments();
    let mut left = query.limit;
    let mut shown: Vec<String> = Vec::new();
    if query.format == Format::Csv {
        write_record(terminal.out, &EXPORT_FIELDS.map(str::to_owned))?;
    }
    loop {
        // A cursor pins the query; only a page's size may differ beside it.
        if !arguments.contains_key("cursor") {
            arguments.insert("limit".to_owned(), Value::from(left.clamp(1, PAGE_ROWS_MAX)));
        }
        let answer = ask(host, "query_events", &arguments, caller)?;
        for warning in warnings(&answer) {
            writeln!(terminal.err, "warning: {warning}")?;
        }
        if let Some(explained) = answer.get("explain").and_then(Value::as_object)
            && query.format != Format::Json
        {
            writeln!(terminal.err, "explain: {}", pairs(explained))?;
        }
        let rows = match query.format {
            Format::Json => {
                writeln!(terminal.out, "{:#}", Value::Object(answer))?;
                return Ok(Exit::Done);
            }
            Format::Jsonl | Format::Csv => write_events(query.format, &answer, left, terminal)?,
            Format::Table => write_table(&answer, left, &mut shown, terminal)?,
        };
        left = left.saturating_sub(rows);
        // Of a page that a cursor asked for, people want to see just that: what follows has other columns.
        let is_page = query.cursor.is_some() && query.format == Format::Table;
        let Some(next) = answer.get("next_cursor").filter(|_| left > 0 && !is_page) else {
            return finish(&answer, query.format == Format::Table, terminal);
        };
        arguments.retain(|name, _| matches!(name.as_str(), "max_tokens" | "response_format"));
        arguments.insert("cursor".to_owned(), next.clone());
    }
}

fn write_events(format: Format, answer: &Object, left: u64, terminal: &mut Terminal<'_>) -> Ended<u64> {
    let events = answer.get("events").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut written = 0;
    for event in events.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        match format {
            Format::Csv => write_record(terminal.out, &EXPORT_FIELDS.map(|field| text_of(event, field)))?,
            _ => writeln!(terminal.out, "{event}")?,
        }
        written += 1;
    }
    Ok(written)
}

/// Writes a page; headings come again only when they differ from those of the page before.
fn write_table(
    answer: &Object,
    left: u64,
    shown: &mut Vec<String>,
    terminal: &mut Terminal<'_>,
) -> Ended<u64> {
    let part = |name: &str| answer.get("table")?.get(name)?.as_array();
    let columns: Vec<String> =
        part("columns").into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let rows: Vec<Vec<Value>> = part("rows")
        .into_iter()
        .flatten()
        .filter_map(|row| row.as_array().cloned())
        .take(usize::try_from(left).unwrap_or(usize::MAX))
        .collect();
    if !rows.is_empty() {
        table::write(terminal.out, &columns, &rows, *shown != columns)?;
        *shown = columns;
    }
    if let Some(constant) = answer.get("constant").and_then(Value::as_object) {
        let place = if answer.contains_key("next_cursor") { " on this page" } else { "" };
        writeln!(terminal.out, "the same in all of these{place}: {}", pairs(constant))?;
    }
    Ok(rows.len() as u64)
}

fn pairs(part: &Object) -> String {
    let pairs = part.iter().map(|(name, value)| format!("{name} = {}", table::cell(value)));
    pairs.collect::<Vec<_>>().join(", ")
}

fn finish(answer: &Object, is_table: bool, terminal: &mut Terminal<'_>) -> Ended {
    let matched = answer.get("matched").and_then(|matched| matched.get("count")).and_then(Value::as_u64);
    let next = answer.get("next_cursor").and_then(Value::as_str).filter(|_| is_table);
    match (matched, next) {
        (Some(0), _) => writeln!(terminal.err, "no event matches")?,
        (Some(count), Some(next)) => writeln!(
            terminal.err,
            "{} match; see more with --limit, or the next page with --cursor {next}",
            counted(count, "event")
        )?,
        (None, Some(next)) => {
            writeln!(
                terminal.err,
                "there are more; see them with --limit, or the next page with --cursor {next}"
            )?;
        }
        _ => {}
    }
    Ok(Exit::Done)
}
