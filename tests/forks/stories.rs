//! What was wrong with forks once, and must stay right.

use allsource::event::{EventDraft, EventId, Filter, IdempotencyKey, NamePattern, Position};
use allsource::store::{
    Append, AppendCondition, ForkId, NewFork, OnConflict, Options, Promoted, Promotion, Store,
};

use super::{append, draft, entity, fork, told};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), Options::default()).expect("a store");
    (dir, store)
}

fn promote(store: &Store, id: &ForkId) -> Promoted {
    store.promote_fork(id, &Promotion::default()).expect("promoted")
}

/// No reset ever went in: the fork gets another key for its ids, and the manifest was not to change it.
#[test]
fn a_reset_takes_back_what_the_fork_added_and_gives_new_ids() {
    let (_dir, store) = store();
    append(&store, "a", "1");
    let (id, branch) = fork(&store);
    append(&branch, "a", "2");
    let first = branch.snapshot().event(Position::new(2)).expect("readable").expect("there").event_id;
    append(&store, "b", "3");
    let reset = store.reset_fork(&id).expect("reset");
    assert_eq!((reset.cut, reset.head, reset.bytes), (Position::new(2), Position::new(2), 0));
    let again = store.fork(&id).expect("live");
    append(&again, "a", "4");
    assert_eq!(told(&again), ["1 a@1 1", "2 b@1 3", "3 a@2 4"]);
    assert_eq!(again.snapshot().event_by_id(&first).expect("readable"), None);
    let late = Append { events: vec![draft("a", "t", "5")], ..Append::default() };
    assert_eq!(branch.append(late).expect_err("it holds what is gone").code(), "fork_reset");
}

/// The position from which a condition counted was taken for one of the parent, which had gone its own way since the cut: what
/// broke the condition there lay before it and was passed over.
#[test]
fn a_condition_of_the_fork_is_broken_by_what_its_parent_got_since_the_cut() {
    let (_dir, store) = store();
    append(&store, "a", "1");
    let (id, branch) = fork(&store);
    for n in 0..5 {
        append(&branch, "other", &n.to_string());
    }
    let filter = Filter { event_type: Some(NamePattern::Exact("taken".to_owned())), ..Filter::default() };
    let conditions = vec![AppendCondition { filter, after: branch.snapshot().head() }];
    let events = vec![draft("seat", "taken", "\"by the fork\"")];
    branch.append(Append { events, conditions, ..Append::default() }).expect("it holds there");
    let taken = vec![draft("seat of main", "taken", "\"by main\"")];
    store.append(Append { events: taken, ..Append::default() }).expect("stored");
    let refused = promote(&store, &id);
    assert_eq!(refused.events, 0);
    let broken: Vec<_> =
        refused.conflicts.iter().map(|one| (one.entity_id.as_str(), one.condition_broken_by)).collect();
    assert_eq!(broken, [("seat", Some(Position::new(2)))]);
}

/// An event whose id the parent had for another event was counted as promoted, and never was.
#[test]
fn an_id_that_the_parent_gave_to_another_event_stops_the_promotion() {
    let (_dir, store) = store();
    let (id, branch) = fork(&store);
    let with_id = |payload: &str| {
        let draft = EventDraft::new("a", "t", payload.to_owned()).expect("a draft");
        let events = vec![draft.with_event_id(EventId::new("one").expect("an id"))];
        Append { events, ..Append::default() }
    };
    branch.append(with_id("1")).expect("stored");
    store.append(with_id("2")).expect("stored");
    let rebase = Promotion { on_conflict: OnConflict::Rebase, ..Promotion::default() };
    assert_eq!(store.promote_fork(&id, &rebase).expect_err("two events").code(), "event_id_conflict");
    assert_eq!(told(&store), ["1 a@1 2"]);
}

/// What the parent got behind promoted events was told as a conflict, and kept new events of other entities back.
#[test]
fn what_comes_behind_promoted_events_is_no_conflict() {
    let (_dir, store) = store();
    let (id, branch) = fork(&store);
    append(&branch, "a", "1");
    assert_eq!(promote(&store, &id).events, 1);
    append(&store, "a", "2");
    append(&branch, "b", "3");
    let promoted = promote(&store, &id);
    assert_eq!((promoted.events, promoted.already_promoted, promoted.conflicts), (1, 1, vec![]));
    append(&branch, "a", "4");
    assert_eq!(promote(&store, &id).conflicts[0].entity_id, entity("a"));
}

