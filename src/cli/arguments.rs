//! The commands and their flags, as `--help` teaches them.

use std::path::PathBuf;

use super::{
    analyze, backup, call, compact, completions, demo, export, fork, import, query, reindex, restore,
    retention, salvage, schema, search, serve, snapshot, sql, stats, verify,
};

const LONG_ABOUT: &str = "\
The event store that AI agents operate themselves.

An append-only log of events with real guarantees, spoken to by agents over MCP (`allsource mcp`) and by people with \
the commands below. A store is a directory; every command works on it beside a running server.";

const EXAMPLES: &str = "\
Examples:
  allsource demo                                     watch an agent's session on a real store, from start to end
  allsource import --data ./events events.jsonl.gz   bring in events
  allsource stats --data ./events                    what is in there
  allsource query --type 'order.*' --since now-7d    look at some
  allsource search 'payment timed out'               by words and by meaning
  claude mcp add allsource -- allsource mcp --data ./events

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 an import left out bad lines, 4 verify found damage.";

/// The command line.
#[derive(Debug, clap::Parser)]
#[command(name = "allsource", version, about = "The event store that AI agents operate themselves")]
#[command(long_about = LONG_ABOUT, after_long_help = EXAMPLES, max_term_width = 110, arg_required_else_help = true)]
pub(super) struct Cli {
    /// The store's directory [default: .allsource; of demo .allsource-demo]
    #[arg(long, global = true, value_name = "DIR", env = "ALLSOURCE_DATA", hide_env_values = true)]
    data: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Watch an agent's session on a real store, from start to end
    #[command(long_about = demo::LONG_ABOUT)]
    Demo(demo::DemoArgs),
    /// Serve an agent over MCP on standard input and output
    #[command(long_about = serve::LONG_ABOUT)]
    Mcp(serve::McpArgs),
    /// Bring in events from files or from a git history
    #[command(long_about = import::LONG_ABOUT)]
    Import(import::ImportArgs),
    /// Find events
    Query(query::QueryArgs),
    /// Find events by words and by meaning
    #[command(long_about = search::LONG_ABOUT)]
    Search(search::SearchArgs),
    /// Ask in SQL: one SELECT over events, states and views of event types
    Sql(sql::SqlArgs),
    /// Answer a question about many events: how often, in which order, how long
    #[command(long_about = analyze::LONG_ABOUT)]
    Analyze(analyze::AnalyzeArgs),
    /// Show what the store holds
    Stats(stats::StatsArgs),
    /// Write events out as JSON Lines or CSV
    #[command(long_about = export::LONG_ABOUT)]
    Export(export::ExportArgs),
    /// Try things on a branch that copies nothing, and promote what is good
    #[command(long_about = fork::LONG_ABOUT)]
    Fork(fork::ForkArgs),
    /// Say what payloads must look like, and check them
    #[command(long_about = schema::LONG_ABOUT)]
    Schema(schema::SchemaArgs),
    /// Prove that what is stored is what was written
    #[command(long_about = verify::LONG_ABOUT)]
    Verify(verify::VerifyArgs),
    /// Write everything as Parquet now, and merge small files
    #[command(long_about = compact::LONG_ABOUT)]
    Compact(compact::CompactArgs),
    /// Say how long payloads are kept, and empty older ones
    #[command(long_about = retention::LONG_ABOUT)]
    Retention(retention::RetentionArgs),
    /// Make or renew a backup, beside a running server
    #[command(long_about = backup::LONG_ABOUT)]
    Backup(backup::BackupArgs),
    /// Make a store from a backup
    #[command(long_about = restore::LONG_ABOUT)]
    Restore(restore::RestoreArgs),
    /// Save the folded states of entities, so that they are read at once
    #[command(long_about = snapshot::LONG_ABOUT)]
    Snapshot(snapshot::SnapshotArgs),
    /// Make the search indexes anew
    #[command(long_about = reindex::LONG_ABOUT)]
    Reindex(reindex::ReindexArgs),
    /// Copy everything readable of a damaged store into a new one
    #[command(long_about = salvage::LONG_ABOUT)]
    Salvage(salvage::SalvageArgs),
    /// Call any tool that agents have
    Call(call::CallArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// The store's directory.
    pub(super) fn dir(&self) -> PathBuf {
        let by_default = || match self.command {
            Command::Demo(_) => demo::default_dir(),
            _ => PathBuf::from(".allsource"),
        };
        self.data.clone().unwrap_or_else(by_default)
    }
}
