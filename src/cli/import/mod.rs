//! `allsource import`: brings in files, and says how far it is and what it left out.

mod bad;
mod progress;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::outcome::{Ended, Exit, Stop};
use super::{Terminal, open};
use crate::clock::Clock;
use crate::door::Host;
use crate::engine::{Caller, MAIN};
use crate::event::{EventDraft, counted, grouped};
use crate::import::{
    Format, Intake, Message, Repository, Source, Wanted, look_for, read_chunks, send_drafts,
};
use crate::store::Options;
use bad::BadLines;
use progress::{Progress, per_second};
use store::Target;

/// How many chunks may wait for the store: 4, a few MiB.
const CHUNKS_WAITING_MAX: usize = 4;

pub(super) const LONG_ABOUT: &str = "\
Bring in events from JSON Lines or CSV (plain, gzip or zstd), or from a git history.

A place P in a row is a JSON pointer (/repo, /user/id), a column name, or a constant (=order). Several with commas \
between are tried in turn. What you do not map is guessed from common names (entity_id, event_type, timestamp, …) and \
printed; an empty P (--actor=) maps nothing. Mapped fields leave the row: the actor becomes metadata.actor, everything \
else that is left becomes the payload, with its numbers and key order as they were. A row of which only `payload` is \
left (or `payload` and `metadata`) gives those as they are, so an export comes back as it was.

Importing again adds nothing: rows with event ids are known by them, others by the lines before them. A file that has \
grown, or an import that was interrupted, goes on where the store ends. The same lines with another mapping are \
refused. A bad line is named and left out: the first 20 one by one, the others counted by reason.

A place that you give must be in the first rows (1,000, or 8 MiB); end it with a comma (--actor /user,) when later rows \
have it.";

const EXAMPLES: &str = "\
Examples:
  allsource import events.jsonl
  allsource import --entity /repo --type /type --timestamp /created_at --event-id /id --actor /actor/login gh.jsonl.gz
  allsource import --entity /ProcessGuid,/Hostname --type /EventID --timestamp /EventTime logs.jsonl.zst
  allsource import --entity customer --type =order.placed --timestamp date orders.csv
  allsource import --git .
  kubectl get events -o json | jq -c '.items[]' | allsource import --entity /involvedObject/name --type /reason -

Exit codes: 0 all in, 1 failed, 2 wrong usage, 3 some lines were bad (the rest is in; with --strict, those before).";

/// What `import` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ImportArgs {
    /// Files to read; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "git")]
    files: Vec<String>,
    /// Import the history of the git repository at DIR: its commits and the files they changed
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    git: Option<PathBuf>,
    /// Where the entity id is
    #[arg(long, value_name = "P")]
    entity: Option<String>,
    /// Where the event type is
    #[arg(long = "type", value_name = "P")]
    event_type: Option<String>,
    /// Where the time is: RFC 3339, a date, or seconds to nanoseconds since 1970; UTC unless it says otherwise
    #[arg(long, value_name = "P")]
    timestamp: Option<String>,
    /// Where a unique id is; it makes the import idempotent whatever else is in the file
    #[arg(long, value_name = "P")]
    event_id: Option<String>,
    /// Where the name of who did it is
    #[arg(long, value_name = "P")]
    actor: Option<String>,
    /// How rows are written, jsonl or csv [default: by the file's name, or else by its first byte]
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Option<Format>,
    /// Stop at the first bad line
    #[arg(long)]
    strict: bool,
    /// Store rows again that were imported before (rows with event ids are still known by them)
    #[arg(long)]
    again: bool,
    /// The branch to store them on: main, or a fork's id
    #[arg(long, value_name = "BRANCH", default_value = MAIN)]
    branch: String,
}

fn parse_format(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| "it is jsonl or csv".to_owned())
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) added: u64,
    pub(super) there_before: u64,
    pub(super) bad: u64,
}

/// Runs `allsource import`.
pub(super) fn run(arguments: &ImportArgs, dir: &Path, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let clock = Arc::clone(&terminal.clock);
    let began = clock.elapsed();
    // What cannot be read must not leave an empty store behind.
    let repository = arguments.git.as_deref().map(Repository::open).transpose()?;
    for file in &arguments.files {
        look_for(file)?;
    }
    let host = &open(dir, Options::default(), terminal)?;
    let (strict, bad) = (arguments.strict, BadLines::default());
    let branch = arguments.branch.as_str();
    let mut import = Import { host, caller, branch, terminal, clock: Arc::clone(&clock), strict, bad };
    let mut tally = Tally::default();
    if let Some(repository) = &repository {
        tally = import.git(repository)?;
    }
    let wanted = Wanted {
        entity: arguments.entity.clone(),
        event_type: arguments.event_type.clone(),
        timestamp: arguments.timestamp.clone(),
        event_id: arguments.event_id.clone(),
        actor: arguments.actor.clone(),
    };
    for file in &arguments.files {
        let source = Source::open(file)?;
        let one = import.file(file, source, arguments, &wanted)?;
        tally = tally.and(one);
        if arguments.strict && tally.bad > 0 {
            break;
        }
    }
    import.bad.sum_up(import.terminal.err)?;
    summary(tally, clock.elapsed().saturating_sub(began), terminal)?;
    Ok(if tally.bad > 0 { Exit::BadLines } else { Exit::Done })
}

