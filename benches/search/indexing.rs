//! Indexing what is there already: events a second until all are found by words and by meaning.

use std::time::{Duration, Instant};

use allsource::indexer::{Indexer, SearchOptions, SearchQuery};
use allsource::store::{Options, Store};

use crate::events::Source;
use crate::machine::{self, anonymous_bytes, bytes_below, mib, peak_during, processor};
use crate::scratch;

/// How long indexing may take: an hour.
const INDEXING_MAX: Duration = Duration::from_hours(1);

/// Measures and prints.
pub fn measure(source: &Source) {
    let dir = scratch();
    let store = Store::open(dir.path(), Options::default()).expect("a healthy disk");
    source.fill(&store);
    // Sealing is over when this returns, so that what is measured is indexing.
    store.compact().expect("a healthy disk");
    let options = SearchOptions::default();
    // Loading the model is none of it either.
    options.embedder.as_ref().map(|model| model.embed_query("load")).transpose().expect("the built-in model");
    println!("## Indexing ({})\n", machine::state());
    let (before, used, began) = (anonymous_bytes(), processor(), Instant::now());
    let (indexer, peak) = peak_during(|| {
        let indexer = Indexer::start(&store, options).expect("a thread for indexing");
        assert!(indexer.catch_up(INDEXING_MAX), "indexed: {:?}", indexer.progress());
        indexer
    });
    let (wall, used) = (began.elapsed(), processor().saturating_sub(used));
    let last = source.query(source.len() - 1);
    for query in [
        SearchQuery { keywords: Some(&last), ..SearchQuery::default() },
        SearchQuery { meaning: Some(&last), ..SearchQuery::default() },
    ] {
        assert!(!indexer.search(&query, Duration::ZERO).expect("a search").is_empty(), "{last} is found");
    }
    let events = source.len() as f64;
    println!(
        "| events | wall | events/s | processor | events/s per core | anonymous memory: before, peak | indexes on disk |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    println!(
        "| {events} | {:.2} s | {:.0} | {:.2} s | {:.0} | {:.0} MiB, {:.0} MiB | {:.1} MiB, {:.0} bytes/event |\n",
        wall.as_secs_f64(),
        events / wall.as_secs_f64(),
        used.as_secs_f64(),
        events / used.as_secs_f64(),
        mib(before),
        mib(peak),
        mib(bytes_below(dir.path(), "search")),
        bytes_below(dir.path(), "search") as f64 / events,
    );
    println!("{:?}\n", indexer.progress().and_then(|progress| progress.vectors));
}
