//! How long after an append its events are found, while others are appended.

use std::time::{Duration, Instant};

use allsource::event::Position;
use allsource::indexer::SearchQuery;
use allsource::store::Append;

use crate::events::{Random, Source};
use crate::latency::Filled;
use crate::times::Times;
use crate::{machine, pace};

/// Events that are looked for.
const PROBES: usize = 200;
/// Time between two of them at most; they come anywhere in a commit's interval.
const PAUSE_MAX_MS: usize = 200;
/// How often it is looked whether an event is indexed.
const LOOK: Duration = Duration::from_millis(1);
/// When an event is given up.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Measures and prints.
pub fn measure(source: &Source) {
    let filled = Filled::with(source);
    println!("## From the append until it is found, over {} events ({})\n", filled.events, machine::state());
    let first = filled.events + 1;
    let store = filled.engine.store();
    let (mut times, rate) = pace::during(source, store, first + PROBES, || {
        let (mut times, mut random) = (Times::default(), Random::of(first));
        for probe in first..first + PROBES {
            times.add(until_found(&filled, source, probe));
            std::thread::sleep(Duration::from_millis(random.below(PAUSE_MAX_MS) as u64));
        }
        times
    });
    println!("| appended meanwhile | probes | p50 | p99 | worst |\n| --- | --- | --- | --- | --- |");
    println!(
        "| {rate:.0} events/s | {} | {:.0} ms | {:.0} ms | {:.0} ms |\n",
        times.len(),
        times.percentile_ms(50),
        times.percentile_ms(99),
        times.percentile_ms(100),
    );
}

/// Appends the n-th event and looks for it by a word that only it holds, and by its whole text.
fn until_found(filled: &Filled, source: &Source, n: usize) -> Duration {
    let draft = source.generated(n);
    let text = format!("{} {}", draft.event_type.as_str(), draft.payload().as_str())
        .replace(['"', '{', '}', ':', ','], " ");
    let word = n.to_string();
    let append = Append { events: vec![draft], ..Append::default() };
    let position = filled.engine.store().append(append).expect("a healthy disk").events[0].position;
    let began = Instant::now();
    while filled.indexer.progress().is_none_or(|progress| progress.indexed_through < position) {
        assert!(began.elapsed() < WAIT_MAX, "event {position} is indexed: {:?}", filled.indexer.progress());
        std::thread::sleep(LOOK);
    }
    let by_words = SearchQuery { keywords: Some(&word), ..SearchQuery::default() };
    assert!(finds(filled, &by_words, position), "{word} is found at {position}");
    let took = began.elapsed();
    let by_meaning = SearchQuery { meaning: Some(&text), ..SearchQuery::default() };
    assert!(finds(filled, &by_meaning, position), "{text} is found at {position}");
    took
}

fn finds(filled: &Filled, query: &SearchQuery<'_>, position: Position) -> bool {
    let hits = filled.indexer.search(query, Duration::ZERO).expect("a search");
    hits.iter().any(|hit| hit.position == position)
}
