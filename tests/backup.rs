//! A backup is whole at every moment, costs what has changed, and becomes a store again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::ErrorKind;
use allsource::event::{Event, EventDraft, Filter};
use allsource::store::disk::{Disk, RealDisk};
use allsource::store::{Append, Mode, Options, Store};

use crate::machines::faulty_disk::{Call, Fault, FaultyDisk};
use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::small_options;

/// Small files, of which full ones are in row form for no longer than they must.
fn options(disk: Arc<dyn Disk>, mode: Mode) -> Options {
    // Segments stay as they are made, so that a test can count them.
    Options { mode, hot_window_bytes: 40 << 10, segment_events_max: 1, ..small_options(disk, 1) }
}

fn open(dir: &Path, mode: Mode) -> Result<Store, allsource::Error> {
    Store::open(dir, options(Arc::new(RealDisk), mode))
}

/// Appends `count` events, which fill a log file of the small size after some forty.
fn fill(store: &Store, count: usize) {
    for number in 0..count {
        let payload = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(300));
        let draft = EventDraft::new(&format!("entity {}", number % 7), "happened", payload).expect("a draft");
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
    }
}

fn events(store: &Store) -> Vec<Event> {
    read_all(&store.snapshot(), &Filter::default()).expect("readable")
}

/// Every file below the branch with its inode and content.
fn files(dir: &Path) -> BTreeMap<PathBuf, (u64, Vec<u8>)> {
    let branch = dir.join("tenants/default/main");
    let mut found = BTreeMap::new();
    for folder in ["log", "index", "segments"] {
        let entries = fs::read_dir(branch.join(folder)).into_iter().flatten();
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let inode = fs::metadata(&path).expect("a file").ino();
            let content = fs::read(&path).expect("a file");
            found.insert(path.strip_prefix(&branch).expect("inside").to_owned(), (inode, content));
        }
    }
    found
}

/// The backup in `dir` reads as `expected`, is sound, and becomes a store that goes on.
#[track_caller]
fn holds(dir: &Path, expected: &[Event]) {
    let backup = open(dir, Mode::Read).expect("a backup can be read");
    assert_eq!(events(&backup), expected);
    assert_eq!((backup.verify().damage, backup.damage()), (Vec::new(), &[][..]));
    let place = scratch();
    let new = place.path().join("restored");
    let restored = Store::restore(dir, &new, &options(Arc::new(RealDisk), Mode::Write)).expect("restored");
    assert_eq!(restored.events, expected.len() as u64);
    let store = open(&new, Mode::Write).expect("a restored store is a store");
    assert_eq!(events(&store), expected);
    assert!(store.snapshot().epoch() > backup.snapshot().epoch());
    fill(&store, 50);
    let longer = events(&store);
    assert_eq!((longer.len(), &longer[..expected.len()]), (expected.len() + 50, expected));
    store.close().expect("closed");
    let store = open(&new, Mode::Write).expect("a store");
    assert_eq!((events(&store), store.verify().damage), (longer, Vec::new()));
}

#[test]
fn a_backup_is_read_as_it_is_and_becomes_a_store() {
    for (count, is_compact) in [(0, false), (1, false), (45, false), (200, false), (1, true), (200, true)] {
        let root = scratch();
        let store = open(&root.path().join("store"), Mode::Write).expect("a store");
        fill(&store, count);
        if is_compact {
            store.compact().expect("compacted");
        }
        let target = root.path().join("backups/today");
        let done = store.backup(&target).expect("backed up");
        assert_eq!(done.through.get(), count as u64);
        let expected = events(&store);
        fill(&store, 100);
        holds(&target, &expected);
    }
}

#[test]
fn a_backup_takes_no_writes() {
    let root = scratch();
    let store = open(&root.path().join("store"), Mode::Write).expect("a store");
    let target = root.path().join("backup");
    store.backup(&target).expect("backed up");
    let error = open(&target, Mode::Write).err().expect("refused");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Denied, "is_a_backup"), "{error}");
}

