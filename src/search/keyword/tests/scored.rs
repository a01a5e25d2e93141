//! Scores and their order.

use proptest::prelude::*;

use super::*;
use crate::event::NamePattern;

const WORDS: [&str; 8] = ["red", "green", "blue", "order.placed", "user-7", "parcel", "late", "lost"];

fn event_of(position: u64, words: &[usize]) -> Event {
    let text: Vec<&str> = words.iter().map(|word| WORDS[*word]).collect();
    event(position, "e", "t", &format!(r#"{{"t":"{}"}}"#, text.join(" ")))
}

fn hits(reader: &KeywordReader, keywords: &str, depth: usize) -> Vec<KeywordHit> {
    reader.search(&query(keywords), &Narrow::default(), depth).expect("a search")
}

#[test]
fn of_equal_scores_the_newest_comes_first() {
    let events: Vec<Event> = (1..=300).map(|position| event_of(position, &[0, 1])).collect();
    for each in [1_000, 70] {
        let (_dir, reader) = indexed(&events, each);
        let positions: Vec<u64> = hits(&reader, "red", 5).iter().map(|hit| hit.position.get()).collect();
        assert_eq!(positions, [300, 299, 298, 297, 296]);
    }
}

#[test]
fn a_rare_word_counts_more_and_no_score_exceeds_its_bound() {
    let mut events: Vec<Event> = (1..=50).map(|position| event_of(position, &[0, 1, 2])).collect();
    events.push(event_of(51, &[7, 1, 2]));
    let (_dir, reader) = indexed(&events, 1_000);
    let found = hits(&reader, "red lost", 10);
    assert_eq!(found[0].position.get(), 51);
    for keywords in ["red lost", "\"red green\" OR lost", "+red los*", "t:red", "red red lost"] {
        let bound = reader.score_bound(&query(keywords)).expect("a bound");
        for hit in hits(&reader, keywords, 10) {
            assert!(hit.score > 0.0 && hit.score <= bound, "{keywords}: {} of {bound}", hit.score);
        }
    }
}

#[test]
fn a_word_written_twice_counts_twice() {
    let (_dir, reader) = indexed(&[event_of(1, &[0, 1]), event_of(2, &[1, 2])], 10);
    let (once, twice) = (hits(&reader, "red", 1)[0].score, hits(&reader, "red red", 1)[0].score);
    assert!((twice - 2.0 * once).abs() < 1e-6, "{once} {twice}");
}

#[test]
fn the_score_of_a_given_event_is_that_of_the_search() {
    let events: Vec<Event> = (1..=40).map(|p| event_of(p, &[(p % 8) as usize, (p % 3) as usize])).collect();
    let (_dir, reader) = indexed(&events, 9);
    for keywords in ["red parcel late", "+red order.placed", "\"order placed\" OR lost"] {
        let found = hits(&reader, keywords, 100);
        let positions: Vec<Position> = (0..=41).map(Position::new).collect();
        let scores = reader.scores(&query(keywords), &positions).expect("scores");
        for (position, score) in positions.iter().zip(scores) {
            let hit = found.iter().find(|hit| hit.position == *position);
            assert_eq!(score, hit.map(|hit| hit.score), "{keywords} {position}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The same hits with the same scores to the last bit, whatever the commits, and the best of all when fewer are asked for.
    #[test]
    fn hits_do_not_depend_on_segments_or_depth(
        events in prop::collection::vec(prop::collection::vec(0..WORDS.len(), 1..6), 1..60),
        each in 1_usize..40,
        depth in 1_usize..20,
        asked in prop::collection::vec(0..WORDS.len(), 1..5),
    ) {
        let events: Vec<Event> = (1..).zip(&events).map(|(position, words)| event_of(position, words)).collect();
        let keywords: Vec<&str> = asked.iter().map(|word| WORDS[*word]).collect();
        let keywords = keywords.join(" ");
        let (_one, whole) = indexed(&events, 1_000);
        let (_two, split) = indexed(&events, each);
        let all = hits(&whole, &keywords, 1_000);
        prop_assert_eq!(&hits(&split, &keywords, 1_000), &all);
        let expected = &all[..depth.min(all.len())];
        let few: Vec<f32> = hits(&split, &keywords, depth).iter().map(|hit| hit.score).collect();
        prop_assert_eq!(few, expected.iter().map(|hit| hit.score).collect::<Vec<_>>());
        let narrow = Narrow { event_type: Some(NamePattern::parse("t*")), ..Narrow::default() };
        let narrowed = split.search(&query(&keywords), &narrow, 1_000).expect("a search");
        prop_assert_eq!(&narrowed, &all);
    }
}
