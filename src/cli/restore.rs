//! `allsource restore`: a store from a backup.

use std::path::{Path, PathBuf};

use super::Terminal;
use super::outcome::{Ended, Exit};
use crate::event::grouped;
use crate::store::{Options, Store};

pub(super) const LONG_ABOUT: &str = "\
Make a store from a backup, in the directory that --data names, which must be empty or not there.

Every byte of the backup is proved first. Its files are copied, never shared, and the backup stays as it is. Cursors \
that the old store gave are refused by the new one: positions behind the end of the backup are given anew.

Examples:
  allsource restore --data ./events-again /mnt/other-disk/events-backup";

/// What `restore` takes.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The directory of the backup
    #[arg(value_name = "BACKUP")]
    from: PathBuf,
}

/// Runs `allsource restore`.
pub(super) fn run(arguments: &RestoreArgs, dir: &Path, terminal: &mut Terminal<'_>) -> Ended {
    let began = terminal.clock.elapsed();
    let restored = Store::restore(&arguments.from, dir, &Options::default())?;
    let seconds = terminal.clock.elapsed().saturating_sub(began).as_secs_f64();
    let [events, files, bytes] = [restored.events, restored.files, restored.bytes].map(grouped);
    writeln!(
        terminal.out,
        "{events} events are in {} · files: {files} copied ({bytes} bytes) · {seconds:.2} s",
        dir.display()
    )?;
    Ok(Exit::Done)
}
