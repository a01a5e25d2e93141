//! The power goes while several callers append: their batches share a write and a sync, and each is there whole or not
//! at all, also when segments are made beside them.

use std::path::Path;
use std::sync::Mutex;

use allsource::event::Position;
use allsource::store::{Append, Durability, Store};

use super::crash::{go_on, mixed};
use super::faulty_disk::FaultyDisk;
use super::ledger::{Ledger, Promise, Violation};
use super::scratch;
use super::workload::{Upkeep, Workload};

const CALLERS: usize = 3;

/// Lets every caller append its share until it is done or the disk stops.
fn run(workload: &Workload, disk: &FaultyDisk, dir: &Path) -> Result<(Ledger, Promise), Violation> {
    let ledger = Mutex::new(Ledger::default());
    let refused = Mutex::new(Ok(()));
    let mut promise = Promise::All;
    if let Ok(store) = Store::open(dir, workload.options(disk)) {
        std::thread::scope(|scope| {
            if workload.upkeep.is_some() {
                let (store, refused) = (&store, &refused);
                // As many rounds as there are appends to a caller; each takes what is there by then.
                scope.spawn(move || {
                    for _ in 0..workload.appends / CALLERS as u64 {
                        match store.compact() {
                            Err(error) if !disk.has_stopped() => {
                                *refused.lock().expect("no caller panics") = Err(error.to_string());
                            }
                            _ => {}
                        }
                    }
                });
            }
            for caller in 0..CALLERS {
                let (store, ledger, refused) = (&store, &ledger, &refused);
                scope.spawn(move || {
                    for n in (0..workload.appends).skip(caller).step_by(CALLERS) {
                        let append = workload.append(n, &Ledger::default());
                        // Nobody knows the versions of entities that all write to.
                        let append = Append { expected: Vec::new(), ..append };
                        let answer = store.append(append.clone());
                        let mut ledger = ledger.lock().expect("no caller panics");
                        match answer {
                            Ok(appended) => ledger.acknowledge(&append, &appended),
                            Err(_) if disk.has_stopped() => ledger.leave_open(append),
                            Err(error) => *refused.lock().expect("no caller panics") = Err(error.to_string()),
                        }
                    }
                });
            }
        });
        if workload.durability != Durability::Fsync {
            let durable = store.feed(Position::ZERO).head().get();
            promise = Promise::UpTo { durable, epoch: store.snapshot().epoch() };
        }
    }
    refused.into_inner().expect("no caller panics")?;
    Ok((ledger.into_inner().expect("no caller panics"), promise))
}

#[track_caller]
fn survives(workload: &Workload, step: usize) {
    for stop in (step..).step_by(step) {
        let first = scratch();
        let disk = FaultyDisk::over(first.path()).stop_at(stop);
        let (ledger, promise) =
            run(workload, &disk, &first.path().join("store")).expect("a healthy disk takes every append");
        for state in 0..3 {
            let second = scratch();
            disk.cut_power(state, second.path());
            if let Err(violation) = go_on(workload, second.path(), ledger.clone(), promise) {
                panic!("power cut at call {stop}, state {state}: {violation}");
            }
        }
        if !disk.has_stopped() {
            break;
        }
    }
}

#[test]
fn batches_that_share_a_sync_survive_whole() {
    survives(&Workload { seed: 9, appends: 36, ..mixed() }, 3);
}

#[test]
fn syncs_at_intervals_beside_the_appends_keep_their_promise() {
    survives(&Workload { seed: 10, appends: 36, durability: Durability::Interval { ms: 1 }, ..mixed() }, 3);
}

#[test]
fn segments_that_are_made_beside_appends_cost_none() {
    let upkeep = Some(Upkeep { every: 8, hot_window_bytes: 16 << 10, kept: None });
    survives(&Workload { seed: 11, appends: 36, upkeep, ..mixed() }, 13);
    let durability = Durability::Interval { ms: 1 };
    survives(&Workload { seed: 12, appends: 36, upkeep, durability, ..mixed() }, 17);
}
