//! Saved states are found again, stay bounded, and cost no answer whatever becomes of their file.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::catalog::{STATES_MAX, STATES_PER_ENTITY_MAX};
use super::file::{FILE_BYTES_MAX, states_dir};
use super::format::{HEADER_BYTES, encode};
use super::states::States;
use super::{Cut, SavedState};
use crate::event::{EntityId, Position, Text, Timestamp, Version};
use crate::store::options::{Mode, Options};

const ANY: Cut = Cut { position: Position::MAX, version: Version::MAX, timestamp: Timestamp::MAX };

fn open_as(dir: &Path, mode: Mode, epoch: u64) -> States {
    States::new(&Options { mode, ..Options::default() }, dir, 7, epoch)
}

fn open(dir: &TempDir) -> States {
    open_as(dir.path(), Mode::Write, 1)
}

fn name(entity: u64) -> EntityId {
    EntityId::trusted(Text::from(format!("entity-{entity}")))
}

fn state(entity: u64, version: u64, document: &str) -> SavedState {
    SavedState {
        entity_id: name(entity),
        version: Version::new(version),
        position: Position::new(version * 1_000 + entity),
        recorded_at: Timestamp::from_micros(5),
        timestamp_max: Timestamp::from_micros(version.cast_signed()),
        document: document.as_bytes().to_vec(),
    }
}

fn save(states: &States, state: &SavedState) {
    assert!(states.save(state, || true));
}

fn files(dir: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(states_dir(dir.path()))
        .map(|entries| entries.map(|entry| entry.expect("an entry").path()).collect())
        .unwrap_or_default();
    files.sort();
    files
}

fn overwrite(path: &Path, bytes: &[u8]) {
    #[expect(clippy::disallowed_methods, reason = "changes the file behind the store's back")]
    fs::write(path, bytes).expect("the file can be changed");
}

#[track_caller]
fn check(states: &States, entity: u64, expected: Option<&SavedState>) {
    assert_eq!(states.find(&name(entity), &ANY).as_ref(), expected);
}

#[track_caller]
fn check_whole(states: &States, files: u64) {
    let (found, damage) = states.verify();
    assert_eq!((found, damage.as_slice()), (files, &[][..]));
}