/// The branch of a discarded fork ended, and its children went on promoting to that one when it was restored.
#[test]
fn a_restored_fork_takes_promotions_of_its_children() {
    let (_dir, store) = store();
    let (id, branch) = fork(&store);
    append(&branch, "a", "1");
    let child = branch.create_fork(NewFork::default()).expect("made").id;
    append(&store.fork(&child).expect("live"), "a", "2");
    store.discard_fork(&id).expect("discarded");
    let error = store.promote_fork(&child, &Promotion::default()).expect_err("its parent is gone");
    assert_eq!(error.code(), "fork_discarded");
    store.restore_fork(&id).expect("restored");
    assert_eq!(promote(&store, &child).events, 1);
    assert_eq!(told(&store.fork(&id).expect("live")), ["1 a@1 1", "2 a@2 2"]);
}

/// Who held a fork that was reset or discarded could fork it on, from positions that were not there any more.
#[test]
fn what_is_gone_is_not_forked() {
    let (_dir, store) = store();
    let [(reset, of_reset), (discarded, of_discarded)] = [fork(&store), fork(&store)];
    append(&of_reset, "a", "1");
    append(&of_discarded, "a", "1");
    store.reset_fork(&reset).expect("reset");
    store.discard_fork(&discarded).expect("discarded");
    assert_eq!(of_reset.create_fork(NewFork::default()).expect_err("it is gone").code(), "fork_reset");
    assert_eq!(
        of_discarded.create_fork(NewFork::default()).expect_err("it is gone").code(),
        "fork_discarded"
    );
    assert_eq!(store.fork_ids().expect("listed").len(), 2);
}

/// A fork whose cut went through a batch knew the batch's key, and answered for the part that it did not have with events of
/// its own.
#[test]
fn a_call_of_which_a_part_lies_behind_the_cut_was_not_made_on_the_fork() {
    let (_dir, store) = store();
    let call = || Append {
        events: vec![draft("a", "t", "1"), draft("a", "t", "2")],
        idempotency_key: Some(IdempotencyKey::new("call").expect("a key")),
        ..Append::default()
    };
    store.append(call()).expect("stored");
    let cut = NewFork { cut: Some(Position::new(1)), ..NewFork::default() };
    let id = store.create_fork(cut).expect("made").id;
    let branch = store.fork(&id).expect("live");
    append(&branch, "b", "3");
    let appended = branch.append(call()).expect("stored");
    assert!(!appended.duplicate);
    assert_eq!(told(&branch), ["1 a@1 1", "2 b@1 3", "3 a@2 1", "4 a@3 2"]);
    assert!(branch.append(call()).expect("known").duplicate);
    assert!(store.append(call()).expect("known").duplicate);
}

/// What makes segments, empties or mends a branch finds nothing to do on a fork.
#[test]
fn upkeep_of_a_fork_changes_nothing() {
    let (_dir, store) = store();
    append(&store, "a", "1");
    let (_, branch) = fork(&store);
    append(&branch, "a", "2");
    let before = told(&branch);
    drop(branch.compact_to(0));
    drop(branch.repair());
    assert_eq!(told(&branch), before);
    append(&branch, "a", "3");
    assert_eq!((told(&branch).len(), told(&store).len()), (3, 1));
    assert_eq!(store.verify().damage, []);
}

/// The only frame of a fork's log, damaged behind a close, passed for one that was never acknowledged: it was cut off, and
/// `verify` found nothing.
#[test]
fn damage_in_the_newest_event_of_a_fork_is_found() {
    let (dir, store) = store();
    append(&store, "a", "1");
    let (id, branch) = fork(&store);
    append(&branch, "a", "22222222");
    drop(branch);
    store.close().expect("closed");
    let log = dir.path().join("tenants/default/forks").join(id.as_str()).join("log/00000000000000000002.log");
    let mut bytes = std::fs::read(&log).expect("a log file");
    let at = bytes.windows(8).position(|window| window == b"22222222").expect("the payload");
    bytes[at] ^= 1;
    #[expect(clippy::disallowed_methods, reason = "damages the file behind the store's back")]
    std::fs::write(&log, bytes).expect("the log file can be changed");
    let store = Store::open(dir.path(), Options::default()).expect("main is whole");
    let error = store.fork(&id).err().expect("damaged");
    assert_eq!(error.code(), "log_damaged");
    let damage = store.verify().damage;
    assert!(damage.iter().any(|damage| damage.file.starts_with(id.as_str())), "{damage:?}");
}
