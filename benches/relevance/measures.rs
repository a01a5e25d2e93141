//! nDCG, recall and reciprocal rank, as `trec_eval` computes them.

use std::collections::HashMap;

/// How good one ranking is, or many on average.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measures {
    /// Normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen, 2002): gain is the relevance,
    /// divided by log₂(rank + 1), over that of the best possible order of everything judged.
    pub ndcg_10: f64,
    /// Which share of the relevant documents is among the first hundred.
    pub recall_100: f64,
    /// One divided by the rank of the first relevant document; 0 when none was found.
    pub mrr: f64,
}

impl Measures {
    /// Measures a ranking of documents, the best first.
    pub fn of(ranking: &[usize], judged: &HashMap<usize, u32>) -> Self {
        let relevance = |document: &usize| judged.get(document).copied().unwrap_or(0);
        let mut ideal: Vec<u32> = judged.values().copied().collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        let first = ranking.iter().position(|document| relevance(document) > 0);
        let found = ranking.iter().take(100).filter(|document| relevance(document) > 0).count();
        Self {
            ndcg_10: gain(ranking.iter().map(relevance)) / gain(ideal.iter().copied()),
            recall_100: found as f64 / judged.len() as f64,
            mrr: first.map_or(0.0, |place| 1.0 / (place + 1) as f64),
        }
    }

    /// The mean over rankings, each with its judgements.
    pub fn mean<'j>(rankings: impl Iterator<Item = (Vec<usize>, &'j HashMap<usize, u32>)>) -> Self {
        let (mut sum, mut count) = (Self::default(), 0.0);
        for (ranking, judged) in rankings {
            let one = Self::of(&ranking, judged);
            sum.ndcg_10 += one.ndcg_10;
            sum.recall_100 += one.recall_100;
            sum.mrr += one.mrr;
            count += 1.0;
        }
        Self { ndcg_10: sum.ndcg_10 / count, recall_100: sum.recall_100 / count, mrr: sum.mrr / count }
    }
}

fn gain(relevance: impl Iterator<Item = u32>) -> f64 {
    (2_u32..)
        .zip(relevance.take(10))
        .map(|(discount, gain)| f64::from(gain) / f64::from(discount).log2())
        .sum()
}

/// Compares with a case computed by hand.
pub fn prove() {
    // Judged: 7 → 3, 8 → 2, 9 → 1, 4 → 1. Found: 8, nothing, 7, nothing, 4.
    let judged = HashMap::from([(7, 3), (8, 2), (9, 1), (4, 1)]);
    let found = Measures::of(&[8, 1, 7, 2, 4], &judged);
    // 2/1 + 3/2 + 1/2.584963 = 3.886853; the best: 3/1 + 2/1.584963 + 1/2 + 1/2.321928 = 5.192536.
    close(found.ndcg_10, 3.886_853 / 5.192_536);
    close(found.recall_100, 0.75);
    close(found.mrr, 1.0);

    // Nothing relevant among the first ten, and one of two at rank 12.
    let judged = HashMap::from([(12, 1), (99, 1)]);
    let found = Measures::of(&(1..=50).collect::<Vec<_>>(), &judged);
    close(found.ndcg_10, 0.0);
    close(found.recall_100, 0.5);
    close(found.mrr, 1.0 / 12.0);
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}
