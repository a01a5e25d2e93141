//! How long a fork stays, what it may hold, and what becomes of it when something is wrong.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use allsource::ErrorKind;
use allsource::clock::ManualClock;
use allsource::event::Position;
use allsource::store::{
    Append, Durability, ForkChange, ForkId, ForkState, Mode, NewFork, Options, Promotion, Store,
};

use super::{append, draft, fork, told};
use crate::faults::flip;
use crate::machines::faulty_disk::{Call, Fault, FaultyDisk};
use crate::machines::workload::NEW_YEAR;

const HOUR: Duration = Duration::from_hours(1);

/// A store whose time is moved by hand.
struct Place {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::at(NEW_YEAR));
        let store = open(dir.path(), &clock, Mode::Write).expect("a store");
        Self { dir, clock, store }
    }

    /// Closes the store; its directory stays.
    fn close(self) -> (tempfile::TempDir, Arc<ManualClock>) {
        let Self { dir, store, clock } = self;
        store.close().expect("closed");
        (dir, clock)
    }

    fn fork_for(&self, ttl_seconds: u64) -> ForkId {
        self.store.create_fork(NewFork { ttl_seconds, ..NewFork::default() }).expect("made").id
    }

    fn state(&self, id: &ForkId) -> ForkState {
        self.store.fork_info(id).expect("listed").state
    }

    fn refused(&self, id: &ForkId) -> String {
        self.store.fork(id).err().expect("it cannot be used").code().to_owned()
    }

    fn dir_of(&self, id: &ForkId) -> PathBuf {
        dir_of(self.dir.path(), id)
    }
}

fn open(dir: &Path, clock: &Arc<ManualClock>, mode: Mode) -> allsource::Result<Store> {
    Store::open(dir, Options { mode, clock: Arc::clone(clock) as _, ..Options::default() })
}

fn dir_of(dir: &Path, id: &ForkId) -> PathBuf {
    dir.join("tenants/default/forks").join(id.as_str())
}

/// The only log file of a fork.
fn log_of(dir: &Path, id: &ForkId) -> PathBuf {
    let mut files = std::fs::read_dir(dir_of(dir, id).join("log")).expect("a log");
    files.next().expect("a file").expect("an entry").path()
}

#[test]
fn a_fork_expires_at_once_unless_it_is_used_or_kept() {
    let place = Place::new();
    let (idle, used, kept) = (place.fork_for(7_200), place.fork_for(7_200), place.fork_for(0));
    append(&place.store.fork(&idle).expect("live"), "a", "1");
    place.clock.advance(HOUR);
    drop(place.store.fork(&used).expect("live"));
    place.clock.advance(HOUR + Duration::from_secs(1));
    // The thread that sweeps when a store opens may come this late, and then the fork is gone already.
    let over = ["fork_expired", "unknown_branch"];
    assert!(over.contains(&place.refused(&idle).as_str()));
    let restored = place.store.restore_fork(&idle).expect_err("it is over");
    assert!(over.contains(&restored.code()), "{restored}");
    assert_eq!([place.state(&used), place.state(&kept)], [ForkState::Live, ForkState::Live]);
    place.store.sweep_forks().expect("swept");
    assert_eq!(place.refused(&idle), "unknown_branch");
    assert!(!place.dir_of(&idle).exists());
    place.clock.advance(HOUR * 10_000);
    place.store.sweep_forks().expect("swept");
    assert_eq!(place.store.fork_ids().expect("listed"), [kept]);
}

#[test]
fn a_changed_lifetime_counts_from_the_change() {
    let place = Place::new();
    let id = place.fork_for(3_600);
    place.clock.advance(HOUR / 2);
    let change = ForkChange { ttl_seconds: Some(7_200), ..ForkChange::default() };
    place.store.update_fork(&id, &change).expect("changed");
    place.clock.advance(HOUR * 2);
    assert_eq!(place.state(&id), ForkState::Live);
    place.clock.advance(Duration::from_secs(1));
    assert_eq!(place.state(&id), ForkState::Expired);
}

