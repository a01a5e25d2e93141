//! `allsource sql`: ask in SQL, once or in a conversation.

mod output;
mod shell;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use serde_json::Value;

use super::Terminal;
use super::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::Caller;
use crate::error::Error;
use crate::tools::Object;
use output::{Rows, write};

const EXAMPLES: &str = "\
Examples:
  allsource sql \"SELECT event_type, count(*) AS n FROM events GROUP BY event_type ORDER BY n DESC\"
  allsource sql \"SELECT date_trunc('week', timestamp) AS week, sum(total) FROM order.placed GROUP BY week ORDER BY week\"
  allsource sql --as-of 2024-03-31 \"SELECT * FROM entities LIMIT 20\"
  allsource sql --format parquet --output orders.parquet \"SELECT * FROM order.placed\"
  allsource sql                             a prompt, with history and completion
  echo 'SELECT 1' | allsource sql --format csv

Tables: events, entities, event_types, a view for each event type with the fields of its payload as columns, \
events_at('BRANCH'), state_at('TIME'), search_events('words'). Only SELECT is taken. Exit codes: 0 done, 1 failed or not \
all rows were written.";

/// What `sql` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct SqlArgs {
    /// The statement; without it there is a prompt, or it is read from standard input
    #[arg(value_name = "SELECT")]
    statement: Option<String>,
    /// How rows are written
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// The file to write, replacing what it holds [default: standard output]
    #[arg(long, short, value_name = "FILE", required_if_eq("format", "parquet"))]
    output: Option<PathBuf>,
    /// The branch: main, a fork, or either as it was, as in main@1200
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Events that happened up to this time
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Events that were recorded up to this time
    #[arg(long, value_name = "TIME")]
    known_at: Option<String>,
    /// Events up to this position
    #[arg(long, value_name = "POSITION")]
    as_of_position: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns
    Table,
    /// A header, then one record a row
    Csv,
    /// One JSON object a line
    Json,
    /// A Parquet file; needs --output
    Parquet,
}

impl SqlArgs {
    fn to_arguments(&self, statement: &str) -> Object {
        let mut arguments = Object::new();
        let mut set = |name: &str, value: Option<Value>| {
            arguments.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("sql", Some(statement.into()));
        set("branch", self.branch.clone().map(Value::from));
        set("as_of", self.as_of.clone().map(Value::from));
        set("known_at", self.known_at.clone().map(Value::from));
        set("as_of_position", self.as_of_position.map(Value::from));
        arguments
    }
}

/// Runs `allsource sql`.
pub(super) fn run(sql: &SqlArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let ask = |statement: &str| -> Result<Rows, Error> {
        Rows::decode(&host.operate("sql", &sql.to_arguments(statement), caller)?)
    };
    let statement = match &sql.statement {
        Some(statement) => statement.clone(),
        None if std::io::stdin().is_terminal() => return shell::run(&ask, terminal),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                Error::invalid("unreadable_input", "read the statement from standard input").caused_by(error)
            })?;
            text
        }
    };
    let rows = ask(statement.trim().trim_end_matches(';'))?;
    write(&rows, sql.format, sql.output.as_deref(), terminal)?;
    let notes = rows.notes();
    for note in &notes {
        writeln!(terminal.err, "warning: {note}")?;
    }
    Ok(if rows.is_whole() { Exit::Done } else { Exit::Failed })
}
