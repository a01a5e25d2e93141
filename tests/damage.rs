//! What is left of a damaged store can be read: whichever one file is missing or is not what was written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::ErrorKind;
use allsource::event::{Event, EventDraft, Filter};
use allsource::store::disk::RealDisk;
use allsource::store::{Append, Damage, Mode, Options, Scan, ScanLimits, Store};

use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::small_options;

/// A closed store of three log files or more, and the events in it.
struct Place {
    root: tempfile::TempDir,
    events: Vec<Event>,
}

impl Place {
    fn new() -> Self {
        let root = scratch();
        let store = Store::open(&root.path().join("store"), options(Mode::Write)).expect("a new store");
        for number in 0..120 {
            let payload = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(300));
            let draft =
                EventDraft::new(&format!("entity {}", number % 7), "happened", payload).expect("a draft");
            store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
        }
        let events = read_all(&store.snapshot(), &Filter::default()).expect("readable");
        store.close().expect("closed");
        let place = Self { root, events };
        assert!(place.files("log").len() >= 3, "{:?}", place.files("log"));
        place
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn branch(&self) -> PathBuf {
        self.dir().join("tenants/default/main")
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.branch().join(folder)).expect("a directory");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "log" || ending == "index"));
        paths.sort();
        paths
    }

    fn open(&self, mode: Mode) -> Result<Store, allsource::Error> {
        Store::open(&self.dir(), options(mode))
    }
}

fn options(mode: Mode) -> Options {
    Options { mode, ..small_options(Arc::new(RealDisk), 1) }
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).expect("the file can be changed");
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn position_of(path: &Path) -> u64 {
    name(path).trim_end_matches(".log").parse().expect("a position")
}

/// After `harm`, which gives the file's name and the positions that it takes: writing is refused, the rest can be read,
/// verified and salvaged, and the damage names the file.
#[track_caller]
fn check(harm: impl FnOnce(&Place) -> (String, Option<(u64, u64)>)) {
    let place = Place::new();
    let (file, lost) = harm(&place);
    let is_lost =
        |event: &&Event| lost.is_some_and(|(first, last)| (first..=last).contains(&event.position.get()));
    let left: Vec<Event> = place.events.iter().filter(|event| !is_lost(event)).cloned().collect();
    let late = || EventDraft::new("late", "placed", "{}").expect("a draft");
    let written = place
        .open(Mode::Write)
        .and_then(|store| store.append(Append { events: vec![late()], ..Append::default() }).map(drop));
    let error = written.expect_err("a damaged store takes no writes");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");

    let store = place.open(Mode::Read).expect("what is left can be read");
    let page = store.snapshot().scan(&Scan::default(), &ScanLimits::default()).expect("readable");
    assert_eq!(page.events, left);
    assert_eq!(store.snapshot().stats().expect("readable").events, left.len() as u64);
    let expected = lost.unwrap_or_default();
    let names = |damage: &Damage| {
        damage.file == file && (damage.first_position.get(), damage.last_position.get()) == expected
    };
    assert!(store.damage().iter().any(names), "{:?}", store.damage());
    assert_eq!(store.verify().damage, store.damage());
    assert_eq!(store.verify().events, left.len() as u64);

    let target = Store::open(&place.root.path().join("new"), options(Mode::Write)).expect("a new store");
    let salvaged = store.salvage(&target).expect("salvaged");
    assert_eq!(salvaged.events, left.len() as u64);
    let saved = read_all(&target.snapshot(), &Filter::default()).expect("readable");
    let ids = |events: &[Event]| events.iter().map(|event| event.event_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&saved), ids(&left));
}

/// A store of this kind sent its owner from a damaged manifest to salvage, which refused with the same words.
#[test]
fn a_damaged_or_missing_manifest_leaves_every_event_readable() {
    check(|place| {
        flip(&place.branch().join("manifest.json"), 40);
        ("manifest.json".to_owned(), None)
    });
    check(|place| {
        fs::remove_file(place.branch().join("manifest.json")).expect("removed");
        ("manifest.json".to_owned(), None)
    });
}

#[test]
fn a_damaged_log_header_loses_no_event() {
    for index in 0..3 {
        check(|place| {
            let path = &place.files("log")[index];
            flip(path, 20);
            (name(path), None)
        });
    }
}

