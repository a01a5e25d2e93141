//! `allsource backup`: a copy of the store that is whole at every moment.

use std::path::PathBuf;

use serde_json::Value;

use super::Terminal;
use super::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::event::grouped;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Make a directory a backup of the store, or bring the backup that is there up to date.

It works beside a running server, and appends go on meanwhile. Files that never change any more are hard-linked, or \
copied where the file system cannot link; those that the backup has already stay. Of the newest log file the part that is \
durable is copied. A crash at any moment leaves the older backup or the newer one whole.

A backup on the same file system shares its files with the store: it protects from mistakes, not from a failing disk. \
Give a directory of another disk for that. It is a store that takes no writes: every reading command works on it, \
`allsource verify` proves it, and `allsource restore` makes a store from it.

Examples:
  allsource backup --data ./events /mnt/other-disk/events-backup
  allsource verify --data /mnt/other-disk/events-backup
  allsource restore --data ./events-again /mnt/other-disk/events-backup";

/// What `backup` takes.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// The directory of the backup: not there, empty, or an older backup of this store
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

/// Runs `allsource backup`.
pub(super) fn run(
    arguments: &BackupArgs,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    let began = terminal.clock.elapsed();
    let to = std::path::absolute(&arguments.to).map_err(|error| {
        let message = format!("find the directory {}", arguments.to.display());
        Error::new(ErrorKind::Unavailable, "no_directory", message).caused_by(error)
    })?;
    let Some(dir) = to.to_str() else {
        let message = format!("back up into {}: the path is not UTF-8; choose another", to.display());
        return Err(Error::invalid("bad_path", message).into());
    };
    let asked = Object::from_iter([("dir".to_owned(), Value::from(dir))]);
    let done = host.operate("backup", &asked, caller)?;
    let seconds = terminal.clock.elapsed().saturating_sub(began).as_secs_f64();
    let count = |name: &str| grouped(done.get(name).and_then(Value::as_u64).unwrap_or(0));
    writeln!(
        terminal.out,
        "{} events are in {} · files: {} linked, {} copied ({} bytes), {} there before, {} removed · {seconds:.2} s",
        count("through"),
        arguments.to.display(),
        count("linked"),
        count("copied"),
        count("copied_bytes"),
        count("kept"),
        count("removed"),
    )?;
    Ok(Exit::Done)
}
