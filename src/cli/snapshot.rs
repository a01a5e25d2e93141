//! `allsource snapshot`: save the folded states of entities.

use serde_json::Value;

use super::Terminal;
use super::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::Caller;
use crate::event::grouped;
use crate::event::quote;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Fold entities' events into their states and save these, so that reading them, now or as of any later moment, goes on \
from there.

The store does this by itself: a read that folds 100 events which no saved state holds saves the state. The command \
does it ahead of time, for the entities that are named however few events they have, and for those with a prefix \
('order-*'; all when nothing is named; the first 10,000 in order of their names) from 100 events on.

Saved states are derived: the directory `states` can be deleted at any time while the store is closed. \
`allsource verify` folds a sample of them anew.

Examples:
  allsource snapshot --data ./events order-7 order-8
  allsource snapshot --data ./events 'order-*'";

/// The flags of `allsource snapshot`.
#[derive(Debug, clap::Args)]
pub(super) struct SnapshotArgs {
    /// An entity, or a prefix with a trailing star [default: all]
    #[arg(value_name = "ENTITY")]
    entities: Vec<String>,
}

/// Runs `allsource snapshot`: exit code 1 says that an entity does not exist or could not be saved.
pub(super) fn run(
    arguments: &SnapshotArgs,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    let mut request = Object::new();
    request.insert("entities".to_owned(), arguments.entities.clone().into());
    let done = host.operate("snapshot", &request, caller)?;
    let count = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or(0);
    let missing: Vec<&str> = done
        .get("missing")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for name in &missing {
        writeln!(terminal.err, "there is no entity {}", quote(name))?;
    }
    let (saved, short, failed) = (count("saved"), count("short"), count("failed"));
    write!(terminal.out, "states saved: {}", grouped(saved))?;
    if short > 0 {
        write!(terminal.out, "; entities with too few events to need one: {}", grouped(short))?;
    }
    writeln!(terminal.out)?;
    if failed > 0 {
        writeln!(
            terminal.err,
            "{} states could not be saved: larger than 4 MiB, another save or a change to \
             the store's files was in the way (run this again), or the disk failed",
            grouped(failed)
        )?;
    }
    if done.get("more").and_then(Value::as_bool).unwrap_or(false) {
        writeln!(terminal.err, "there are more entities: name longer prefixes for the rest")?;
    }
    Ok(if missing.is_empty() && failed == 0 { Exit::Done } else { Exit::Failed })
}
