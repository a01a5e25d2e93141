//! *What is it like?* `allsource demo`: an agent's session on a real store, from the first look to a fork promoted.
//!
//! Useful for: seeing the whole program at work in a few seconds. Not for: measuring; the benches do that.
//!
//! The events are the git history of the repository that the demo stands in, or else [`shop`]; the session goes over
//! the wire to a server process, as every agent's does.
//!
//! **Invariant:** nothing is faked: every answer that is shown came out of the server just then.

mod plot;
mod session;
mod shop;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::import::{Tally, import_drafts, import_history};
use super::outcome::{Ended, Exit};
use super::{Terminal, open};
use crate::engine::Caller;
use crate::event::{counted, grouped};
use crate::import::Repository;
use crate::store::Options;
use plot::Plot;
use session::Session;
use stage::Stage;

/// A history with fewer commits than this shows too little.
const COMMITS_MIN: u64 = 50;

pub(super) const LONG_ABOUT: &str = "\
Watch an agent's session on a real store, from start to end, with nothing to install or configure.

The events are the git history of the repository you stand in (50 commits or more), or else ninety days of a web shop \
that are made up on the spot. The session goes over MCP to a server process, as an agent's does. The store is kept in \
.allsource-demo (or --data DIR); running the demo again goes on with it.";

const EXAMPLES: &str = "\
Examples:
  allsource demo
  allsource demo --shop
  allsource query --data .allsource-demo --type 'payment.*' --limit 5";

/// What `demo` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DemoArgs {
    /// Play on the web shop even where there is a git history
    #[arg(long)]
    shop: bool,
}

/// Where the demo keeps its store unless it is told otherwise.
pub(super) fn default_dir() -> PathBuf {
    PathBuf::from(".allsource-demo")
}

/// Runs `allsource demo`.
pub(super) fn run(arguments: &DemoArgs, dir: &Path, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let history = if arguments.shop { Err(String::new()) } else { history() };
    let mut stage = Stage::new(terminal);
    let plot = fill(history.as_ref().map_err(String::as_str), dir, caller, &mut stage)?;

    let clock = Arc::clone(&stage.terminal().clock);
    let began = clock.elapsed();
    let (mut session, server) = Session::start(dir, Arc::clone(&clock))?;
    let (tools, bytes) = session.tools()?;
    let ready = clock.elapsed().saturating_sub(began).as_secs_f64() * 1e3;
    stage.scene("2 · An agent connects")?;
    stage.say(&format!(
        "{server} is a child process, spoken to in JSON-RPC lines; ready after {ready:.0} ms. It offers {} tools in \
         about {} tokens:",
        tools.len(),
        grouped(bytes as u64 / 4),
    ))?;
    stage.say(&tools.join(", "))?;
    plot::play(&plot, dir, caller, &mut session, &mut stage)?;
    session.end()?;
    farewell(dir, &mut stage)?;
    Ok(Exit::Done)
}

/// The history to play on, or why there is none.
fn history() -> Result<Repository, String> {
    match Repository::open(Path::new(".")) {
        Err(_) => Err("This is no git repository, so the events are made up.".to_owned()),
        Ok(history) if history.commits < COMMITS_MIN => Err(format!(
            "The git history of {} has {}, and fewer than {COMMITS_MIN} show too little; so the events are made up.",
            history.name,
            counted(history.commits, "commit")
        )),
        Ok(history) => Ok(history),
    }
}

/// Brings the events in and chooses what the session is about.
fn fill(
    history: Result<&Repository, &str>,
    dir: &Path,
    caller: &Caller,
    stage: &mut Stage<'_, '_>,
) -> Ended<Plot> {
    let clock = Arc::clone(&stage.terminal().clock);
    let host = open(dir, Options::default(), stage.terminal())?;
    let began = clock.elapsed();
    let (tally, plot) = match history {
        Ok(history) => {
            stage.scene(&format!("1 · The git history of {} becomes events", history.name))?;
            stage.say(
                "Each commit is an event, and so is each file that it added, changed, renamed or deleted.",
            )?;
            (import_history(history, &host, caller, stage.terminal())?, Plot::history())
        }
        Err(reason) => {
            stage.scene("1 · Ninety days of a web shop become events")?;
            if !reason.is_empty() {
                stage.say(reason)?;
            }
            stage.say(
                "Customers, orders, payments, shipments, returns; and one bad afternoon, worth finding.",
            )?;
            let events = shop::events()?;
            let plot = Plot::shop(&events, &host, caller);
            (import_drafts("web shop", events, &host, caller, stage.terminal())?, plot)
        }
    };
    let seconds = clock.elapsed().saturating_sub(began).as_secs_f64();
    let Tally { added, there_before, .. } = tally;
    let before = match there_before {
        0 => String::new(),
        before => format!(" ({} were there from last time and stay as they are)", grouped(before)),
    };
    stage.say(&format!(
        "{} events stored in {seconds:.2} s, every batch synced to the disk{before}.",
        grouped(added)
    ))?;
    host.close()?;
    Ok(plot)
}

fn farewell(dir: &Path, stage: &mut Stage<'_, '_>) -> Ended<()> {
    let program = std::env::args().next().unwrap_or_else(|| "allsource".to_owned());
    let (exe, place) =
        (std::env::current_exe().unwrap_or_default(), std::path::absolute(dir).unwrap_or_default());
    let (exe, place, dir) = (exe.display(), place.display(), dir.display());
    stage.scene("The end, and a beginning")?;
    stage.totals()?;
    stage.say(&format!("The store stays in {dir}. Go on with it:"))?;
    for (command, about) in [
        (format!("{program} stats --data {dir}"), "what is in there"),
        (format!("{program} query --data {dir} --limit 10"), "the latest events"),
        (format!("{program} verify --data {dir}"), "prove that every byte is as it was written"),
        (format!("claude mcp add allsource -- {exe} mcp --data {place}"), "give it to your agent"),
    ] {
        stage.say(&format!("  {command}   # {about}"))?;
    }
    Ok(())
}
