//! Forks: what is tried on one is seen there alone, until it is promoted.

mod crash;
mod life;
mod model;
mod races;
mod stories;

use allsource::event::{EntityId, EventDraft, Position};
use allsource::store::{
    Append, ForkId, NewFork, OnConflict, Options, Order, Promotion, Scan, ScanLimits, Snapshot, Store,
};

fn draft(entity: &str, event_type: &str, payload: &str) -> EventDraft {
    EventDraft::new(entity, event_type, payload.to_owned()).expect("a draft")
}

fn append(store: &Store, entity: &str, payload: &str) {
    let events = vec![draft(entity, "changed", payload)];
    store.append(Append { events, ..Append::default() }).expect("stored");
}

/// Every event of a branch, as `position entity@version payload`.
fn told(store: &Store) -> Vec<String> {
    told_of(&store.snapshot())
}

fn told_of(snapshot: &Snapshot) -> Vec<String> {
    let page = snapshot.scan(&Scan { order: Order::Ascending, ..Scan::default() }, &ScanLimits::default());
    let tell = |event: &allsource::event::Event| {
        format!("{} {}@{} {}", event.position, event.entity_id, event.version, event.payload)
    };
    page.expect("readable").events.iter().map(tell).collect()
}

fn fork(store: &Store) -> (ForkId, Store) {
    let id =
        store.create_fork(NewFork { purpose: "a test".to_owned(), ..NewFork::default() }).expect("made").id;
    let fork = store.fork(&id).expect("there");
    (id, fork)
}

fn entity(name: &str) -> EntityId {
    EntityId::new(name).expect("a name")
}

#[test]
fn a_fork_and_its_parent_do_not_see_each_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), Options::default()).expect("a store");
    append(&store, "a", "1");
    let (id, fork) = fork(&store);
    append(&store, "a", "2");
    append(&fork, "a", "3");
    append(&fork, "b", "4");
    let expected = ["1 a@1 1", "2 a@2 3", "3 b@1 4"];
    assert_eq!(told(&fork), expected);
    assert_eq!(told(&store), ["1 a@1 1", "2 a@2 2"]);
    assert_eq!(fork.snapshot().stats().expect("counted").entities, 2);
    assert_eq!(fork.verify().damage, []);
    drop(fork);
    store.close().expect("closed");
    let store = Store::open(dir.path(), Options::default()).expect("a store");
    let fork = store.fork(&id).expect("still there");
    assert_eq!(told(&fork), expected);
    append(&fork, "b", "5");
    assert_eq!(told(&fork).last().map(String::as_str), Some("4 b@2 5"));
}

#[test]
fn a_promotion_is_made_once_and_conflicts_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), Options::default()).expect("a store");
    append(&store, "a", "1");
    let (id, fork) = fork(&store);
    append(&fork, "a", "2");
    append(&fork, "b", "3");
    append(&store, "b", "4");
    let refused = store.promote_fork(&id, &Promotion::default()).expect("looked at");
    assert_eq!((refused.events, refused.conflicts.len()), (0, 1));
    assert_eq!(refused.conflicts[0].parent_positions, [Position::new(2)]);
    let skip = Promotion { on_conflict: OnConflict::Skip, ..Promotion::default() };
    let promoted = store.promote_fork(&id, &skip).expect("promoted");
    assert_eq!((promoted.events, promoted.first_position), (1, Some(Position::new(3))));
    let again = store.promote_fork(&id, &skip).expect("known");
    assert!(again.duplicate);
    let rebase =
        Promotion { on_conflict: OnConflict::Rebase, entities: vec![entity("b")], ..Promotion::default() };
    store.promote_fork(&id, &rebase).expect("promoted");
    assert_eq!(told(&store), ["1 a@1 1", "2 b@1 4", "3 a@2 2", "4 b@2 3"]);
    let event = store.snapshot().event(Position::new(3)).expect("readable").expect("there");
    let stamp = event.metadata.expect("a stamp").to_value();
    assert_eq!(
        (stamp["$fork"]["id"].as_str(), stamp["$fork"]["position"].as_u64()),
        (Some(id.as_str()), Some(2))
    );
}
