//! Searches over some of the events.

use super::*;
use crate::event::NamePattern;
use crate::search::positions::PositionSet;

fn some_events() -> Vec<Event> {
    (1..=20)
        .map(|position| {
            let kind = if position % 2 == 0 { "order.placed" } else { "order.paid" };
            let entity = format!("order-{}", position % 5);
            event(position, &entity, kind, r#"{"t":"parcel"}"#)
        })
        .collect()
}

#[track_caller]
fn check(reader: &KeywordReader, narrow: &Narrow, expected: &[u64]) {
    let hits = reader.search(&query("parcel"), narrow, 100).expect("a search");
    let mut positions: Vec<u64> = hits.iter().map(|hit| hit.position.get()).collect();
    positions.sort_unstable();
    assert_eq!(positions, expected, "{narrow:?}");
    let left = reader.positions(narrow).expect("positions");
    assert_eq!(left.iter().map(Position::get).collect::<Vec<_>>(), expected, "{narrow:?}");
    assert_eq!(reader.count(&query("parcel"), narrow).expect("a count"), expected.len() as u64);
}

#[test]
fn each_member_narrows() {
    let (_dir, reader) = indexed(&some_events(), 7);
    let time = |position: i64| Some(Timestamp::from_micros(position * 1_000));
    let any = Narrow::default();
    check(&reader, &any, &(1..=20).collect::<Vec<_>>());
    let pattern = |text| Some(NamePattern::parse(text));
    check(&reader, &Narrow { entity_id: pattern("order-3"), ..any.clone() }, &[3, 8, 13, 18]);
    check(&reader, &Narrow { entity_id: pattern("order"), ..any.clone() }, &[]);
    check(
        &reader,
        &Narrow { event_type: pattern("order.pl*"), ..any.clone() },
        &[2, 4, 6, 8, 10, 12, 14, 16, 18, 20],
    );
    check(&reader, &Narrow { since: time(19), ..any.clone() }, &[19, 20]);
    check(&reader, &Narrow { until: time(3), ..any.clone() }, &[1, 2]);
    check(&reader, &Narrow { as_of: time(3), ..any.clone() }, &[1, 2, 3]);
    check(&reader, &Narrow { through: Some(Position::new(2)), ..any.clone() }, &[1, 2]);
    check(&reader, &Narrow { until: Some(Timestamp::MIN), ..any.clone() }, &[]);
    let all = Narrow {
        entity_id: pattern("order-*"),
        event_type: pattern("order.paid"),
        since: time(2),
        until: time(12),
        as_of: time(9),
        through: Some(Position::new(8)),
    };
    check(&reader, &all, &[3, 5, 7]);
}

#[test]
fn a_search_within_positions_finds_no_others() {
    let (_dir, reader) = indexed(&some_events(), 6);
    let allowed: PositionSet = [3, 9, 15, 77].map(Position::new).into_iter().collect();
    let hits = reader.search_within(&query("parcel"), &allowed, 2).expect("a search");
    assert_eq!(hits.iter().map(|hit| hit.position.get()).collect::<Vec<_>>(), [15, 9]);
    assert!(reader.search_within(&query("nothing"), &allowed, 2).expect("a search").is_empty());
}

#[test]
fn removed_events_are_not_found_and_their_successors_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    for event in some_events() {
        index.add(&event).expect("added");
    }
    let before = index.commit("1").expect("a commit");
    let emptied: PositionSet = [4, 5, 20].map(Position::new).into_iter().collect();
    index.remove_all(&emptied).expect("removed");
    for position in emptied.iter() {
        index.add(&event(position.get(), "order-0", "order.placed", "null")).expect("added");
    }
    let after = index.commit("2").expect("a commit");
    assert_eq!(found(&before, "parcel").len(), 20);
    assert_eq!(found(&after, "parcel").len(), 17);
    assert_eq!((before.events(), after.events()), (20, 20));
    assert_eq!(after.positions(&Narrow::default()).expect("positions").len(), 20);
    index.close().expect("closed");
}

#[test]
fn everything_can_be_forgotten() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    index.add(&event(1, "e", "t", r#"{"t":"parcel"}"#)).expect("added");
    index.commit("1").expect("a commit");
    index.add(&event(2, "e", "t", r#"{"t":"parcel"}"#)).expect("added");
    index.forget_all().expect("forgotten");
    assert_eq!(index.payload(), None);
    assert_eq!(index.reader().expect("a reader").events(), 0);
    index.add(&event(3, "e", "t", r#"{"t":"parcel"}"#)).expect("added");
    assert_eq!(found(&index.commit("3").expect("a commit"), "parcel"), [3]);
    index.close().expect("closed");
}
