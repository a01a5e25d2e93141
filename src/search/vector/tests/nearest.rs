//! What a search finds.

use super::fixture::{DIMENSION, World, add, clustered, mean_recall, position, text};
use crate::event::Position;
use crate::search::positions::PositionSet;
use crate::search::vector::VectorPath;
use crate::search::vector::kernel::{BLOCK, Kernel};
use crate::search::vector::quantise::{Quantised, Query};

fn check(world: &World, count: usize, allowed: Option<&PositionSet>) {
    let vectors = clustered(1, count);
    let mut written = world.open(None);
    add(&mut written, &vectors);
    let recall = mean_recall(&written.reader(), &vectors, allowed, VectorPath::Scan);
    assert!(recall >= 0.95, "recall {recall}");
}

#[test]
fn a_scan_of_codes_finds_the_nearest_over_several_sets() {
    check(&World::new(1_000), 4_000, None);
}

#[test]
fn a_scan_of_sketches_finds_the_nearest() {
    check(&World::new(10_000), 24_000, None);
}

#[test]
fn a_filter_applies_inside_the_search() {
    for share in [2, 10, 100, 1_000] {
        let allowed: PositionSet =
            (1..=4_000).filter(|number| number % share == 1).map(Position::new).collect();
        check(&World::new(1_000), 4_000, Some(&allowed));
    }
}

#[test]
fn a_filter_that_leaves_one_event_finds_that_one() {
    let world = World::new(50);
    let mut vectors = world.open(None);
    add(&mut vectors, &clustered(1, 200));
    for number in [1, 50, 51, 77, 200] {
        let allowed = PositionSet::from_iter([position(number)]);
        let found = vectors.reader().nearest(&clustered(2, 1)[0], Some(&allowed), None, 10, VectorPath::Auto);
        assert_eq!(found.hits.iter().map(|hit| hit.position).collect::<Vec<_>>(), [position(number)]);
    }
}

#[test]
fn equal_texts_share_a_vector_and_the_newest_comes_first() {
    let world = World::new(1_000);
    let mut vectors = world.open(None);
    let made = clustered(1, 10);
    for number in 1..=500 {
        let which = number % 10;
        let known = vectors.contains(text(which));
        assert_eq!(known, number > 10);
        let vector = (!known).then_some(made[which].as_slice());
        vectors.add(position(number), text(which), vector).unwrap();
    }
    vectors.flush().unwrap();
    let reader = vectors.reader();
    assert_eq!(reader.stats().vectors, 10);
    let found = reader.nearest(&made[3], None, None, 4, VectorPath::Scan);
    assert_eq!(positions(&found.hits), [493, 483, 473, 463]);
    assert!(found.hits.iter().all(|hit| hit.cosine > 0.999));
    let found = reader.nearest(&made[3], None, Some(position(250)), 2, VectorPath::Scan);
    assert_eq!(positions(&found.hits), [243, 233]);
    let allowed: PositionSet = [13, 14, 133].into_iter().map(Position::new).collect();
    let found = reader.nearest(&made[3], Some(&allowed), None, 9, VectorPath::Scan);
    assert_eq!(positions(&found.hits), [133, 13, 14]);
}

fn positions(hits: &[crate::search::vector::VectorHit]) -> Vec<u64> {
    hits.iter().map(|hit| hit.position.get()).collect()
}

#[test]
fn different_texts_with_one_vector_share_it() {
    let world = World::new(1_000);
    let mut vectors = world.open(None);
    let made = clustered(1, 1);
    for number in 1..=50 {
        vectors.add(position(number), text(number), Some(&made[0])).unwrap();
    }
    vectors.flush().unwrap();
    assert_eq!(vectors.reader().stats().vectors, 1);
    assert!(vectors.contains(text(17)));
}

