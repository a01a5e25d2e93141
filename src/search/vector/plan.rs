//! Which way a search takes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::found::VectorPath;
use super::scan::DIRECT_MAX;
use super::scope::Scope;

/// A graph is searched with a filter only if it keeps one vector in so many: 10.
const FILTER_SHARE: u64 = 10;
/// The least width of a graph search: 192.
const WIDTH_MIN: usize = 192;
/// How much the newest measurement moves a cost: a sixteenth.
const WEIGHT: f32 = 1.0 / 16.0;

/// What searches cost lately, in nanoseconds.
pub(super) struct Costs {
    /// A vector of a scan that scores all.
    direct: Cost,
    /// A vector of a scan that compares sketches first.
    sketched: Cost,
    /// One of width 1 of the search of a graph.
    graph: Cost,
}

struct Cost(AtomicU32);

impl Cost {
    fn new(nanoseconds: f32) -> Self {
        Self(AtomicU32::new(nanoseconds.to_bits()))
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn took(&self, time: Duration, units: f32) {
        if units > 0.0 {
            // Two searches that end at once lose one of the measurements, which does not matter.
            let old = self.get();
            let new = old + (time.as_secs_f32() * 1e9 / units - old) * WEIGHT;
            self.0.store(new.to_bits(), Ordering::Relaxed);
        }
    }
}

impl Costs {
    /// What they are where nothing was measured yet.
    pub(super) fn new() -> Self {
        Self { direct: Cost::new(20.0), sketched: Cost::new(4.0), graph: Cost::new(1_000.0) }
    }

    /// A scan over so many vectors took so long.
    pub(super) fn scan_took(&self, time: Duration, vectors: u64) {
        let cost = if vectors <= DIRECT_MAX { &self.direct } else { &self.sketched };
        cost.took(time, number(vectors));
    }

    /// Searches of graphs of these widths together took so long.
    pub(super) fn graph_took(&self, time: Duration, widths: f32) {
        self.graph.took(time, widths);
    }

    fn scan(&self, vectors: u64) -> f32 {
        let cost = if vectors <= DIRECT_MAX { &self.direct } else { &self.sketched };
        cost.get() * number(vectors)
    }
}

/// How wide a graph is searched for so many hits.
pub(super) fn width(depth: usize) -> usize {
    WIDTH_MIN.max(depth + depth / 4)
}

/// Whether a scope can be searched by its graph.
pub(super) fn has_graph(scope: &Scope<'_>) -> bool {
    scope.set.graph.get().is_some() && scope.count * FILTER_SHARE >= u64::from(scope.set.ordinals())
}

/// How much wider a search becomes by passing over what the filter does not keep.
pub(super) fn widened(scope: &Scope<'_>, depth: usize) -> f32 {
    let share = number(u64::from(scope.set.ordinals())) / number(scope.count.max(1));
    number(width(depth) as u64) * share
}

/// Whether the graphs are searched that there are.
pub(super) fn by_graphs(costs: &Costs, scopes: &[Scope<'_>], depth: usize, path: VectorPath) -> bool {
    let (graphs, rest): (Vec<_>, Vec<_>) = scopes.iter().partition(|scope| has_graph(scope));
    let count = |scopes: &[&Scope<'_>]| scopes.iter().map(|scope| scope.count).sum::<u64>();
    match path {
        VectorPath::Scan => false,
        VectorPath::Graph => !graphs.is_empty(),
        VectorPath::Auto => {
            let widths: f32 = graphs.iter().map(|scope| widened(scope, depth)).sum();
            let mixed = costs.graph.get() * widths + costs.scan(count(&rest));
            !graphs.is_empty() && mixed < costs.scan(count(&graphs) + count(&rest))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn number(count: u64) -> f32 {
    count as f32
}
