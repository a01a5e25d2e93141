//! Which graph is made next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::file::{remove_if_there, write_whole};
use super::super::quantise::Query;
use super::super::reader::Shared;
use super::super::set::SetView;
use super::GraphSearch;
use super::build::{BUILD_BYTES, GRAPH_BYTES, build, unreached};
use super::format::Graph;
use crate::error::Result;

/// How many searches tell what a search of a new graph costs: 64.
const TRIALS: u32 = 64;
/// How wide these searches are: 192.
const TRIAL_WIDTH: u16 = 192;

/// Makes graphs, one step at a time, on any thread; a slow one of low priority is meant.
#[derive(Clone)]
pub(crate) struct Graphs {
    /// What it has in common with the writer.
    pub(in super::super) shared: Arc<Shared>,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphStep {
    /// A graph was found in its file, and proved.
    Loaded,
    /// A graph was built over so many vectors.
    Built {
        /// How many vectors the set has.
        vectors: u32,
        /// How many of them a search does not reach, so that they are scanned.
        unreached: usize,
    },
    /// No set needs a graph, or none may have one: look again after a flush that sealed a set.
    Nothing,
    /// It was told to stop.
    Stopped,
}

impl Graphs {
    /// Gives one set its graph: from its file where that is whole, else by building it, which takes about a minute.
    pub(crate) fn step(&self, stop: &AtomicBool) -> Result<GraphStep> {
        let options = &self.shared.options;
        let sets = self.shared.reader().sets;
        let held: u64 = sets.iter().filter_map(|set| set.graph.get()).map(Graph::size).sum();
        for set in sets.iter().filter(|set| needs_graph(set, options.graph_vectors_min)) {
            if stop.load(Ordering::Relaxed) {
                return Ok(GraphStep::Stopped);
            }
            let vectors = u64::from(set.ordinals());
            if held + vectors * GRAPH_BYTES > options.graph_memory_bytes_max {
                continue;
            }
            if self.load(set) {
                return Ok(GraphStep::Loaded);
            }
            if held + vectors * (GRAPH_BYTES + BUILD_BYTES) <= options.graph_memory_bytes_max {
                return self.build(set, stop);
            }
        }
        Ok(GraphStep::Nothing)
    }

    /// Takes the graph from its file; false when there is none that is whole and over these vectors.
    fn load(&self, set: &SetView) -> bool {
        let disk = self.shared.options.disk.as_ref();
        let path = set.stem.with_extension("graph");
        let Ok(bytes) = disk.open(&path, false).and_then(|file| file.map()) else { return false };
        let graph = set.sealed.and_then(|crc| Graph::of(bytes, set.ordinals(), crc));
        if graph.is_none() {
            tracing::warn!(file = %path.display(), "the graph is damaged or of other vectors; it is built anew");
            let _ = remove_if_there(disk, &path);
        }
        graph.is_some_and(|graph| self.publish(set, graph))
    }

    fn build(&self, set: &SetView, stop: &AtomicBool) -> Result<GraphStep> {
        let (kernel, crc) = (self.shared.kernel, set.sealed.unwrap_or_default());
        let Some(mut parts) = build(set, kernel, stop) else { return Ok(GraphStep::Stopped) };
        let whole = |bytes: Vec<u8>| Graph::of(bytes.into(), set.ordinals(), crc);
        let side = match whole(parts.encode(crc)) {
            Some(graph) => unreached(set, &graph, kernel, stop),
            None => Some((0..set.ordinals()).collect()),
        };
        let Some(side) = side else { return Ok(GraphStep::Stopped) };
        parts.side = side;
        let path = set.stem.with_extension("graph");
        write_whole(self.shared.options.disk.as_ref(), &path, &parts.encode(crc))?;
        self.load(set);
        Ok(GraphStep::Built { vectors: set.ordinals(), unreached: parts.side.len() })
    }

    /// Shows a graph to the readers, once it is known what searching it costs.
    fn publish(&self, set: &SetView, graph: Graph) -> bool {
        let (clock, kernel) = (&self.shared.options.clock, self.shared.kernel);
        let step = usize::try_from(set.ordinals() / TRIALS).unwrap_or(1).max(1);
        for ordinal in (0..set.ordinals()).step_by(step) {
            let Some(query) = set.restored(ordinal).and_then(|vector| Query::of(&vector)) else { continue };
            let begun = clock.elapsed();
            GraphSearch { kernel, query: &query, set, graph: &graph }.run(usize::from(TRIAL_WIDTH), |_| true);
            self.shared.costs.graph_took(clock.elapsed().saturating_sub(begun), f32::from(TRIAL_WIDTH));
        }
        set.graph.set(graph).is_ok()
    }
}

fn needs_graph(set: &SetView, vectors_min: usize) -> bool {
    set.sealed.is_some() && set.ordinals() as usize >= vectors_min && set.graph.get().is_none()
}
