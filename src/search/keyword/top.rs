//! The best hits of a search.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tantivy::query::Weight;
use tantivy::{DocId, Score, SegmentReader};

use super::narrow::Left;
use super::reader::KeywordHit;

/// How far the score that a search computes on its way may lie below the one that is given: sums of floats depend on their
/// order.
const ROUNDING: f32 = 1e-5;

/// The best hits so far.
pub(super) struct Top {
    depth: usize,
    /// The worst is the greatest.
    hits: BinaryHeap<Ranked>,
}

impl Top {
    /// Keeps the best `depth`.
    pub(super) fn new(depth: usize) -> Self {
        Self { depth, hits: BinaryHeap::new() }
    }

    /// Adds a hit if it is among the best.
    pub(super) fn add(&mut self, hit: KeywordHit) {
        if self.hits.len() < self.depth {
            self.hits.push(Ranked(hit));
        } else if let Some(mut worst) = self.hits.peek_mut()
            && hit.order(&worst.0) == Ordering::Less
        {
            *worst = Ranked(hit);
        }
    }

    /// The hits, the best first.
    pub(super) fn into_hits(self) -> Vec<KeywordHit> {
        self.hits.into_sorted_vec().into_iter().map(|ranked| ranked.0).collect()
    }

    /// The documents of a segment that may belong to the best, in order.
    ///
    /// Documents lie newest first, so one that scores no more than `depth` before it is out, and whole blocks of such are passed over. Against
    /// hits of other segments it has to be worse to be out: these may be older.
    pub(super) fn candidates(
        &self,
        weight: &dyn Weight,
        segment: &SegmentReader,
        left: &Left<'_>,
    ) -> tantivy::Result<Vec<DocId>> {
        let floor = match self.hits.peek() {
            Some(worst) if self.hits.len() >= self.depth => worst.0.score * (1.0 - ROUNDING),
            _ => Score::MIN,
        };
        let mut best: BinaryHeap<Candidate> = BinaryHeap::with_capacity(self.depth.min(1 << 12));
        let mut threshold = floor;
        weight.for_each_pruning(floor, segment, &mut |document, score| {
            if !left.holds(document) {
                return threshold;
            }
            if best.len() >= self.depth {
                best.pop();
            }
            best.push(Candidate { score, document });
            if best.len() >= self.depth {
                threshold = best.peek().map_or(floor, |worst| worst.score.max(floor));
            }
            threshold
        })?;
        let mut documents: Vec<DocId> = best.into_iter().map(|candidate| candidate.document).collect();
        documents.sort_unstable();
        Ok(documents)
    }
}

/// A hit whose greatest is the worst.
struct Ranked(KeywordHit);

/// A document whose greatest is the worst: the lowest score, and of equal ones the oldest.
struct Candidate {
    score: Score,
    document: DocId,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.document.cmp(&other.document))
    }
}

macro_rules! ordered {
    ($($name:ty),*) => {$(
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }

        impl Eq for $name {}
    )*};
}

ordered!(Ranked, Candidate);