#[test]
fn a_discarded_fork_can_be_restored_for_a_day() {
    let place = Place::new();
    let (id, other) = (place.fork_for(0), place.fork_for(0));
    append(&place.store.fork(&id).expect("live"), "a", "1");
    place.store.discard_fork(&id).expect("discarded");
    place.store.discard_fork(&other).expect("discarded");
    assert_eq!(place.refused(&id), "fork_discarded");
    place.clock.advance(HOUR * 24);
    assert_eq!(place.store.sweep_forks().expect("swept"), 0);
    place.store.restore_fork(&id).expect("restored");
    assert_eq!(told(&place.store.fork(&id).expect("live")), ["1 a@1 1"]);
    place.clock.advance(Duration::from_secs(1));
    assert_eq!(place.store.sweep_forks().expect("swept"), 1);
    assert_eq!(place.store.restore_fork(&other).expect_err("it is gone").code(), "unknown_branch");
}

#[test]
fn a_child_keeps_the_files_of_its_parent() {
    let place = Place::new();
    append(&place.store, "a", "1");
    let parent = place.fork_for(60);
    append(&place.store.fork(&parent).expect("live"), "a", "2");
    let child = place
        .store
        .fork(&parent)
        .expect("live")
        .create_fork(NewFork { ttl_seconds: 0, ..NewFork::default() });
    let child = child.expect("made").id;
    place.clock.advance(HOUR);
    assert_eq!(place.store.sweep_forks().expect("swept"), 0);
    append(&place.store.fork(&child).expect("live"), "a", "3");
    assert_eq!(told(&place.store.fork(&child).expect("live")), ["1 a@1 1", "2 a@2 2", "3 a@3 3"]);
    assert_eq!(
        place.store.promote_fork(&child, &Promotion::default()).expect_err("its parent is over").code(),
        "fork_expired"
    );
    place.store.erase_fork(&child).expect("removed");
    assert_eq!(place.store.sweep_forks().expect("swept"), 1);
    assert!(!place.dir_of(&parent).exists());
}

#[test]
fn a_fork_holds_what_its_quota_says() {
    let place = Place::new();
    let quota = |quota_events, quota_bytes| {
        let new = NewFork { quota_events, quota_bytes, ..NewFork::default() };
        place.store.fork(&place.store.create_fork(new).expect("made").id).expect("live")
    };
    let try_append = |branch: &Store, count: usize| {
        let events = (0..count).map(|n| draft(&format!("e{n}"), "t", "1")).collect();
        branch.append(Append { events, ..Append::default() }).map(drop)
    };
    let by_events = quota(3, 1 << 20);
    try_append(&by_events, 2).expect("room");
    let error = try_append(&by_events, 2).expect_err("no room");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Exhausted, "fork_quota"), "{error}");
    try_append(&by_events, 1).expect("room");
    let by_bytes = quota(1_000, 400);
    try_append(&by_bytes, 1).expect("room");
    assert_eq!(try_append(&by_bytes, 20).expect_err("no room").code(), "fork_quota");
    assert_eq!(told(&by_bytes).len(), 1);
    let id = ForkId::parse(&by_bytes.branch_name()).expect("an id");
    let change = ForkChange { quota_bytes: Some(1 << 20), ..ForkChange::default() };
    place.store.update_fork(&id, &change).expect("raised");
    try_append(&by_bytes, 20).expect("room");
}

#[test]
fn a_ninth_fork_on_forks_is_refused() {
    let place = Place::new();
    append(&place.store, "a", "0");
    let mut branch = place.store.clone();
    for depth in 1..=8 {
        let id = branch.create_fork(NewFork::default()).expect("deep, but not too deep").id;
        branch = place.store.fork(&id).expect("live");
        append(&branch, "a", &depth.to_string());
    }
    assert_eq!(told(&branch).last().map(String::as_str), Some("9 a@9 8"));
    assert_eq!(branch.create_fork(NewFork::default()).expect_err("too deep").code(), "fork_too_deep");
}

