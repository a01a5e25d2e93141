//! What the commands that search share: their flags, and waiting for the index with a bar.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::outcome::Ended;
use crate::door::Host;
use crate::engine::{Caller, EngineOptions};
use crate::error::Result;
use crate::indexer::SearchOptions;
use crate::search::VectorPath;
use crate::search::embed::{EMBEDDER_HELP, EmbedderChoice};
use crate::store::Options;
use crate::tools::Object;

/// How long one question after the progress waits for it: 200 ms.
const STEP_MS: u64 = 200;

/// How a store is searched.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "How it is searched")]
pub(super) struct SearchFlags {
    /// The model that turns texts into vectors: builtin, none, fastembed:NAME or onnx:DIR
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "builtin",
        env = "ALLSOURCE_EMBEDDER",
        hide_env_values = true
    )]
    #[arg(long_help = EMBEDDER_HELP)]
    embedder: EmbedderChoice,
    /// How vectors are searched: auto (whatever is faster), graph (HNSW graphs where there are some), scan (exactly)
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = parse_path)]
    vector_index: VectorPath,
}

impl SearchFlags {
    /// The flags as options; a model from outside is loaded, so that one that cannot be is known at once.
    ///
    /// # Errors
    /// Those of [`EmbedderChoice::open`].
    pub(super) fn to_options(&self, store: Options) -> Result<EngineOptions> {
        let search = SearchOptions {
            embedder: self.embedder.open()?,
            vector_index: self.vector_index,
            ..SearchOptions::default()
        };
        Ok(EngineOptions { store, search, index_at_once: true })
    }
}

fn parse_path(text: &str) -> Result<VectorPath, String> {
    match text {
        "auto" => Ok(VectorPath::Auto),
        "graph" => Ok(VectorPath::Graph),
        "scan" => Ok(VectorPath::Scan),
        _ => Err("it is auto, graph or scan".to_owned()),
    }
}

/// Waits until everything stored is findable, with a bar on a terminal; gives up where indexing has failed, which the
/// search then tells.
pub(super) fn catch_up(host: &Host, caller: &Caller) -> Ended<()> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("indexing {bar:30} {pos} of {len} events · {eta} left") {
        bar.set_style(style);
    }
    let mut request = Object::new();
    request.insert("wait_ms".to_owned(), STEP_MS.into());
    loop {
        let progress = host.operate("index_progress", &request, caller)?;
        let number = |name: &str| progress.get(name).and_then(Value::as_u64).unwrap_or(0);
        let (through, head) = (number("indexed_through"), number("head_position"));
        if through >= head || progress.contains_key("failure") {
            bar.finish_and_clear();
            return Ok(());
        }
        bar.set_length(head);
        bar.set_position(through);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_is_not_known_is_refused() {
        assert_eq!(parse_path("graph"), Ok(VectorPath::Graph));
        assert!(parse_path("hnsw").is_err());
    }
}
