//! Building a graph.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hnsw_rs::prelude::{Distance, Hnsw};

use super::super::format::{Shape, count};
use super::super::kernel::Kernel;
use super::super::quantise::Query;
use super::super::set::SetView;
use super::format::Parts;
use super::{Graph, GraphSearch};

/// How many neighbours a vector has in each layer, twice as many in the first: 16.
const NEIGHBOURS: usize = 16;
/// How many candidates are looked at for the neighbours of a new vector: 120.
const BUILD_WIDTH: usize = 120;
/// The most layers; the library knows no more.
const LAYERS_MAX: usize = 16;
/// How wide the search is that must reach each vector for itself: 32.
const PROOF_WIDTH: usize = 32;
/// What building takes for each vector while it lasts: 2,300 bytes.
pub(super) const BUILD_BYTES: u64 = 2_300;
/// What a finished graph takes for each vector, at most: 200 bytes.
pub(super) const GRAPH_BYTES: u64 = 200;

/// How unlike two vectors of a set are, named by their ordinals.
struct Unlikeness {
    vectors: Bytes,
    shape: Shape,
    kernel: Kernel,
}

impl Distance<u32> for Unlikeness {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        let record = |ordinals: &[u32]| {
            let bytes = self.shape.vector_bytes();
            let record = self.vectors.get(*ordinals.first()? as usize * bytes..)?.get(..bytes)?;
            let (norm, codes) = record.split_first_chunk()?;
            Some((f32::from_le_bytes(*norm), codes))
        };
        let cosine = record(a).zip(record(b)).map(|((a_norm, a), (b_norm, b))| {
            #[expect(clippy::cast_precision_loss, reason = "24 bits are more than the codes are good for")]
            let dot = self.kernel.dot_codes(a, b) as f32;
            dot * a_norm * b_norm
        });
        // The library ends the thread where a distance is below zero or not a number.
        (1.0 - cosine.filter(|cosine| cosine.is_finite()).unwrap_or(-1.0)).max(0.0)
    }
}

/// Builds the graph of a set; `None` when it is told to stop. The same vectors give the same graph.
pub(super) fn build(set: &SetView, kernel: Kernel, stop: &AtomicBool) -> Option<Parts> {
    let unlikeness = Unlikeness { vectors: set.vectors.clone(), shape: set.shape, kernel };
    let ordinals = set.ordinals();
    let graph = Hnsw::new(NEIGHBOURS, ordinals as usize, LAYERS_MAX, BUILD_WIDTH, unlikeness);
    for ordinal in 0..ordinals {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        graph.insert_slice((&[ordinal], ordinal as usize));
    }
    Some(taken_out(&graph))
}

/// Who is whose neighbour.
fn taken_out(graph: &Hnsw<'_, u32, Unlikeness>) -> Parts {
    let points = graph.get_point_indexation();
    let mut parts = Parts::default();
    for level in 0..=usize::from(graph.get_max_level_observed()) {
        parts.layers.push(Vec::new());
        for point in points.get_layer_iterator(level) {
            // A point of a layer is also in those below.
            let lists = point.get_neighborhood_id();
            let ordinal = count(point.get_origin_id());
            for (layer, list) in parts.layers.iter_mut().zip(lists) {
                layer.push((ordinal, list.iter().map(|near| count(near.d_id)).collect()));
            }
            parts.entry = ordinal;
        }
    }
    for layer in &mut parts.layers {
        layer.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    }
    parts
}

/// The ordinals that a search for their own vector does not find; `None` when it is told to stop.
pub(super) fn unreached(set: &SetView, graph: &Graph, kernel: Kernel, stop: &AtomicBool) -> Option<Vec<u32>> {
    let mut side = Vec::new();
    for ordinal in 0..set.ordinals() {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let query = set.restored(ordinal).and_then(|vector| Query::of(&vector));
        let found = query
            .and_then(|query| GraphSearch { kernel, query: &query, set, graph }.run(PROOF_WIDTH, |_| true));
        if !found.is_some_and(|(found, _)| found.iter().any(|(found, _)| *found == ordinal)) {
            side.push(ordinal);
        }
    }
    Some(side)
}
