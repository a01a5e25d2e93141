//! What indexing costs those who append: batches of 1,000 with it and without it, in turns.

use std::time::Instant;

use allsource::indexer::{Indexer, SearchOptions};
use allsource::store::{Append, Options, Store};

use crate::events::{BATCH, Source};
use crate::times::Times;
use crate::{machine, scratch};

/// Turns with and without indexing.
const TURNS: usize = 5;
/// Batches in a turn.
const BATCHES: usize = 150;

/// Measures and prints.
pub fn measure(source: &Source) {
    println!(
        "## Appends with indexing and without, batches of {BATCH}, {TURNS} turns of {BATCHES} each ({})\n",
        machine::state()
    );
    let batches: Vec<Append> = (0..BATCHES).map(|at| source.batch(at * BATCH, BATCH)).collect();
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        without.push(turn(&batches, false));
        with.push(turn(&batches, true));
    }
    println!("| indexing | events/s, median | slowest turn | fastest turn |\n| --- | --- | --- | --- |");
    let row = |name: &str, rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        println!("| {name} | {:.0} | {:.0} | {:.0} |", rates[TURNS / 2], rates[0], rates[TURNS - 1]);
        rates[TURNS / 2]
    };
    let (without, with) = (row("off", &mut without), row("on", &mut with));
    println!("\nWith indexing: {:.1} % of without.\n", 100.0 * with / without);
}

/// Appends everything to a new store; gives events a second.
fn turn(batches: &[Append], indexing: bool) -> f64 {
    let dir = scratch();
    let store = Store::open(dir.path(), Options::default()).expect("a healthy disk");
    let options = SearchOptions::default();
    let indexer = indexing.then(|| Indexer::start(&store, options).expect("a thread for indexing"));
    let mut times = Times::default();
    for batch in batches {
        let batch = batch.clone();
        let began = Instant::now();
        store.append(batch).expect("a healthy disk");
        times.add(began.elapsed());
    }
    drop(indexer);
    (BATCH * times.len()) as f64 / times.sum().as_secs_f64()
}