#[test]
fn events_without_a_vector_are_passed_over() {
    let world = World::new(1_000);
    let mut vectors = world.open(None);
    let made = clustered(1, 2);
    vectors.add_none(position(1)).unwrap();
    vectors.add(position(2), text(2), Some(&made[0])).unwrap();
    vectors.add(position(3), text(3), Some(&[0.0; DIMENSION])).unwrap();
    vectors.add(position(4), text(4), Some(&[f32::NAN; DIMENSION])).unwrap();
    assert!(vectors.contains(text(3)));
    vectors.add(position(5), text(3), None).unwrap();
    vectors.flush().unwrap();
    let reader = vectors.reader();
    let found = reader.nearest(&made[1], None, None, 10, VectorPath::Auto);
    assert_eq!(positions(&found.hits), [2]);
    assert_eq!(reader.stats().rows, 5);
    let cosines = reader.cosines(&made[0], &[1, 2, 3, 4, 5, 6].map(position));
    assert!(cosines[1].is_some_and(|cosine| cosine > 0.999));
    assert_eq!(cosines.iter().flatten().count(), 1);
    assert_eq!(reader.vector(position(3)), None);
    let restored = reader.vector(position(2)).unwrap();
    assert!(super::fixture::cosine(&restored, &made[0]) > 0.999);
    for nothing in [vec![0.0; DIMENSION], vec![1.0; 3], vec![f32::INFINITY; DIMENSION]] {
        assert!(reader.nearest(&nothing, None, None, 10, VectorPath::Auto).hits.is_empty());
    }
}

#[test]
fn emptied_events_are_not_found_and_leave_no_hole() {
    let world = World::new(100);
    let mut vectors = world.open(None);
    let made = clustered(1, 250);
    add(&mut vectors, &made);
    let pinned = vectors.reader();
    let gone: PositionSet = (1..=240).chain([999]).map(Position::new).collect();
    vectors.forget(&gone).unwrap();
    let checkpoint = vectors.flush().unwrap();
    let check = |reader: &crate::search::vector::VectorReader| {
        let found = reader.nearest(&made[7], None, None, 20, VectorPath::Auto);
        assert_eq!(found.hits.len(), 10);
        assert!(found.hits.iter().all(|hit| hit.position > position(240)));
        assert_eq!(reader.vector(position(8)), None);
        let found = reader.nearest(&made[7], None, Some(position(243)), 20, VectorPath::Auto);
        assert_eq!(found.hits.len(), 3);
    };
    check(&vectors.reader());
    assert_eq!(pinned.nearest(&made[7], None, None, 1, VectorPath::Scan).hits[0].position, position(8));
    drop(vectors);
    check(&world.open(Some(&checkpoint)).reader());
}

#[test]
fn every_form_of_a_loop_gives_the_same_numbers() {
    for dimension in [1_usize, 15, 64, 100, 256, 384, 1_000] {
        let made: Vec<Vec<f32>> = clustered(3, BLOCK * dimension.div_ceil(DIMENSION))
            .chunks(dimension.div_ceil(DIMENSION))
            .map(|parts| parts.concat()[..dimension].to_vec())
            .take(BLOCK)
            .collect();
        let query = Query::of(&made[0]).unwrap();
        let stored: Vec<Quantised> = made.iter().map(|vector| Quantised::of(vector).unwrap()).collect();
        let sketches: Vec<u8> = stored.iter().flat_map(|stored| stored.sketch.clone()).collect();
        let (mut plain, mut best) = ([0; BLOCK], [0; BLOCK]);
        Kernel::Plain.distances(&query.sketch, &sketches, &mut plain);
        Kernel::best().distances(&query.sketch, &sketches, &mut best);
        assert_eq!(plain, best);
        for stored in &stored {
            let (codes, first) = (&stored.vector[4..], &stored.vector[4..]);
            assert_eq!(Kernel::Plain.dot(&query.numbers, codes), Kernel::best().dot(&query.numbers, codes));
            assert_eq!(Kernel::Plain.dot_codes(first, codes), Kernel::best().dot_codes(first, codes));
        }
    }
}
