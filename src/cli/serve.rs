//! `allsource mcp`: the server that an agent starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::outcome::{Ended, Exit};
use super::searching::SearchFlags;
use super::{must_exist, quantity};
use crate::door::Host;
use crate::engine::{Limits, Writes};
use crate::error::{Error, Result};
use crate::mcp::{ServeOptions, serve_stdio};
use crate::store::{Durability, Options};

pub(super) const LONG_ABOUT: &str = "\
Serve an agent over MCP on standard input and output; an agent's configuration starts this, people rarely do.

Several servers on one directory are fine: one of them owns it and performs the calls of the others; when it goes, \
another takes over. What is acknowledged is stored: with --durability fsync (the default) it survives a power cut, with \
interval:MS a power cut may cost the last MS milliseconds, a crash of the program nothing.";

const EXAMPLES: &str = "\
Examples:
  claude mcp add allsource -- allsource mcp --data ./events
  allsource mcp --data ./events --read-only
  allsource mcp --data ./events --toolsets explore --durability interval:50";

/// What `mcp` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct McpArgs {
    /// What the agent may change: none (nothing; it can read everything), forks (nothing on the main branch), or all
    /// (it may append; nothing can overwrite or remove an event)
    #[arg(long, value_name = "WHAT", default_value = "all", value_parser = parse_writes)]
    writes: Writes,
    /// The agent may change nothing, and the store must be there: --writes none
    #[arg(long, conflicts_with = "writes")]
    read_only: bool,
    /// Offer only the tools of these sets
    #[arg(long, value_name = "SET,…", value_delimiter = ',')]
    toolsets: Vec<String>,
    /// Offer only these tools, and those of --toolsets
    #[arg(long, value_name = "TOOL,…", value_delimiter = ',')]
    tools: Vec<String>,
    /// Do not offer these tools
    #[arg(long, value_name = "TOOL,…", value_delimiter = ',')]
    exclude_tools: Vec<String>,
    /// Let the agent import files below DIR; without it that tool is not offered
    #[arg(long, value_name = "DIR")]
    import_root: Option<PathBuf>,
    /// Do not record each call on the branch audit (who, which tool, how long, what came of it)
    #[arg(long)]
    no_audit: bool,
    /// The most rows in one answer to a client; the rest follows in pages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_rows: Option<u64>,
    /// The most bytes of payloads and metadata in one append of a client, such as 1MiB
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes)]
    max_append_bytes: Option<u64>,
    /// The most live forks that clients of one name may have
    #[arg(long, value_name = "N")]
    max_forks: Option<u64>,
    /// The longest that one call may take, in milliseconds; it answers with what it has by then
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    max_call_ms: Option<u64>,
    /// What an acknowledged append survives: fsync (a power cut) or interval:MS (all but its last MS milliseconds)
    #[arg(long, value_name = "MODE", default_value = "fsync", value_parser = parse_durability)]
    durability: Durability,
    #[command(flatten)]
    search: SearchFlags,
}

impl McpArgs {
    fn limits(&self) -> Limits {
        Limits {
            rows: self.max_rows,
            append_bytes: self.max_append_bytes,
            forks: self.max_forks,
            call_ms: self.max_call_ms,
        }
    }
}

/// Runs `allsource mcp` until the client closes its end.
pub(super) fn run(arguments: &McpArgs, dir: &Path) -> Ended {
    let writes = if arguments.read_only { Writes::None } else { arguments.writes };
    let options = ServeOptions {
        writes,
        toolsets: arguments.toolsets.clone(),
        tools: arguments.tools.clone(),
        exclude_tools: arguments.exclude_tools.clone(),
        no_audit: arguments.no_audit,
        limits: arguments.limits(),
        import_root: arguments.import_root.as_deref().map(import_root).transpose()?,
    };
    if writes == Writes::None {
        // Nothing can ever come into a store that is not there.
        must_exist(dir)?;
    }
    let store = Options { durability: arguments.durability, ..Options::default() };
    let host = Host::open_to_stay(dir, arguments.search.to_options(store)?)?;
    serve_stdio(Arc::new(host), &options)?;
    Ok(Exit::Done)
}

/// The directory by its full path: the process that reads the files may have another working directory.
fn import_root(dir: &Path) -> Result<PathBuf> {
    dir.canonicalize().ok().filter(|dir| dir.is_dir()).ok_or_else(|| {
        let message = format!(
            "import files from {}: there is no such directory; name one that is there",
            dir.display()
        );
        Error::invalid("no_directory", message)
    })
}

fn parse_writes(text: &str) -> std::result::Result<Writes, String> {
    match text {
        "none" => Ok(Writes::None),
        "forks" => Ok(Writes::Forks),
        "all" => Ok(Writes::All),
        _ => Err("it is none, forks or all".to_owned()),
    }
}

fn parse_durability(text: &str) -> std::result::Result<Durability, String> {
    const MS_MAX: u64 = 60_000;
    let millis = text.strip_prefix("interval:").and_then(|millis| millis.parse().ok());
    match (text, millis) {
        ("fsync", _) => Ok(Durability::Fsync),
        (_, Some(ms)) if (1..=MS_MAX).contains(&ms) => Ok(Durability::Interval { ms }),
        _ => Err(format!("it is fsync, or interval:MS with 1 to {MS_MAX} milliseconds")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(parse_durability("interval:50"), Ok(Durability::Interval { ms: 50 }));
        for text in ["interval", "interval:0", "interval:-1", "interval:60001", "none", "Fsync"] {
            assert!(parse_durability(text).is_err(), "{text}");
        }
        assert_eq!(parse_writes("none"), Ok(Writes::None));
        for text in ["", "None", "fork", "true"] {
            assert!(parse_writes(text).is_err(), "{text}");
        }
    }
}
