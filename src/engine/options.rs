//! How a directory is opened: plain data.

use crate::indexer::SearchOptions;
use crate::store::Options;

/// How a directory is opened: the store, and the search over it.
#[derive(Clone, Default)]
pub struct EngineOptions {
    /// The store.
    pub store: Options,
    /// The search over it.
    pub search: SearchOptions,
    /// Index from the beginning on; else the first search starts it, which spares short commands the work.
    pub index_at_once: bool,
}

impl From<Options> for EngineOptions {
    fn from(store: Options) -> Self {
        Self { store, ..Self::default() }
    }
}
