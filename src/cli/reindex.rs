//! `allsource reindex`: make the search indexes anew.

use super::Terminal;
use super::outcome::{Ended, Exit};
use super::searching::{SearchFlags, catch_up};
use crate::door::Host;
use crate::engine::Caller;
use crate::event::counted;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Make the search indexes anew from the log, and wait until everything is findable again.

They are derived from the events and are made by themselves; this is for another embedding model, which makes other \
vectors. Beside a running server the embedder must be the server's.

Examples:
  allsource reindex --data ./events
  allsource reindex --data ./events --vectors --embedder onnx:./all-MiniLM-L6-v2";

/// The flags of `allsource reindex`.
#[derive(Debug, clap::Args)]
pub(super) struct ReindexArgs {
    /// Only the vectors; words stay findable meanwhile
    #[arg(long)]
    vectors: bool,
    #[command(flatten)]
    pub(super) search: SearchFlags,
}

/// Runs `allsource reindex`.
pub(super) fn run(
    arguments: &ReindexArgs,
    model: Option<&str>,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    let mut request = Object::new();
    request.insert("vectors".to_owned(), arguments.vectors.into());
    if let Some(model) = model {
        request.insert("model".to_owned(), model.into());
    }
    let begun = host.operate("reindex", &request, caller)?;
    catch_up(host, caller)?;
    let events = begun.get("head_position").and_then(serde_json::Value::as_u64).unwrap_or(0);
    writeln!(terminal.out, "indexed {}", counted(events, "event"))?;
    Ok(Exit::Done)
}
