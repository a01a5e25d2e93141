//! Vectors that lie in clusters, as those of real texts do, and the truth about them.

use std::path::Path;

use tempfile::TempDir;

use crate::clock::{IdSource, SeededIds, SystemClock};
use crate::event::Position;
use crate::search::positions::PositionSet;
use crate::search::vector::{
    TextHash, VectorCheckpoint, VectorFound, VectorOptions, VectorPath, VectorReader, Vectors,
};
use crate::store::disk::RealDisk;

pub(super) const DIMENSION: usize = 64;
pub(super) const MODEL: &str = "test-model";

/// Vectors around a few centres, the same ones for the same seed.
pub(super) fn clustered(seed: u64, count: usize) -> Vec<Vec<f32>> {
    let ids = SeededIds::new(seed);
    let uniform = || f32::from(u16::try_from(ids.next_u64() >> 48).unwrap()) / 65_536.0 - 0.5;
    let bell = || uniform() + uniform() + uniform() + uniform();
    let centres: Vec<Vec<f32>> = (0..=count / 50).map(|_| (0..DIMENSION).map(|_| bell()).collect()).collect();
    let around = |centre: &Vec<f32>| centre.iter().map(|number| number + 0.7 * bell()).collect();
    (0..count).map(|i| around(&centres[i * 7 % centres.len()])).collect()
}

pub(super) fn text(number: usize) -> TextHash {
    TextHash::of(&format!("text {number}"))
}

pub(super) fn position(number: usize) -> Position {
    Position::new(number as u64)
}

/// A directory of vectors, and limits small enough for a test.
pub(super) struct World {
    pub(super) root: TempDir,
    pub(super) options: VectorOptions,
}

impl World {
    pub(super) fn new(set_vectors_max: usize) -> Self {
        let options = VectorOptions {
            set_vectors_max,
            graph_vectors_min: 50,
            ..VectorOptions::new(std::sync::Arc::new(RealDisk), SystemClock::shared())
        };
        Self { root: tempfile::tempdir().unwrap(), options }
    }

    pub(super) fn dir(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn open(&self, checkpoint: Option<&VectorCheckpoint>) -> Vectors {
        Vectors::open(self.options.clone(), self.dir(), MODEL, DIMENSION, checkpoint).unwrap()
    }
}

/// Adds the vectors as texts of their own, behind what is there, with a flush at times.
pub(super) fn add(vectors: &mut Vectors, added: &[Vec<f32>]) -> VectorCheckpoint {
    for (number, vector) in added.iter().enumerate() {
        let position = vectors.next();
        let text = text(usize::try_from(position.get()).unwrap());
        vectors.add(position, text, Some(vector)).unwrap();
        if number % 100 == 99 {
            vectors.flush().unwrap();
        }
    }
    vectors.flush().unwrap()
}

pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The share of the found events that are as good as the truth's: `vectors[i]` is the vector of position i + 1.
pub(super) fn recall(
    found: &VectorFound,
    vectors: &[Vec<f32>],
    query: &[f32],
    allowed: Option<&PositionSet>,
    depth: usize,
) -> f64 {
    let mut truth: Vec<f32> = (1..)
        .zip(vectors)
        .filter(|(number, _)| allowed.is_none_or(|allowed| allowed.contains(Position::new(*number))))
        .map(|(_, vector)| cosine(vector, query))
        .collect();
    truth.sort_by(|a, b| b.total_cmp(a));
    truth.truncate(depth);
    let least = truth.last().copied().unwrap_or(f32::INFINITY) - 1e-6;
    let good = found.hits.iter().filter(|hit| {
        let number = usize::try_from(hit.position.get()).unwrap();
        assert!(allowed.is_none_or(|allowed| allowed.contains(hit.position)), "a hit outside of the filter");
        cosine(&vectors[number - 1], query) >= least
    });
    share(good.count(), truth.len())
}

/// The mean recall@10 over queries near the vectors.
pub(super) fn mean_recall(
    reader: &VectorReader,
    vectors: &[Vec<f32>],
    allowed: Option<&PositionSet>,
    path: VectorPath,
) -> f64 {
    let queries = clustered(77, 40);
    let of = |query: &Vec<f32>| {
        let near: Vec<f32> =
            query.iter().zip(&vectors[vectors.len() / 3]).map(|(query, near)| query + 0.5 * near).collect();
        let found = reader.nearest(&near, allowed, None, 10, path);
        recall(&found, vectors, &near, allowed, 10)
    };
    queries.iter().map(of).sum::<f64>() / share(queries.len(), 1)
}

fn share(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
}