/// A second backup links what is new, keeps what is there, and removes what the store no longer has.
#[test]
fn a_backup_costs_what_has_changed() {
    let root = scratch();
    let (dir, target) = (root.path().join("store"), root.path().join("backup"));
    let store = open(&dir, Mode::Write).expect("a store");
    // Nothing is left to be done in the background when this returns.
    let filled = |count: usize| {
        fill(&store, count);
        store.compact().expect("compacted");
    };
    filled(200);
    let first = store.backup(&target).expect("backed up");
    assert_eq!((first.kept, first.copied), (0, 1), "{first:?}");
    let again = store.backup(&target).expect("backed up");
    assert_eq!((again.linked, again.copied), (0, 0), "{again:?}");
    assert_eq!(again.kept, first.linked + first.copied);
    filled(100);
    fill(&store, 3);
    let second = store.backup(&target).expect("backed up");
    assert!(second.kept >= 8 && second.linked > 0 && second.copied == 1, "{second:?}");
    assert!(second.copied_bytes < 20_000, "{second:?}");
    assert!(second.removed > 0, "older log files have become segments: {second:?}");
    let sealed =
        files(&target).keys().filter(|path| path.extension().is_some_and(|e| e == "parquet")).count();
    assert!(sealed >= 5, "{sealed} segments");
    holds(&target, &events(&store));
}

/// A hard link is the same file: a store that wrote into a full log file would change every backup of it.
#[test]
fn nothing_that_a_store_does_changes_a_file_that_a_backup_shares() {
    let root = scratch();
    let dir = root.path().join("store");
    let target = root.path().join("backup");
    let mut store = open(&dir, Mode::Write).expect("a store");
    fill(&store, 130);
    store.compact().expect("compacted");
    fill(&store, 3);
    store.backup(&target).expect("backed up");
    let (before, of_store) = (files(&target), files(&dir));
    let is_shared = |path: &&PathBuf| of_store.get(*path).is_some_and(|file| file.0 == before[*path].0);
    let shared = before.keys().filter(is_shared).count();
    assert!(shared >= 3, "{shared} files are shared");
    for round in 0..3 {
        fill(&store, 90);
        store.compact().expect("compacted");
        assert_eq!(store.verify().damage, []);
        store.close().expect("closed");
        store = open(&dir, Mode::Write).expect("a store");
        assert!(files(&target) == before, "round {round}");
    }
    store.close().expect("closed");
    fs::remove_dir_all(&dir).expect("removed");
    assert!(files(&target) == before);
}

/// Where a file system cannot link, files are copied.
#[test]
fn what_cannot_be_linked_is_copied() {
    let root = scratch();
    let disk = FaultyDisk::over(root.path());
    let dir = root.path().join("store");
    let store = Store::open(&dir, options(Arc::new(disk.clone()), Mode::Write)).expect("a store");
    fill(&store, 130);
    store.compact().expect("compacted");
    fill(&store, 3);
    for _ in 0..100 {
        disk.fail(Fault { call: Call::Link, within: "backup", error: std::io::ErrorKind::CrossesDevices });
    }
    let target = root.path().join("backup");
    let done = store.backup(&target).expect("backed up");
    assert!(done.linked == 0 && done.copied > 3, "{done:?}");
    let again = store.backup(&target).expect("backed up");
    assert_eq!((again.linked, again.copied), (0, 0), "{again:?}");
    let shared = files(&dir);
    assert!(files(&target).iter().all(|(path, file)| shared.get(path).is_none_or(|own| own.0 != file.0)));
    holds(&target, &events(&store));
}

#[track_caller]
fn refused(store: &Store, target: &Path, kind: ErrorKind, code: &str) {
    let error = store.backup(target).expect_err("refused");
    assert_eq!((error.kind(), error.code()), (kind, code), "{error}");
}

