//! `allsource salvage`: save what can be read of a damaged store.

use std::path::{Path, PathBuf};

use super::Terminal;
use super::outcome::{Ended, Exit};
use crate::event::grouped;
use crate::store::{Mode, Options, Store};

pub(super) const LONG_ABOUT: &str = "\
Copy every event that can be read into a new store, in order, under its own id and time.

The damaged store is opened for reading only and stays as it is. Positions and versions are counted anew, without a \
gap; where each event stood before is kept in metadata.$salvaged. Idempotency keys are not carried over. An \
interrupted salvage is simply started again: nothing is stored twice.

Examples:
  allsource verify --data ./events
  allsource salvage --data ./events --to ./events-salvaged";

/// The flags of `allsource salvage`.
#[derive(Debug, clap::Args)]
pub(super) struct SalvageArgs {
    /// The directory of the new store
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs `allsource salvage`: exit code 4 says that positions were lost.
pub(super) fn run(arguments: &SalvageArgs, dir: &Path, terminal: &mut Terminal<'_>) -> Ended {
    let damaged = Store::open(dir, Options { mode: Mode::Read, ..Options::default() })?;
    let target = Store::open(&arguments.to, Options::default())?;
    let salvaged = damaged.salvage(&target)?;
    target.close()?;
    let (events, lost) = (grouped(salvaged.events), grouped(salvaged.lost));
    writeln!(
        terminal.out,
        "{events} events are in {}; {lost} positions could not be read",
        arguments.to.display()
    )?;
    for place in damaged.damage() {
        if !place.loses_positions() {
            writeln!(terminal.err, "damaged: {}: {}", place.file, place.reason)?;
            continue;
        }
        writeln!(
            terminal.err,
            "lost: positions {} to {} ({} at byte {}: {})",
            place.first_position, place.last_position, place.file, place.offset, place.reason
        )?;
    }
    Ok(if salvaged.lost == 0 { Exit::Done } else { Exit::Damage })
}
