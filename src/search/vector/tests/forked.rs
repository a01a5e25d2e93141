//! Sets on the disk with those of a fork behind them.

use super::fixture::{DIMENSION, World, add, clustered, position};
use crate::event::Position;
use crate::search::vector::{VectorMemory, VectorPath, VectorReader};

/// The vectors of a fork behind a cut, added in two steps.
fn in_memory(cut: usize, vectors: &[Vec<f32>]) -> VectorMemory {
    let mut memory = VectorMemory::new(position(cut + 1), DIMENSION);
    let (first, second) = vectors.split_at(vectors.len() / 2);
    let mut next = cut + 1;
    for part in [first, second] {
        let mut added = memory.begin();
        for vector in part {
            added.add(position(next), vector);
            next += 1;
        }
        memory = added.finish();
    }
    memory
}

fn found(reader: &VectorReader, query: &[f32], through: Option<Position>) -> Vec<(u64, f32)> {
    let found = reader.nearest(query, None, through, 20, VectorPath::Scan);
    found.hits.iter().map(|hit| (hit.position.get(), hit.cosine)).collect()
}

#[test]
fn the_nearest_are_the_same_wherever_they_are() {
    let vectors = clustered(3, 300);
    let (whole, shared) = (World::new(70), World::new(70));
    let mut all = whole.open(None);
    add(&mut all, &vectors);
    let mut main = shared.open(None);
    // What main added behind the cut is not the fork's.
    add(&mut main, &vectors[..200]);
    add(&mut main, &clustered(9, 80));
    let fork = main.reader().with_fork(position(200), &in_memory(200, &vectors[200..]));
    for query in clustered(5, 12) {
        assert_eq!(found(&fork, &query, None), found(&all.reader(), &query, None));
        for through in [150, 200, 230] {
            let through = Some(position(through));
            assert_eq!(found(&fork, &query, through), found(&all.reader(), &query, through));
        }
        let positions = [1, 150, 200, 201, 300, 301].map(position);
        assert_eq!(fork.cosines(&query, &positions), all.reader().cosines(&query, &positions));
        let allowed = [3, 199, 200, 205, 280, 299].map(position).into_iter().collect();
        let within =
            |reader: &VectorReader| reader.nearest(&query, Some(&allowed), None, 4, VectorPath::Auto).hits;
        assert_eq!(within(&fork), within(&all.reader()));
    }
    assert_eq!(fork.vector(position(250)), all.reader().vector(position(250)));
}

#[test]
fn what_says_nothing_is_found_by_nothing() {
    let mut added = VectorMemory::new(position(4), DIMENSION).begin();
    added.add(position(4), &[]);
    added.add(position(6), &clustered(1, 1)[0]);
    let memory = added.finish();
    let main = World::new(10);
    let fork = main.open(None).reader().with_fork(position(3), &memory);
    assert_eq!(found(&fork, &clustered(2, 1)[0], None).iter().map(|hit| hit.0).collect::<Vec<_>>(), [6]);
    assert_eq!(fork.vector(position(5)), None);
    assert!(memory.bytes() > 0);
}
