//! What the vectors stand on, and their limits.

use std::sync::Arc;

use crate::clock::Clock;
use crate::store::disk::Disk;

/// What the vectors stand on, and their limits.
#[derive(Clone)]
pub(crate) struct VectorOptions {
    /// Where the files are.
    pub(crate) disk: Arc<dyn Disk>,
    /// What measures the costs of searches.
    pub(crate) clock: Arc<dyn Clock>,
    /// The number of vectors at which a set is sealed: 131,072; or four times as many events.
    pub(crate) set_vectors_max: usize,
    /// The least number of vectors in a set that gets a graph: 50,000.
    pub(crate) graph_vectors_min: usize,
    /// How much memory graphs may take, the one being built included: 2 GiB. Sets beyond it are scanned.
    pub(crate) graph_memory_bytes_max: u64,
}

impl VectorOptions {
    /// The limits as they are meant to be.
    pub(crate) fn new(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Self {
        Self {
            disk,
            clock,
            set_vectors_max: 131_072,
            graph_vectors_min: 50_000,
            graph_memory_bytes_max: 2 << 30,
        }
    }
}
