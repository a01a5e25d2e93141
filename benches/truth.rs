//! What an exact search finds, over the numbers as they came.

use allsource::search::vector::VectorFound;

use crate::made::Vectors;

/// How much less than the worst of the best a cosine may be, as ann-benchmarks has it
/// (<https://github.com/erikbern/ann-benchmarks>): which of two texts that say nearly the same comes first is chance.
const TOLERANCE: f32 = 1e-3;
/// What only rounding of exact numbers explains.
const ROUNDING: f32 = 1e-6;

/// How many of the hits are among the best.
#[derive(Clone, Copy, Default)]
pub(crate) struct Recall {
    /// Within the tolerance.
    pub(crate) right: u32,
    /// Without any.
    pub(crate) strict: u32,
    /// How many there could be.
    pub(crate) all: u32,
}

/// The least cosine that is among the best, for each query.
pub(crate) struct Truth {
    /// The filter keeps one position in so many.
    pub(crate) share: u64,
    /// For each query, and how many there are at least as good, up to the depth.
    least: Vec<(f32, u32)>,
}

/// Whether a filter keeps a position.
pub(crate) fn kept(position: u64, share: u64) -> bool {
    // Scattered, but the same ones each time.
    position.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
        & 0xffff_ffff
        < (1 << 32) / share
}

impl Truth {
    /// Looks at every vector, each of which was added so many times.
    pub(crate) fn of(vectors: &Vectors, times: usize, share: u64, depth: usize) -> Self {
        let mut best: Vec<Vec<f32>> = vec![Vec::new(); vectors.queries().len()];
        let mut vector = Vec::new();
        for number in 0..vectors.len() {
            let copies =
                (0..times).filter(|copy| kept((number + copy * vectors.len() + 1) as u64, share)).count();
            if copies == 0 {
                continue;
            }
            vectors.get(number, &mut vector);
            for (best, query) in best.iter_mut().zip(vectors.queries()) {
                let cosine = cosine(&vector, query);
                best.extend(std::iter::repeat_n(cosine, copies));
                if best.len() > 1_000 {
                    best.sort_by(|a, b| b.total_cmp(a));
                    best.truncate(depth);
                }
            }
        }
        let least = |mut best: Vec<f32>| {
            best.sort_by(|a, b| b.total_cmp(a));
            best.truncate(depth);
            (best.last().copied().unwrap_or(1.0), u32::try_from(best.len()).expect("a depth"))
        };
        Self { share, least: best.into_iter().map(least).collect() }
    }

    /// How many of the hits are among the best.
    pub(crate) fn compare(&self, query: usize, found: &VectorFound, vectors: &Vectors) -> Recall {
        let (least, all) = self.least[query];
        let mut vector = Vec::new();
        let mut recall = Recall { all, ..Recall::default() };
        for hit in &found.hits {
            assert!(self.share == 1 || kept(hit.position.get(), self.share), "a hit outside of the filter");
            let number = usize::try_from(hit.position.get() - 1).expect("a position");
            vectors.get(number % vectors.len(), &mut vector);
            let cosine = cosine(&vector, &vectors.queries()[query]);
            recall.right += u32::from(cosine >= least - TOLERANCE);
            recall.strict += u32::from(cosine >= least - ROUNDING);
        }
        recall
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    // Several sums at once, so that the compiler can use wide registers.
    let dot = |a: &[f32], b: &[f32]| -> f32 {
        let mut sums = [0.0; 16];
        for (a, b) in a.chunks(16).zip(b.chunks(16)) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        sums.iter().sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
