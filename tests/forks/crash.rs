//! The crash machine for forks: the power goes, or a call fails, at every disk call of a life with forks in turn, and what is
//! opened afterwards is what was acknowledged, on main and on every fork.

mod script;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use allsource::clock::{ManualClock, SeededIds};
use allsource::event::{EventDraft, Filter};
use allsource::store::{Append, ForkState, Options, PlantedBug, Promotion, Store};

use crate::machines::faulty_disk::FaultyDisk;
use crate::machines::ledger::{Violation, read_all};
use crate::machines::scratch;
use crate::machines::workload::{NEW_YEAR, small_options};
use script::{Act, SCRIPT, Shape};

/// A life with forks on a disk, and what is known of it.
struct Life {
    disk: FaultyDisk,
    planted: Option<PlantedBug>,
    clock: Arc<ManualClock>,
    opened: u64,
    shape: Shape,
    /// What the act that failed would have made.
    open_end: Option<Shape>,
}

impl Life {
    fn new(disk: FaultyDisk, planted: Option<PlantedBug>) -> Self {
        let clock = Arc::new(ManualClock::at(NEW_YEAR));
        Self { disk, planted, clock, opened: 0, shape: Shape::default(), open_end: None }
    }

    fn open(&mut self, dir: &Path) -> allsource::Result<Store> {
        self.opened += 1;
        let options = small_options(Arc::new(self.disk.clone()), 1);
        let (clock, ids) = (Arc::clone(&self.clock), Arc::new(SeededIds::new(self.opened << 40)));
        Store::open(dir, Options { clock, ids, planted_bug: self.planted, ..options })
    }

    /// Runs until it is done or the disk stops; a call that fails alone is made again.
    fn run(&mut self, dir: &Path) -> Result<(), Violation> {
        let mut store = None;
        for act in SCRIPT {
            let mut tries = 4;
            loop {
                if store.is_none() || matches!(act, Act::Reopen) {
                    drop(store.take());
                    store = self.open(dir).ok();
                }
                let done = match &store {
                    Some(store) => script::perform(store, act, &self.shape, &self.clock),
                    None => Err("cannot be opened".to_owned()),
                };
                match done {
                    Ok(made) => {
                        self.shape = self.shape.after(act, made, &self.clock);
                        self.open_end = None;
                        break;
                    }
                    Err(_) if self.disk.has_stopped() => {
                        self.open_end = Some(self.shape.after(act, None, &self.clock));
                        return Ok(());
                    }
                    Err(error) if tries == 0 => {
                        return Err(format!("{act:?} fails again and again: {error}"));
                    }
                    Err(_) => {
                        tries -= 1;
                        // A branch whose disk failed is written to after a reopen only.
                        store = store.filter(|store| store.fault().is_none());
                    }
                }
            }
        }
        drop(store);
        Ok(())
    }

    /// Opens what is left, checks it and goes on; `twice` it is then opened and checked once more.
    fn go_on(&mut self, root: &Path, twice: bool) -> Result<(), Violation> {
        self.disk = FaultyDisk::over(root);
        let dir = root.join("store");
        let open_end = self.open_end.take();
        if self.shape.main.is_empty() && open_end.is_none() {
            return Ok(());
        }
        let store = self.open(&dir).map_err(|error| format!("cannot be opened: {error}"))?;
        store.sweep_forks().map_err(|error| format!("sweeping: {error}"))?;
        nothing_leaks(&store, &dir)?;
        self.shape.is_kept(&store, open_end.as_ref(), &self.clock)?;
        sound(&store, true)?;
        self.shape.settle(&store)?;
        if self.shape.forks.contains_key("A") {
            self.promoted_once(&store)?;
        }
        for name in self.shape.live() {
            let fork = store.fork(&self.shape.forks[name].id).map_err(|error| error.to_string())?;
            let event = EventDraft::new("later", "said", format!("\"later {name}\"")).expect("a draft");
            let append = Append { events: vec![event], ..Append::default() };
            fork.append(append).map_err(|error| format!("append to {name} after recovery: {error}"))?;
            self.shape.forks.get_mut(name).expect("there").told.push(format!("\"later {name}\""));
        }
        store.close().map_err(|error| format!("cannot be closed: {error}"))?;
        if !twice {
            return Ok(());
        }
        let store = self.open(&dir).map_err(|error| format!("cannot be opened again: {error}"))?;
        self.shape
            .is_kept(&store, None, &self.clock)
            .map_err(|violation| format!("after going on: {violation}"))?;
        sound(&store, false)
    }

    /// Promoting what may have been promoted ends with one copy of each event.
    fn promoted_once(&mut self, store: &Store) -> Result<(), Violation> {
        for name in ["C", "A"] {
            let Some(fork) = self.shape.forks.get(name).filter(|fork| fork.is_live()) else { continue };
            store
                .promote_fork(&fork.id, &Promotion::default())
                .map_err(|error| format!("promote {name}: {error}"))?;
            self.shape.promote(name);
        }
        self.shape
            .is_kept(store, None, &self.clock)
            .map_err(|violation| format!("promoted again: {violation}"))
    }
}

