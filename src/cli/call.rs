//! `allsource call`: any tool that agents have, from a terminal.

use std::io::Read;

use serde_json::Value;

use super::Terminal;
use super::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::tools::{Object, TOOLS};

const EXAMPLES: &str = "\
Examples:
  allsource call --list
  allsource call quick_stats
  allsource call query_events '{\"event_type\": \"order.*\", \"limit\": 5}'
  allsource call get_entity_state '{\"entity_id\": \"order-7\", \"provenance\": true}' | jq .state
  echo '{\"branch\": \"main\", \"events\": [{\"entity_id\": \"a\", \"event_type\": \"b\", \"payload\": {}}]}' |
    allsource call append_events -

The answer is the one that an agent gets. Exit codes: 0 answered, 1 the answer is an error.";

/// What `call` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct CallArgs {
    /// The tool's name
    #[arg(required_unless_present = "list")]
    tool: Option<String>,
    /// Its arguments as a JSON object; - reads them from standard input
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// List the tools
    #[arg(long)]
    pub(super) list: bool,
}

impl CallArgs {
    /// Whether the tool writes, so that it may make the store that it writes to.
    pub(super) fn writes(&self) -> bool {
        TOOLS.iter().any(|tool| Some(tool.name) == self.tool.as_deref() && !tool.hints.read_only)
    }
}

/// Lists the tools.
pub(super) fn list(terminal: &mut Terminal<'_>) -> Ended {
    let width = TOOLS.iter().map(|tool| tool.name.len()).max().unwrap_or(0);
    for tool in TOOLS {
        let first = tool.description.split_inclusive(". ").next().unwrap_or_default();
        writeln!(terminal.out, "{:width$}  {}", tool.name, first.trim())?;
    }
    Ok(Exit::Done)
}

/// Calls a tool and prints its answer.
pub(super) fn run(call: &CallArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let mut text = call.arguments.clone();
    if text == "-" {
        text.clear();
        std::io::stdin().read_to_string(&mut text).map_err(|error| {
            Error::new(ErrorKind::Invalid, "unreadable_input", "read the arguments from standard input")
                .caused_by(error)
        })?;
    }
    let name = call.tool.as_deref().unwrap_or_default();
    let arguments: Object = serde_json::from_str(&text).map_err(|error| {
        let message = format!(
            "read the arguments of {}: give one JSON object, such as '{{\"limit\": 5}}'",
            Value::from(name)
        );
        Error::invalid("not_an_object", message).caused_by(error)
    })?;
    let answer = host.call(name, &arguments, caller);
    let text = serde_json::to_string_pretty(&answer.body)
        .map_err(|error| Error::internal("write the answer as JSON").caused_by(error))?;
    writeln!(terminal.out, "{text}")?;
    Ok(if answer.is_error { Exit::Failed } else { Exit::Done })
}
