//! What becomes of log files that are full: the same events, in Parquet.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use allsource::event::{EventDraft, Filter, NamePattern};
use allsource::store::disk::RealDisk;
use allsource::store::{Append, Durability, Mode, Options, SegmentStats, Store};

use crate::machines::faulty_disk::FaultyDisk;
use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::{Shape, Workload, small_options};

fn count(dir: &Path, ending: &str) -> usize {
    let names = |folder: &str| {
        let path = dir.join("tenants/default/main").join(folder);
        fs::read_dir(path).expect("a folder of a store").map(|entry| entry.expect("an entry").path())
    };
    let files = ["log", "index", "segments"].into_iter().flat_map(names);
    files.filter(|path| path.extension().is_some_and(|found| found == ending)).count()
}

/// A store of 300 appends whose log files hold some events each, and its options with a hot window of `hot` bytes.
fn filled(dir: &Path, hot: u64) -> Options {
    let disk = FaultyDisk::over(dir.parent().expect("below a scratch folder"));
    let durability = Durability::Fsync;
    let workload =
        Workload { seed: 7, appends: 60, shape: Shape::Mixed, durability, upkeep: None, planted_bug: None };
    workload.run(&disk, dir).expect("a healthy disk");
    Options { hot_window_bytes: hot, ..small_options(Arc::new(RealDisk), 1) }
}

#[test]
fn a_store_reads_the_same_from_its_log_and_from_its_segments() {
    let root = scratch();
    let dir = root.path().join("store");
    let options = filled(&dir, 0);
    let store = Store::open(&dir, Options { hot_window_bytes: u64::MAX, ..options.clone() }).expect("opens");
    let before = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    let stats = store.snapshot().stats().expect("stats");
    assert_eq!(stats.segments, SegmentStats::default());
    store.close().expect("closes");

    let store = Store::open(&dir, options.clone()).expect("opens");
    store.compact().expect("compacts");
    let check = |store: &Store| {
        assert_eq!(read_all(&store.snapshot(), &Filter::default()).expect("readable"), before);
        assert_eq!(store.snapshot().stats().expect("stats").event_types, stats.event_types);
        let found = store.snapshot().stats().expect("stats");
        let cold = found.segments;
        assert!(cold.count > 0 && cold.bytes > 0 && cold.emptied == 0, "{cold:?}");
        assert_eq!((cold.events, found.events), (before.len() as u64, stats.events));
        assert!(found.log_bytes < stats.log_bytes);
        assert_eq!(store.verify().damage, Vec::new());
        let matching = |filter: Filter| {
            let found = read_all(&store.snapshot(), &filter).expect("readable");
            let expected: Vec<_> = before.iter().filter(|event| filter.matches(event)).cloned().collect();
            assert_eq!(found, expected, "{filter:?}");
        };
        for event in &before {
            let (entity, kind) = (event.entity_id.to_string(), event.event_type.to_string());
            matching(Filter { entity_id: Some(NamePattern::Exact(entity)), ..Filter::default() });
            matching(Filter { event_type: Some(NamePattern::Exact(kind)), ..Filter::default() });
            matching(Filter { since: Some(event.timestamp), ..Filter::default() });
            let found = store.snapshot().event_by_id(&event.event_id).expect("readable");
            assert_eq!(found.as_ref(), Some(event));
        }
    };
    check(&store);
    store.close().expect("closes");
    assert_eq!((count(&dir, "log"), count(&dir, "rows")), (1, 0));
    assert_eq!((count(&dir, "parquet"), count(&dir, "envelope"), count(&dir, "index")), (1, 1, 1));
    for mode in [Mode::Read, Mode::Write, Mode::Read] {
        check(&Store::open(&dir, Options { mode, ..options.clone() }).expect("opens again"));
    }

    // There is nothing left to do.
    let store = Store::open(&dir, options.clone()).expect("opens");
    let done = store.compact().expect("compacts");
    assert_eq!((done.sealed, done.retired, done.merged, done.segments), (0, 0, 0, 1));
    assert_eq!(done.bytes_before, done.bytes_after);
    drop(store);

    // Indexes can be made anew from the segments.
    fs::remove_dir_all(dir.join("tenants/default/main/index")).expect("indexes");
    fs::create_dir(dir.join("tenants/default/main/index")).expect("a folder");
    for mode in [Mode::Read, Mode::Write, Mode::Read] {
        check(&Store::open(&dir, Options { mode, ..options.clone() }).expect("opens without indexes"));
    }
}

#[test]
fn a_store_whose_manifest_is_lost_is_not_taken_for_an_empty_one() {
    let root = scratch();
    let dir = root.path().join("store");
    let options = filled(&dir, 0);
    let store = Store::open(&dir, options.clone()).expect("opens");
    store.compact().expect("compacts");
    store.close().expect("closes");
    let segments = count(&dir, "parquet");
    fs::remove_file(dir.join("tenants/default/main/manifest.json")).expect("a manifest");
    let refused = Store::open(&dir, options).err().expect("it is refused");
    assert_eq!(refused.code(), "manifest_missing");
    assert_eq!(count(&dir, "parquet"), segments);
}

#[test]
fn a_log_file_that_was_ended_early_gives_its_space_back() {
    use std::os::unix::fs::MetadataExt;
    let root = scratch();
    let dir = root.path().join("store");
    let options = Options { log_file_bytes: 4 << 20, ..filled(&dir, u64::MAX) };
    let store = Store::open(&dir, options).expect("opens");
    store.compact().expect("compacts");
    let events = vec![EventDraft::new("order-1", "placed", "{}").expect("a draft")];
    store.append(Append { events, ..Append::default() }).expect("stored");
    store.compact().expect("compacts");
    store.close().expect("closes");
    let logs = fs::read_dir(dir.join("tenants/default/main/log")).expect("log files");
    let used = |entry: fs::DirEntry| entry.metadata().expect("a log file").blocks() * 512;
    let mut used: Vec<u64> = logs.map(|entry| used(entry.expect("an entry"))).collect();
    used.sort_unstable();
    assert_eq!(used.pop(), Some(4 << 20), "the newest is reserved");
    assert!(used.iter().all(|&bytes| bytes < 1 << 20), "{used:?}");
}
