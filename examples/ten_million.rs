//! Fills a store with generated events and says how fast it was, how much memory it took and what lies on the disk.
//!
//! `cargo run --release --example ten_million -- DIR [COUNT] [SHAPE]`: COUNT events, 10 million if not given, into DIR,
//! which keeps them. They come in batches of 1,000 with payloads of about 250 bytes. SHAPE is what they have in common:
//!
//! - `zipf` (the default): 1 million entities, of which few have many events and many have few;
//! - `new`: each event is the first of its entity;
//! - `ids`: as `zipf`, and each event brings an id of its own.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an example measures real time on real files and prints to a person; its numbers are small and positive"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use allsource::event::{EventDraft, EventId};
use allsource::store::{Append, Options, Scan, ScanLimits, Store};

const BATCH: u64 = 1_000;
/// Between two lines of the report.
const STEP: u64 = 1_000_000;
const ENTITIES: f64 = 1_000_000.0;
const TYPES: [&str; 4] = ["order.placed", "order.paid", "order.shipped", "order.returned"];
const WORDS: [&str; 16] = [
    "parcel",
    "customer",
    "please",
    "second",
    "floor",
    "neighbour",
    "return",
    "damaged",
    "invoice",
    "morning",
    "address",
    "paid",
    "waiting",
    "reminder",
    "box",
    "signed",
];

#[derive(Clone, Copy)]
enum Shape {
    Zipf,
    New,
    Ids,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("usage: ten_million DIR [COUNT] [zipf|new|ids]")?;
    let count = arguments.next().map_or(Ok(10 * STEP), |count| count.parse())?;
    let shape = match arguments.next().as_deref() {
        None | Some("zipf") => Shape::Zipf,
        Some("new") => Shape::New,
        Some("ids") => Shape::Ids,
        Some(other) => return Err(format!("the shape is {other}; give zipf, new or ids").into()),
    };
    let store = Store::open(Path::new(&dir), Options::default())?;
    println!(
        "events       appended/s   with generating   slowest append   processor   anonymous memory, peak"
    );
    let mut peak = fill(&store, count, shape)?;
    let began = Instant::now();
    drop(store);
    peak = peak.max(anonymous_mib());
    println!("closed in {:.1?}; anonymous memory at most {peak:.0} MiB", began.elapsed());

    let began = Instant::now();
    let store = Store::open(Path::new(&dir), Options::default())?;
    let stats = store.snapshot().stats()?;
    println!(
        "opened and counted {} events, {} entities in {:.1?}",
        stats.events,
        stats.entities,
        began.elapsed()
    );
    let (cold, rate) = (stats.segments.events, replay(&store)?);
    println!("replayed {} events, {cold} of them from segments: {rate:.0} events/s", stats.events);
    for (kind, (files, bytes)) in files_by_kind(Path::new(&dir))? {
        println!("{kind:>10}: {files:4} files, {:7.1} MiB", bytes as f64 / f64::from(1 << 20));
    }
    Ok(())
}

/// Appends the events and prints a line per million; gives the peak of the anonymous memory in MiB.
fn fill(store: &Store, count: u64, shape: Shape) -> Result<f64, Box<dyn std::error::Error>> {
    let mut random = Random(store.snapshot().head().get());
    let (mut peak, mut began, mut processor) = (0.0_f64, Instant::now(), processor_seconds());
    let (mut appending, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for first in (0..count).step_by(BATCH as usize) {
        let events =
            (first..first + BATCH).map(|n| draft(n, shape, &mut random)).collect::<Result<_, _>>()?;
        let called = Instant::now();
        store.append(Append { events, ..Append::default() })?;
        let took = called.elapsed();
        appending += took;
        slowest = slowest.max(took);
        if (first / BATCH).is_multiple_of(20) {
            peak = peak.max(anonymous_mib());
        }
        let done = first + BATCH;
        if done.is_multiple_of(STEP) || done >= count {
            let events = ((done - 1) % STEP + 1) as f64;
            let (took, processor_now) = (began.elapsed().as_secs_f64(), processor_seconds());
            println!(
                "{done:<12} {:<12.0} {:<17.0} {:<16.1?} {:<11} {peak:.0} MiB",
                events / appending.as_secs_f64(),
                events / took,
                slowest,
                format!("{:.1} s", processor_now - processor),
            );
            processor = processor_now;
            (appending, slowest, began) = (Duration::ZERO, Duration::ZERO, Instant::now());
        }
    }
    Ok(peak)
}

/// Reads everything, oldest first, in pages of 10,000; gives events a second.
fn replay(store: &Store) -> allsource::Result<f64> {
    let (snapshot, began) = (store.snapshot(), Instant::now());
    let limits = ScanLimits { events_max: 10_000, ..ScanLimits::default() };
    let (mut scan, mut events) = (Scan::default(), 0);
    loop {
        let page = snapshot.scan(&scan, &limits)?;
        events += page.events.len();
        match page.scanned_to {
            Some(scanned_to) if !page.complete => scan.after = scanned_to,
            _ => return Ok(events as f64 / began.elapsed().as_secs_f64()),
        }
    }
}

fn draft(n: u64, shape: Shape, random: &mut Random) -> allsource::Result<EventDraft> {
    let entity = match shape {
        Shape::New => format!("order-{:08x}-{n}", random.next() as u32),
        // Rank r comes about 1/r times as often as rank 1.
        Shape::Zipf | Shape::Ids => format!("order-{}", ENTITIES.powf(random.unit()) as u64),
    };
    let event_type = random.pick(&TYPES);
    let mut payload = format!(
        "{{\"order\":{n},\"customer\":\"customer-{}\",\"amount\":{}.{:02},\"currency\":\"EUR\",\"note\":\"",
        random.next() % 50_000,
        random.next() % 500,
        random.next() % 100
    );
    while payload.len() < 244 {
        payload.push_str(random.pick(&WORDS));
        payload.push(' ');
    }
    payload.push_str("\"}");
    let draft = EventDraft::new(&entity, event_type, payload)?;
    Ok(match shape {
        Shape::Ids => draft.with_event_id(EventId::new(format!("{:016x}-{n}", random.next()))?),
        Shape::Zipf | Shape::New => draft,
    })
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from.get((self.next() % from.len() as u64) as usize).copied().unwrap_or_default()
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The anonymous resident memory of this process in MiB; 0 where the system does not tell.
fn anonymous_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1_024.0
}

/// What this process has used of the processors, all threads together; 0 where the system does not tell.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets: user and system time are the 12th and 13th, in hundredths of a second.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Number and bytes of the files below `dir`, by the ending of their names.
fn files_by_kind(dir: &Path) -> std::io::Result<BTreeMap<String, (u64, u64)>> {
    let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let (path, about) = (entry.path(), entry.metadata()?);
            if about.is_dir() {
                left.push(path);
                continue;
            }
            let ending = path.extension().map_or("other".into(), |ending| ending.to_string_lossy());
            let kind = kinds.entry(ending.into_owned()).or_default();
            *kind = (kind.0 + 1, kind.1 + about.len());
        }
    }
    Ok(kinds)
}