/// Imports a repository's history; for the demo, which has its own words around it.
pub(super) fn import_history(
    repository: &Repository,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended<Tally> {
    let clock = Arc::clone(&terminal.clock);
    Import { host, caller, branch: MAIN, terminal, clock, strict: false, bad: BadLines::default() }
        .git(repository)
}

/// Imports events that were made here; for the demo.
pub(super) fn import_drafts(
    name: &str,
    events: Vec<EventDraft>,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended<Tally> {
    let clock = Arc::clone(&terminal.clock);
    let progress = Progress::start(name, Arc::default(), None, Arc::clone(&clock));
    let mut import =
        Import { host, caller, branch: MAIN, terminal, clock, strict: false, bad: BadLines::default() };
    import.take(name, progress, false, move |to| send_drafts(events, &to))
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self {
            added: self.added + other.added,
            there_before: self.there_before + other.there_before,
            bad: self.bad + other.bad,
        }
    }
}

fn summary(tally: Tally, time: Duration, terminal: &mut Terminal<'_>) -> Ended<()> {
    let Tally { added, there_before, bad } = tally;
    let rate = grouped(per_second(added + there_before, time));
    write!(terminal.out, "{} added", counted(added, "event"))?;
    match there_before {
        0 => {}
        1 => write!(terminal.out, ", 1 was there before")?,
        _ => write!(terminal.out, ", {} were there before", grouped(there_before))?,
    }
    if bad > 0 {
        write!(terminal.out, ", {} left out", counted(bad, "bad line"))?;
    }
    writeln!(terminal.out, " · {:.2} s · {rate} events/s", time.as_secs_f64())?;
    Ok(())
}

/// One run of the command: where the events go, and what is said meanwhile.
struct Import<'i, 't> {
    host: &'i Host,
    caller: &'i Caller,
    branch: &'i str,
    terminal: &'i mut Terminal<'t>,
    clock: Arc<dyn Clock>,
    strict: bool,
    bad: BadLines,
}

impl Import<'_, '_> {
    fn file(&mut self, name: &str, source: Source, arguments: &ImportArgs, wanted: &Wanted) -> Ended<Tally> {
        let progress = Progress::start(name, Arc::clone(&source.read), source.size, Arc::clone(&self.clock));
        let format = arguments.format;
        let read = move |to: SyncSender<Message>| read_chunks(name, source, format, wanted, &to);
        self.take(name, progress, !arguments.again, read)
    }

    fn git(&mut self, repository: &Repository) -> Ended<Tally> {
        let commits = Arc::new(AtomicU64::new(0));
        let total = Some(repository.commits);
        let progress =
            Progress::start(&repository.name, Arc::clone(&commits), total, Arc::clone(&self.clock));
        self.take(&repository.name, progress, false, move |to| repository.read_chunks(&commits, &to))
    }

    /// Appends what `read` sends from a thread of its own, so that parsing and storing overlap.
    fn take(
        &mut self,
        name: &str,
        mut progress: Progress,
        keyed: bool,
        read: impl FnOnce(SyncSender<Message>) + Send,
    ) -> Ended<Tally> {
        let (to, from) = sync_channel(CHUNKS_WAITING_MAX);
        std::thread::scope(|scope| {
            scope.spawn(move || read(to));
            // Owned here, so that an early end closes the channel and the reading thread ends too.
            let from: Receiver<Message> = from;
            let ledger = Target { host: self.host, caller: self.caller, branch: self.branch };
            let intake = Intake::new(&ledger, keyed);
            let mut tally = Tally::default();
            for message in from {
                match message {
                    Message::Failed(error) => return Err(Stop::Failed(error)),
                    Message::Mapping(mapping) => {
                        progress.aside(|| writeln!(self.terminal.err, "{name}: {mapping}"))?;
                    }
                    Message::Lacking(lacking) => {
                        progress.aside(|| writeln!(self.terminal.err, "{name}: {lacking}"))?;
                    }
                    Message::Chunk(mut chunk) => {
                        if self.strict {
                            chunk.end_at_first_bad();
                        }
                        let outcome = intake.take(chunk)?;
                        tally = tally.and(Tally {
                            added: outcome.added,
                            there_before: outcome.there_before,
                            bad: outcome.bad.len() as u64,
                        });
                        progress.advance(outcome.added + outcome.there_before);
                        progress.aside(|| self.bad.report(name, &outcome.bad, self.terminal.err))?;
                        if self.strict && tally.bad > 0 {
                            break;
                        }
                    }
                }
            }
            Ok(tally)
        })
    }
}
