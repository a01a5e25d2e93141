//! What the vectors stand on, and their limits.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::store::disk::{Disk, RealDisk};

/// What the vectors stand on, and their limits.
#[derive(Clone)]
pub struct VectorOptions {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// What measures the costs of searches.
    pub clock: Arc<dyn Clock>,
    /// The number of vectors at which a set is sealed: 131,072; or four times as many events.
    pub set_vectors_max: usize,
    /// The least number of vectors in a set that gets a graph: 50,000.
    pub graph_vectors_min: usize,
    /// How much memory graphs may take, the one being built included: 2 GiB. Sets beyond it are scanned.
    pub graph_memory_bytes_max: u64,
    /// Whether anything may be changed: true. When not, no file is opened for writing, made or removed.
    pub writable: bool,
}

impl Default for VectorOptions {
    fn default() -> Self {
        Self::new(Arc::new(RealDisk), SystemClock::shared())
    }
}

impl VectorOptions {
    /// The limits as they are meant to be.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Self {
        Self {
            disk,
            clock,
            set_vectors_max: 131_072,
            graph_vectors_min: 50_000,
            graph_memory_bytes_max: 2 << 30,
            writable: true,
        }
    }
}
