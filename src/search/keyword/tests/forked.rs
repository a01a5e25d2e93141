//! An index with the part of a fork behind it.

use proptest::prelude::*;

use super::*;

const WORDS: [&str; 8] = ["red", "green", "blue", "order.placed", "user-7", "parcel", "late", "lost"];

fn event_of(position: u64, words: &[usize]) -> Event {
    let text: Vec<&str> = words.iter().map(|word| WORDS[*word]).collect();
    event(position, "e", "t", &format!(r#"{{"t":"{}"}}"#, text.join(" ")))
}

/// An index in memory over these events, added `each` at a time.
fn in_memory(events: &[Event], each: usize) -> KeywordMemory {
    let mut memory = KeywordMemory::new().expect("an index");
    for chunk in events.chunks(each) {
        let mut added = memory.begin().expect("begun");
        for event in chunk {
            added.add(event).expect("added");
        }
        memory.finish(added).expect("added");
    }
    memory
}

fn hits(reader: &KeywordReader, keywords: &str) -> Vec<KeywordHit> {
    reader.search(&query(keywords), &Narrow::default(), 100).expect("a search")
}

#[test]
fn what_lies_behind_the_cut_is_found_in_the_fork_alone() {
    let events: Vec<Event> = (1..=30).map(|position| event_of(position, &[0, 1])).collect();
    let (_dir, main) = indexed(&events, 7);
    let memory = in_memory(&[event_of(11, &[0, 7]), event_of(12, &[7])], 1);
    let fork = main.with_fork(Position::new(10), memory.reader());
    assert_eq!(found(&fork, "lost"), [12, 11]);
    assert_eq!(found(&fork, "green"), (1..=10).rev().collect::<Vec<_>>());
    assert_eq!(found(&main, "lost"), Vec::<u64>::new());
    let narrow = |through| Narrow { through: Some(Position::new(through)), ..Narrow::default() };
    let positions =
        |through| fork.positions(&narrow(through)).expect("positions").iter().map(Position::get).collect();
    let through: Vec<u64> = positions(11);
    assert_eq!(through, (1..=11).collect::<Vec<_>>());
    let through: Vec<u64> = positions(4);
    assert_eq!(through, (1..=4).collect::<Vec<_>>());
    assert_eq!(fork.count(&query("red"), &Narrow::default()).expect("counted"), 11);
    let scores = fork.scores(&query("red"), &[9, 11, 12, 15].map(Position::new)).expect("scores");
    assert_eq!(scores.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, false]);
    let within = [10, 11, 12, 13].map(Position::new).into_iter().collect();
    let within = fork.search_within(&query("red lost"), &within, 10).expect("a search");
    assert_eq!(within.iter().map(|hit| hit.position.get()).collect::<Vec<_>>(), [12, 11, 10]);
}

#[test]
fn a_field_that_only_the_fork_has_is_known() {
    let (_dir, main) = over(&[r#"{"a":"red"}"#]);
    let memory = in_memory(&[event(2, "e", "t", r#"{"b":"red"}"#)], 1);
    let fork = main.with_fork(Position::new(1), memory.reader());
    assert_eq!(found(&fork, "b:red"), [2]);
    assert_eq!(fork.unknown_fields(&query("b:red c:red")).expect("fields"), ["c"]);
    assert_eq!(main.unknown_fields(&query("b:red")).expect("fields"), ["b"]);
    assert!(memory.bytes() > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The same hits with the same scores, whatever part of the events a fork added.
    #[test]
    fn scores_do_not_depend_on_where_the_events_are(
        events in prop::collection::vec(prop::collection::vec(0..WORDS.len(), 1..6), 1..50),
        cut in 0_usize..50,
        each in 1_usize..40,
        asked in prop::collection::vec(0..WORDS.len(), 1..4),
    ) {
        let events: Vec<Event> = (1..).zip(&events).map(|(position, words)| event_of(position, words)).collect();
        let (shared, own) = events.split_at(cut.min(events.len()));
        let (_one, whole) = indexed(&events, 1_000);
        let (_two, main) = indexed(shared, each);
        let memory = in_memory(own, each);
        let fork = main.with_fork(Position::new(shared.len() as u64), memory.reader());
        let asked: Vec<&str> = asked.iter().map(|word| WORDS[*word]).collect();
        for keywords in [asked.join(" "), format!("+{} lost", asked[0]), format!("\"{}\" t:late", asked[0])] {
            let (there, here) = (hits(&whole, &keywords), hits(&fork, &keywords));
            prop_assert_eq!(there.len(), here.len(), "{}", keywords);
            for (there, here) in there.iter().zip(&here) {
                prop_assert!((there.score - here.score).abs() < 1e-5, "{}: {:?} {:?}", keywords, there, here);
            }
            let bounds = [&whole, &fork].map(|reader| reader.score_bound(&query(&keywords)).expect("a bound"));
            prop_assert!((bounds[0] - bounds[1]).abs() < 1e-5, "{}: {:?}", keywords, bounds);
        }
    }
}