#[test]
fn a_fork_of_nothing_holds_what_is_appended_to_it() {
    let place = Place::new();
    let (empty, on_empty) = fork(&place.store);
    append(&place.store, "a", "1");
    let at_zero = place
        .store
        .create_fork(NewFork { cut: Some(Position::ZERO), ..NewFork::default() })
        .expect("made")
        .id;
    for (id, branch) in [(empty, on_empty), (at_zero.clone(), place.store.fork(&at_zero).expect("live"))] {
        assert_eq!((told(&branch).len(), branch.snapshot().stats().expect("counted").events), (0, 0));
        append(&branch, "b", "2");
        assert_eq!(told(&branch), ["1 b@1 2"]);
        place.store.promote_fork(&id, &Promotion::default()).expect("promoted");
    }
    assert_eq!(told(&place.store)[..2], ["1 a@1 1", "2 b@1 2"]);
    let beyond = NewFork { cut: Some(Position::new(9)), ..NewFork::default() };
    assert_eq!(place.store.create_fork(beyond).expect_err("too far").code(), "position_beyond_head");
}

#[test]
fn a_fork_makes_what_it_stands_on_durable() {
    let root = crate::machines::scratch();
    let disk = FaultyDisk::over(root.path());
    let options = || Options {
        durability: Durability::Interval { ms: 86_400_000 },
        ..crate::machines::workload::small_options(Arc::new(disk.clone()), 1)
    };
    let store = Store::open(&root.path().join("store"), options()).expect("a store");
    append(&store, "a", "1");
    let (id, branch) = fork(&store);
    append(&branch, "a", "2");
    append(&store, "a", "\"lost\"");
    let after = crate::machines::scratch();
    disk.cut_power(0, after.path());
    let disk = FaultyDisk::over(after.path());
    let options = crate::machines::workload::small_options(Arc::new(disk), 2);
    let store = Store::open(&after.path().join("store"), options).expect("a store");
    assert_eq!(told(&store), ["1 a@1 1"]);
    assert_eq!(told(&store.fork(&id).expect("durable")), ["1 a@1 1", "2 a@2 2"]);
}

#[test]
fn a_reader_sees_forks_and_changes_none() {
    let place = Place::new();
    append(&place.store, "a", "1");
    let (id, branch) = fork(&place.store);
    append(&branch, "a", "2");
    let reader = open(place.dir.path(), &place.clock, Mode::Read).expect("read");
    assert_eq!(told(&reader.fork(&id).expect("there")), ["1 a@1 1", "2 a@2 2"]);
    let later = place.fork_for(60);
    assert_eq!(told(&reader.fork(&later).expect("found since")), ["1 a@1 1"]);
    place.clock.advance(HOUR);
    let denied = [
        reader.create_fork(NewFork::default()).map(drop),
        reader.discard_fork(&id).map(drop),
        reader.reset_fork(&id).map(drop),
        reader.promote_fork(&id, &Promotion::default()).map(drop),
        reader.fork(&id).expect("there").tag("t", None).map(drop),
        reader.sweep_forks().map(drop),
        reader.erase_fork(&id),
    ];
    for refused in denied {
        assert_eq!(refused.expect_err("it only reads").code(), "read_only");
    }
    assert!(place.dir_of(&later).exists(), "a reader removed an expired fork");
}

/// A damaged fork could be neither discarded without an error nor reset: both opened its log first.
#[test]
fn damage_in_a_fork_is_named_and_stays_there() {
    let place = Place::new();
    append(&place.store, "a", "1");
    let (id, branch) = fork(&place.store);
    let (other, beside) = fork(&place.store);
    append(&branch, "a", "2");
    append(&branch, "a", "3");
    append(&beside, "a", "4");
    drop((branch, beside));
    let (root, clock) = place.close();
    let dir = root.path();
    let file = log_of(dir, &id);
    flip(&file, 64 + 70);
    let store = open(dir, &clock, Mode::Write).expect("main is sound");
    append(&store, "a", "5");
    assert_eq!(told(&store.fork(&other).expect("sound")), ["1 a@1 1", "2 a@2 4"]);
    let error = store.fork(&id).err().expect("it is damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(
        (error.details()["file"].as_str(), error.details()["position"].as_u64()),
        (Some(name.as_str()), Some(2))
    );
    let damage = store.verify().damage;
    assert_eq!((damage.len(), damage[0].first_position), (1, Position::new(2)));
    assert!(damage[0].file.contains(id.as_str()) && damage[0].file.contains(&name), "{damage:?}");

    let reader = open(dir, &clock, Mode::Read).expect("read");
    let around = reader.fork(&id).expect("read around");
    assert_eq!(told(&around), ["1 a@1 1", "3 a@3 3"]);
    store.discard_fork(&id).expect("discarded");
    store.restore_fork(&id).expect_err("it is told of the damage");
    store.reset_fork(&id).expect("set back");
    assert_eq!(told(&store.fork(&id).expect("sound")), ["1 a@1 1", "2 a@2 5"]);
}

