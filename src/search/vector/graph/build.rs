//! Building a graph, as Malkov and Yashunin do it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::bits::Bits;
use super::super::kernel::Kernel;
use super::super::quantise::Query;
use super::super::set::SetView;
use super::beam::{Beam, Near};
use super::format::Parts;
use super::{Graph, GraphSearch};

/// How many neighbours a new vector takes in each layer: 24.
const NEIGHBOURS: usize = 24;
/// How many neighbours a full list is cut down to: 40.
const NEIGHBOURS_KEPT: usize = 40;
/// How many neighbours make a list full: 60. It is cut down once in a while, not each time that one comes.
const NEIGHBOURS_MAX: usize = 60;
/// How many candidates are looked at for the neighbours of a new vector: 120.
const BUILD_WIDTH: usize = 120;
/// How wide the search is that must reach each vector for itself: 32.
const PROOF_WIDTH: usize = 32;
/// What building takes for each vector while it lasts, the finished graph and its copy included: 800 bytes.
pub(super) const BUILD_BYTES: u64 = 800;
/// What a finished graph takes for each vector, at most: 260 bytes.
pub(super) const GRAPH_BYTES: u64 = 260;

/// Builds the graph of a set; `None` when it is told to stop. The same vectors give the same graph.
pub(super) fn build(set: &SetView, kernel: Kernel, stop: &AtomicBool) -> Option<Parts> {
    let mut growing =
        Growing { set, kernel, entry: None, layers: Vec::new(), seen: Bits::none_of(set.ordinals()) };
    for ordinal in 0..set.ordinals() {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        growing.insert(ordinal);
    }
    let entry = growing.entry.unwrap_or(0);
    let layers = growing.layers.into_iter().map(|layer| layer.members.into_iter().zip(layer.lists).collect());
    Some(Parts { entry, side: Vec::new(), layers: layers.collect() })
}

/// A graph under construction.
struct Growing<'a> {
    set: &'a SetView,
    kernel: Kernel,
    entry: Option<u32>,
    layers: Vec<Layer>,
    seen: Bits,
}

/// Who is in a layer, rising, and their neighbours.
#[derive(Default)]
struct Layer {
    members: Vec<u32>,
    lists: Vec<Vec<u32>>,
}

impl Layer {
    fn slot(&self, ordinal: u32) -> Option<usize> {
        // Everybody is in the first layer, so that the place is the ordinal there.
        match self.members.get(ordinal as usize) {
            Some(member) if *member == ordinal => Some(ordinal as usize),
            _ => self.members.binary_search(&ordinal).ok(),
        }
    }

    fn neighbours(&self, ordinal: u32) -> impl Iterator<Item = u32> + '_ {
        self.slot(ordinal).and_then(|slot| self.lists.get(slot)).into_iter().flatten().copied()
    }
}

impl Growing<'_> {
    fn insert(&mut self, ordinal: u32) {
        let (top, level) = (self.layers.len(), level_of(ordinal));
        let mut near = self.entry.map(|entry| self.near(ordinal, entry));
        for level in (level + 1..top).rev() {
            near = near.map(|near| self.greedy(ordinal, near, level));
        }
        for level in (0..=level).rev() {
            let neighbours = match near {
                Some(start) if level < top => {
                    let found = self.found(ordinal, start, level);
                    near = found.first().copied();
                    self.chosen(&found, NEIGHBOURS)
                }
                _ => Vec::new(),
            };
            self.join(ordinal, level, neighbours);
        }
        if level >= top {
            self.entry = Some(ordinal);
        }
    }

    /// The most alike next to where it is, again and again.
    fn greedy(&self, ordinal: u32, mut near: Near, level: usize) -> Near {
        let Some(layer) = self.layers.get(level) else { return near };
        loop {
            let around = layer.neighbours(near.ordinal()).map(|other| self.near(ordinal, other)).max();
            match around {
                Some(closer) if closer.beats(near) => near = closer,
                _ => return near,
            }
        }
    }

    /// The candidates for neighbours, the most alike first.
    fn found(&mut self, ordinal: u32, start: Near, level: usize) -> Vec<Near> {
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        let layer = self.layers.get(level);
        let beam = Beam {
            width: BUILD_WIDTH,
            visited_max: u32::MAX,
            seen: &mut seen,
            neighbours: |other| layer.into_iter().flat_map(move |layer| layer.neighbours(other)),
            fetch: |other| self.set.fetch(self.kernel, other),
            near: |other| Some(self.near(ordinal, other)),
            keeps: |_| true,
        };
        let (mut found, _) = beam.walk(start).unwrap_or_default();
        self.seen = seen;
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }

    /// Of candidates, the most alike first, those that are not more like one that was chosen before: they lie in
    /// different directions. What room is left takes the most alike of the others.
    fn chosen(&self, candidates: &[Near], most: usize) -> Vec<u32> {
        let (mut chosen, mut passed_over) = (Vec::with_capacity(most), Vec::new());
        for candidate in candidates {
            if chosen.len() >= most {
                break;
            }
            let ordinal = candidate.ordinal();
            if chosen.iter().any(|other| self.near(*other, ordinal).beats(*candidate)) {
                passed_over.push(ordinal);
            } else {
                chosen.push(ordinal);
            }
        }
        let room = most - chosen.len();
        chosen.extend(passed_over.into_iter().take(room));
        chosen
    }

    /// Puts a vector into a layer, and itself among the neighbours of its neighbours.
    fn join(&mut self, ordinal: u32, level: usize, neighbours: Vec<u32>) {
        if self.layers.len() <= level {
            self.layers.resize_with(level + 1, Layer::default);
        }
        for neighbour in &neighbours {
            let list = self.layers.get_mut(level).and_then(|layer| {
                let slot = layer.slot(*neighbour)?;
                layer.lists.get_mut(slot)
            });
            let Some(list) = list else { continue };
            list.push(ordinal);
            if list.len() < NEIGHBOURS_MAX {
                continue;
            }
            let full = std::mem::take(list);
            let mut candidates: Vec<Near> = full.iter().map(|other| self.near(*neighbour, *other)).collect();
            candidates.sort_unstable_by(|a, b| b.cmp(a));
            let kept = self.chosen(&candidates, NEIGHBOURS_KEPT);
            if let Some(layer) = self.layers.get_mut(level)
                && let Some(list) = layer.slot(*neighbour).and_then(|slot| layer.lists.get_mut(slot))
            {
                *list = kept;
            }
        }
        if let Some(layer) = self.layers.get_mut(level) {
            layer.members.push(ordinal);
            layer.lists.push(neighbours);
        }
    }

    /// How like one vector another is.
    #[inline]
    fn near(&self, one: u32, other: u32) -> Near {
        let cosine = self.set.cosine_between(self.kernel, one, other).unwrap_or(-1.0);
        Near::new(cosine, other)
    }
}

/// The last layer that a vector is in: one in 16 of each layer is in the next.
fn level_of(ordinal: u32) -> usize {
    let mut hash = u64::from(ordinal).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash >> 32).trailing_zeros() / 4) as usize
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
