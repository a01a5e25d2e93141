//! The exact path: every vector that may be found is looked at.
//!
//! Few are scored at once. Of many, the sketches are compared first, which read an eighth of the bytes, and the nearest
//! fiftieth is scored. Which ones these are is decided by counting how many sketches lie at each distance, so it takes one
//! pass, and does not depend on how the vectors are spread over sets.

use super::bits::numbers;
use super::found::Work;
use super::kernel::{BLOCK, Kernel};
use super::quantise::Query;
use super::scope::Scope;

/// Up to how many vectors are scored without a look at their sketches: 20,000.
pub(super) const DIRECT_MAX: u64 = 20_000;
/// The share of the vectors whose sketches are nearest that is scored: one in 50, the 2 %.
const SCORED_SHARE: u64 = 50;
/// The least number that is scored: 3,000.
const SCORED_MIN: u64 = 3_000;
/// The dimension from which on these hold: 256. Of shorter vectors, whose sketches tell less and whose codes are read
/// sooner, as many bytes are scored.
const SCORED_DIMENSION: u64 = 256;
/// How many vectors ahead of the one that is scored are fetched: 12.
const AHEAD: usize = 12;
/// About how many sketches are compared to guess up to which distance the nearest reach: 8,192.
const SAMPLE: u64 = 8_192;

/// A vector that was scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    /// How like the query it is.
    pub(super) cosine: f32,
    /// The number of its scope.
    pub(super) scope: u32,
    /// Its ordinal.
    pub(super) ordinal: u32,
}

/// A scan over scopes, each with its number.
pub(super) struct Scan<'a> {
    /// The loops.
    pub(super) kernel: Kernel,
    /// What is looked for.
    pub(super) query: &'a Query,
    /// Where.
    pub(super) scopes: &'a [(u32, &'a Scope<'a>)],
}

/// A vector whose sketch is near.
#[derive(Clone, Copy)]
struct Near {
    distance: u16,
    /// The place of its scope in the list.
    place: u32,
    ordinal: u32,
}

impl Scan<'_> {
    /// Scores the vectors that can be among the best.
    pub(super) fn run(&self, work: &mut Work) -> Vec<Scored> {
        let all: u64 = self.scopes.iter().map(|(_, scope)| scope.count).sum();
        work.scanned += all;
        let scored = if all <= DIRECT_MAX { self.direct() } else { self.sketched(all) };
        work.rescored += scored.len() as u64;
        scored
    }

    fn direct(&self) -> Vec<Scored> {
        let mut all = Vec::new();
        for (place, (_, scope)) in (0..).zip(self.scopes) {
            for block in 0..scope.blocks() {
                let of = |bit| Near { distance: 0, place, ordinal: first_of(block) + bit };
                all.extend(numbers(scope.word(block)).map(of));
            }
        }
        self.scored(&all)
    }

    fn sketched(&self, all: u64) -> Vec<Scored> {
        let dimension = (self.query.numbers.len() as u64).clamp(1, SCORED_DIMENSION);
        let wanted = (all / SCORED_SHARE).max(SCORED_MIN) * SCORED_DIMENSION / dimension;
        let mut limit = self.guess(all, wanted);
        loop {
            let near = self.near(limit);
            if near.len() as u64 >= wanted || usize::from(limit) >= self.query.numbers.len() {
                return self.nearest(&near, wanted);
            }
            limit += 1 + limit / 8;
        }
    }

    /// The distance up to which, by a sample, somewhat more than the wanted number lie.
    fn guess(&self, all: u64, wanted: u64) -> u16 {
        let step = usize::try_from(all / SAMPLE).unwrap_or(1).clamp(1, 64);
        let mut counts = self.counts();
        let mut seen = 0;
        self.blocks(step, |_, _, distances, word| {
            for bit in numbers(word) {
                count_at(&mut counts, distances, bit);
            }
            seen += u64::from(word.count_ones());
        });
        // A quarter more than its share, and room for chance in a small one.
        let share = (wanted * seen / all) * 5 / 4 + 16;
        reaching(&counts, share)
    }

    /// All whose sketch is no farther than that, in order of scopes and ordinals.
    fn near(&self, limit: u16) -> Vec<Near> {
        let mut near = Vec::new();
        self.blocks(1, |place, base, distances, word| {
            let mut close = 0;
            for (bit, distance) in distances.iter().enumerate() {
                close |= u64::from(*distance <= limit) << bit;
            }
            for bit in numbers(close & word) {
                let distance = distances.get(bit as usize).copied().unwrap_or(u16::MAX);
                near.push(Near { distance, place, ordinal: base + bit });
            }
        });
        near
    }

    /// Scores the nearest: the wanted number, and all that are no farther than the last of these.
    fn nearest(&self, near: &[Near], wanted: u64) -> Vec<Scored> {
        let mut counts = self.counts();
        for near in near {
            if let Some(count) = counts.get_mut(usize::from(near.distance)) {
                *count += 1;
            }
        }
        let limit = reaching(&counts, wanted);
        let nearest: Vec<Near> = near.iter().filter(|near| near.distance <= limit).copied().collect();
        self.scored(&nearest)
    }

    /// Scores all of these.
    fn scored(&self, all: &[Near]) -> Vec<Scored> {
        let mut scored = Vec::with_capacity(all.len());
        for (number, near) in all.iter().enumerate() {
            // They lie far from each other: without this, most of the time is spent waiting for them.
            if let Some(ahead) = all.get(number + AHEAD)
                && let Some((_, scope)) = self.scopes.get(ahead.place as usize)
            {
                scope.set.fetch(self.kernel, ahead.ordinal);
            }
            let Some((number, scope)) = self.scopes.get(near.place as usize) else { continue };
            let cosine = scope.set.cosine(self.kernel, self.query, near.ordinal);
            scored.extend(cosine.map(|cosine| Scored { cosine, scope: *number, ordinal: near.ordinal }));
        }
        scored
    }

    /// Compares the sketches of one block of 64 in `step`: the place of the scope, the first ordinal, the distances, and
    /// which of them may be found.
    fn blocks(&self, step: usize, mut block: impl FnMut(u32, u32, &[u16; BLOCK], u64)) {
        let mut distances = [0; BLOCK];
        for (place, (_, scope)) in (0..).zip(self.scopes) {
            let bytes = scope.set.shape.sketch_bytes() * BLOCK;
            let sketches = scope.set.sketches.chunks(bytes).take(scope.blocks());
            for (number, sketches) in sketches.enumerate().step_by(step) {
                let word = scope.word(number);
                if word != 0 {
                    self.kernel.distances(&self.query.sketch, sketches, &mut distances);
                    block(place, first_of(number), &distances, word);
                }
            }
        }
    }

    /// A count of none at each distance.
    fn counts(&self) -> Vec<u64> {
        vec![0; self.query.numbers.len() + 1]
    }
}

/// The first ordinal of a block.
fn first_of(number: usize) -> u32 {
    super::format::count(number * BLOCK)
}

fn count_at(counts: &mut [u64], distances: &[u16; BLOCK], bit: u32) {
    let distance = distances.get(bit as usize).copied().unwrap_or(0);
    if let Some(count) = counts.get_mut(usize::from(distance)) {
        *count += 1;
    }
}

/// The least distance up to which at least `wanted` lie.
fn reaching(counts: &[u64], wanted: u64) -> u16 {
    let mut sum = 0;
    let reached = counts.iter().position(|count| {
        sum += count;
        sum >= wanted
    });
    u16::try_from(reached.unwrap_or(counts.len())).unwrap_or(u16::MAX)
}