#[test]
fn a_directory_that_is_no_backup_of_this_store_stays_as_it_is() {
    let root = scratch();
    let path = |name: &str| root.path().join(name);
    let store = open(&path("store"), Mode::Write).expect("a store");
    fill(&store, 60);
    for inside in ["store", "store/backup", "store/tenants/default/main/log", ""] {
        refused(&store, &path(inside), ErrorKind::Invalid, "inside_one_another");
    }
    fs::create_dir(path("photos")).expect("created");
    fs::write(path("photos/cat.jpg"), "meow").expect("written");
    refused(&store, &path("photos"), ErrorKind::Invalid, "not_a_backup");
    assert_eq!(fs::read_dir(path("photos")).expect("a directory").count(), 1);

    let other = Store::open(&path("other"), small_options(Arc::new(RealDisk), 2)).expect("a store");
    fill(&other, 1);
    refused(&store, &path("other"), ErrorKind::Invalid, "not_a_backup");
    other.backup(&path("backup of other")).expect("backed up");
    refused(&store, &path("backup of other"), ErrorKind::Invalid, "another_store");

    store.backup(&path("backup")).expect("backed up");
    let lock = RealDisk.lock(&path("backup").join("LOCK")).expect("a lock").expect("free");
    refused(&store, &path("backup"), ErrorKind::Unavailable, "locked");
    drop(lock);
    store.backup(&path("backup")).expect("backed up");
    let reader = open(&path("store"), Mode::Read).expect("a reader");
    refused(&reader, &path("backup"), ErrorKind::Denied, "read_only");
}

/// A store that was restored has the key of the one that it comes from, and soon other events under the same positions.
#[test]
fn a_store_that_went_another_way_does_not_become_the_backup_of_the_first() {
    let root = scratch();
    let path = |name: &str| root.path().join(name);
    let store = open(&path("store"), Mode::Write).expect("a store");
    fill(&store, 60);
    store.backup(&path("backup")).expect("backed up");
    let settings = options(Arc::new(RealDisk), Mode::Write);
    Store::restore(&path("backup"), &path("second"), &settings).expect("restored");
    let second = open(&path("second"), Mode::Write).expect("a store");
    second.backup(&path("backup")).expect("it has gone no other way yet");
    let draft = EventDraft::new("other", "happened", "{}").expect("a draft");
    fill(&store, 1);
    refused(&store, &path("second"), ErrorKind::Invalid, "not_a_backup");
    store.backup(&path("backup")).expect("backed up");
    refused(&second, &path("backup"), ErrorKind::Invalid, "newer_backup");
    second.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
    fill(&second, 60);
    refused(&second, &path("backup"), ErrorKind::Invalid, "another_store");
    holds(&path("backup"), &events(&store));
}

#[test]
fn a_restore_takes_only_a_sound_backup_and_an_empty_directory() {
    let root = scratch();
    let path = |name: &str| root.path().join(name);
    let store = open(&path("store"), Mode::Write).expect("a store");
    fill(&store, 130);
    store.backup(&path("backup")).expect("backed up");
    let settings = options(Arc::new(RealDisk), Mode::Write);
    let check = |backup: &str, dir: &str, code: &str| {
        let error = Store::restore(&path(backup), &path(dir), &settings).expect_err("refused");
        assert_eq!(error.code(), code, "{error}");
    };
    check("store", "new", "not_a_backup");
    check("backup", "store", "not_empty");
    check("backup", "backup/new", "inside_one_another");
    check("nothing", "new", "no_store");
    let log = path("backup/tenants/default/main/log/00000000000000000001.log");
    let mut bytes = fs::read(&log).expect("a file");
    bytes[5_000] ^= 1;
    fs::remove_file(&log).expect("removed");
    fs::write(&log, &bytes).expect("written");
    check("backup", "new", "backup_damaged");
    assert!(!path("new").exists());
}

/// Index files are built anew, so a damaged one must not keep a backup from being restored.
#[test]
fn a_damaged_index_is_left_out_of_a_restore() {
    let root = scratch();
    let path = |name: &str| root.path().join(name);
    let store = open(&path("store"), Mode::Write).expect("a store");
    fill(&store, 130);
    store.compact().expect("compacted");
    store.backup(&path("backup")).expect("backed up");
    let index =
        files(&path("backup")).into_keys().find(|path| path.extension().is_some_and(|e| e == "index"));
    let index = path("backup/tenants/default/main").join(index.expect("an index"));
    let mut bytes = fs::read(&index).expect("a file");
    bytes[300] ^= 1;
    fs::remove_file(&index).expect("removed");
    fs::write(&index, &bytes).expect("written");
    Store::restore(&path("backup"), &path("new"), &options(Arc::new(RealDisk), Mode::Write))
        .expect("restored");
    let new = open(&path("new"), Mode::Write).expect("a store");
    assert_eq!((events(&new), new.verify().damage), (events(&store), Vec::new()));
}

