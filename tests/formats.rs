//! A store that a released version wrote opens, with exactly what was put in.
//!
//! `tests/formats/vN` is such a store and `tests/formats/vN.jsonl` what it holds. The newest one is also what this
//! version writes: the log and the indexes byte for byte, the segments as far as no library compresses them. Whoever changes the format adds a folder, and never touches an old one:
//! `UPDATE_FORMATS=1 cargo test formats` writes the newest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::event::{Event, Filter, Json, NamePattern};
use allsource::store::disk::RealDisk;
use allsource::store::{Durability, Mode, Options, Store};
use serde_json::{Value, json};

use crate::machines::faulty_disk::FaultyDisk;
use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::{Shape, Upkeep, Workload, small_options};

const NEWEST: u32 = 3;

fn folder(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/formats/v{version}"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder of a store") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name != "LOCK") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let copy = to.join(file.strip_prefix(from).expect("below the folder"));
        fs::create_dir_all(copy.parent().expect("below the folder")).expect("a folder can be made");
        fs::copy(file, copy).expect("a file can be copied");
    }
}

/// One line for each event, with all of its fields.
fn lines(store: &Store) -> String {
    let line = |event: &Event| {
        let payload: Value = serde_json::from_str(event.payload.as_str()).expect("JSON");
        let line = json!({
            "position": event.position.get(), "version": event.version.get(), "event_id": event.event_id.to_string(),
            "entity_id": event.entity_id.as_str(), "event_type": event.event_type.as_str(),
            "timestamp": event.timestamp.as_micros(), "recorded_at": event.recorded_at.as_micros(),
            "payload": payload, "metadata": event.metadata.as_ref().map(Json::to_value),
        });
        format!("{line}\n")
    };
    read_all(&store.snapshot(), &Filter::default()).expect("readable").iter().map(line).collect()
}

/// Demands that each entity is found by its name with all of its events, and a stranger with none.
fn check_entities(store: &Store) {
    let snapshot = store.snapshot();
    let mut counts: BTreeMap<String, usize> = BTreeMap::from([("a stranger".to_owned(), 0)]);
    for event in read_all(&snapshot, &Filter::default()).expect("readable") {
        *counts.entry(event.entity_id.to_string()).or_default() += 1;
    }
    for (name, count) in counts {
        let filter = Filter { entity_id: Some(NamePattern::Exact(name.clone())), ..Filter::default() };
        assert_eq!(read_all(&snapshot, &filter).expect("readable").len(), count, "{name}");
    }
}

/// The store that stands for the present format: every kind of append, cold segments, a full log file beside its
/// segment, a log file that is not full, indexes.
fn write(dir: &Path) {
    let disk = FaultyDisk::over(dir.parent().expect("below a scratch folder"));
    let workload = Workload {
        seed: 4,
        appends: 60,
        shape: Shape::Mixed,
        durability: Durability::Fsync,
        upkeep: Some(Upkeep { every: 28, hot_window_bytes: 12 << 10, kept: None }),
        planted_bug: None,
    };
    workload.run(&disk, dir).expect("a healthy disk");
}

/// The name of each file, and what is in it where no library decides about that.
fn written(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let ending = |path: &Path| path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let is_promised =
        |path: &PathBuf| ["log", "index", "rows", "parquet", "envelope"].contains(&&*ending(path));
    let named = |path: PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let is_compressed = ["parquet", "envelope"].contains(&&*ending(&path));
        (name, if is_compressed { Vec::new() } else { fs::read(path).expect("a readable file") })
    };
    files(dir).into_iter().filter(is_promised).map(named).collect()
}

#[test]
fn every_released_format_opens_with_what_was_put_in() {
    for version in 1..=NEWEST {
        let root = scratch();
        let dir = root.path().join("store");
        copy(&folder(version), &dir);
        let expected = fs::read_to_string(folder(version).with_extension("jsonl")).expect("what it holds");
        for mode in [Mode::Read, Mode::Write, Mode::Read] {
            let options = Options { mode, ..small_options(Arc::new(RealDisk), 1) };
            let store = Store::open(&dir, options).expect("an old store opens");
            assert_eq!(lines(&store), expected, "v{version}");
            check_entities(&store);
            assert!(store.verify().damage.is_empty(), "v{version}");
        }
        let options = Options { hot_window_bytes: 0, ..small_options(Arc::new(RealDisk), 1) };
        let store = Store::open(&dir, options.clone()).expect("an old store opens");
        store.compact().expect("an old store becomes segments");
        assert_eq!(lines(&store), expected, "v{version}");
        store.close().expect("closed");
        assert_eq!(
            written(&dir)
                .iter()
                .filter(|(name, _)| Path::new(name).extension().is_some_and(|ending| ending == "log"))
                .count(),
            1
        );
        let store = Store::open(&dir, options).expect("a store of segments opens");
        assert_eq!(lines(&store), expected, "v{version}");
        assert!(store.verify().damage.is_empty(), "v{version}");
    }
}

/// The manifest as programs of every version begin to read it: checked, then its format is looked at.
fn format_of(dir: &Path) -> u64 {
    let document = fs::read_to_string(dir.join("tenants/default/main/manifest.json")).expect("a manifest");
    let (head, body) = document.split_once(r#","manifest":"#).expect("a checksum before the manifest");
    let body = body.strip_suffix('}').expect("one object");
    assert_eq!(head, format!(r#"{{"crc32c":"{:08x}""#, crc32c::crc32c(body.as_bytes())));
    let manifest: Value = serde_json::from_str(body).expect("JSON");
    manifest["format"].as_u64().expect("a number")
}

/// A reader must not take a store away from the program that writes it; a writer leaves nothing that an older program
/// would misread: that one finds the number, and asks for an update.
#[test]
fn the_first_open_for_writing_upgrades_a_store_and_reading_leaves_it_as_it_is() {
    for version in 1..=NEWEST {
        let root = scratch();
        let dir = root.path().join("store");
        copy(&folder(version), &dir);
        let content = || files(&dir).iter().map(|path| fs::read(path).expect("readable")).collect::<Vec<_>>();
        let before = content();
        let open = |mode| {
            let options = Options { mode, ..small_options(Arc::new(RealDisk), 1) };
            Store::open(&dir, options).expect("an old store opens")
        };
        drop(open(Mode::Read));
        assert!(content() == before, "reading changed v{version}");
        assert_eq!(format_of(&dir), u64::from(version));
        drop(open(Mode::Write));
        assert_eq!(format_of(&dir), u64::from(NEWEST));
    }
}

#[test]
fn the_newest_format_is_what_this_version_writes() {
    let root = scratch();
    let dir = root.path().join("store");
    write(&dir);
    let newest = folder(NEWEST);
    if std::env::var_os("UPDATE_FORMATS").is_some() {
        drop(fs::remove_dir_all(&newest));
        copy(&dir, &newest);
        let options = Options { mode: Mode::Read, ..small_options(Arc::new(RealDisk), 1) };
        let store = Store::open(&dir, options).expect("a store that was just written");
        fs::write(newest.with_extension("jsonl"), lines(&store)).expect("the folder is writable");
    }
    let (expected, found) = (written(&newest), written(&dir));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    for ((name, expected), (_, found)) in expected.iter().zip(&found) {
        assert!(expected == found, "{name} is no longer written as in the newest format");
    }
}
