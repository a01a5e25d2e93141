//! A disk that fails is reported at once, and nothing that was acknowledged is lost.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::event::{EntityId, EventDraft, Filter, Position};
use allsource::store::disk::RealDisk;
use allsource::store::{Append, Appended, Mode, Options, Scan, ScanLimits, Store};
use allsource::{Error, ErrorKind};

use crate::machines::faulty_disk::{Call, Fault, FaultyDisk};
use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::small_options;

/// A directory, the disk over it, and a store in it.
pub struct Place {
    pub root: tempfile::TempDir,
    pub disk: FaultyDisk,
}

impl Place {
    pub fn new() -> Self {
        let root = scratch();
        let disk = FaultyDisk::over(root.path());
        Self { root, disk }
    }

    pub fn dir(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn open(&self) -> Store {
        Store::open(&self.dir(), small_options(Arc::new(self.disk.clone()), 1)).expect("a healthy disk opens")
    }

    fn fail(&self, call: Call, error: io::ErrorKind) {
        self.disk.fail(Fault { call, within: "log", error });
    }

    fn count(&self, call: Call) -> usize {
        self.disk.calls().iter().filter(|(made, _)| *made == call).count()
    }

    /// The only log file.
    pub fn log_file(&self) -> PathBuf {
        self.dir().join("tenants/default/main/log/00000000000000000001.log")
    }
}

pub fn append(store: &Store, entity: &str) -> Result<Appended, Error> {
    let event =
        EventDraft::new(entity, "happened", format!("{{\"of\":\"{entity}\"}}")).expect("a valid draft");
    store.append(Append { events: vec![event], ..Append::default() })
}

/// The entities of all events, in order of position.
#[track_caller]
fn holds(store: &Store, entities: &[&str]) {
    let events = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    assert_eq!(events.iter().map(|event| event.entity_id.as_str()).collect::<Vec<_>>(), entities);
}

#[track_caller]
fn refused(result: Result<Appended, Error>, kind: ErrorKind, code: &str) -> Error {
    let error = result.expect_err("the append must be refused");
    assert_eq!((error.kind(), error.code()), (kind, code), "{error}");
    error
}

/// After a failure of `call`, appends are refused, reads go on, and a reopen brings everything back.
#[track_caller]
fn poisons(call: Call) {
    let place = Place::new();
    let store = place.open();
    append(&store, "a").expect("a healthy disk");
    place.fail(call, io::ErrorKind::Other);
    refused(append(&store, "b"), ErrorKind::Unavailable, "disk_failed");
    let calls = place.disk.calls().len();
    refused(append(&store, "c"), ErrorKind::Unavailable, "disk_failed");
    assert_eq!(place.disk.calls().len(), calls, "the disk was tried again");
    holds(&store, &["a"]);
    drop(store);

    let store = place.open();
    let before = store.snapshot().head();
    assert_eq!(append(&store, "d").expect("a reopened store").events[0].position, before.next());
}

/// A store of this kind indexed an event before it was stored. When the write failed, the index went on answering, with
/// the event of another entity that took the place.
#[test]
fn a_failed_write_stops_writing_and_shows_nothing() {
    poisons(Call::Write);

    let place = Place::new();
    let store = place.open();
    append(&store, "a").expect("a healthy disk");
    place.fail(Call::Write, io::ErrorKind::Other);
    refused(append(&store, "b"), ErrorKind::Unavailable, "disk_failed");
    drop(store);
    let store = place.open();
    append(&store, "c").expect("a reopened store");
    holds(&store, &["a", "c"]);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.entity_head(&EntityId::new("b").expect("a name")).expect("readable"), None);
}

/// A store of this kind retried a failed fsync. The kernel had given the pages up, so the second call succeeded, and
/// what it acknowledged was lost.
#[test]
fn a_failed_sync_stops_writing_and_is_never_retried() {
    poisons(Call::SyncData);

    let place = Place::new();
    let store = place.open();
    append(&store, "a").expect("a healthy disk");
    place.fail(Call::SyncData, io::ErrorKind::Other);
    let syncs = place.count(Call::SyncData);
    refused(append(&store, "b"), ErrorKind::Unavailable, "disk_failed");
    refused(append(&store, "c"), ErrorKind::Unavailable, "disk_failed");
    store.close().expect_err("a poisoned store does not close well");
    assert_eq!(place.count(Call::SyncData), syncs + 1);
}