#[test]
fn a_state_is_found_again_after_a_restart() {
    let dir = TempDir::new().expect("a directory");
    let (first, second) = (state(1, 100, r#"{"a":1}"#), state(2, 300, "null"));
    let states = open(&dir);
    check(&states, 1, None);
    check_whole(&states, 0);
    save(&states, &first);
    save(&states, &second);
    check(&states, 1, Some(&first));
    states.close();
    assert!(!states.save(&state(1, 200, "{}"), || true), "saved although closed");
    for mode in [Mode::Write, Mode::Read] {
        let again = open_as(dir.path(), mode, 1);
        check(&again, 1, Some(&first));
        check(&again, 2, Some(&second));
        check(&again, 3, None);
        check_whole(&again, 1);
    }
    assert!(!open_as(dir.path(), Mode::Read, 1).save(&first, || true), "saved although only read");
}

#[test]
fn nothing_is_saved_over_a_view_that_is_not_the_present_one() {
    let dir = TempDir::new().expect("a directory");
    let states = open(&dir);
    assert!(!states.save(&state(1, 100, "{}"), || false));
    check(&states, 1, None);
    assert!(files(&dir).is_empty());
}

#[test]
fn states_of_an_earlier_epoch_or_another_store_are_made_anew() {
    let dir = TempDir::new().expect("a directory");
    save(&open(&dir), &state(1, 100, "{}"));
    let later = open_as(dir.path(), Mode::Write, 2);
    check(&later, 1, None);
    check_whole(&later, 1);
    save(&later, &state(2, 100, "{}"));
    check(&later, 2, Some(&state(2, 100, "{}")));
    assert_eq!(files(&dir).len(), 1, "the old file is gone");
    let other = States::new(&Options::default(), dir.path(), 8, 2);
    check(&other, 2, None);
}

/// Saves a file as a clean close leaves it; gives its states.
fn closed(dir: &TempDir) -> Vec<SavedState> {
    let saved: Vec<SavedState> =
        (1..=4).map(|entity| state(entity, entity * 100, &format!("{{\"n\":{entity}}}"))).collect();
    let states = open(dir);
    for state in &saved {
        save(&states, state);
    }
    states.close();
    saved
}

#[test]
fn a_flipped_bit_in_any_byte_is_named_and_costs_at_most_its_state() {
    let dir = TempDir::new().expect("a directory");
    let saved = closed(&dir);
    let path = files(&dir).remove(0);
    let whole = fs::read(&path).expect("a file");
    let records: usize = saved.iter().map(|state| encode(state, 0).len()).sum();
    for flipped in 0..HEADER_BYTES + records {
        let mut bytes = whole.clone();
        bytes[flipped] ^= 1 << (flipped % 8);
        overwrite(&path, &bytes);
        let states = open(&dir);
        let (_, damage) = states.verify();
        assert_eq!(damage.len(), 1, "byte {flipped}: {damage:?}");
        let at = usize::try_from(damage[0].offset).expect("small");
        assert!(at <= flipped && flipped < at + 128, "byte {flipped} is not behind byte {at}");
        assert_eq!(damage[0].file, "000001.states");
        let found = saved.iter().filter(|state| {
            let found = states.find(&state.entity_id, &ANY);
            assert!(found.is_none() || found.as_ref() == Some(state), "byte {flipped} changes a state");
            found.is_some()
        });
        let readable = if flipped < HEADER_BYTES { 0 } else { saved.len() - 1 };
        assert_eq!(found.count(), readable, "byte {flipped}");
    }
}

#[test]
fn what_a_power_cut_tears_is_no_damage() {
    let dir = TempDir::new().expect("a directory");
    let (first, second) = (state(1, 100, r#"{"a":1}"#), state(2, 300, r#"{"b":2}"#));
    let states = open(&dir);
    save(&states, &first);
    save(&states, &second);
    drop(states);
    let path = files(&dir).remove(0);
    let whole = fs::read(&path).expect("a file");
    let end = HEADER_BYTES + encode(&first, 0).len() + encode(&second, 0).len();
    for cut in HEADER_BYTES..end {
        for zeros_behind in [true, false] {
            let mut bytes = whole[..cut].to_vec();
            if zeros_behind {
                bytes.resize(whole.len(), 0);
            }
            overwrite(&path, &bytes);
            let states = open(&dir);
            check_whole(&states, 1);
            assert!(states.find(&name(2), &ANY).is_none_or(|found| found == second && cut >= end - 8));
            let third = state(3, 100, "[]");
            save(&states, &third);
            check(&states, 3, Some(&third));
            states.close();
            check(&open(&dir), 3, Some(&third));
        }
    }
}

#[test]
fn a_file_that_is_none_costs_nothing_but_its_states() {
    let dir = TempDir::new().expect("a directory");
    for content in [&b""[..], b"{", &[0; 4_096], &[0xff; 4_096]] {
        closed(&dir);
        let path = files(&dir).remove(0);
        overwrite(&path, content);
        let states = open(&dir);
        check(&states, 1, None);
        check_whole(&states, 1);
        save(&states, &state(1, 100, "{}"));
        check(&states, 1, Some(&state(1, 100, "{}")));
        assert_eq!(files(&dir).len(), 1);
    }
    #[expect(clippy::disallowed_methods, reason = "deletes the files behind the store's back")]
    fs::remove_dir_all(states_dir(dir.path())).expect("removed");
    check(&open(&dir), 1, None);
}

#[test]
fn what_is_forgotten_is_in_no_file() {
    let dir = TempDir::new().expect("a directory");
    let states = open(&dir);
    let (kept, secret) = (state(1, 100, r#"{"a":1}"#), state(1, 300, r#"{"secret":1}"#));
    save(&states, &secret);
    save(&states, &state(1, 300, r#"{"secret":2}"#));
    save(&states, &kept);
    {
        let _forgetting = states.forget(secret.position).expect("forgotten");
        assert!(!states.save(&secret, || true), "saved while it is being forgotten");
    }
    check(&states, 1, Some(&kept));
    let left = fs::read(files(&dir).remove(0)).expect("a file");
    assert!(!left.windows(6).any(|window| window == b"secret"));
    check(&open(&dir), 1, Some(&kept));
    drop(states.forget(Position::ZERO.next()).expect("forgotten"));
    check(&states, 1, None);
    assert!(files(&dir).is_empty());
    save(&states, &kept);
    check(&open(&dir), 1, Some(&kept));
    let denied = open_as(dir.path(), Mode::Read, 1).forget(Position::ZERO).err().expect("denied");
    assert_eq!(denied.code(), "read_only");
}

#[test]
fn a_file_that_is_mostly_superseded_is_written_anew() {
    let dir = TempDir::new().expect("a directory");
    let states = open(&dir);
    let document = "x".repeat(100_000);
    for version in 1..=60 {
        save(&states, &state(1, version * 100, &document));
        save(&states, &state(2, version * 100, "{}"));
    }
    let size = fs::metadata(files(&dir).remove(0)).expect("a file").len();
    assert!(size <= 2 << 20, "{size} bytes for {STATES_PER_ENTITY_MAX} states");
    for states in [states, open(&dir)] {
        check(&states, 1, Some(&state(1, 6_000, &document)));
        check(&states, 2, Some(&state(2, 6_000, "{}")));
        check_whole(&states, 1);
    }
}

#[test]
fn disk_and_memory_stay_bounded_and_the_newest_stay() {
    let dir = TempDir::new().expect("a directory");
    let states = open(&dir);
    for entity in 0..STATES_MAX as u64 + 1_000 {
        save(&states, &state(entity, 100, "{}"));
    }
    let (newest, oldest) = (STATES_MAX as u64 + 999, 0);
    check(&states, newest, Some(&state(newest, 100, "{}")));
    check(&states, oldest, None);
    let large = "x".repeat(4 << 20);
    for entity in 0..40 {
        save(&states, &state(entity, 200, &large));
    }
    assert!(!states.save(&state(1, 300, &format!("{large}x")), || true), "too large");
    check(&states, 39, Some(&state(39, 200, &large)));
    let size: u64 = files(&dir).iter().map(|path| fs::metadata(path).expect("a file").len()).sum();
    assert!(size <= FILE_BYTES_MAX, "{size} bytes");
    check_whole(&states, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_that_are_no_file_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), flip in any::<usize>()) {
        let dir = TempDir::new().expect("a directory");
        closed(&dir);
        let path = files(&dir).remove(0);
        let mut content = fs::read(&path).expect("a file");
        content.truncate(600);
        let at = flip % content.len();
        let end = (at + bytes.len()).min(content.len());
        content[at..end].copy_from_slice(&bytes[..end - at]);
        overwrite(&path, &content);
        let states = open(&dir);
        for entity in 1..=4 {
            let saved = state(entity, entity * 100, &format!("{{\"n\":{entity}}}"));
            let found = states.find(&name(entity), &ANY);
            prop_assert!(found.is_none_or(|found| found == saved));
        }
        let _ = states.verify();
    }
}
