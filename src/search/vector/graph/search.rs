//! Walking a graph towards a query.

use super::super::bits::Bits;
use super::super::kernel::Kernel;
use super::super::quantise::Query;
use super::super::set::SetView;
use super::Graph;
use super::beam::{Beam, Near};

/// The share of the vectors after which a walk gives up: one in 8. A scan is cheaper then.
const VISITED_SHARE: u32 = 8;
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

impl GraphSearch<'_> {
    /// The `width` most alike that it finds among those that `keeps` keeps, with their cosines, and how many vectors it
    /// looked at; `None` if these became too many.
    pub(in super::super) fn run(
        &self,
        width: usize,
        keeps: impl Fn(u32) -> bool,
    ) -> Option<(Vec<(u32, f32)>, u32)> {
        let (start, descended) = self.descend()?;
        let beam = Beam {
            width,
            visited_max: (self.graph.ordinals / VISITED_SHARE).max(VISITED_MIN),
            seen: &mut Bits::none_of(self.graph.ordinals),
            // A file can only be damaged after it was proved; its numbers must not lead out of the set even then.
            neighbours: |ordinal| {
                self.graph.neighbours(0, ordinal).filter(|ordinal| *ordinal < self.graph.ordinals)
            },
            fetch: |ordinal| self.set.fetch(self.kernel, ordinal),
            near: |ordinal| self.near(ordinal),
            keeps,
        };
        let (found, visited) = beam.walk(start)?;
        let found = found.into_iter().map(|near| (near.ordinal(), near.cosine())).collect();
        Some((found, visited + descended))
    }

    /// The most alike that a greedy walk down to the first layer finds, and how many vectors it looked at.
    fn descend(&self) -> Option<(Near, u32)> {
        let mut visited = 1;
        let mut near = self.near(self.graph.entry)?;
        for level in (1..self.graph.levels()).rev() {
            loop {
                let mut closer = near;
                for ordinal in self.graph.neighbours(level, near.ordinal()) {
                    visited += 1;
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
        Some((near, visited))
    }

    #[inline]
    fn near(&self, ordinal: u32) -> Option<Near> {
        Some(Near::new(self.set.cosine(self.kernel, self.query, ordinal)?, ordinal))
    }
}
