//! The walk that building and searching have in common.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::bits::Bits;
use super::super::format::count;

/// A vector and how like another it is, in the order of the latter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Near(u64);

impl Near {
    /// A vector with its cosine.
    #[inline]
    pub(super) fn new(cosine: f32, ordinal: u32) -> Self {
        // The bits of floats order like numbers once the sign is out of the way.
        let bits = cosine.to_bits();
        let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        Self(u64::from(ordered) << 32 | u64::from(ordinal))
    }

    /// Which vector it is.
    pub(super) fn ordinal(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// How like the other it is.
    pub(super) fn cosine(self) -> f32 {
        let [.., a, b, c, d] = self.0.to_le_bytes();
        let ordered = u32::from_le_bytes([a, b, c, d]);
        f32::from_bits(if ordered >> 31 == 1 { ordered ^ 1 << 31 } else { !ordered })
    }

    /// Whether it is more alike than the other, whatever their ordinals.
    pub(super) fn beats(self, other: Self) -> bool {
        self.0 >> 32 > other.0 >> 32
    }
}

/// A walk through one layer.
pub(super) struct Beam<'a, Neighbours, Fetch, Nearness, Keeps> {
    /// How many it keeps.
    pub(super) width: usize,
    /// After how many vectors it gives up.
    pub(super) visited_max: u32,
    /// Where it was already; empty at first, and as large as there are ordinals.
    pub(super) seen: &'a mut Bits,
    /// Who is next to whom.
    pub(super) neighbours: Neighbours,
    /// Begins to fetch a vector that is looked at soon.
    pub(super) fetch: Fetch,
    /// How like the query a vector is.
    pub(super) near: Nearness,
    /// Whether a vector may be kept; it is walked over in any case.
    pub(super) keeps: Keeps,
}

impl<Neighbours, List, Fetch, Nearness, Keeps> Beam<'_, Neighbours, Fetch, Nearness, Keeps>
where
    Neighbours: Fn(u32) -> List,
    List: Iterator<Item = u32>,
    Fetch: Fn(u32),
    Nearness: Fn(u32) -> Option<Near>,
    Keeps: Fn(u32) -> bool,
{
    /// The most alike that it finds from `start` on, in no order, and how many it looked at; `None` if these became too
    /// many.
    pub(super) fn walk(self, start: Near) -> Option<(Vec<Near>, u32)> {
        let mut visited = 0;
        let mut best: BinaryHeap<Reverse<Near>> = BinaryHeap::with_capacity(self.width + 1);
        let mut next = BinaryHeap::from([start]);
        let mut fresh = Vec::new();
        self.seen.insert(start.ordinal());
        if (self.keeps)(start.ordinal()) {
            best.push(Reverse(start));
        }
        while let Some(near) = next.pop() {
            let worst = if best.len() >= self.width { best.peek().map(|worst| worst.0) } else { None };
            if worst.is_some_and(|worst| worst.beats(near)) {
                break;
            }
            // They lie far from each other: fetched one by one, most of the time would be spent waiting for them.
            fresh.clear();
            for ordinal in (self.neighbours)(near.ordinal()) {
                if self.seen.insert(ordinal) {
                    (self.fetch)(ordinal);
                    fresh.push(ordinal);
                }
            }
            visited += count(fresh.len());
            for ordinal in fresh.iter().copied() {
                let Some(found) = (self.near)(ordinal) else { continue };
                let worst = if best.len() >= self.width { best.peek().map(|worst| worst.0) } else { None };
                if worst.is_some_and(|worst| !found.beats(worst)) {
                    continue;
                }
                next.push(found);
                if (self.keeps)(ordinal) {
                    best.push(Reverse(found));
                    if best.len() > self.width {
                        best.pop();
                    }
                }
            }
            if visited > self.visited_max {
                return None;
            }
        }
        Some((best.into_iter().map(|near| near.0).collect(), visited))
    }
}
