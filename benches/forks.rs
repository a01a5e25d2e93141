//! What forks cost: making them, keeping a thousand of them, reading and appending to one.
//!
//! `cargo bench --bench forks [-- COUNT]` makes stores of 10 thousand and of COUNT events (1 million) and prints a Markdown
//! table; `-- --dir DIR` takes the store in DIR in place of the second, which keeps what it holds: the forks that are made of
//! it are removed again.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench measures real time on real files, prints what it finds, and has nobody to report an error to"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use allsource::clock::SystemClock;
use allsource::engine::{Caller, Engine};
use allsource::event::{EventDraft, Filter, NamePattern, Position, Timestamp};
use allsource::store::{Append, Durability, ForkId, NewFork, Options, Order, Scan, ScanLimits, Store};
use allsource::tools;
use serde_json::json;

/// How often each call is timed.
const ROUNDS: usize = 400;
/// How many forks are kept at once.
const KEPT: usize = 1_000;
const EVENTS_PER_ENTITY: usize = 10;
const TYPES: usize = 20;
/// The first event's timestamp; each later one comes a second later.
const BEGIN_US: i64 = 1_700_000_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let value =
        |name: &str| arguments.iter().position(|one| one == name).and_then(|at| arguments.get(at + 1));
    if let Some(dir) = value("--keep") {
        return keep_many(&open(Path::new(dir)));
    }
    let count = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let (small_dir, large_dir) = (scratch(), scratch());
    let small = fill(small_dir.path(), 10_000);
    let large_dir = value("--dir").map_or_else(|| large_dir.path().to_owned(), PathBuf::from);
    if value("--dir").is_none() {
        drop(fill(&large_dir, count));
    }
    let kept = kept_by_another(&large_dir);
    let large = open(&large_dir);
    println!("| events | case | p50 | p99 |");
    println!("| --- | --- | --- | --- |");
    let of_small = creation(&small);
    let of_large = creation(&large);
    println!(
        "\n- making a fork of the large store takes {:.2} times that of the small one",
        of_large / of_small
    );
    print!("{kept}");
    side_by_side(&large);
}

/// What [`keep_many`] says in a process of its own: in this one, memory that was used before would take in what the forks need.
fn kept_by_another(dir: &Path) -> String {
    let program = std::env::current_exe().expect("the bench");
    let output = std::process::Command::new(program).arg("--keep").arg(dir).output().expect("it starts");
    String::from_utf8(output.stdout).expect("text")
}

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default()).expect("a healthy disk")
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for a bench")
}

/// A store of so many events, ten an entity, spread over the whole log.
fn fill(dir: &Path, events: usize) -> Store {
    let options = Options { durability: Durability::Interval { ms: 1_000 }, ..Options::default() };
    let store = Store::open(dir, options).expect("a healthy disk");
    for first in (0..events).step_by(1_000) {
        let events = (first..first + 1_000).map(|n| draft(n, events / EVENTS_PER_ENTITY)).collect();
        store.append(Append { events, ..Append::default() }).expect("a healthy disk");
    }
    store.close().expect("a healthy disk");
    open(dir)
}

fn draft(n: usize, entities: usize) -> EventDraft {
    let payload =
        format!("{{\"field\":{n},\"status\":\"status {}\",\"text\":\"{}\"}}", n % 7, "x".repeat(150));
    let time = Timestamp::from_micros(BEGIN_US + 1_000_000 * i64::try_from(n).expect("small"));
    let entity = format!("entity-{}", n % entities);
    EventDraft::new(&entity, &format!("type {}", n % TYPES), payload).expect("a valid draft").at(time)
}

/// Times a call again and again; gives the times, sorted.
fn times(rounds: usize, mut call: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            call();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or_default()
}

fn row(events: u64, case: &str, times: &[Duration]) {
    println!("| {events} | {case} | {:.1?} | {:.1?} |", percentile(times, 50), percentile(times, 99));
}

fn events(store: &Store) -> u64 {
    store.snapshot().head().get()
}

/// Makes forks and removes them; gives the median in seconds.
fn creation(store: &Store) -> f64 {
    let mut made: Vec<ForkId> = Vec::new();
    let written = written_bytes();
    let found =
        times(ROUNDS, || made.push(store.create_fork(NewFork::default()).expect("a healthy disk").id));
    let each = (written_bytes() - written) as f64 / ROUNDS as f64;
    row(events(store), &format!("make a fork ({each:.0} bytes written)"), &found);
    for id in made {
        store.erase_fork(&id).expect("a healthy disk");
    }
    percentile(&found, 50).as_secs_f64()
}

/// A thousand forks at once: idle, and with an append each.
fn keep_many(store: &Store) {
    let before = (anonymous_bytes(), threads());
    let made: Vec<ForkId> =
        (0..KEPT).map(|_| store.create_fork(NewFork::default()).expect("a healthy disk").id).collect();
    let each = |now: i64| (now - before.0) as f64 / KEPT as f64 / 1_024.0;
    let idle = each(anonymous_bytes());
    let held: Vec<Store> = made.iter().map(|id| store.fork(id).expect("live")).collect();
    let open = each(anonymous_bytes());
    for branch in &held {
        let append = Append { events: vec![draft(0, 1)], ..Append::default() };
        branch.append(append).expect("a healthy disk");
        black_box(branch.snapshot().head());
    }
    let used = each(anonymous_bytes());
    let listing = times(20, || drop(black_box(store.list_forks().expect("listed"))));
    let threads = threads() - before.1;
    println!(
        "- {KEPT} forks: {idle:.1} KiB of memory each when idle, {open:.1} when open, {used:.1} after an append each; {threads} \
         more threads; listing them takes {:.1?}",
        percentile(&listing, 50)
    );
    drop(held);
    for id in made {
        store.erase_fork(&id).expect("a healthy disk");
    }
}

