//! Reading what lies in Parquet, and what making it costs those who append.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use allsource::event::{Filter, Position};
use allsource::store::{Options, Order, Scan, ScanLimits, Store};
use criterion::Criterion;

use crate::append::batches;
use crate::limit::copy;
use crate::read::{self, EVENTS, EVENTS_PER_ENTITY};
use crate::report::time;
use crate::scratch;

/// The segments of the store that is split: ten of 30,000 events.
const SEGMENTS: u64 = 10;
/// How many batches of 1,000 events are appended to see what sealing costs: 400 MB of log, several full files.
const BATCHES: usize = 1_000;
/// How often both are measured, in turns.
const ROUNDS: usize = 3;

/// Everything as segments of `events` events at most, none of it as a log; no decoded page is kept.
fn cold(events: u64, log_file_bytes: u64) -> Options {
    Options {
        log_file_bytes,
        hot_window_bytes: 0,
        segment_events_max: events,
        page_cache_bytes_max: 0,
        ..Options::default()
    }
}

/// A store of 300,000 events that lie in so many segments.
fn fill(dir: &Path, segments: u64) -> Store {
    let log_bytes = if segments == 1 { 512 << 20 } else { 10 << 20 };
    let options = cold(EVENTS as u64 / segments, log_bytes);
    read::fill(dir, options.clone()).close().expect("a healthy disk");
    let store = Store::open(dir, options).expect("a healthy disk");
    store.compact().expect("a healthy disk");
    let found = store.snapshot().stats().expect("readable").segments.count;
    println!("cold store: {found} segments for {segments} wished");
    store
}

/// Measures every case.
pub fn measure(criterion: &mut Criterion) {
    for segments in [1, SEGMENTS] {
        let dir = scratch();
        let store = fill(dir.path(), segments);
        let name = |what: &str| format!("read cold, {segments} segments/{what}");
        let mut entity = read::spread(read::ENTITIES);
        let mut moment = read::spread(EVENTS - 1_000);
        let mut event_type = read::spread(read::TYPES);
        read::page(criterion, &store, &name("entity, 10 events"), EVENTS_PER_ENTITY, move || {
            read::of_entity(entity())
        });
        read::page(criterion, &store, &name("type, limit 100"), 100, move || read::of_type(event_type()));
        read::page(criterion, &store, &name("time range, limit 100"), 100, move || read::of_time(moment()));
        replay(criterion, &store, &name("replay"));
    }
    let dir = scratch();
    replay(criterion, &read::fill(dir.path(), Options::default()), "read hot/replay");
    sealing();
}

/// Everything, oldest first, in pages of 10,000 events.
fn replay(criterion: &mut Criterion, store: &Store, name: &str) {
    let mut bytes = 0;
    let limits = ScanLimits { events_max: 10_000, ..ScanLimits::default() };
    let mut whole = |()| {
        let (mut after, mut events) = (Position::ZERO, 0);
        let snapshot = store.snapshot();
        bytes = 0;
        loop {
            let scan = Scan { filter: Filter::default(), order: Order::Ascending, after, before: None };
            let page = snapshot.scan(&scan, &limits).expect("a healthy disk");
            events += page.events.len();
            bytes += page.events.iter().map(|event| event.payload.as_str().len()).sum::<usize>();
            match black_box(page).scanned_to {
                Some(scanned_to) if scanned_to < snapshot.head() => after = scanned_to,
                _ => break,
            }
        }
        assert_eq!(events, EVENTS);
    };
    whole(());
    let mut times = time(criterion, name, || (), &mut whole);
    let rate = times.rate() * EVENTS as f64;
    times.print(name, copy(1 << 20) * u32::try_from(bytes >> 20).expect("small"), "copying the payloads");
    println!("{name}: {rate:.0} events/s");
}

/// What appends lose while full log files become segments behind them: the same batches into a store whose log files
/// fill up, into one whose upkeep does not wait for them, and into one whose log file is too large to fill up.
fn sealing() {
    let appends = batches(1_000);
    let rate = |log_file_bytes: u64, upkeep_backlog_bytes_max: u64| {
        let dir = scratch();
        let options = Options { log_file_bytes, upkeep_backlog_bytes_max, ..Options::default() };
        let store = Store::open(dir.path(), options).expect("a healthy disk");
        let began = Instant::now();
        for n in 0..BATCHES {
            store.append(appends[n % appends.len()].clone()).expect("a healthy disk");
        }
        BATCHES as f64 * 1_000.0 / began.elapsed().as_secs_f64()
    };
    let defaults = Options::default();
    let (file, backlog) = (defaults.log_file_bytes, defaults.upkeep_backlog_bytes_max);
    let rounds: Vec<[f64; 3]> =
        (0..ROUNDS).map(|_| [rate(1 << 30, backlog), rate(file, backlog), rate(file, 0)]).collect();
    let [without, waiting, pressed] = [0, 1, 2].map(|case: usize| {
        let mut values: Vec<f64> = rounds.iter().map(|round| round[case]).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    });
    for (name, rate) in [("sealing behind", waiting), ("sealing that does not wait", pressed)] {
        println!(
            "append/fsync/1,000 events, {name}: {rate:.0} events/s = {:.1} % of {without:.0}/s with nothing to seal",
            100.0 * rate / without
        );
    }
}
