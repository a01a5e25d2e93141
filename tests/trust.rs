//! What an open takes on trust is proved before anything is built on it.

use std::sync::Arc;

use allsource::ErrorKind;
use allsource::event::EventDraft;
use allsource::store::disk::RealDisk;
use allsource::store::{Append, Mode, Options, Scan, ScanLimits, Store};

use crate::faults::{Place, append, flip};
use crate::machines::workload::small_options;

/// An open does not read what a saved index covers, also in the newest file; nothing may be built on damage there either.
#[test]
fn damage_that_an_index_covers_refuses_the_first_append_and_every_open_after_it() {
    let place = Place::new();
    let options = || Options {
        log_file_bytes: 1 << 20,
        run_bytes: 2_000,
        ..small_options(Arc::new(place.disk.clone()), 1)
    };
    let open = || Store::open(&place.dir(), options()).expect("the end of the log is whole");
    let store = open();
    for n in 0..100 {
        append(&store, &format!("entity-{n}")).expect("a healthy disk");
    }
    drop(store);
    let index = place.dir().join("tenants/default/main/index");
    let indexes = std::fs::read_dir(index).expect("a folder").count();
    assert!(indexes > 1, "{indexes} files of indexes");
    flip(&place.log_file(), 200);

    let store = open();
    let error = append(&store, "late").expect_err("the damage is found before anything is built on it");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "log_damaged"), "{error}");
    assert_eq!(error.details()["file"], "00000000000000000001.log");
    let page = store.snapshot().scan(&Scan::default(), &ScanLimits::default()).expect("reads go around it");
    assert_eq!((page.damaged, page.events.len()), (1, 99));
    drop(store);

    let error = Store::open(&place.dir(), options()).err().expect("it is remembered");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let reading = Options { mode: Mode::Read, ..options() };
    let reader = Store::open(&place.dir(), reading).expect("reading goes around it");
    assert_eq!(reader.damage().len(), 1, "{:?}", reader.damage());
    flip(&place.log_file(), 200);
    append(&open(), "late").expect("restored from a backup, the store is as good as ever");
}

/// A disk that lost a write in the middle shows zeros where the log seems to end; the open looks at the next of them only.
#[test]
fn a_frame_behind_a_long_hole_refuses_the_first_append() {
    let place = Place::new();
    let options =
        || Options { log_file_bytes: 2 << 20, run_bytes: 8 << 20, ..small_options(Arc::new(RealDisk), 1) };
    let store = Store::open(&place.dir(), options()).expect("a new store");
    let end = || {
        let bytes = store.snapshot().stats().expect("readable").log_bytes;
        usize::try_from(bytes).expect("small")
    };
    append(&store, "first").expect("a healthy disk");
    let hole_begins = end();
    let payload = format!("\"{}\"", "x".repeat(600_000));
    let draft = EventDraft::new("long", "happened", payload).expect("a draft");
    store.append(Append { events: vec![draft], ..Append::default() }).expect("a healthy disk");
    let hole_ends = end();
    append(&store, "last").expect("a healthy disk");
    // As a crash leaves it: nothing was closed.
    let crashed = place.root.path().join("crashed");
    let (from, to) = (place.dir().join("tenants/default/main"), crashed.join("tenants/default/main"));
    for folder in ["log", "index", "segments"] {
        std::fs::create_dir_all(to.join(folder)).expect("created");
    }
    std::fs::copy(from.join("manifest.json"), to.join("manifest.json")).expect("copied");
    let mut log = std::fs::read(place.log_file()).expect("readable");
    log[hole_begins..hole_ends].fill(0);
    std::fs::write(to.join("log").join(place.log_file().file_name().expect("a name")), log).expect("written");

    let store = Store::open(&crashed, options()).expect("the next bytes are zero");
    let error =
        append(&store, "late").expect_err("the later frame is found before anything is built on the hole");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "log_damaged"), "{error}");
    drop(store);
    let error = Store::open(&crashed, options()).err().expect("it is remembered");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}
