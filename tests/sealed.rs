//! Events that lie in Parquet are kept as well as those in the log: whatever happens to one file, it is named, the rest
//! can be read, and what a crash left is cleared away.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::event::{Event, EventDraft, EventId, Filter, IdempotencyKey};
use allsource::store::disk::RealDisk;
use allsource::store::{Append, Damage, Mode, Options, PlantedBug, Scan, ScanLimits, Store};
use allsource::{Error, ErrorKind};
use serde_json::Value;

use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::machines::workload::small_options;

/// A closed store with cold segments, hot ones, a full log file without one, and a tail.
struct Place {
    root: tempfile::TempDir,
    events: Vec<Event>,
}

pub fn options(mode: Mode) -> Options {
    Options { mode, hot_window_bytes: 40 << 10, ..small_options(Arc::new(RealDisk), 1) }
}

pub fn append(number: u64) -> Append {
    let payload = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(250));
    let mut draft = EventDraft::new(&format!("entity {}", number % 7), "happened", payload).expect("a draft");
    if number.is_multiple_of(5) {
        draft = draft.with_event_id(EventId::new(format!("id {number}")).expect("an id"));
    }
    let key = number.is_multiple_of(3).then(|| IdempotencyKey::new(format!("call {number}")).expect("a key"));
    Append { events: vec![draft], idempotency_key: key, ..Append::default() }
}

impl Place {
    fn new() -> Self {
        let root = scratch();
        let store = Store::open(&root.path().join("store"), options(Mode::Write)).expect("a new store");
        let stored = |numbers: std::ops::Range<u64>| {
            for number in numbers {
                store.append(append(number)).expect("stored");
            }
        };
        stored(0..150);
        store.compact().expect("sealed");
        stored(150..300);
        store.compact().expect("sealed");
        stored(300..310);
        let events = read_all(&store.snapshot(), &Filter::default()).expect("readable");
        store.close().expect("closed");
        let place = Self { root, events };
        let manifest = place.manifest();
        let hot = manifest["log_files"][0].as_u64().expect("a position");
        let lasts =
            || manifest["segments"].as_array().expect("segments").iter().map(|segment| &segment["last"]);
        let cold = lasts().filter(|last| last.as_u64().expect("a position") < hot).count();
        assert!(cold >= 1 && lasts().count() > cold, "{manifest}");
        place
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn branch(&self) -> PathBuf {
        self.dir().join("tenants/default/main")
    }

    fn manifest(&self) -> Value {
        let text = fs::read_to_string(self.branch().join("manifest.json")).expect("a manifest");
        serde_json::from_str::<Value>(&text).expect("JSON")["manifest"].clone()
    }

    /// The paths of the files with one ending in a folder of the branch, in order.
    fn files(&self, folder: &str, ending: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.branch().join(folder)).expect("a directory");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|found| found == ending));
        paths.sort();
        paths
    }

    fn open(&self, mode: Mode) -> Result<Store, Error> {
        Store::open(&self.dir(), options(mode))
    }

    /// Every event that a reader still gets, and where it says there is damage.
    fn left(&self) -> (Vec<Event>, Vec<Damage>) {
        let store = self.open(Mode::Read).expect("what is left can be read");
        let page = store.snapshot().scan(&Scan::default(), &ScanLimits::default()).expect("readable");
        assert_eq!(page.events.len() as u64 + page.damaged, self.events.len() as u64);
        let known: BTreeSet<u64> = page.events.iter().map(|event| event.position.get()).collect();
        let expected = self.events.iter().filter(|event| known.contains(&event.position.get()));
        assert!(expected.eq(&page.events), "an event is served that was not stored");
        (page.events, store.verify().damage)
    }
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// The first and the last position in the name of a segment.
fn positions(path: &Path) -> (u64, u64) {
    let name = name(path);
    let mut parts = name.split('-').map(|part| part.parse().expect("digits"));
    (parts.next().expect("a first"), parts.next().expect("a last"))
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).expect("the file can be changed");
}

/// After `harm` to a cold segment, which no log file can stand in for: writing is refused in words that name the file,
/// a reader gets everything else, and the file's positions are named as lost.
#[track_caller]
fn loses_one_segment(harm: impl Fn(&Place, &Path) -> PathBuf) {
    let place = Place::new();
    let cold = place.files("segments", "parquet").remove(0);
    let harmed = harm(&place, &cold);
    let (first, last) = positions(&cold);
    let error = place.open(Mode::Write).err().expect("a store that lacks events takes no writes");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.message().contains(&name(&harmed)), "{error}");
    let (events, damage) = place.left();
    let expected = place.events.iter().filter(|event| !(first..=last).contains(&event.position.get()));
    assert!(expected.eq(&events), "{} of {} events are left", events.len(), place.events.len());
    let names = |damage: &Damage| {
        let positions = (damage.first_position.get(), damage.last_position.get());
        damage.file == name(&harmed) && positions == (first, last)
    };
    assert!(damage.iter().any(names), "{damage:?}");
}

