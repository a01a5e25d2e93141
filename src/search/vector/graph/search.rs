//! Walking a graph towards a query.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::bits::Bits;
use super::super::kernel::Kernel;
use super::super::quantise::Query;
use super::super::set::SetView;
use super::Graph;

/// The share of the vectors after which a walk gives up: one in 16. A scan is cheaper then.
const VISITED_SHARE: u32 = 16;
/// How many vectors a walk may look at in any case: 4,096.
const VISITED_MIN: u32 = 4_096;

/// A search of one graph.
pub(in super::super) struct GraphSearch<'a> {
    /// The loops.
    pub(in super::super) kernel: Kernel,
    /// What is looked for.
    pub(in super::super) query: &'a Query,
    /// Whose vectors these are.
    pub(in super::super) set: &'a SetView,
    /// Who is whose neighbour.
    pub(in super::super) graph: &'a Graph,
}

/// A vector and how like the query it is, in the order of the latter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Near(u64);

impl Near {
    #[inline]
    fn new(cosine: f32, ordinal: u32) -> Self {
        // The bits of floats order like numbers once the sign is out of the way.
        let bits = cosine.to_bits();
        let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        Self(u64::from(ordered) << 32 | u64::from(ordinal))
    }

    fn ordinal(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    fn cosine(self) -> f32 {
        let [.., a, b, c, d] = self.0.to_le_bytes();
        let ordered = u32::from_le_bytes([a, b, c, d]);
        f32::from_bits(if ordered >> 31 == 1 { ordered ^ 1 << 31 } else { !ordered })
    }

    /// Whether it is more alike than the other, whatever their ordinals.
    fn beats(self, other: Self) -> bool {
        self.0 >> 32 > other.0 >> 32
    }
}

impl GraphSearch<'_> {
    /// The `width` most alike that it finds among those that `keeps` keeps, with their cosines, and how many vectors it
    /// looked at; `None` if these became too many.
    pub(in super::super) fn run(
        &self,
        width: usize,
        keeps: impl Fn(u32) -> bool,
    ) -> Option<(Vec<(u32, f32)>, u32)> {
        let visited_max = (self.graph.ordinals / VISITED_SHARE).max(VISITED_MIN);
        let mut visited = 0;
        let mut best: BinaryHeap<Reverse<Near>> = BinaryHeap::with_capacity(width + 1);
        let mut next = BinaryHeap::new();
        let mut seen = Bits::none_of(self.graph.ordinals);
        let start = self.descend(&mut visited)?;
        seen.insert(start.ordinal());
        next.push(start);
        if keeps(start.ordinal()) {
            best.push(Reverse(start));
        }
        while let Some(near) = next.pop() {
            let full = best.len() >= width;
            if full && best.peek().is_some_and(|worst| worst.0.beats(near)) {
                break;
            }
            for ordinal in self.graph.neighbours(0, near.ordinal()) {
                if ordinal >= self.graph.ordinals || !seen.insert(ordinal) {
                    continue;
                }
                visited += 1;
                let Some(found) = self.near(ordinal) else { continue };
                if best.len() >= width && best.peek().is_some_and(|worst| !found.beats(worst.0)) {
                    continue;
                }
                next.push(found);
                if keeps(ordinal) {
                    best.push(Reverse(found));
                    if best.len() > width {
                        best.pop();
                    }
                }
            }
            if visited > visited_max {
                return None;
            }
        }
        Some((best.into_iter().map(|near| (near.0.ordinal(), near.0.cosine())).collect(), visited))
    }

    /// The most alike that a greedy walk down to the last layer finds.
    fn descend(&self, visited: &mut u32) -> Option<Near> {
        let mut near = self.near(self.graph.entry)?;
        for level in (1..self.graph.levels()).rev() {
            loop {
                let mut closer = near;
                for ordinal in self.graph.neighbours(level, near.ordinal()) {
                    *visited += 1;
                    let found = self.near(ordinal)?;
                    if found.beats(closer) {
                        closer = found;
                    }
                }
                if closer == near {
                    break;
                }
                near = closer;
            }
        }
        Some(near)
    }

    #[inline]
    fn near(&self, ordinal: u32) -> Option<Near> {
        Some(Near::new(self.set.cosine(self.kernel, self.query, ordinal)?, ordinal))
    }
}