/// A number of `/proc/self`, by the name before it.
fn noted(file: &str, name: &str) -> i64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn anonymous_bytes() -> i64 {
    noted("status", "RssAnon:") * 1_024
}

fn threads() -> i64 {
    noted("status", "Threads:")
}

/// What the process handed to the kernel to be written.
fn written_bytes() -> i64 {
    noted("io", "wchar:")
}

fn of(filter: Filter, order: Order) -> Scan {
    Scan { filter, order, ..Scan::default() }
}

/// The scans that are compared, with the most events of a page.
fn scans(store: &Store) -> Vec<(&'static str, Scan, usize)> {
    let snapshot = store.snapshot();
    let middle = Position::new(snapshot.head().get() / 2);
    let event = snapshot.event(middle).expect("readable").expect("there");
    let exactly = |name: &str| Some(NamePattern::Exact(name.to_owned()));
    let until = Timestamp::from_micros(event.timestamp.as_micros() + 1_000_000_000);
    let in_time = Filter { since: Some(event.timestamp), until: Some(until), ..Filter::default() };
    let entity = Filter { entity_id: exactly(event.entity_id.as_str()), ..Filter::default() };
    let of_type = Filter { event_type: exactly(event.event_type.as_str()), ..Filter::default() };
    vec![
        ("entity, 10 events", of(entity, Order::Ascending), EVENTS_PER_ENTITY),
        ("type, limit 100", of(of_type, Order::Descending), 100),
        ("time range, limit 100", of(in_time, Order::Ascending), 100),
    ]
}

/// Reads and appends on a fork and on main, in turns.
fn side_by_side(store: &Store) {
    let id = store.create_fork(NewFork::default()).expect("a healthy disk").id;
    let fork = store.fork(&id).expect("live");
    fork.append(Append { events: vec![draft(0, 1)], ..Append::default() }).expect("a healthy disk");
    println!("\n| case | main p50 | fork p50 | ratio | main p99 | fork p99 |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (case, scan, events_max) in scans(store) {
        let limits = ScanLimits { events_max, ..ScanLimits::default() };
        let read =
            |branch: &Store| drop(black_box(branch.snapshot().scan(&scan, &limits).expect("readable")));
        compare(case, ROUNDS * 10, || read(store), || read(&fork));
    }
    let entity = store.snapshot().event(Position::new(1)).expect("readable").expect("there").entity_id;
    let engine = Engine::new(store.clone(), SystemClock::shared());
    let ask = |branch: &str| {
        let arguments = json!({"entity_id": entity.as_str(), "branch": branch});
        let arguments = arguments.as_object().expect("an object").clone();
        let answer = tools::call(&engine, "get_entity_state", &arguments, &Caller::default());
        assert!(!answer.is_error, "{:?}", answer.body);
        drop(black_box(answer));
    };
    compare("state of an entity", ROUNDS * 10, || ask("main"), || ask(id.as_str()));
    compare("scan of everything", 5, || replay(store), || replay(&fork));
    let append = |branch: &Store| {
        let append = Append { events: vec![draft(1, 1)], ..Append::default() };
        drop(branch.append(append).expect("a healthy disk"));
    };
    // Into another store, so that the one that was given keeps what it holds.
    let beside_dir = scratch();
    let beside = fill(beside_dir.path(), 10_000);
    compare("append of one event", ROUNDS, || append(&beside), || append(&fork));
    store.erase_fork(&id).expect("a healthy disk");
}

/// Everything, oldest first, in pages of 10,000.
fn replay(branch: &Store) {
    let (snapshot, mut scan) = (branch.snapshot(), Scan::default());
    let limits = ScanLimits { events_max: 10_000, ..ScanLimits::default() };
    loop {
        let page = snapshot.scan(&scan, &limits).expect("readable");
        black_box(page.events.len());
        match page.scanned_to.filter(|_| !page.complete) {
            Some(behind) => scan.after = behind,
            None => return,
        }
    }
}

fn compare(case: &str, rounds: usize, mut on_main: impl FnMut(), mut on_fork: impl FnMut()) {
    let (mut main, mut fork) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        main.append(&mut times(1, &mut on_main));
        fork.append(&mut times(1, &mut on_fork));
    }
    main.sort_unstable();
    fork.sort_unstable();
    let [main_50, fork_50] = [percentile(&main, 50), percentile(&fork, 50)];
    println!(
        "| {case} | {main_50:.1?} | {fork_50:.1?} | {:.2} | {:.1?} | {:.1?} |",
        fork_50.as_secs_f64() / main_50.as_secs_f64(),
        percentile(&main, 99),
        percentile(&fork, 99)
    );
}
