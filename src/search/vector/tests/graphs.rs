//! What graphs find.

use std::sync::atomic::AtomicBool;

use super::fixture::{World, add, clustered, mean_recall, position, text};
use crate::event::Position;
use crate::search::positions::PositionSet;
use crate::search::vector::{GraphStep, VectorPath, Vectors};

/// Makes all graphs that can be made; gives how many.
fn make(vectors: &Vectors) -> usize {
    let stop = AtomicBool::new(false);
    (0..100).find(|_| vectors.graphs().step(&stop).unwrap() == GraphStep::Nothing).unwrap()
}

#[test]
fn graphs_and_a_scan_of_the_rest_find_the_nearest() {
    let world = World::new(1_000);
    let made = clustered(1, 3_500);
    let mut vectors = world.open(None);
    let checkpoint = add(&mut vectors, &made);
    assert_eq!(make(&vectors), 3);
    let check = |vectors: &Vectors| {
        let reader = vectors.reader();
        assert_eq!(reader.stats().graphs, 3);
        assert!(mean_recall(&reader, &made, None, VectorPath::Graph) >= 0.95);
        let found = reader.nearest(&made[9], None, None, 10, VectorPath::Graph);
        assert_eq!((found.path, found.work.graphs), ("graph+scan", 3));
        assert_eq!(found.hits[0].position, position(10));
        for share in [2, 9] {
            let allowed: PositionSet =
                (1..=3_500).filter(|number| number % share == 1).map(Position::new).collect();
            assert!(mean_recall(&reader, &made, Some(&allowed), VectorPath::Graph) >= 0.95);
        }
        let few: PositionSet = (1..=3_500).step_by(50).map(Position::new).collect();
        let found = reader.nearest(&made[9], Some(&few), None, 10, VectorPath::Graph);
        assert_eq!((found.path, found.hits.len()), ("scan", 10));
    };
    check(&vectors);
    drop(vectors);
    let vectors = world.open(Some(&checkpoint));
    assert_eq!(vectors.reader().stats().graphs, 0);
    assert_eq!(make(&vectors), 3);
    check(&vectors);
}

#[test]
fn every_vector_is_found_by_itself_also_among_duplicates() {
    let world = World::new(600);
    let made = clustered(5, 600);
    let mut vectors = world.open(None);
    // Nine of ten events repeat an old text; and all texts come in three spellings with one vector.
    for number in 1..=2_400_usize {
        let which = if number % 4 == 0 { number / 4 - 1 } else { number % 7 };
        let text = text(which * 3 + number % 3);
        let vector = made[which].as_slice();
        vectors.add(position(number), text, Some(vector)).unwrap();
    }
    vectors.flush().unwrap();
    assert_eq!(make(&vectors), 1);
    let reader = vectors.reader();
    for vector in &made {
        let found = reader.nearest(vector, None, None, 1, VectorPath::Graph);
        assert_eq!(found.path, "graph");
        assert!(found.hits[0].cosine > 0.999, "{found:?}");
    }
}

#[test]
fn a_position_bound_and_emptied_rows_hold_for_graphs_too() {
    let world = World::new(1_000);
    let made = clustered(1, 1_000);
    let mut vectors = world.open(None);
    add(&mut vectors, &made);
    assert_eq!(make(&vectors), 1);
    let gone: PositionSet = [10, 11, 12].into_iter().map(Position::new).collect();
    vectors.forget(&gone).unwrap();
    vectors.flush().unwrap();
    let reader = vectors.reader();
    let found = reader.nearest(&made[9], None, None, 50, VectorPath::Graph);
    assert_eq!(found.path, "graph");
    assert!(found.hits.iter().all(|hit| !gone.contains(hit.position)));
    let found = reader.nearest(&made[9], None, Some(position(500)), 50, VectorPath::Graph);
    assert_eq!((found.path, found.hits.len()), ("graph", 50));
    assert!(found.hits.iter().all(|hit| hit.position <= position(500)));
}

#[test]
fn no_graph_is_built_beyond_the_memory_it_may_take() {
    let mut world = World::new(200);
    world.options.graph_memory_bytes_max = 200 * 1_100;
    let mut vectors = world.open(None);
    add(&mut vectors, &clustered(1, 1_000));
    let built = make(&vectors);
    assert!((1..5).contains(&built), "{built}");
    assert!(vectors.reader().stats().graph_bytes <= world.options.graph_memory_bytes_max);
}

#[test]
fn a_builder_that_is_told_to_stop_does() {
    let world = World::new(200);
    let mut vectors = world.open(None);
    add(&mut vectors, &clustered(1, 300));
    let stopped = vectors.graphs().step(&AtomicBool::new(true)).unwrap();
    assert_eq!(stopped, GraphStep::Stopped);
}

#[test]
fn the_same_vectors_give_the_same_graph() {
    let graph = || {
        let world = World::new(300);
        let mut vectors = world.open(None);
        add(&mut vectors, &clustered(1, 300));
        assert_eq!(make(&vectors), 1);
        let path = world.dir().join("000001-00000000000000000001.graph");
        world.options.disk.open(&path, false).unwrap().map().unwrap()
    };
    assert!(graph() == graph());
}
