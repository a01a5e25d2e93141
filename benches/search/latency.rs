//! Searching by words and meaning at once, idle and while events are appended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::{Filter, NamePattern, Timestamp};
use allsource::indexer::{Indexer, SearchQuery};
use allsource::store::{Options, Store};
use allsource::tools::{self, Object};
use serde_json::json;

use crate::events::{Random, Source, time};
use crate::times::Times;
use crate::{machine, pace, scratch};

/// How long each case is measured.
const CASE: Duration = Duration::from_secs(10);
/// Searches before that.
const WARM_UP: usize = 50;
/// How long indexing may take: an hour.
const INDEXING_MAX: Duration = Duration::from_hours(1);
/// The stretch of time that a filter leaves: a tenth of the events, one a second.
const TIME_SHARE: usize = 10;

/// An indexed store as an agent has it.
pub struct Filled {
    /// What searches.
    pub engine: Engine,
    /// Its indexer.
    pub indexer: Arc<Indexer>,
    /// The events that are in it.
    pub events: usize,
    _dir: tempfile::TempDir,
}

impl Filled {
    /// With all events of the source, findable.
    pub fn with(source: &Source) -> Self {
        let dir = scratch();
        let store = Store::open(dir.path(), Options::default()).expect("a healthy disk");
        source.fill(&store);
        let engine = Engine::new(store, SystemClock::shared());
        let indexer = engine.indexer().expect("a thread for indexing");
        assert!(indexer.catch_up(INDEXING_MAX), "indexed: {:?}", indexer.progress());
        engine.store().compact().expect("a healthy disk");
        Self { engine, indexer, events: source.len(), _dir: dir }
    }
}

/// What a search is narrowed to.
#[derive(Clone, Copy)]
enum Narrowed {
    No,
    Type,
    Time,
}

/// The way a search takes into the program.
#[derive(Clone, Copy)]
enum Door {
    Tool,
    Indexer,
}

/// Measures and prints.
pub fn measure(source: &Source) {
    let filled = Filled::with(source);
    println!("## Hybrid search over {} events ({})\n", filled.events, machine::state());
    println!("{:?}\n", filled.indexer.progress().and_then(|progress| progress.vectors));
    println!(
        "| search | filter | processor p50 | idle p50 | idle p99 | while {}/s are appended: p50 | p99 | searches |",
        pace::RATE
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut appended = filled.events;
    for (door, door_name) in [(Door::Tool, "`hybrid_search`"), (Door::Indexer, "`Indexer::search`")] {
        for (narrowed, filter) in [(Narrowed::No, "none"), (Narrowed::Type, "type"), (Narrowed::Time, "time")]
        {
            let (mut idle, mut used) = run(&filled, source, door, narrowed);
            let store = filled.engine.store();
            let ((mut busy, _), rate) =
                pace::during(source, store, appended, || run(&filled, source, door, narrowed));
            appended = usize::try_from(store.snapshot().head().get()).expect("small");
            println!(
                "| {door_name} | {filter} | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} ms | {}, {} at {rate:.0}/s |",
                used.percentile_ms(50),
                idle.percentile_ms(50),
                idle.percentile_ms(99),
                busy.percentile_ms(50),
                busy.percentile_ms(99),
                idle.len(),
                busy.len(),
            );
        }
    }
    println!();
}

/// One search after the other, for a while: how long each took, and what it used of a processor.
fn run(filled: &Filled, source: &Source, door: Door, narrowed: Narrowed) -> (Times, Times) {
    let (mut times, mut used) = (Times::default(), Times::default());
    let (mut began, mut random) = (Instant::now(), Random::of(filled.events));
    for search in 0.. {
        if search == WARM_UP {
            (times, used, began) = (Times::default(), Times::default(), Instant::now());
        }
        if search > WARM_UP && began.elapsed() > CASE {
            break;
        }
        let n = random.below(filled.events);
        let before = machine::thread_processor();
        times.add(match door {
            Door::Tool => by_tool(filled, source, n, narrowed),
            Door::Indexer => by_indexer(filled, source, n, narrowed),
        });
        used.add(machine::thread_processor().saturating_sub(before));
    }
    (times, used)
}

fn by_tool(filled: &Filled, source: &Source, n: usize, narrowed: Narrowed) -> Duration {
    let query = source.query(n);
    let mut arguments = Object::new();
    arguments.insert("keywords".to_owned(), json!(query));
    arguments.insert("semantic_query".to_owned(), json!(query));
    match narrowed {
        Narrowed::No => {}
        Narrowed::Type => drop(arguments.insert("event_type".to_owned(), json!(source.event_type(n)))),
        Narrowed::Time => {
            let (since, until) = stretch(filled, n);
            arguments.insert("since".to_owned(), json!(since.to_string()));
            arguments.insert("until".to_owned(), json!(until.to_string()));
        }
    }
    let began = Instant::now();
    let answer = tools::call(&filled.engine, "hybrid_search", &arguments, &Caller::default());
    let took = began.elapsed();
    assert!(!answer.is_error, "{:?}", answer.body);
    took
}

fn by_indexer(filled: &Filled, source: &Source, n: usize, narrowed: Narrowed) -> Duration {
    let text = source.query(n);
    let filter = match narrowed {
        Narrowed::No => Filter::default(),
        Narrowed::Type => {
            let event_type = Some(NamePattern::Exact(source.event_type(n).to_owned()));
            Filter { event_type, ..Filter::default() }
        }
        Narrowed::Time => {
            let (since, until) = stretch(filled, n);
            Filter { since: Some(since), until: Some(until), ..Filter::default() }
        }
    };
    let query = SearchQuery { keywords: Some(&text), meaning: Some(&text), filter, ..SearchQuery::default() };
    let began = Instant::now();
    let hits = filled.indexer.search(&query, Duration::ZERO).expect("a search");
    let took = began.elapsed();
    assert!(!hits.is_empty(), "{text} is found");
    took
}

/// A tenth of all events, the n-th among them.
fn stretch(filled: &Filled, n: usize) -> (Timestamp, Timestamp) {
    let first = n - n % (filled.events / TIME_SHARE).max(1);
    (time(first), time(first + filled.events / TIME_SHARE))
}
