//! Appending at a steady rate while something else is measured.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use allsource::store::Store;

use crate::events::Source;

/// Events a second.
pub const RATE: usize = 5_000;
/// Events in one append, every 10 ms.
pub const TOGETHER: usize = 50;

/// Appends from the n-th event on at [`RATE`] while `work` runs; gives what it gives and the rate that came about.
pub fn during<T>(source: &Source, store: &Store, from: usize, work: impl FnOnce() -> T) -> (T, f64) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let appending = scope.spawn(|| append_until(&over, source, store, from));
        let done = work();
        over.store(true, Ordering::Relaxed);
        (done, appending.join().expect("no append fails"))
    })
}

fn append_until(over: &AtomicBool, source: &Source, store: &Store, from: usize) -> f64 {
    let (began, mut appended) = (Instant::now(), 0);
    while !over.load(Ordering::Relaxed) {
        let due = Duration::from_secs_f64(appended as f64 / RATE as f64);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        store.append(source.batch(from + appended, TOGETHER)).expect("a healthy disk");
        appended += TOGETHER;
    }
    appended as f64 / began.elapsed().as_secs_f64()
}