/// What a branch holds, as payloads in order.
fn told(store: &Store) -> Result<Vec<String>, Violation> {
    let events = read_all(&store.snapshot(), &Filter::default())?;
    let mut ids = BTreeSet::new();
    for (at, event) in events.iter().enumerate() {
        if event.position.get() != at as u64 + 1 || !ids.insert(event.event_id.clone()) {
            return Err(format!("{event:?} is out of place"));
        }
    }
    Ok(events.iter().map(|event| script::short(event.payload.as_str())).collect())
}

/// Every directory among the forks belongs to one.
fn nothing_leaks(store: &Store, dir: &Path) -> Result<(), Violation> {
    let listed = store.fork_ids().map_err(|error| error.to_string())?;
    let listed: BTreeSet<String> = listed.iter().map(ToString::to_string).collect();
    let Ok(entries) = std::fs::read_dir(dir.join("tenants/default/forks")) else { return Ok(()) };
    let found: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    if found == listed { Ok(()) } else { Err(format!("there are {found:?} but the forks are {listed:?}")) }
}

/// Nothing is damaged, as main tells of all branches and, perhaps, each fork of itself.
fn sound(store: &Store, of_each: bool) -> Result<(), Violation> {
    let damage = store.main().verify().damage;
    if !damage.is_empty() {
        return Err(format!("verify reports {damage:?}"));
    }
    for fork in store.list_forks().map_err(|error| error.to_string())? {
        if of_each && fork.state == ForkState::Live {
            let damage = store.fork(&fork.id).map_err(|error| error.to_string())?.verify().damage;
            if !damage.is_empty() {
                return Err(format!("verify of {} reports {damage:?}", fork.id));
            }
        }
    }
    Ok(())
}

/// How thoroughly faults are tried, for they take long: `ALLSOURCE_FORK_STATES` says in how many states each leaves the disk, and
/// that none is passed over.
fn thoroughness() -> Option<u64> {
    std::env::var("ALLSOURCE_FORK_STATES").ok().map(|many| many.parse().expect("a number of states"))
}

fn states(at: usize) -> Vec<u64> {
    let many = thoroughness().unwrap_or(1);
    // All that was not synced is lost; then each change on its own, another way at every call.
    let dice = (0..many).map(|more| 1 + (at as u64 * many + more) % (many + 6));
    std::iter::once(0).chain(dice).collect()
}

/// Runs the life with a fault at every `step`-th call, and goes on from what each leaves.
fn explore(
    step: usize,
    planted: Option<PlantedBug>,
    fault: impl Fn(FaultyDisk, usize) -> FaultyDisk,
) -> Result<(), Violation> {
    let step = if thoroughness().is_some() { 1 } else { step };
    for at in (1..).step_by(step) {
        let first = scratch();
        let disk = fault(FaultyDisk::over(first.path()), at);
        let mut life = Life::new(disk.clone(), planted);
        let told = |violation: Violation| {
            let calls = disk.calls();
            format!("call {at} ({:?}): {violation}", calls.get(at - 1))
        };
        life.run(&first.path().join("store")).map_err(told)?;
        let twice = at.is_multiple_of(4) || thoroughness().is_some();
        for state in states(at) {
            let second = scratch();
            disk.cut_power(state, second.path());
            let mut again = Life {
                disk: disk.clone(),
                planted,
                clock: Arc::new(ManualClock::at(allsource::clock::Clock::now(life.clock.as_ref()))),
                opened: life.opened,
                shape: life.shape.clone(),
                open_end: life.open_end.clone(),
            };
            again
                .go_on(second.path(), twice)
                .map_err(|violation| told(format!("state {state}: {violation}")))?;
        }
        if disk.calls().len() < at {
            return Ok(());
        }
    }
    Ok(())
}

#[track_caller]
fn holds(outcome: Result<(), Violation>) {
    if let Err(violation) = outcome {
        panic!("{violation}");
    }
}

#[test]
fn a_power_cut_at_any_moment_loses_and_doubles_nothing() {
    holds(explore(1, None, FaultyDisk::stop_at));
}

#[test]
fn a_failing_call_at_any_moment_loses_and_doubles_nothing() {
    holds(explore(3, None, |disk, at| disk.fail_at(at, io::ErrorKind::Other)));
    holds(explore(9, None, |disk, at| disk.fail_at(at, io::ErrorKind::StorageFull)));
}

#[test]
fn names_that_are_not_made_durable_are_caught() {
    let planted = Some(PlantedBug::SkipForkDirectorySync);
    assert!(explore(1, planted, FaultyDisk::stop_at).is_err(), "it went unnoticed");
}

#[test]
fn a_log_that_is_named_before_it_is_there_is_caught() {
    let planted = Some(PlantedBug::NameForkLogFirst);
    assert!(explore(1, planted, FaultyDisk::stop_at).is_err(), "it went unnoticed");
}