/// Each backup that is made while others append is a beginning of what the store holds in the end.
#[test]
fn a_backup_beside_appends_is_a_beginning_of_the_store() {
    let root = scratch();
    let path = |name: &str| root.path().join(name);
    let store = open(&path("store"), Mode::Write).expect("a store");
    let throughs: Vec<u64> = std::thread::scope(|scope| {
        let writer = scope.spawn(|| fill(&store, 1_500));
        let mut throughs = Vec::new();
        while !writer.is_finished() && throughs.len() < 12 {
            let done = store.backup(&path(&format!("backup {}", throughs.len() % 6))).expect("backed up");
            throughs.push(done.through.get());
        }
        throughs
    });
    let all = events(&store);
    for (number, through) in throughs.iter().enumerate().skip(throughs.len().saturating_sub(6)) {
        let through = usize::try_from(*through).expect("small");
        holds(&path(&format!("backup {}", number % 6)), &all[..through]);
    }
}

/// The power goes at every disk call of a second backup: what the first one held is there, and perhaps the second.
#[test]
fn a_power_cut_during_a_backup_leaves_the_older_one_whole() {
    let place = scratch();
    let (first, second, older) = {
        let store = open(&place.path().join("store"), Mode::Write).expect("a store");
        fill(&store, 60);
        store.backup(&place.path().join("backup")).expect("backed up");
        let older = events(&store);
        fill(&store, 110);
        let newer = events(&store);
        store.close().expect("closed");
        (older.len(), newer.len(), newer)
    };
    for stop in 1.. {
        let root = scratch();
        FaultyDisk::over(place.path()).cut_power(0, root.path());
        let disk = FaultyDisk::over(root.path());
        let store = Store::open(&root.path().join("store"), options(Arc::new(disk.clone()), Mode::Write));
        let store = store.expect("a store");
        let disk = disk.clone().stop_at(disk.calls().len() + stop);
        let done = store.backup(&root.path().join("backup"));
        assert_eq!(done.is_err(), disk.has_stopped(), "{done:?}");
        for state in 0..4 {
            let left = scratch();
            disk.cut_power(state, left.path());
            let backup = open(&left.path().join("backup"), Mode::Read).expect("a backup");
            let found = events(&backup);
            let context = format!("stopped at {stop} ({:?}), state {state}", disk.calls().last());
            assert!(found.len() >= first && found[..] == older[..found.len()], "{context}: {}", found.len());
            assert_eq!((backup.verify().damage, backup.damage()), (Vec::new(), &[][..]), "{context}");
            if done.is_ok() {
                assert_eq!(found.len(), second, "{context}");
            }
            drop(backup);
            let store = open(&left.path().join("store"), Mode::Write).expect("a store");
            store.backup(&left.path().join("backup")).expect("a backup goes on where it ended");
            if stop % 7 == 0 {
                holds(&left.path().join("backup"), &older);
            }
        }
        if done.is_ok() {
            return;
        }
    }
}

/// The power goes at every disk call of a restore: there is no store, or the whole of it.
#[test]
fn a_power_cut_during_a_restore_leaves_no_half_store() {
    let place = scratch();
    let expected = {
        let store = open(&place.path().join("store"), Mode::Write).expect("a store");
        fill(&store, 100);
        store.backup(&place.path().join("backup")).expect("backed up");
        events(&store)
    };
    for stop in 1.. {
        let root = scratch();
        FaultyDisk::over(place.path()).cut_power(0, root.path());
        let disk = FaultyDisk::over(root.path()).stop_at(stop);
        let (backup, new) = (root.path().join("backup"), root.path().join("new"));
        let done = Store::restore(&backup, &new, &options(Arc::new(disk.clone()), Mode::Write));
        for state in 0..4 {
            let left = scratch();
            disk.cut_power(state, left.path());
            let context = format!("stopped at {stop} ({:?}), state {state}", disk.calls().last());
            match open(&left.path().join("new"), Mode::Read) {
                Ok(store) if store.damage().is_empty() => assert_eq!(events(&store), expected, "{context}"),
                Ok(_) => assert!(done.is_err(), "{context}"),
                Err(error) => assert!(done.is_err(), "{context}: {error}"),
            }
        }
        if done.is_ok() {
            return;
        }
    }
}