#[test]
fn a_missing_segment_is_a_gap_that_is_named() {
    loses_one_segment(|_, cold| {
        fs::remove_file(cold).expect("removed");
        cold.to_owned()
    });
    loses_one_segment(|_, cold| {
        let envelope = cold.with_extension("envelope");
        fs::remove_file(&envelope).expect("removed");
        envelope
    });
}

#[test]
fn a_torn_segment_is_a_gap_that_is_named() {
    for left in [0, 4, 2_000, usize::MAX] {
        for ending in ["parquet", "envelope"] {
            loses_one_segment(|_, cold| {
                let file = cold.with_extension(ending);
                let mut bytes = fs::read(&file).expect("a file");
                let left = left.min(bytes.len() - 3);
                bytes.truncate(left);
                fs::write(&file, bytes).expect("the file can be changed");
                file
            });
        }
    }
}

/// Flips a byte here and there in every file, one at a time.
#[test]
fn one_flipped_byte_in_any_file_is_named_and_costs_no_event_that_is_elsewhere() {
    let place = Place::new();
    assert_eq!(place.left(), (place.events.clone(), Vec::new()));
    let coldest = place.manifest()["log_files"][0].as_u64().expect("a position");
    let kinds = [
        ("segments", "parquet"),
        ("segments", "envelope"),
        ("log", "log"),
        ("index", "index"),
        ("index", "rows"),
    ];
    for (folder, ending) in kinds {
        let files = place.files(folder, ending);
        for file in [&files[0], &files[files.len() - 1]] {
            let content = fs::read(file).expect("a file");
            // The log is allocated ahead: what was never written is zero, and nobody reads it.
            let written: Vec<usize> =
                (0..content.len()).filter(|&at| ending != "log" || content[at] != 0).collect();
            for at in (0..written.len()).step_by(written.len() / 9).chain([written.len() - 1]) {
                let offset = written[at];
                flip(file, offset);
                let (left, damage) = place.left();
                let told = format!("byte {offset} of {} of {}: {damage:?}", content.len(), name(file));
                assert!(
                    !damage.is_empty() && damage.iter().all(|damage| damage.file == name(file)),
                    "{told}"
                );
                let is_lost = |event: &&Event| {
                    let at = event.position;
                    damage.iter().any(|damage| (damage.first_position..=damage.last_position).contains(&at))
                };
                let lost = place.events.iter().filter(is_lost).count();
                assert!(left.len() + lost >= place.events.len(), "{} left, {told}", left.len());
                let is_only_copy = ending == "log" || (folder == "segments" && positions(file).1 < coldest);
                assert!(is_only_copy || left.len() == place.events.len(), "{} left, {told}", left.len());
                if ending == "parquet" {
                    let is_near = |damage: &Damage| {
                        (damage.offset..damage.offset + (4 << 10)).contains(&(offset as u64))
                    };
                    assert!(damage.iter().any(is_near), "{told}");
                }
                if ["index", "rows"].contains(&ending) {
                    let store = place.open(Mode::Write).expect("the events are whole");
                    store.repair().expect("a derived file is made anew");
                    store.close().expect("closed");
                    assert_eq!(place.left(), (place.events.clone(), Vec::new()), "{told}");
                }
                fs::write(file, &content).expect("the file can be changed");
            }
        }
    }
    assert_eq!(place.left(), (place.events.clone(), Vec::new()));
}

