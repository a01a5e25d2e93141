//! What stays over a reopening.

use super::fixture::{DIMENSION, MODEL, World, add, clustered, mean_recall, position, text};
use crate::error::ErrorKind;
use crate::search::vector::{VectorCheckpoint, VectorPath, Vectors};

#[test]
fn everything_flushed_is_found_after_reopening() {
    let world = World::new(300);
    let made = clustered(1, 1_000);
    let mut vectors = world.open(None);
    let checkpoint = add(&mut vectors, &made);
    let before = vectors.reader().nearest(&made[5], None, None, 50, VectorPath::Scan);
    drop(vectors);
    let text = serde_json::to_string(&checkpoint).unwrap();
    let checkpoint: VectorCheckpoint = serde_json::from_str(&text).unwrap();
    let vectors = world.open(Some(&checkpoint));
    assert_eq!(vectors.next(), position(1_001));
    assert_eq!(vectors.reader().nearest(&made[5], None, None, 50, VectorPath::Scan), before);
    assert!(mean_recall(&vectors.reader(), &made, None, VectorPath::Scan) >= 0.95);
}

#[test]
fn what_is_behind_the_checkpoint_is_cut_away_and_written_anew() {
    let made = clustered(1, 1_000);
    for kept in [0, 1, 99, 250, 300, 301, 555] {
        let world = World::new(300);
        let mut vectors = world.open(None);
        let checkpoint = add(&mut vectors, &made[..kept]);
        add(&mut vectors, &made[kept..]);
        drop(vectors);
        let mut vectors = world.open(Some(&checkpoint));
        assert_eq!(vectors.next(), position(kept + 1));
        assert_eq!(vectors.reader().stats().rows, kept as u64);
        assert!(!vectors.contains(text(kept + 1)));
        // Others this time: nothing of the first ones may show through.
        let others = clustered(2, 700);
        let checkpoint = add(&mut vectors, &others);
        let all: Vec<Vec<f32>> = made[..kept].iter().chain(&others).cloned().collect();
        assert!(mean_recall(&vectors.reader(), &all, None, VectorPath::Scan) >= 0.95);
        drop(vectors);
        let reader = world.open(Some(&checkpoint)).reader();
        assert!(mean_recall(&reader, &all, None, VectorPath::Scan) >= 0.95);
    }
}

#[test]
fn a_reader_sees_what_was_flushed_when_it_was_made() {
    let world = World::new(100);
    let made = clustered(1, 400);
    let mut vectors = world.open(None);
    let empty = vectors.reader();
    add(&mut vectors, &made[..150]);
    let pinned = vectors.reader();
    add(&mut vectors, &made[150..]);
    assert!(empty.nearest(&made[0], None, None, 10, VectorPath::Auto).hits.is_empty());
    let found = pinned.nearest(&made[0], None, None, 400, VectorPath::Auto);
    assert_eq!(found.hits.len(), 150);
    assert_eq!(found.hits.iter().map(|hit| hit.position).max(), Some(position(150)));
}

#[test]
fn nothing_is_seen_before_it_is_flushed() {
    let world = World::new(100);
    let mut vectors = world.open(None);
    vectors.add(position(7), text(7), Some(&clustered(1, 1)[0])).unwrap();
    assert_eq!(vectors.reader().stats().rows, 0);
    vectors.flush().unwrap();
    assert_eq!(vectors.reader().stats().rows, 1);
    assert_eq!(vectors.next(), position(8));
}

#[test]
fn another_model_is_refused_by_both_names() {
    let world = World::new(100);
    let checkpoint = add(&mut world.open(None), &clustered(1, 5));
    for (model, dimension) in [("other-model", DIMENSION), (MODEL, DIMENSION + 1)] {
        let opened = Vectors::open(world.options.clone(), world.dir(), model, dimension, Some(&checkpoint));
        let error = opened.err().unwrap();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "other_model"));
        assert!(error.message().contains(MODEL) && error.message().contains(model), "{error}");
    }
}

#[test]
fn a_missing_file_is_damage() {
    let world = World::new(100);
    let checkpoint = add(&mut world.open(None), &clustered(1, 150));
    let files = world.options.disk.list(world.dir()).unwrap();
    for file in files.iter().filter(|file| !file.ends_with("texts")) {
        let elsewhere = file.with_extension("kept");
        world.options.disk.rename(file, &elsewhere).unwrap();
        let opened = Vectors::open(world.options.clone(), world.dir(), MODEL, DIMENSION, Some(&checkpoint));
        let sealed_texts = file.ends_with("000001-00000000000000000001.texts");
        match opened {
            Err(error) => assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "vectors_damaged")),
            // Nothing reads these any more.
            Ok(_) => assert!(sealed_texts, "{} is missing and nobody noticed", file.display()),
        }
        world.options.disk.rename(&elsewhere, file).unwrap();
    }
}

#[test]
fn a_gap_in_the_positions_is_refused() {
    let world = World::new(100);
    let mut vectors = world.open(None);
    vectors.add_none(position(5)).unwrap();
    assert!(vectors.add_none(position(7)).is_err());
}

#[test]
fn everything_can_be_forgotten_to_begin_anew() {
    let world = World::new(100);
    let made = clustered(1, 250);
    let mut vectors = world.open(None);
    let old = add(&mut vectors, &made);
    vectors.forget_all().unwrap();
    let others = clustered(2, 120);
    let mut new = None;
    for (number, vector) in others.iter().enumerate() {
        vectors.add(position(number + 1), text(number + 1), Some(vector)).unwrap();
    }
    new = Some(new.unwrap_or(vectors.flush().unwrap()));
    // Until the new checkpoint is stored, the old one is good.
    drop(vectors);
    let copy = World { root: tempfile::tempdir().unwrap(), options: world.options.clone() };
    for file in world.options.disk.list(world.dir()).unwrap() {
        let to = copy.dir().join(file.file_name().unwrap());
        world.options.disk.hard_link(&file, &to).unwrap();
    }
    assert_eq!(copy.open(Some(&old)).reader().stats().rows, 250);
    let vectors = world.open(new.as_ref());
    assert_eq!(vectors.reader().stats().rows, 120);
    assert!(mean_recall(&vectors.reader(), &others, None, VectorPath::Scan) >= 0.95);
}
