//! What is noticed of damaged files.

use std::sync::atomic::AtomicBool;

use super::fixture::{DIMENSION, World, add, clustered, mean_recall, position};
use crate::search::vector::{GraphStep, VectorCheckpoint, VectorPath, verify};

/// Changes a byte of a file of the first set.
fn damage(world: &World, ending: &str, offset: u64) {
    let path = world.dir().join("000001-00000000000000000001").with_extension(ending);
    let file = world.options.disk.open(&path, true).unwrap();
    let old = file.map().unwrap()[usize::try_from(offset).unwrap()];
    file.write_all_at(&[old ^ 0x55], offset).unwrap();
}

fn check(ending: &str, offset: u64, expected: (u64, u64, u64)) {
    let world = World::new(100);
    let checkpoint = add(&mut world.open(None), &clustered(1, 250));
    let verified =
        |checkpoint: &VectorCheckpoint| verify(world.options.disk.as_ref(), world.dir(), checkpoint);
    assert_eq!(verified(&checkpoint), []);
    damage(&world, ending, offset);
    let found = verified(&checkpoint);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].file, format!("000001-00000000000000000001.{ending}"));
    assert_eq!((found[0].offset, found[0].first.get(), found[0].last.get()), expected);
    // It may be wrong now, but it ends.
    let reader = world.open(Some(&checkpoint)).reader();
    reader.nearest(&clustered(1, 1)[0], None, None, 10, VectorPath::Scan);
}

#[test]
fn a_damaged_vector_is_found_where_it_is() {
    let bytes = 4 + DIMENSION as u64;
    check("vectors", 0, (0, 1, 1));
    check("vectors", 17 * bytes + 9, (17 * bytes, 18, 18));
}

#[test]
fn a_damaged_sketch_is_found_where_it_is() {
    check("sketches", 99 * 8 + 7, (99 * 8, 100, 100));
}

#[test]
fn a_damaged_row_is_found_where_it_is() {
    check("rows", 8 * 40, (8 * 40, 41, 41));
    check("rows", 8 * 40 + 6, (8 * 40, 41, 41));
}

#[test]
fn a_damaged_last_row_is_found_where_it_is() {
    check("last", 4 * 30 + 1, (4 * 30, 31, 31));
}

#[test]
fn a_damaged_text_is_known_by_its_file() {
    check("texts", 55, (0, 1, 100));
}

#[test]
fn a_missing_file_is_told() {
    let world = World::new(100);
    let checkpoint = add(&mut world.open(None), &clustered(1, 250));
    let path = world.dir().join("000001-00000000000000000001.rows");
    world.options.disk.remove(&path).unwrap();
    let found = verify(world.options.disk.as_ref(), world.dir(), &checkpoint);
    assert!(found.iter().any(|damage| damage.file == "000001-00000000000000000001.rows"), "{found:?}");
}

#[test]
fn a_damaged_graph_is_ignored_and_built_anew() {
    let world = World::new(500);
    let made = clustered(1, 600);
    let mut vectors = world.open(None);
    let checkpoint = add(&mut vectors, &made);
    let stop = AtomicBool::new(false);
    assert!(matches!(vectors.graphs().step(&stop).unwrap(), GraphStep::Built { vectors: 500, .. }));
    drop(vectors);
    for offset in [0, 9, 20, 40, 4_000] {
        damage(&world, "graph", offset);
        let vectors = world.open(Some(&checkpoint));
        assert!(matches!(vectors.graphs().step(&stop).unwrap(), GraphStep::Built { vectors: 500, .. }));
        assert_eq!(vectors.graphs().step(&stop).unwrap(), GraphStep::Nothing);
        assert!(mean_recall(&vectors.reader(), &made, None, VectorPath::Graph) >= 0.95);
    }
    let vectors = world.open(Some(&checkpoint));
    assert_eq!(vectors.graphs().step(&stop).unwrap(), GraphStep::Loaded);
    assert_eq!(vectors.reader().stats().rows, 600);
    assert_eq!(vectors.next(), position(601));
}
