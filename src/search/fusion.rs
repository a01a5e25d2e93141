//! How do two rankings become one?
//!
//! By a convex combination of bounded scores: `weight · meaning + (1 − weight) · words`, each from 0 to 1 by bounds that
//! depend on the query and the model alone, never on what else was found (Bruch, Gai, Ingber, *An Analysis of Fusion
//! Functions for Hybrid Retrieval*, ACM TOIS 2023). What only one of them knows counts 0 in the other. Or by reciprocal
//! ranks (Cormack, Clarke, Büttcher, SIGIR 2009), which look at no score.
//!
//! **Invariant:** the order is a function of what was found, whatever the limit: by score, then the newest first.

use super::{KeywordHit, VectorHit};
use crate::event::Position;

/// What the meaning counts in a combination; the words count the rest.
///
/// Chosen on Cranfield, NPL and CACM, of which `benches/README.md` has the table. It is not where each of them is at its best,
/// but in the middle of where all of them are good, with whole questions as keywords (0.2 to 0.4) and with their four
/// rarest words (0.35 to 0.6), with the built-in model and with all-MiniLM-L6-v2 (0.3 to 0.6). At 0.5, whole questions
/// find less with the built-in model than words alone.
pub const MEANING_WEIGHT: f32 = 0.35;
/// Damps the first ranks of reciprocal rank fusion; 60, as in the paper.
const RANK_OFFSET: f32 = 60.0;

/// How two rankings become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    /// A convex combination of scores; the number is the weight of the meaning, from 0 to 1.
    Convex(f32),
    /// Reciprocal ranks.
    ReciprocalRank,
}

impl Default for Fusion {
    fn default() -> Self {
        Self::Convex(MEANING_WEIGHT)
    }
}

/// The bounds between which scores are mapped to 0 to 1.
///
/// Words count by the share that they have of what an event could score at most that holds, again and again, every word
/// of the query that stands anywhere. The best score of the query over the whole index would be no better bound: in the mean of three
/// collections it gave 25 thousandths of nDCG@10 more than words alone against 23 with whole questions as keywords, 74
/// against 98 with their four rarest words, each at its better weight (0.5 and 0.35); and the best of bad matches would be perfect. That a cosine
/// counts from the model's background on, and not from 0, is worth 4 and 12 thousandths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    /// The BM25 score that counts 1; what lies above it does too.
    pub bm25_max: f32,
    /// The cosine that counts 0; what lies below it does too.
    pub cosine_min: f32,
}

/// An event that was found, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The event.
    pub position: Position,
    /// What it is ranked by.
    pub score: f32,
    /// How well the words match: BM25.
    pub bm25: Option<f32>,
    /// How alike the meaning is: the cosine.
    pub cosine: Option<f32>,
    /// Its place among those found by words, from 1.
    pub keyword_rank: Option<u32>,
    /// Its place among those found by meaning, from 1.
    pub meaning_rank: Option<u32>,
}

impl Ranked {
    pub(super) fn at(position: Position) -> Self {
        Self { position, score: 0.0, bm25: None, cosine: None, keyword_rank: None, meaning_rank: None }
    }
}

/// Everything that either found, each event once and without a score yet.
pub(crate) fn join(keyword: &[KeywordHit], meaning: &[VectorHit]) -> Vec<Ranked> {
    let by_words = (1..).zip(keyword).map(|(rank, hit)| Ranked {
        bm25: Some(hit.score),
        keyword_rank: Some(rank),
        ..Ranked::at(hit.position)
    });
    let by_meaning = (1..).zip(meaning).map(|(rank, hit)| Ranked {
        cosine: Some(hit.cosine),
        meaning_rank: Some(rank),
        ..Ranked::at(hit.position)
    });
    let mut all: Vec<Ranked> = by_words.chain(by_meaning).collect();
    all.sort_by_key(|one| one.position);
    all.dedup_by(|later, first| {
        let is_same = later.position == first.position;
        if is_same {
            first.bm25 = first.bm25.or(later.bm25);
            first.cosine = first.cosine.or(later.cosine);
            first.keyword_rank = first.keyword_rank.or(later.keyword_rank);
            first.meaning_rank = first.meaning_rank.or(later.meaning_rank);
        }
        is_same
    });
    all
}