/// What a crash between two steps can leave: each is removed by the next open for writing, and by no reader.
#[test]
fn what_a_crash_left_is_removed_by_the_next_open() {
    let place = Place::new();
    let segments = place.files("segments", "parquet");
    let of = |path: &Path, generation: u32| {
        let (first, last) = positions(path);
        path.with_file_name(format!("{first:020}-{last:020}-{generation:06}.parquet"))
    };
    let mut strangers = vec![place.branch().join("manifest.json.tmp")];
    for path in
        [of(&segments[0], 9), segments[0].with_file_name(format!("{:020}-{:020}-000001.parquet", 1, 9_999))]
    {
        strangers.extend([path.with_extension("envelope"), path]);
    }
    let hot = place.files("log", "log").remove(0);
    let retired = hot.with_file_name(format!("{:020}.log", 1));
    let index = place.files("index", "index").remove(0);
    strangers.extend([retired.clone(), index.with_extension("new")]);
    for stranger in &strangers {
        fs::write(stranger, "half a file").expect("written");
    }
    // A log file that was about to go is whole.
    fs::copy(&hot, &retired).expect("copied");
    let (events, damage) = place.left();
    assert_eq!(damage, []);
    assert_eq!(events, place.events);
    assert!(strangers.iter().all(|stranger| stranger.exists()), "a reader removed something");
    let store = place.open(Mode::Write).expect("nothing is wrong with it");
    assert_eq!(read_all(&store.snapshot(), &Filter::default()).expect("readable"), place.events);
    assert_eq!(store.verify().damage, []);
    store.close().expect("closed");
    // The temporary manifest is written over by the next swap.
    let left: Vec<_> = strangers.iter().skip(1).filter(|stranger| stranger.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(place.left(), (place.events.clone(), Vec::new()));
}

/// An index can always be made again from what it is about, in Parquet as in the log.
#[test]
fn indexes_that_are_gone_are_made_anew() {
    let place = Place::new();
    for endings in [&["rows"][..], &["index"], &["index", "rows"]] {
        for path in endings.iter().flat_map(|ending| place.files("index", ending)) {
            fs::remove_file(path).expect("removed");
        }
        assert_eq!(place.left().0, place.events);
        place.open(Mode::Write).expect("opened").close().expect("closed");
        assert_eq!(place.left(), (place.events.clone(), Vec::new()), "{endings:?}");
    }
    assert!(!place.files("index", "index").is_empty());
}

/// A log file that was full just where an index ended was given no index over all of it, so that neither it nor any later
/// one was sealed until the next open.
#[test]
fn a_log_file_that_ends_where_a_saved_index_ends_is_sealed() {
    let root = scratch();
    let options = Options { hot_window_bytes: 0, ..options(Mode::Write) };
    let open = || Store::open(&root.path().join("store"), options.clone()).expect("a store");
    for _ in 0..12 {
        let payload = format!("\"{}\"", "x".repeat(4_300));
        let draft = EventDraft::new("large", "happened", payload).expect("a draft");
        let store = open();
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
        // What was to be saved is saved then.
        store.close().expect("closed");
    }
    let store = open();
    for _ in 0..2 {
        let payload = format!("\"{}\"", "x".repeat(14_000));
        let draft = EventDraft::new("large", "happened", payload).expect("a draft");
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
    }
    store.compact().expect("a healthy disk");
    let logs = fs::read_dir(root.path().join("store/tenants/default/main/log")).expect("a folder").count();
    assert_eq!(logs, 1, "log files are left");
    assert_eq!(store.verify().damage, []);
}

/// A disk that changes a segment between its writing and the deletion of its log file must not cost the only good copy.
#[track_caller]
fn survives_rot(planted_bug: Option<PlantedBug>) -> Result<(), String> {
    let root = scratch();
    let dir = root.path().join("store");
    let open = |hot_window_bytes, planted_bug| {
        let options = Options { hot_window_bytes, planted_bug, ..options(Mode::Write) };
        Store::open(&dir, options).map_err(|error| error.to_string())
    };
    let store = open(u64::MAX, None)?;
    for number in 0..120 {
        store.append(append(number)).expect("stored");
    }
    store.compact().expect("sealed");
    let events = read_all(&store.snapshot(), &Filter::default())?;
    store.close().expect("closed");
    let place = Place { root, events };
    let segments = place.files("segments", "parquet");
    assert!(segments.len() >= 3, "{segments:?}");
    flip(&segments[0], 100);
    fs::write(&segments[1], "torn").expect("the file can be changed");
    fs::remove_file(segments[2].with_extension("envelope")).expect("removed");

    let store = open(0, planted_bug)?;
    store.compact().map_err(|error| error.to_string())?;
    assert_eq!(place.files("log", "log").len(), 1, "a log file was kept");
    let found = read_all(&store.snapshot(), &Filter::default())?;
    store.close().map_err(|error| error.to_string())?;
    assert_eq!(found, place.events);
    assert_eq!(place.left(), (found, Vec::new()));
    Ok(())
}

#[test]
fn a_segment_that_rotted_before_its_log_went_is_written_anew() {
    survives_rot(None).expect("the log was still there");
}

#[test]
fn a_skipped_comparison_is_caught() {
    survives_rot(Some(PlantedBug::SkipRowComparison)).expect_err("it went unnoticed");
}