/// One missing log file of many made all of them unreadable.
#[test]
fn a_missing_log_file_is_a_gap() {
    for index in 0..2 {
        check(|place| {
            let logs = place.files("log");
            fs::remove_file(&logs[index]).expect("removed");
            (name(&logs[index]), Some((position_of(&logs[index]), position_of(&logs[index + 1]) - 1)))
        });
    }
    check(|place| {
        let last = place.files("log").pop().expect("a log file");
        fs::remove_file(&last).expect("removed");
        (name(&last), Some((position_of(&last), place.events.len() as u64)))
    });
}

#[test]
fn a_log_file_that_the_manifest_does_not_name_is_told() {
    check(|place| {
        let stranger = place.branch().join("log/00000000000000099999.log");
        fs::copy(&place.files("log")[1], &stranger).expect("copied");
        (name(&stranger), None)
    });
}

/// `verify` blamed the log and sent people to salvage, where the damaged index cost events that were whole.
#[test]
fn a_damaged_index_costs_no_event_and_is_built_anew_once_it_is_gone() {
    let place = Place::new();
    let index = place.files("index").remove(0);
    let size = fs::metadata(&index).expect("a file").len();
    for offset in [20, 300, usize::try_from(size).expect("small") - 5] {
        flip(&index, offset);
        let reader = place.open(Mode::Read).expect("readable");
        assert_eq!(read_all(&reader.snapshot(), &Filter::default()).expect("readable"), place.events);
        assert_eq!(reader.damage(), []);
        let damage = reader.verify().damage;
        assert_eq!(damage.len(), 1, "{damage:?}");
        assert_eq!(damage[0].file, name(&index));
        assert!(damage[0].reason.contains("no event is lost"), "{damage:?}");
        flip(&index, offset);
    }
    flip(&index.with_extension("rows"), 33);
    let reader = place.open(Mode::Read).expect("readable");
    let damage = reader.verify().damage;
    assert_eq!((damage.len(), &damage[0].file), (1, &name(&index.with_extension("rows"))), "{damage:?}");
    fs::remove_file(&index).expect("removed");
    let writer = place.open(Mode::Write).expect("the log is whole");
    writer.close().expect("closed");
    let writer = place.open(Mode::Write).expect("the log is whole");
    assert_eq!(writer.verify().damage, []);
    assert!(index.exists());
    assert_eq!(read_all(&writer.snapshot(), &Filter::default()).expect("readable"), place.events);
}

/// A newer manifest was called damaged, and its owner sent to salvage a store that had nothing wrong with it.
#[test]
fn a_newer_manifest_asks_for_an_update() {
    let place = Place::new();
    let body = r#"{"format":99,"streams":[]}"#;
    let document = format!("{{\"crc32c\":\"{:08x}\",\"manifest\":{body}}}", crc32c::crc32c(body.as_bytes()));
    fs::write(place.branch().join("manifest.json"), document).expect("written");
    for mode in [Mode::Read, Mode::Write] {
        let error = place.open(mode).err().expect("not understood");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "format_newer"), "{error}");
        assert!(error.message().contains("update allsource"), "{error}");
    }
}

/// Pages of up to 64 MiB of payloads went into appends of which names and stamps are a part too: salvage stopped at the
/// first such page, at every start again. Metadata that was full left no room for the stamp, with the same end.
#[test]
fn salvage_takes_large_events_and_full_metadata() {
    let root = scratch();
    let open = |name: &str| Store::open(&root.path().join(name), Options::default()).expect("a store");
    let (store, target) = (open("old"), open("new"));
    let (entity, kind) = ("e".repeat(250), "t".repeat(250));
    let payload = format!("\"{}\"", "x".repeat(66_900));
    for _ in 0..2 {
        let draft = || EventDraft::new(&entity, &kind, payload.clone()).expect("a draft");
        store
            .append(Append { events: (0..500).map(|_| draft()).collect(), ..Append::default() })
            .expect("stored");
    }
    let full = format!("{{\"full\":\"{}\"}}", "m".repeat(65_500));
    let draft = EventDraft::new("full", "t", "{}").and_then(|draft| draft.with_metadata(full.clone()));
    store.append(Append { events: vec![draft.expect("a draft")], ..Append::default() }).expect("stored");
    assert_eq!(store.salvage(&target).expect("salvaged").events, 1_001);
    let newest =
        target.snapshot().event(allsource::event::Position::new(1_001)).expect("readable").expect("an event");
    assert_eq!(newest.metadata.expect("metadata").as_str(), full);
}
