//! How fast vectors are found, how many of the right ones, and what that takes.
//!
//! `cargo bench --bench vectors [-- COUNT… | FILE.jsonl]` prints a Markdown table for 10 thousand, 100 thousand and
//! 1 million made vectors, for other counts, or for those of a file: a JSON string, which the built-in model embeds, or an array
//! of numbers on each line, the last 100 of which are the queries.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench measures real time on real files, prints what it finds, and has nobody to report an error to"
)]

mod made;
mod truth;

use std::time::{Duration, Instant};

use allsource::event::Position;
use allsource::search::vector::{
    TextHash, VectorFilter, VectorIndex, VectorOptions, VectorPath, VectorStats,
};

use made::Vectors;
use truth::{Recall, Truth};

/// How many queries are asked.
const QUERIES: usize = 100;
/// How many hits are asked for.
const DEPTH: usize = 10;
/// How many vectors are added before a commit.
const COMMIT: usize = 10_000;
/// The filters: one position in so many; 1 is no filter.
const SHARES: [u64; 4] = [1, 10, 100, 10_000];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!("| vectors | what | path taken | p50 ms | p99 ms | recall@{DEPTH} | strict |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut notes = Vec::new();
    if let Some(file) = arguments.iter().find(|argument| argument.ends_with("jsonl")) {
        notes.push(measure(&Vectors::read(file, QUERIES), 1));
    } else {
        let counts: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
        let counts = if counts.is_empty() { vec![10_000, 100_000, 1_000_000] } else { counts };
        for count in &counts {
            notes.push(measure(&Vectors::make(*count, QUERIES), 1));
        }
        let repeated = Vectors::make(counts.last().copied().unwrap_or(1) / 10, QUERIES);
        notes.push(measure(&repeated, 10));
    }
    println!("\n{}", notes.join("\n"));
}

/// Measures vectors of which each is added so many times; gives what is to be said below the table.
fn measure(vectors: &Vectors, times: usize) -> String {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for a bench");
    let open = || {
        // Small ones get a graph too, so that both paths can be compared.
        let defaults = VectorOptions::default();
        let set_vectors_max = defaults.set_vectors_max.min(vectors.len() * times);
        let options = VectorOptions { set_vectors_max, graph_vectors_min: 1_000, ..defaults };
        VectorIndex::open(options, dir.path(), "bench", vectors.dimension()).expect("it opens")
    };
    let mut index = open();
    let begun = Instant::now();
    add(&mut index, vectors, times);
    let added = begun.elapsed();
    let count = vectors.len() * times;
    let name = if times == 1 { format!("{count}") } else { format!("{count}, {times} of each") };
    let truths = SHARES.map(|share| Truth::of(vectors, times, share, DEPTH));
    report(&index, &name, vectors, &truths, VectorPath::Scan);
    let begun = Instant::now();
    index.make_graphs().expect("graphs can be built");
    let built = begun.elapsed();
    if index.stats().graphs > 0 {
        report(&index, &name, vectors, &truths[..2], VectorPath::Graph);
    }
    drop(index);
    let begun = Instant::now();
    let index = open();
    let opened = begun.elapsed();
    index.make_graphs().expect("graphs can be loaded");
    report(&index, &format!("{name}, reopened"), vectors, &truths, VectorPath::Auto);
    note(&name, index.stats(), count, added, built, opened)
}

fn add(index: &mut VectorIndex, vectors: &Vectors, times: usize) {
    let mut vector = Vec::new();
    for number in 0..vectors.len() * times {
        vectors.get(number % vectors.len(), &mut vector);
        let text = TextHash::of(&(number % vectors.len()).to_string());
        index.add(text, &vector).expect("a vector can be added");
        if number % COMMIT == COMMIT - 1 {
            index.commit().expect("vectors can be committed");
        }
    }
    index.commit().expect("vectors can be committed");
}

/// Prints a row for each filter.
fn report(index: &VectorIndex, name: &str, vectors: &Vectors, truths: &[Truth], path: VectorPath) {
    for truth in truths {
        let filter: Option<VectorFilter> = (truth.share > 1).then(|| {
            (1..=index.stats().rows)
                .filter(|number| truth::kept(*number, truth.share))
                .map(Position::new)
                .collect()
        });
        let (mut times, mut sum, mut took) = (Vec::new(), Recall::default(), "");
        for (number, query) in vectors.queries().iter().enumerate() {
            // The first round fetches what the second is measured with.
            index.nearest(query, filter.as_ref(), DEPTH, path);
            let begun = Instant::now();
            let found = index.nearest(query, filter.as_ref(), DEPTH, path);
            times.push(begun.elapsed());
            took = found.path;
            let recall = truth.compare(number, &found, vectors);
            sum.right += recall.right;
            sum.strict += recall.strict;
            sum.all += recall.all;
        }
        times.sort();
        let kind = match truth.share {
            1 => "no filter".to_owned(),
            share => format!("filter {} %", 100.0 / share as f64),
        };
        let [p50, p99] = [times.len() / 2, times.len() * 99 / 100].map(|rank| millis(times[rank]));
        let [recall, strict] = [sum.right, sum.strict].map(|good| f64::from(good) / f64::from(sum.all));
        println!("| {name} | {path:?}, {kind} | {took} | {p50:.2} | {p99:.2} | {recall:.4} | {strict:.4} |");
    }
}

fn note(
    name: &str,
    stats: VectorStats,
    count: usize,
    added: Duration,
    built: Duration,
    opened: Duration,
) -> String {
    let rate = |count: usize, time: Duration| count as f64 / time.as_secs_f64();
    let covered = stats.graph_vectors;
    format!(
        "- {name}: added at {:.0}/s, commits included; {} vectors in {} sets, {:.0} bytes an event; {} graphs over {covered} \
         vectors in {:.1} s ({:.0}/s), {:.0} bytes a vector, {} unreached; reopened in {:.1} ms",
        rate(count, added),
        stats.vectors,
        stats.sets,
        stats.bytes as f64 / count as f64,
        stats.graphs,
        built.as_secs_f64(),
        rate(usize::try_from(covered).expect("a count"), built),
        stats.graph_bytes as f64 / (covered.max(1)) as f64,
        stats.unreached,
        millis(opened),
    )
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
