//! `allsource export`: events out of the store, as they are in it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde_json::Value;

use super::Terminal;
use super::filter::FilterArgs;
use super::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::event::Timestamp;
use crate::event::counted;
use crate::import::EXPORT_FIELDS;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Write events out in the order of their positions, as JSON Lines or CSV, with the fields position, version, timestamp, \
recorded_at, event_id, entity_id, event_type, payload and metadata. `allsource import` takes the result back as it \
was; another store gives it positions, versions and recording times of its own.

A damaged store is written out as far as it can be read.";

const EXAMPLES: &str = "\
Examples:
  allsource export > all.jsonl
  allsource export --format csv --type 'order.*' --since 2024-01-01 --output orders.csv
  allsource export --entity order-7 | jq -c '{timestamp, event_type, payload}'";

/// What `export` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ExportArgs {
    /// How events are written
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Format,
    /// The file to write, replacing what it holds [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
    /// A header, then one record an event; payload and metadata are JSON in a cell
    Csv,
}

/// Runs `allsource export`.
#[expect(clippy::disallowed_methods, reason = "the user's own file, outside every data directory")]
pub(super) fn run(
    arguments: &ExportArgs,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    let mut request = arguments.filter.to_arguments();
    let Some(path) = &arguments.output else {
        let (_, damaged) = write_all(arguments.format, &mut request, host, caller, terminal.out)?;
        return said(damaged, terminal);
    };
    let cannot = |error: io::Error| {
        let message = format!("write {}: check the path and the space on its disk", path.display());
        Error::new(ErrorKind::Unavailable, "output_failed", message).caused_by(error)
    };
    let mut file = BufWriter::new(File::create(path).map_err(cannot)?);
    let (events, damaged) = write_all(arguments.format, &mut request, host, caller, &mut file)?;
    file.flush().map_err(cannot)?;
    writeln!(terminal.err, "{} written to {}", counted(events, "event"), path.display())?;
    said(damaged, terminal)
}

fn said(damaged: u64, terminal: &mut Terminal<'_>) -> Ended {
    if damaged == 0 {
        return Ok(Exit::Done);
    }
    writeln!(terminal.err, "{} left out; `allsource verify` says where", counted(damaged, "damaged event"))?;
    Ok(Exit::Damage)
}

/// Writes every page; gives the numbers of events written and of those that could not be read.
fn write_all(
    format: Format,
    request: &mut Object,
    host: &Host,
    caller: &Caller,
    out: &mut dyn Write,
) -> Ended<(u64, u64)> {
    let (mut events, mut damaged) = (0, 0);
    if format == Format::Csv {
        write_record(out, &EXPORT_FIELDS.map(str::to_owned))?;
    }
    loop {
        let page = host.operate("export_page", request, caller)?;
        for event in page.get("events").and_then(Value::as_array).into_iter().flatten() {
            events += 1;
            match format {
                Format::Jsonl => writeln!(out, "{}", json_line(event))?,
                Format::Csv => write_record(out, &EXPORT_FIELDS.map(|field| text_of(event, field)))?,
            }
        }
        damaged += page.get("damaged").and_then(Value::as_u64).unwrap_or(0);
        // The first page fixes the end: what is appended meanwhile is not chased.
        if !request.contains_key("as_of_position") {
            request.extend(page.get("head_position").map(|head| ("as_of_position".to_owned(), head.clone())));
        }
        match page.get("next_position") {
            Some(next) => request.insert("after_position".to_owned(), next.clone()),
            None => return Ok((events, damaged)),
        };
    }
}

/// Writes one record of CSV.
pub(super) fn write_record(out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells).map_err(io::Error::other)?;
    let record = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(&record)
}

/// One event on one line; payload and metadata are the bytes that came, line breaks between their tokens apart.
fn json_line(event: &Value) -> String {
    let mut line = String::with_capacity(512);
    for field in EXPORT_FIELDS {
        let text = text_of(event, field);
        if text.is_empty() {
            continue;
        }
        line.push(if line.is_empty() { '{' } else { ',' });
        line.push('"');
        line.push_str(field);
        line.push_str("\":");
        match field {
            "position" | "version" => line.push_str(&text),
            // A line break inside a JSON string is written \n, so one that stands there bare is only layout.
            "payload" | "metadata" => {
                line.extend(text.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
            }
            _ => line.push_str(&Value::from(text).to_string()),
        }
    }
    line.push('}');
    line
}

/// A field of an event as a cell; payload and metadata as JSON.
pub(super) fn text_of(event: &Value, field: &str) -> String {
    match event.get(field) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(micros)) if matches!(field, "timestamp" | "recorded_at") => {
            micros.as_i64().map(|micros| Timestamp::from_micros(micros).to_string()).unwrap_or_default()
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "position": 9, "version": 2, "event_id": "a\"b", "entity_id": "e", "event_type": "t",
            "timestamp": 1_424_638_800_000_000_i64, "recorded_at": "2024-01-01T00:00:00Z",
            "payload": "{\"n\": 12345678901234567890123,\n \"a\":\"x\\ny\"}",
        })
    }

    #[test]
    fn an_event_is_one_line_with_its_payload_as_it_came() {
        assert_eq!(
            json_line(&event()),
            r#"{"position":9,"version":2,"timestamp":"2015-02-22T21:00:00Z","recorded_at":"2024-01-01T00:00:00Z","event_id":"a\"b","entity_id":"e","event_type":"t","payload":{"n": 12345678901234567890123,  "a":"x\ny"}}"#
        );
    }

    #[test]
    fn a_record_quotes_what_needs_it() {
        let mut out = Vec::new();
        write_record(&mut out, &EXPORT_FIELDS.map(|field| text_of(&event(), field))).expect("written");
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.starts_with(
                "9,2,2015-02-22T21:00:00Z,2024-01-01T00:00:00Z,\"a\"\"b\",e,t,\"{\"\"n\"\": 123"
            ),
            "{text}"
        );
    }
}
