//! Every disk call fails in turn while the disk goes on: what was acknowledged stays, and after a failure in the log
//! nothing is written until the store is opened again.

use std::io;
use std::path::Path;

use allsource::ErrorKind;
use allsource::store::{PlantedBug, Store};

use super::crash::{go_on, mixed};
use super::faulty_disk::FaultyDisk;
use super::ledger::{Ledger, Promise, Violation};
use super::scratch;
use super::workload::{Workload, only};

/// Runs `workload` to its end, opening the store again after every failure.
fn endure(workload: &Workload, disk: &FaultyDisk, dir: &Path) -> Result<Ledger, Violation> {
    let mut ledger = Ledger::default();
    let mut failures = 0;
    let mut n = 0;
    while n < workload.appends {
        let store = match Store::open(dir, workload.options(disk)) {
            Ok(store) => store,
            Err(error) if failures == 0 => {
                failures += 1;
                let kind =
                    if error.kind() == ErrorKind::Exhausted { error.kind() } else { ErrorKind::Unavailable };
                only(&error, kind)?;
                continue;
            }
            Err(error) => return Err(format!("cannot be opened after one failure: {error}")),
        };
        ledger = ledger.settle(&store, Promise::All)?;
        while n < workload.appends {
            let append = workload.append(n, &ledger);
            match store.append(append.clone()) {
                Ok(appended) => ledger.acknowledge(&append, &appended),
                Err(error) if error.kind() == ErrorKind::Exhausted && failures == 0 => {
                    failures += 1;
                    continue;
                }
                Err(error) => {
                    only(&error, ErrorKind::Unavailable)?;
                    ledger.leave_open(append);
                    stays_closed(&store, workload, n + 1)?;
                    n += 1;
                    break;
                }
            }
            n += 1;
            if let Err(error) = workload.keep_up(&store, n - 1) {
                failures += 1;
                if failures > 1 && store.fault().is_none() {
                    return Err(format!("compacting failed once more: {error}"));
                }
                if store.fault().is_some() {
                    only(&error, ErrorKind::Unavailable)?;
                    break;
                }
            }
        }
    }
    Ok(ledger)
}

/// A store whose log failed takes nothing more.
fn stays_closed(store: &Store, workload: &Workload, n: u64) -> Result<(), Violation> {
    match store.append(workload.append(n, &Ledger::default())) {
        Ok(appended) => Err(format!("an append went to position {} of a broken log", appended.head)),
        Err(error) => only(&error, ErrorKind::Unavailable),
    }
}

/// Fails every disk call in turn, then cuts the power.
fn explore(workload: &Workload, error: io::ErrorKind, states: &[u64]) -> Result<(), Violation> {
    for failing in 1.. {
        let first = scratch();
        let disk = FaultyDisk::over(first.path()).fail_at(failing, error);
        let told = |violation| {
            let calls = disk.calls();
            format!("{error} at call {failing} ({:?}): {violation}", calls.get(failing - 1))
        };
        let ledger = endure(workload, &disk, &first.path().join("store")).map_err(told)?;
        for &state in states {
            let second = scratch();
            disk.cut_power(state, second.path());
            go_on(workload, second.path(), ledger.clone(), Promise::All).map_err(told)?;
        }
        if disk.calls().len() < failing {
            return Ok(());
        }
    }
    Ok(())
}

fn short() -> Workload {
    Workload { seed: 5, appends: 18, ..mixed() }
}

#[track_caller]
pub fn holds(workload: &Workload, error: io::ErrorKind) {
    if let Err(violation) = explore(workload, error, &[0, 1, 2]) {
        panic!("{violation}");
    }
}

#[test]
fn a_call_that_fails_loses_nothing() {
    holds(&short(), io::ErrorKind::Other);
}

#[test]
fn a_disk_that_is_full_for_a_moment_loses_nothing() {
    holds(&short(), io::ErrorKind::StorageFull);
}

#[test]
fn going_on_after_a_failed_write_is_caught() {
    let planted = Workload { planted_bug: Some(PlantedBug::ReuseAfterFailedWrite), ..short() };
    assert!(explore(&planted, io::ErrorKind::Other, &[0]).is_err(), "it went unnoticed");
}
