//! `index_progress` and `reindex`: how far the search indexes are, and making them anew.

use std::time::Duration;

use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine, check_main_writes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;
use crate::indexer::{Meaning, Progress, Rebuild};
use crate::tools::Object;

/// The longest that a question after the progress waits: 10 s.
const WAIT_MS_MAX: u64 = 10_000;

/// Tells how far the indexes are.
pub(super) const PROGRESS: Operation = Operation { name: "index_progress", run: progress };

/// Makes them anew.
pub(super) const REINDEX: Operation = Operation { name: "reindex", run: reindex };

fn progress(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let wait_ms = arguments.get("wait_ms").and_then(Value::as_u64).unwrap_or(0).min(WAIT_MS_MAX);
    let indexer = engine.indexer()?;
    indexer.catch_up(Duration::from_millis(wait_ms));
    let mut told = Object::new();
    told.insert("head_position".to_owned(), engine.store().snapshot().head().get().into());
    if let Some(failure) = indexer.failure() {
        told.insert("failure".to_owned(), failure.to_string().into());
    }
    if let Some(progress) = indexer.progress() {
        told.extend(told_of(&progress));
    }
    Ok(told)
}

/// What there is to tell of the indexes.
pub(in crate::tools) fn told_of(progress: &Progress) -> Object {
    let mut told = Object::new();
    let mut put = |name: &str, value: Value| told.insert(name.to_owned(), value);
    put("indexed_through", progress.indexed_through.get().into());
    if progress.lag() > 0 {
        put("lag", progress.lag().into());
    }
    match &progress.meaning {
        Meaning::On(model) => drop(put("model", model.as_str().into())),
        Meaning::OtherModel { indexed, wanted } => {
            put("model", wanted.as_str().into());
            put("indexed_model", indexed.as_str().into());
        }
        Meaning::Off => {}
    }
    if let Some(vectors) = &progress.vectors {
        put("vectors", vectors.vectors.into());
        put("vector_bytes", vectors.bytes.into());
        if vectors.graphs > 0 {
            put("graphs", vectors.graphs.into());
            put("graph_bytes", vectors.graph_bytes.into());
        }
    }
    told
}

fn reindex(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    check_main_writes(caller)?;
    let own = engine.model();
    let wanted = arguments.get("model").and_then(Value::as_str);
    if wanted != own {
        let said = |model: Option<&str>| model.map_or_else(|| "no model".to_owned(), quote);
        let message = format!(
            "index anew with {}: the process {} that has the store uses {}; stop it, or start it with that embedder",
            said(wanted),
            std::process::id(),
            said(own)
        );
        return Err(Error::new(ErrorKind::Conflict, "other_model", message));
    }
    let vectors_alone = arguments.get("vectors").and_then(Value::as_bool).unwrap_or(false);
    let what = if vectors_alone { Rebuild::Vectors } else { Rebuild::Everything };
    engine.indexer()?.rebuild(what)?;
    Ok(super::answer([("head_position", engine.store().snapshot().head().get())]))
}
