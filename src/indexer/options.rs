//! How a store is indexed: plain data.

use std::sync::Arc;
use std::time::Duration;

use crate::search::VectorPath;
use crate::search::embed::{BuiltIn, Embedder};

/// How a store is indexed for searching.
#[derive(Clone)]
pub struct SearchOptions {
    /// What turns texts into vectors; without it nothing is searched by meaning. The built-in model.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// How vectors are searched: whatever is faster.
    pub vector_index: VectorPath,
    /// The longest that an indexed event waits until it is findable, unless somebody waits for it: 300 ms.
    pub commit_interval: Duration,
    /// The most events that wait to become findable: 100,000.
    pub commit_events_max: u64,
    /// The most memory for graphs over vectors: 2 GiB; vectors beyond it are scanned.
    pub graph_memory_bytes_max: u64,
    /// How many vectors one set holds, over which one graph is built: 131,072.
    pub set_vectors_max: usize,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            embedder: Some(Arc::new(BuiltIn::default())),
            vector_index: VectorPath::Auto,
            commit_interval: Duration::from_millis(300),
            commit_events_max: 100_000,
            graph_memory_bytes_max: 2 << 30,
            set_vectors_max: 131_072,
        }
    }
}
