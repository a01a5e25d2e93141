//! *What can a person do at a terminal?* The commands of the `allsource` binary.
//!
//! Useful for: moving events in and out, looking, checking, starting the server. Not for: rules about events; every
//! command goes through the same door ([`door::Host`](crate::door::Host)) as an agent's call, so it works beside a
//! running server.
//!
//! **Invariant:** standard output carries what was asked for, standard error everything else, and an exit code says
//! how it ended: 0 done, 1 failed, 2 wrong usage, 3 bad lines in an import, 4 damage found.

mod analyze;
mod answer;
mod arguments;
mod backup;
mod call;
mod compact;
mod completions;
mod demo;
mod export;
mod filter;
mod fork;
mod import;
mod outcome;
mod quantity;
mod query;
mod reindex;
mod restore;
mod retention;
mod salvage;
mod schema;
mod search;
mod searching;
mod serve;
mod snapshot;
mod sql;
mod stats;
mod table;
mod verify;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::clock::{Clock, SystemClock};
use crate::door::Host;
use crate::engine::{Caller, EngineOptions, Writes};
use crate::error::{Error, ErrorKind};
use crate::store::{Mode, Options, Store};
use arguments::{Cli, Command};
use outcome::{Ended, Exit, Stop};

/// Where a command writes, and what it knows about that place.
struct Terminal<'t> {
    out: &'t mut dyn Write,
    err: &'t mut dyn Write,
    clock: Arc<dyn Clock>,
    /// Whether standard output is a terminal that wants colour.
    color: bool,
}

/// Runs the command line: arguments with the program's name in front, to an exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads to the end is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // https://no-color.org
    let color =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Never locked for longer than a write: the server writes to the same stream from other threads.
    let (mut out, mut err) = (io::BufWriter::new(io::stdout()), io::stderr());
    let mut terminal = Terminal { out: &mut out, err: &mut err, clock: SystemClock::shared(), color };
    let ended = perform(&cli, &mut terminal).and_then(|exit| {
        terminal.out.flush()?;
        Ok(exit)
    });
    let exit = match ended {
        Ok(exit) => exit,
        Err(Stop::NobodyReads) => Exit::Done,
        Err(Stop::Failed(error)) => {
            let _ = terminal.out.flush();
            let _ = writeln!(terminal.err, "error: failed to {error}");
            Exit::Failed
        }
    };
    ExitCode::from(exit as u8)
}

fn perform(cli: &Cli, terminal: &mut Terminal<'_>) -> Ended {
    let dir = cli.dir();
    let caller = Caller { client: Some("allsource-cli".to_owned()), ..caller(Writes::All) };
    match &cli.command {
        Command::Mcp(arguments) => serve::run(arguments, &dir),
        Command::Import(arguments) => import::run(arguments, &dir, &caller, terminal),
        Command::Query(arguments) => {
            query::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Stats(arguments) => {
            stats::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Analyze(arguments) => {
            analyze::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Export(arguments) => {
            export::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Verify(arguments) => {
            verify::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Backup(arguments) => {
            backup::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Compact(arguments) => {
            compact::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Retention(arguments) => {
            retention::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Fork(arguments) => fork::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal),
        Command::Schema(arguments) => {
            schema::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Restore(arguments) => restore::run(arguments, &dir, terminal),
        Command::Snapshot(arguments) => {
            snapshot::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal)
        }
        Command::Search(arguments) => {
            let options = arguments.search.to_options(Options::default())?;
            search::run(arguments, &open_existing_as(&dir, options, terminal)?, &caller, terminal)
        }
        Command::Sql(arguments) => sql::run(arguments, &open_existing(&dir, terminal)?, &caller, terminal),
        Command::Reindex(arguments) => {
            let options = arguments.search.to_options(Options::default())?;
            let model = options.search.embedder.as_ref().map(|embedder| embedder.model().to_string());
            let host = open_existing_as(&dir, options, terminal)?;
            reindex::run(arguments, model.as_deref(), &host, &caller, terminal)
        }
        Command::Salvage(arguments) => salvage::run(arguments, &dir, terminal),
        Command::Call(arguments) if arguments.list => call::list(terminal),
        Command::Call(arguments) => {
            let host = if arguments.writes() {
                open(&dir, Options::default(), terminal)?
            } else {
                open_existing(&dir, terminal)?
            };
            call::run(arguments, &host, &caller, terminal)
        }
        Command::Demo(arguments) => demo::run(arguments, &dir, &caller, terminal),
        Command::Completions(arguments) => completions::run(arguments, terminal),
    }
}

fn caller(writes: Writes) -> Caller {
    Caller { writes, client_version: Some(env!("CARGO_PKG_VERSION").to_owned()), ..Caller::default() }
}

/// Takes or joins the directory, and passes on what its owner has to say.
fn open(dir: &Path, options: impl Into<EngineOptions>, terminal: &mut Terminal<'_>) -> Ended<Host> {
    let host = Host::open(dir, options)?;
    for warning in host.warnings() {
        writeln!(terminal.err, "warning: {warning}")?;
    }
    Ok(host)
}

/// As [`open`], but a directory that is not there is an error: a mistyped path must not become an empty store.
fn open_existing(dir: &Path, terminal: &mut Terminal<'_>) -> Ended<Host> {
    open_existing_as(dir, EngineOptions::default(), terminal)
}

fn open_existing_as(dir: &Path, options: EngineOptions, terminal: &mut Terminal<'_>) -> Ended<Host> {
    must_exist(dir)?;
    match Host::open(dir, options.clone()) {
        // A store that may not be written can still be read.
        Err(error) if error.kind() == ErrorKind::Denied => {
            let store = Options { mode: Mode::Read, ..options.store };
            open(dir, EngineOptions { store, ..options }, terminal)
        }
        Err(error) => Err(error.into()),
        Ok(host) => {
            for warning in host.warnings() {
                writeln!(terminal.err, "warning: {warning}")?;
            }
            Ok(host)
        }
    }
}

/// Whether `dir` holds a store; it is not said whether that is sound.
fn must_exist(dir: &Path) -> Result<(), Error> {
    if Store::is_at(dir) {
        return Ok(());
    }
    let message = format!(
        "open the store {}: there is none; name another with --data DIR or ALLSOURCE_DATA, or make one with \
         `allsource import`",
        dir.display()
    );
    Err(Error::new(ErrorKind::NotFound, "no_store", message))
}