/// Fills the only log file until the next append needs a new one.
fn fill(store: &Store, place: &Place) -> Vec<String> {
    let mut entities = Vec::new();
    let room = 16 << 10;
    let mut used = 64;
    while used + 400 < room {
        let entity = format!("filler {}", entities.len());
        let event =
            EventDraft::new(&entity, "filled", format!("\"{}\"", "x".repeat(250))).expect("a valid draft");
        store.append(Append { events: vec![event], ..Append::default() }).expect("a healthy disk");
        used = 64 + usize::try_from(store.snapshot().stats().expect("readable").log_bytes).expect("small");
        entities.push(entity);
    }
    assert!(place.log_file().exists());
    entities
}

fn big(entity: &str) -> Append {
    let event =
        EventDraft::new(entity, "filled", format!("\"{}\"", "y".repeat(2_000))).expect("a valid draft");
    Append { events: vec![event], ..Append::default() }
}

#[test]
fn a_disk_too_full_for_a_new_file_refuses_the_append_and_loses_nothing() {
    let place = Place::new();
    let store = place.open();
    let mut entities = fill(&store, &place);
    place.fail(Call::Allocate, io::ErrorKind::StorageFull);
    let error = refused(store.append(big("late")), ErrorKind::Exhausted, "disk_full");
    assert!(error.message().contains("free space"), "{error}");
    store.append(big("late")).expect("there is space again");
    entities.push("late".to_owned());
    holds(&store, &entities.iter().map(String::as_str).collect::<Vec<_>>());
    drop(store);
    holds(&place.open(), &entities.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_write_loses_nothing() {
    let place = Place::new();
    let store = place.open();
    append(&store, "a").expect("a healthy disk");
    place.fail(Call::Write, io::ErrorKind::StorageFull);
    append(&store, "b").expect_err("there is no space");
    drop(store);
    let store = place.open();
    holds(&store, &["a"]);
    append(&store, "b").expect("there is space again");
    holds(&store, &["a", "b"]);
}

/// A disk that was full at the moment of a new manifest ended all writing, as if it had failed.
#[test]
fn a_disk_too_full_for_a_new_manifest_changes_nothing() {
    for call in [Call::Create, Call::Write] {
        let place = Place::new();
        let store = place.open();
        let mut entities = fill(&store, &place);
        // After this nothing is left to be done in the background, so that the fault meets the call that is meant.
        store.compact().expect("a healthy disk");
        append(&store, "late").expect("a healthy disk");
        place.disk.fail(Fault { call, within: "manifest.json.tmp", error: io::ErrorKind::StorageFull });
        let error = store.compact().expect_err("there is no space");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Exhausted, "disk_full"), "{error}");
        append(&store, "later").expect("there is space again");
        store.compact().expect("there is space again");
        entities.extend(["late".to_owned(), "later".to_owned()]);
        drop(store);
        holds(&place.open(), &entities.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// A retention elsewhere ran before its directory sync had succeeded: what a directory holds is unknown after a failure.
#[test]
fn a_failed_directory_sync_stops_writing() {
    let place = Place::new();
    let store = place.open();
    let entities = fill(&store, &place);
    place.fail(Call::SyncDir, io::ErrorKind::Other);
    refused(store.append(big("late")), ErrorKind::Unavailable, "disk_failed");
    refused(append(&store, "small"), ErrorKind::Unavailable, "disk_failed");
    drop(store);
    holds(&place.open(), &entities.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A store of this kind logged that its directory could not be used, went on in memory, and answered Ok.
#[test]
fn a_directory_that_cannot_be_used_is_refused() {
    let place = Place::new();
    let file = place.root.path().join("file");
    std::fs::write(&file, "not a directory").expect("a file");
    let options = || Options { disk: Arc::new(RealDisk), ..Options::default() };
    let error = Store::open(&file.join("store"), options()).err().expect("no store can be there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let reading = Options { mode: Mode::Read, ..options() };
    let error = Store::open(&place.root.path().join("nothing"), reading).err().expect("there is no store");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!place.root.path().join("nothing").exists(), "a reader made a directory");

    let denied = Fault { call: Call::CreateDir, within: "store", error: io::ErrorKind::PermissionDenied };
    place.disk.fail(denied);
    let error =
        Store::open(&place.dir(), small_options(Arc::new(place.disk.clone()), 1)).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

/// A store of this kind took no lock: a second process cut the first one's log, and a synced write was lost.
#[test]
fn a_second_writer_is_locked_out_until_the_first_is_gone() {
    let place = Place::new();
    let store = place.open();
    append(&store, "a").expect("a healthy disk");
    let options = || small_options(Arc::new(RealDisk), 1);
    let error = Store::open(&place.dir(), options()).err().expect("the directory is taken");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "locked"), "{error}");
    let reader =
        Store::open(&place.dir(), Options { mode: Mode::Read, ..options() }).expect("readers need no lock");
    holds(&reader, &["a"]);
    refused(append(&reader, "b"), ErrorKind::Denied, "read_only");
    drop(store);
    holds(&Store::open(&place.dir(), options()).expect("the directory is free"), &["a"]);
}

pub fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).expect("the log file is readable");
    bytes[offset] ^= 0x10;
    std::fs::write(path, bytes).expect("the log file can be changed");
}

/// Checksums elsewhere left the payload out, so an edited amount was served; and damage in the middle of a log was
/// skipped without a word.
#[test]
fn a_flipped_bit_in_the_middle_is_named_and_read_around() {
    let place = Place::new();
    let store = place.open();
    for entity in ["a", "the damaged one", "c", "d"] {
        append(&store, entity).expect("a healthy disk");
    }
    drop(store);
    let bytes = std::fs::read(place.log_file()).expect("the log file is readable");
    let needle = b"{\"of\":\"the damaged one\"}";
    let offset =
        bytes.windows(needle.len()).position(|window| window == needle).expect("the payload is in the file");
    flip(&place.log_file(), offset + 8);

    let error = Store::open(&place.dir(), small_options(Arc::new(RealDisk), 1)).err().expect("a damaged log");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(error.details()["position"], 2, "{error}");
    assert!(error.message().contains("00000000000000000001.log"), "{error}");

    let reading = Options { mode: Mode::Read, ..small_options(Arc::new(RealDisk), 1) };
    let store = Store::open(&place.dir(), reading).expect("reading goes around the damage");
    let damage = store.damage();
    assert_eq!(damage.len(), 1);
    assert_eq!((damage[0].first_position, damage[0].last_position), (Position::new(2), Position::new(2)));
    let page = store.snapshot().scan(&Scan::default(), &ScanLimits::default());
    let page = page.expect("readable around the damage");
    let entities: Vec<_> = page.events.iter().map(|event| event.entity_id.as_str()).collect();
    assert_eq!((entities, page.damaged), (vec!["a", "c", "d"], 1));
    assert!(!store.verify().damage.is_empty());
}

/// An open proves the newest log file only, so damage in an older one was built upon by whoever appended before a read
/// met it, for ever in programs that live for one append.
#[test]
fn damage_in_an_older_file_refuses_the_first_append_and_every_open_after_it() {
    let place = Place::new();
    let store = place.open();
    for n in 0..200 {
        append(&store, &format!("entity-{n}")).expect("a healthy disk");
    }
    drop(store);
    let files = std::fs::read_dir(place.log_file().parent().expect("a folder")).expect("readable").count();
    assert!(files > 1, "{files} log files");
    flip(&place.log_file(), 200);

    let store = place.open();
    let error = append(&store, "late").expect_err("the damage is found before anything is built on it");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "log_damaged"), "{error}");
    assert_eq!(error.details()["file"], "00000000000000000001.log");
    let page = store.snapshot().scan(&Scan::default(), &ScanLimits::default()).expect("reads go around it");
    assert_eq!((page.damaged, page.events.len()), (1, 199));
    drop(store);

    let options = small_options(Arc::new(place.disk.clone()), 1);
    let error = Store::open(&place.dir(), options).err().expect("it is remembered");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    flip(&place.log_file(), 200);
    append(&place.open(), "late").expect("restored from a backup, the store is as good as ever");
}

/// Every byte of a small log that holds something is covered by a checksum.
#[test]
fn no_flipped_bit_is_ever_served() {
    let place = Place::new();
    let store = place.open();
    for entity in ["a", "b", "c"] {
        append(&store, entity).expect("a healthy disk");
    }
    let whole = read_all(&store.snapshot(), &Filter::default()).expect("readable");
    let used = 64 + usize::try_from(store.snapshot().stats().expect("readable").log_bytes).expect("small");
    drop(store);
    for offset in (0..used).step_by(3) {
        flip(&place.log_file(), offset);
        let reading = Options { mode: Mode::Read, ..small_options(Arc::new(RealDisk), 1) };
        if let Ok(store) = Store::open(&place.dir(), reading) {
            let page = store.snapshot().scan(&Scan::default(), &ScanLimits::default()).expect("readable");
            for event in page.events {
                assert!(whole.contains(&event), "after a flip at {offset}: {event:?}");
            }
        }
        flip(&place.log_file(), offset);
    }
}
