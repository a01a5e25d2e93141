//! Searching what is flushed.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::format::Shape;
use super::found::{VectorFound, VectorPath, Work, hits};
use super::kernel::Kernel;
use super::memory::VectorMemory;
use super::options::VectorOptions;
use super::plan::{Costs, by_graphs};
use super::quantise::Query;
use super::scope::scopes;
use super::search::Search;
use super::set::SetView;
use crate::event::Position;
use crate::search::positions::PositionSet;

/// What the writer, the readers and the builder of graphs have in common.
pub(super) struct Shared {
    /// What the vectors stand on.
    pub(super) options: VectorOptions,
    /// The size of the records.
    pub(super) shape: Shape,
    /// The loops that this machine can do.
    pub(super) kernel: Kernel,
    /// What searches cost lately.
    pub(super) costs: Costs,
    sets: ArcSwap<Vec<Arc<SetView>>>,
}

impl Shared {
    /// Nothing yet.
    pub(super) fn new(options: &VectorOptions, shape: Shape) -> Self {
        Self {
            options: options.clone(),
            shape,
            kernel: Kernel::best(),
            costs: Costs::new(),
            sets: ArcSwap::default(),
        }
    }

    /// Shows what is flushed.
    pub(super) fn publish(&self, sets: Vec<Arc<SetView>>) {
        self.sets.store(Arc::new(sets));
    }

    /// What is flushed.
    pub(super) fn reader(self: &Arc<Self>) -> VectorReader {
        VectorReader {
            shared: Arc::clone(self),
            sets: self.sets.load_full(),
            through: Position::MAX,
            fork: None,
        }
    }
}

/// What was flushed when it was made. Cheap to copy; any number of threads may search it.
#[derive(Clone)]
pub(crate) struct VectorReader {
    shared: Arc<Shared>,
    pub(super) sets: Arc<Vec<Arc<SetView>>>,
    /// The last position that counts of these sets.
    through: Position,
    /// What a fork added behind that.
    fork: Option<VectorMemory>,
}

impl VectorReader {
    /// These vectors up to `through`, and behind them what a fork added.
    pub(crate) fn with_fork(&self, through: Position, fork: &VectorMemory) -> Self {
        Self { through, fork: Some(fork.clone()), ..self.clone() }
    }

    /// All sets, each with the last position that counts of it.
    fn bounded(&self) -> impl Iterator<Item = (&Arc<SetView>, Position)> {
        let own = self.sets.iter().map(|set| (set, self.through));
        own.chain(self.fork.iter().map(|fork| (&fork.set, Position::MAX)))
    }

    /// The events most like the query: at most `depth`, among those of `allowed` if it is given, up to `through` if
    /// that is. A query of zeros, or of another dimension, is like nothing.
    pub(crate) fn nearest(
        &self,
        query: &[f32],
        allowed: Option<&PositionSet>,
        through: Option<Position>,
        depth: usize,
        path: VectorPath,
    ) -> VectorFound {
        let Some(query) = self.query(query) else { return VectorFound::nothing() };
        let scopes = scopes(self.bounded(), allowed, through);
        if scopes.is_empty() || depth == 0 {
            return VectorFound::nothing();
        }
        let mut search = Search { shared: &self.shared, query: &query, depth, work: Work::default() };
        let by_graphs = by_graphs(&self.shared.costs, &scopes, depth, path);
        let (mut scored, left) = search.graphs(&scopes, by_graphs);
        scored.extend(search.scan(&left));
        VectorFound {
            hits: hits(&scopes, scored, depth),
            path: match (search.work.graphs, left.len()) {
                (0, _) => "scan",
                (_, 0) => "graph",
                _ => "graph+scan",
            },
            candidates: scopes.iter().map(|scope| scope.count).sum(),
            work: search.work,
        }
    }

    /// How like the query each event is; `None` of one without a vector.
    pub(crate) fn cosines(&self, query: &[f32], positions: &[Position]) -> Vec<Option<f32>> {
        let query = self.query(query);
        let cosine = |position: &Position| {
            let (set, ordinal) = self.locate(*position)?;
            set.cosine(self.shared.kernel, query.as_ref()?, ordinal)
        };
        positions.iter().map(cosine).collect()
    }

    /// The vector of an event, of length 1, as it is stored.
    pub(crate) fn vector(&self, position: Position) -> Option<Vec<f32>> {
        let (set, ordinal) = self.locate(position)?;
        set.restored(ordinal)
    }

    /// The last position that is flushed; zero where nothing is.
    pub(crate) fn through(&self) -> Position {
        self.sets.last().map_or(Position::ZERO, |set| set.position_of(set.row_count()).previous())
    }

    /// How much there is.
    pub(crate) fn stats(&self) -> VectorStats {
        let mut stats = VectorStats { sets: self.sets.len(), ..VectorStats::default() };
        for set in self.sets.iter() {
            stats.vectors += u64::from(set.ordinals());
            stats.rows += u64::from(set.row_count());
            if let Some(graph) = set.graph.get() {
                stats.graphs += 1;
                stats.graph_vectors += u64::from(set.ordinals());
                stats.unreached += graph.side().count() as u64;
                stats.graph_bytes += graph.size();
            }
            stats.bytes += (set.vectors.len() + set.sketches.len() + set.rows.len()) as u64;
        }
        stats
    }

    fn query(&self, query: &[f32]) -> Option<Query> {
        if query.len() == self.shared.shape.dimension() { Query::of(query) } else { None }
    }

    fn locate(&self, position: Position) -> Option<(&SetView, u32)> {
        let set = if position > self.through {
            &self.fork.as_ref()?.set
        } else {
            self.sets.get(self.sets.partition_point(|set| set.first <= position).checked_sub(1)?)?
        };
        Some((set, set.ordinal_of(set.row_of(position)?)?))
    }
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VectorStats {
    /// Events, with a vector or without.
    pub rows: u64,
    /// Vectors, each counted once in a set.
    pub vectors: u64,
    /// Sets.
    pub sets: usize,
    /// Sets that have a graph.
    pub graphs: usize,
    /// Vectors in these sets.
    pub graph_vectors: u64,
    /// Of these, how many a search of the graph does not reach, so that they are always scored.
    pub unreached: u64,
    /// The size of the graphs.
    pub graph_bytes: u64,
    /// The size of everything that a search may read, graphs apart.
    pub bytes: u64,
}
