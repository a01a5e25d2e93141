//! One flipped byte in each kind of file is found and named exactly, costs no more than it must, and is undone where the file
//! is derived from others.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::event::{Event, EventDraft, EventId, Filter, IdempotencyKey};
use allsource::store::disk::RealDisk;
use allsource::store::{Append, Mode, Options, Scan, ScanLimits, Store};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaDataReader};

use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::small_options;

fn options(mode: Mode) -> Options {
    Options { mode, hot_window_bytes: 40 << 10, ..small_options(Arc::new(RealDisk), 1) }
}

/// A closed store with cold segments, hot ones, and a tail, in the directory `store`.
fn make(root: &Path) -> Vec<Event> {
    let store = Store::open(&root.join("store"), options(Mode::Write)).expect("a new store");
    let fill = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let payload = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(250));
            let mut draft =
                EventDraft::new(&format!("entity {}", number % 7), "happened", payload).expect("a draft");
            if number.is_multiple_of(5) {
                draft = draft.with_event_id(EventId::new(format!("id {number}")).expect("an id"));
            }
            let key = number.is_multiple_of(3);
            let idempotency_key = key.then(|| IdempotencyKey::new(format!("call {number}")).expect("a key"));
            store
                .append(Append { events: vec![draft], idempotency_key, ..Append::default() })
                .expect("stored");
        }
    };
    fill(0..250);
    store.compact().expect("sealed");
    fill(250..270);
    let events = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    store.close().expect("closed");
    events
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for path in fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// The files of a folder with that ending, in order.
fn files(root: &Path, folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("store/tenants/default/main").join(folder)).expect("a directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    paths
}

/// The sections of a file whose table of `offset, len, …` entries of 24 bytes begins at `table`: a byte of each that is not
/// empty.
fn sections(path: &Path, table: usize, count: usize) -> Vec<usize> {
    let bytes = fs::read(path).expect("a file");
    let number = |at: usize| {
        let bytes = bytes[at..at + 8].try_into().expect("eight bytes");
        usize::try_from(u64::from_le_bytes(bytes)).expect("small")
    };
    let places = (0..count).map(|section| (number(table + section * 24), number(table + section * 24 + 8)));
    places.filter(|(_, len)| *len > 0).map(|(offset, len)| offset + len / 2).collect()
}

/// A byte of each kind of part of a Parquet file.
fn parts(path: &Path) -> Vec<usize> {
    let bytes = bytes::Bytes::from(fs::read(path).expect("a file"));
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).expect("a footer");
    let columns =
        || metadata.row_groups().iter().flat_map(parquet::file::metadata::RowGroupMetaData::columns);
    let mut found = vec![1, bytes.len() - 20];
    let places: [fn(&ColumnChunkMetaData) -> Option<i64>; 5] = [
        |column| Some(column.data_page_offset()),
        ColumnChunkMetaData::dictionary_page_offset,
        ColumnChunkMetaData::column_index_offset,
        ColumnChunkMetaData::offset_index_offset,
        ColumnChunkMetaData::bloom_filter_offset,
    ];
    for place in places {
        let offset = columns().find_map(place).expect("a part of each kind");
        found.push(usize::try_from(offset).expect("positive") + 3);
    }
    found
}