#[test]
fn a_fork_of_a_damaged_store_is_read_around_the_damage() {
    let place = Place::new();
    append(&place.store, "a", "1");
    append(&place.store, "a", "2");
    let (id, branch) = fork(&place.store);
    append(&branch, "a", "3");
    drop(branch);
    let (root, clock) = place.close();
    let dir = root.path();
    flip(&dir.join("tenants/default/main/log/00000000000000000001.log"), 64 + 70);
    let reader = open(dir, &clock, Mode::Read).expect("read");
    let branch = reader.fork(&id).expect("read around");
    assert_eq!(told(&branch), ["2 a@2 2", "3 a@3 3"]);
    assert!(!branch.damage().is_empty());
}

/// A sweep took a manifest that could not be opened for one that is not there, and removed the fork with all that it held.
#[test]
fn a_manifest_that_cannot_be_read_is_no_leftover() {
    let place = Place::new();
    let (id, branch) = fork(&place.store);
    append(&branch, "a", "1");
    drop(branch);
    let (root, clock) = place.close();
    let dir = root.path();
    let manifest = dir_of(dir, &id).join("manifest.json");
    let sound = std::fs::read(&manifest).expect("readable");
    std::fs::write(&manifest, &sound[..sound.len() / 2]).expect("torn");
    let store = open(dir, &clock, Mode::Write).expect("main is sound");
    assert_eq!(store.sweep_forks().expect("swept"), 0);
    assert!(log_of(dir, &id).exists(), "what was appended was removed");
    assert_eq!(store.verify().damage[0].file, format!("{id}/manifest.json"));
    drop(store);
    std::fs::write(&manifest, sound).expect("mended");
    let store = open(dir, &clock, Mode::Write).expect("a store");
    assert_eq!(told(&store.fork(&id).expect("live")), ["1 a@1 1"]);
}

/// A power cut left a torn manifest of a fork that was just made: no sweep ever removed it, and every `verify` called it damage.
#[test]
fn a_torn_manifest_of_a_fork_that_held_nothing_is_swept() {
    let place = Place::new();
    let (id, branch) = fork(&place.store);
    drop(branch);
    let (root, clock) = place.close();
    let dir = root.path();
    std::fs::write(dir_of(dir, &id).join("manifest.json"), "{\"crc32c").expect("torn");
    let store = open(dir, &clock, Mode::Write).expect("a store");
    assert_eq!(store.verify().damage, []);
    store.sweep_forks().expect("swept");
    assert!(!dir_of(dir, &id).exists());
}

/// A reset that failed behind its rename left the directory with the new manifest and the program with the old one: what was
/// appended then went to a log that no later open looked at.
#[test]
fn what_is_appended_after_a_reset_that_failed_is_kept() {
    let root = crate::machines::scratch();
    let disk = FaultyDisk::over(root.path());
    let dir = root.path().join("store");
    let open = || Store::open(&dir, crate::machines::workload::small_options(Arc::new(disk.clone()), 1));
    let store = open().expect("a store");
    append(&store, "a", "1");
    let (id, branch) = fork(&store);
    append(&branch, "a", "2");
    let within = Box::leak(id.to_string().into_boxed_str());
    disk.fail(Fault { call: Call::SyncDir, within, error: io::ErrorKind::Other });
    store.reset_fork(&id).expect_err("the disk failed");
    append(&store.fork(&id).expect("as it was"), "a", "3");
    let before = told(&store.fork(&id).expect("live"));
    drop((branch, store));
    assert_eq!(told(&open().expect("a store").fork(&id).expect("live")), before);
}
