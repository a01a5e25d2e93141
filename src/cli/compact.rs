//! `allsource compact`: make Parquet of everything, now.

use serde_json::Value;

use super::Terminal;
use super::outcome::{Ended, Exit};
use super::quantity::bytes;
use crate::door::Host;
use crate::engine::Caller;
use crate::event::grouped;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Write everything stored so far as Parquet, delete the row form of what lies beyond the hot window, and merge small \
Parquet files into larger ones.

The store does all of this by itself in the background, a log file (64 MiB) at a time, and merges when it pays. The command \
does it at once: before other programs read the Parquet files, or to make a store small. It works beside a running \
server; appends and reads go on meanwhile. A crash at any moment loses nothing.

The hot window is how much of the log is kept in row form, where reads are fastest: 1 GiB. With --hot-window 0 everything \
but the newest, empty log file becomes Parquet alone.

Examples:
  allsource compact --data ./events
  allsource compact --data ./events --hot-window 0
  duckdb -c \"select event_type, count(*) from './events/tenants/default/main/segments/*.parquet' group by 1\"";

/// What `compact` takes.
#[derive(Debug, clap::Args)]
pub(super) struct CompactArgs {
    /// How much full log stays in row form this time, such as 0 or 256MiB [default: 1GiB]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    hot_window: Option<u64>,
}

/// Runs `allsource compact`.
pub(super) fn run(
    arguments: &CompactArgs,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    let began = terminal.clock.elapsed();
    let asked = arguments.hot_window.map(|bytes| ("hot_window_bytes".to_owned(), Value::from(bytes)));
    let done = host.operate("compact", &asked.into_iter().collect::<Object>(), caller)?;
    let seconds = terminal.clock.elapsed().saturating_sub(began).as_secs_f64();
    let count = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (sealed, retired, merged) = (count("sealed"), count("retired"), count("merged"));
    let (segments, bytes) = (grouped(count("segments")), grouped(count("bytes_after")));
    if (sealed, retired, merged) == (0, 0, 0) {
        writeln!(terminal.out, "nothing to do: Parquet files: {segments}, {bytes} bytes in all")?;
        return Ok(Exit::Done);
    }
    writeln!(
        terminal.out,
        "log files written as Parquet: {}, deleted: {}; Parquet files merged: {}, now there: {segments}",
        grouped(sealed),
        grouped(retired),
        grouped(merged),
    )?;
    writeln!(terminal.out, "{} bytes before, {bytes} now · {seconds:.2} s", grouped(count("bytes_before")))?;
    Ok(Exit::Done)
}