/// Scores what was found, and puts the best first; of those that are equally good, the newest.
pub(crate) fn rank(found: &mut [Ranked], fusion: Fusion, bounds: Bounds) {
    for one in &mut *found {
        one.score = match fusion {
            Fusion::Convex(weight) => {
                let words = one.bm25.map_or(0.0, |bm25| bounded(bm25, 0.0, bounds.bm25_max));
                let meaning = one.cosine.map_or(0.0, |cosine| bounded(cosine, bounds.cosine_min, 1.0));
                weight * meaning + (1.0 - weight) * words
            }
            Fusion::ReciprocalRank => reciprocal(one.keyword_rank) + reciprocal(one.meaning_rank),
        };
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.position.cmp(&a.position)));
}

fn bounded(score: f32, min: f32, max: f32) -> f32 {
    if max > min { ((score - min) / (max - min)).clamp(0.0, 1.0) } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "ranks are counted in hundreds")]
fn reciprocal(rank: Option<u32>) -> f32 {
    rank.map_or(0.0, |rank| 1.0 / (RANK_OFFSET + rank as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { bm25_max: 10.0, cosine_min: 0.2 };

    fn words(hits: &[(u64, f32)]) -> Vec<KeywordHit> {
        hits.iter()
            .map(|(position, score)| KeywordHit { position: Position::new(*position), score: *score })
            .collect()
    }

    fn meaning(hits: &[(u64, f32)]) -> Vec<VectorHit> {
        hits.iter()
            .map(|(position, cosine)| VectorHit { position: Position::new(*position), cosine: *cosine })
            .collect()
    }

    #[track_caller]
    fn check(fusion: Fusion, keyword: &[(u64, f32)], vectors: &[(u64, f32)], expected: &[u64]) {
        let mut found = join(&words(keyword), &meaning(vectors));
        rank(&mut found, fusion, BOUNDS);
        let order: Vec<u64> = found.iter().map(|one| one.position.get()).collect();
        assert_eq!(order, expected, "{found:?}");
    }

    #[test]
    fn what_both_find_is_joined_with_both_scores() {
        let found = join(&words(&[(7, 3.0), (1, 2.0)]), &meaning(&[(1, 0.9)]));
        let one = found.first().expect("two events");
        assert_eq!((one.position.get(), one.bm25, one.cosine), (1, Some(2.0), Some(0.9)));
        assert_eq!((one.keyword_rank, one.meaning_rank), (Some(2), Some(1)));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_missing_leg_counts_nothing_and_earns_nothing() {
        // (0.5·0.75 = 0.375) beats (0.5·0.5 = 0.25); the third has both: 0.25 + 0.1 = 0.35.
        check(Fusion::Convex(0.5), &[(1, 5.0), (3, 2.0)], &[(2, 0.8), (3, 0.6)], &[2, 3, 1]);
    }

    /// A single hit was once normalised by its own score, and got 0.
    #[test]
    fn a_single_hit_keeps_its_score() {
        let mut found = join(&words(&[(1, 5.0)]), &[]);
        rank(&mut found, Fusion::Convex(0.5), BOUNDS);
        assert!(found.first().is_some_and(|one| (one.score - 0.25).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn of_equals_the_newest_comes_first() {
        check(Fusion::Convex(0.5), &[(1, 5.0), (9, 5.0), (4, 5.0)], &[], &[9, 4, 1]);
        check(Fusion::ReciprocalRank, &[(1, 5.0)], &[(2, 0.9)], &[2, 1]);
    }

    #[test]
    fn reciprocal_ranks_look_at_no_score() {
        check(Fusion::ReciprocalRank, &[(1, 90.0), (2, 1.0)], &[(2, 0.3), (3, 0.2)], &[2, 1, 3]);
    }

    #[test]
    fn scores_beyond_a_bound_count_as_the_bound() {
        check(Fusion::Convex(0.5), &[(1, 99.0), (2, 10.0)], &[(1, -1.0), (2, 0.1)], &[2, 1]);
    }
}