/// Flips one byte of a copy of the store: `verify` names the file and a place at or before the byte, every event that is not
/// named as lost is read, and a derived file is built anew, while all others stay as they are.
#[track_caller]
fn check(root: &Path, path: &Path, offset: usize, events: &[Event], is_derived: bool) {
    let place = scratch();
    copy(root, place.path());
    let inside = path.strip_prefix(root).expect("a file of the store");
    let path = place.path().join(inside);
    let context = format!("{} at {offset}", inside.display());
    let mut bytes = fs::read(&path).expect("a file");
    bytes[offset] ^= 0x10;
    fs::write(&path, &bytes).expect("the file can be changed");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();

    let dir = place.path().join("store");
    let reader = Store::open(&dir, options(Mode::Read)).expect("what is left can be read");
    let damage = reader.verify().damage;
    let named = damage.iter().find(|damage| damage.file == name);
    let named = named.unwrap_or_else(|| panic!("{context}: {damage:?}"));
    assert!(usize::try_from(named.offset).is_ok_and(|at| at <= offset), "{context}: {named:?}");
    assert_eq!(named.is_derived(), is_derived, "{context}");
    let page = reader.snapshot().scan(&Scan::default(), &ScanLimits::default()).expect("readable");
    let is_lost = |event: &&Event| {
        damage.iter().any(|one| (one.first_position..=one.last_position).contains(&event.position))
    };
    let missing = events.iter().filter(|event| !page.events.contains(event));
    assert!(missing.clone().all(|event| is_lost(&event)), "{context}: {} are missing", missing.count());
    assert!(page.events.iter().all(|event| events.contains(event)), "{context}");
    drop(reader);

    if is_derived {
        let writer = Store::open(&dir, options(Mode::Write)).expect("nothing is lost");
        let report = writer.repair().expect("repaired");
        assert_eq!(report.damage, [], "{context}");
        let stem = name.split('.').next().expect("a stem");
        assert!(report.repaired.iter().any(|one| one.file.starts_with(stem)), "{context}: {report:?}");
        assert_eq!(read_all(&writer.snapshot(), &Filter::default()).expect("readable"), events, "{context}");
        writer.close().expect("closed");
        let reader = Store::open(&dir, options(Mode::Read)).expect("readable");
        assert_eq!(reader.verify().damage, [], "{context}");
    } else if let Ok(writer) = Store::open(&dir, options(Mode::Write)) {
        assert!(!writer.repair().expect("told").damage.is_empty(), "{context}");
        // A log file that is found damaged meanwhile makes closing say so.
        let _ = writer.close();
    }
    if !is_derived && !path.ends_with("manifest.json") {
        assert!(fs::read(&path).is_ok_and(|now| now == bytes), "{context}: it was changed");
    }
}

#[test]
fn a_flipped_byte_in_a_log_file_is_named() {
    let root = scratch();
    let events = make(root.path());
    for path in files(root.path(), "log", "log") {
        for offset in [20, 64 + 5, 64 + 48 + 8, 64 + 48 + 44 + 100] {
            check(root.path(), &path, offset, &events, false);
        }
    }
}

#[test]
fn a_flipped_byte_in_a_segment_or_its_envelope_is_named() {
    let root = scratch();
    let events = make(root.path());
    let segments = files(root.path(), "segments", "parquet");
    for path in [segments.first(), segments.last()].into_iter().flatten() {
        for offset in parts(path) {
            check(root.path(), path, offset, &events, false);
        }
        let envelope = path.with_extension("envelope");
        for offset in [10, 181].into_iter().chain(sections(&envelope, 80, 4)) {
            check(root.path(), &envelope, offset, &events, false);
        }
    }
}

#[test]
fn a_flipped_byte_in_an_index_is_named_and_undone() {
    let root = scratch();
    let events = make(root.path());
    let indexes = files(root.path(), "index", "index");
    for path in [indexes.first(), indexes.get(indexes.len() - 2)].into_iter().flatten() {
        for offset in [20].into_iter().chain(sections(path, 72, 8)) {
            check(root.path(), path, offset, &events, true);
        }
    }
    for path in files(root.path(), "index", "rows").iter().take(1) {
        check(root.path(), path, 33, &events, true);
    }
}

#[test]
fn a_flipped_byte_in_the_manifest_is_named() {
    let root = scratch();
    let events = make(root.path());
    let manifest = root.path().join("store/tenants/default/main/manifest.json");
    for offset in [12, 40, 90] {
        check(root.path(), &manifest, offset, &events, false);
    }
}
