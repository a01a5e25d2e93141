//! Forks from several threads at once.

use std::sync::Barrier;

use allsource::event::Position;
use allsource::store::{Append, NewFork, OnConflict, Options, Promoted, Promotion, Store};

use super::{append, draft, fork, told};
use crate::machines::scratch;

const ROUNDS: usize = 60;

fn store(dir: &std::path::Path) -> Store {
    Store::open(dir, Options { log_file_bytes: 16 << 10, run_bytes: 4 << 10, ..Options::default() })
        .expect("a store")
}

/// Runs both at the same moment.
fn together<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| {
            start.wait();
            one()
        });
        let other = scope.spawn(|| {
            start.wait();
            other()
        });
        (one.join().expect("no panic"), other.join().expect("no panic"))
    })
}

fn batch(branch: &Store, entities: &[&str], payload: &str) {
    let events = entities.iter().map(|entity| draft(entity, "t", payload)).collect();
    branch.append(Append { events, ..Append::default() }).expect("stored");
}

#[test]
fn of_two_conflicting_promotions_one_wins_whole_and_one_is_told() {
    let root = scratch();
    let store = store(root.path());
    append(&store, "shared", "0");
    for round in 0..ROUNDS {
        let forks = [fork(&store), fork(&store)];
        for (at, (_, branch)) in forks.iter().enumerate() {
            let own = format!("own {round} {at}");
            batch(branch, &[&own, "shared", "shared"], &at.to_string());
        }
        let before = store.snapshot().head().get();
        let promote =
            |at: usize| store.promote_fork(&forks[at].0, &Promotion::default()).expect("no disk fails");
        let (one, other) = together(|| promote(0), || promote(1));
        let is_whole = |promoted: &Promoted| promoted.events == 3 && promoted.conflicts.is_empty();
        let is_told = |promoted: &Promoted| {
            promoted.events == 0
                && promoted.conflicts.len() == 1
                && promoted.conflicts[0].entity_id.as_str() == "shared"
                && promoted.conflicts[0].parent_positions.len() == 2
        };
        let is_decided = (is_whole(&one) && is_told(&other)) || (is_whole(&other) && is_told(&one));
        assert!(is_decided, "{one:?} and {other:?}");
        assert_eq!(store.snapshot().head().get(), before + 3);
        let winner = usize::from(is_whole(&other));
        let all = told(&store);
        assert!(all[all.len() - 3..].iter().all(|event| event.ends_with(&format!(" {winner}"))), "{all:?}");
        for (id, _) in &forks {
            store.erase_fork(id).expect("removed");
        }
    }
}

#[test]
fn the_same_promotion_from_two_threads_stores_one_copy() {
    let root = scratch();
    let store = store(root.path());
    for round in 0..ROUNDS {
        let (id, branch) = fork(&store);
        batch(&branch, &[&format!("e{round}"), "x"], "1");
        let before = store.snapshot().head().get();
        let promote = |on_conflict| {
            let promotion = Promotion { on_conflict, ..Promotion::default() };
            store.promote_fork(&id, &promotion).expect("no disk fails")
        };
        // Once with the same key on both sides, once with two keys: then the ids alone tell.
        let choice = if round % 2 == 0 { OnConflict::Abort } else { OnConflict::Rebase };
        together(|| promote(OnConflict::Abort), || promote(choice));
        assert_eq!(store.snapshot().head().get(), before + 2);
    }
}

#[test]
fn appends_to_main_beside_a_promotion_cost_neither_anything() {
    let root = scratch();
    let store = store(root.path());
    for round in 0..ROUNDS {
        let (id, branch) = fork(&store);
        batch(&branch, &[&format!("fork {round}"), &format!("both {round}")], "\"fork\"");
        let before = store.snapshot().head().get();
        let ((), promoted) = together(
            || {
                append(&store, &format!("main {round}"), "1");
                append(&store, &format!("both {round}"), "2");
                append(&store, &format!("main {round}"), "3");
            },
            || store.promote_fork(&id, &Promotion::default()).expect("no disk fails"),
        );
        let stored = store.snapshot().head().get() - before;
        match promoted.conflicts.len() {
            0 => assert_eq!((promoted.events, stored), (2, 5)),
            _ => assert_eq!((promoted.events, stored), (0, 3), "{promoted:?}"),
        }
    }
    assert_eq!(store.verify().damage, []);
}

#[test]
fn forks_are_made_listed_and_discarded_side_by_side() {
    let root = scratch();
    let store = store(root.path());
    append(&store, "a", "1");
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..ROUNDS / 2 {
                    let (id, branch) = fork(store);
                    append(&branch, "a", &format!("\"{thread} {round}\""));
                    assert_eq!(told(&branch).len(), 2);
                    if round % 2 == 0 {
                        store.discard_fork(&id).expect("discarded");
                    } else {
                        assert_eq!(store.fork_info(&id).expect("listed").head, Position::new(2));
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                for listed in store.list_forks().expect("listed") {
                    drop(store.fork_info(&listed.id).expect("none is removed"));
                }
                store.sweep_forks().expect("swept");
            }
        });
    });
    assert_eq!(store.fork_ids().expect("listed").len(), 3 * ROUNDS / 2);
    assert_eq!(store.verify().damage, []);
}

#[test]
fn a_fork_is_read_while_the_files_of_its_parent_become_segments() {
    let root = scratch();
    let store = store(root.path());
    for n in 0..150 {
        append(&store, &format!("e{}", n % 7), &format!("\"{}\"", "x".repeat(300)));
    }
    let (_, branch) = fork(&store);
    append(&branch, "e1", "\"of the fork\"");
    let before = told(&branch);
    let held = branch.snapshot();
    together(
        || {
            for n in 0..4 {
                store.compact_to(0).expect("no disk fails");
                append(&store, "late", &n.to_string());
            }
        },
        || {
            for _ in 0..20 {
                assert_eq!(told(&branch), before);
            }
        },
    );
    assert!(store.snapshot().stats().expect("counted").segments.count > 0);
    assert_eq!(super::told_of(&held), before);
}

#[test]
fn a_snapshot_outlives_the_fork() {
    let root = scratch();
    let store = store(root.path());
    append(&store, "a", "1");
    let (id, branch) = fork(&store);
    append(&branch, "a", "2");
    let (held, child) = (branch.snapshot(), branch.create_fork(NewFork::default()).expect("made").id);
    store.erase_fork(&child).expect("removed");
    store.discard_fork(&id).expect("discarded");
    store.erase_fork(&id).expect("removed");
    store.sweep_forks().expect("swept");
    drop(branch);
    assert_eq!(super::told_of(&held), ["1 a@1 1", "2 a@2 2"]);
    assert!(store.fork(&id).is_err());
}
