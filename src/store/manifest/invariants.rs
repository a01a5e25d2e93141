//! What holds in every manifest, checked before it is swapped in and after it is loaded.

use super::{FORMAT, Manifest};
use crate::store::segment::SegmentEntry;

type Invariant = (&'static str, fn(&Manifest) -> bool);
type Transition = (&'static str, fn(&Manifest, &Manifest) -> bool);

const INVARIANTS: &[Invariant] = &[
    ("the format is one that this program reads", |m| (1..=FORMAT).contains(&m.format)),
    ("only format 2 has segments", |m| m.segments.is_empty() || m.format >= 2),
    ("segments follow one another from position 1", |m| {
        let mut next = 1;
        m.segments.iter().all(|segment| {
            let joins = segment.first == next && segment.last >= segment.first;
            next = segment.last.saturating_add(1);
            joins
        })
    }),
    ("the first log file begins at position 1, behind a segment or behind the cut", |m| match &m.fork {
        Some(fork) => m.log_files.first().is_none_or(|&log| log == fork.cut + 1),
        None => {
            m.log_files.first().is_some_and(|&log| log == 1 || m.segments.iter().any(|s| s.last + 1 == log))
        }
    }),
    ("a fork has no segments and at most one log file", |m| {
        m.fork.is_none() || (m.segments.is_empty() && m.log_files.len() <= 1)
    }),
    ("the newest log file is in no segment", |m| {
        m.fork.is_some() || m.log_files.last().is_some_and(|&newest| m.sealed_through() < newest)
    }),
    ("log files are in rising order", |m| m.log_files.is_sorted_by(|a, b| a < b)),
    ("the newest log file begins at most one position after what is durable", |m| {
        m.log_files.last().is_none_or(|&last| last <= m.synced_through + 1)
    }),
];

const TRANSITIONS: &[Transition] = &[
    ("a branch keeps its name and its key", |old, new| {
        // A fork that is set back gives ids of its own to what takes the place of what it held.
        let began_anew = new.fork.is_some() && new.epoch > old.epoch;
        old.branch == new.branch && (old.id_key == new.id_key || began_anew)
    }),
    ("the epoch never falls", |old, new| old.epoch <= new.epoch),
    ("what is durable stays durable", |old, new| {
        old.synced_through <= new.synced_through || new.epoch > old.epoch
    }),
    ("the format never falls", |old, new| old.format <= new.format),
    ("what segments hold stays in segments", |old, new| old.sealed_through() <= new.sealed_through()),
    ("log files are added after the newest, and go only from the oldest on", |old, new| {
        let gone = old.log_files.iter().take_while(|log| !new.log_files.contains(log)).count();
        let goes_on = new.log_files.starts_with(old.log_files.get(gone..).unwrap_or_default());
        let began_anew = new.fork.is_some() && new.epoch > old.epoch;
        began_anew || (goes_on && (gone < old.log_files.len() || old.fork.is_some()))
    }),
    ("a branch stays a fork, or stays none", |old, new| old.fork.is_some() == new.fork.is_some()),
    ("a segment whose log file is there keeps its positions", |old, new| {
        let mut hot = old.segments.get(old.cold().len()..).unwrap_or_default().iter();
        let place = |segment: &SegmentEntry| (segment.first, segment.last);
        hot.all(|old| {
            new.segments.iter().any(|new| place(new) == place(old) && new.generation >= old.generation)
        })
    }),
];

/// The first invariant that `manifest` breaks.
pub(super) fn broken(manifest: &Manifest) -> Option<&'static str> {
    INVARIANTS.iter().find(|(_, holds)| !holds(manifest)).map(|(name, _)| *name)
}

/// The first rule that replacing `old` by `new` breaks.
pub(super) fn broken_by_swap(old: &Manifest, new: &Manifest) -> Option<&'static str> {
    TRANSITIONS.iter().find(|(_, holds)| !holds(old, new)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::upkeep::Retention;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            branch: "main".to_owned(),
            id_key: 7,
            epoch: 1,
            synced_through: 20,
            volatile: false,
            suspect: false,
            backup: false,
            segments: Vec::new(),
            retention: Retention::default(),
            tags: BTreeMap::new(),
            fork: None,
            log_files: vec![1, 11],
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Manifest), state: Option<&str>, transition: Option<&str>) {
        let (old, mut new) = (manifest(), manifest());
        change(&mut new);
        let begins = |found: Option<&str>, expected: Option<&str>| match (found, expected) {
            (Some(found), Some(expected)) => found.starts_with(expected),
            (found, expected) => found == expected,
        };
        assert!(begins(broken(&new), state), "{:?}", broken(&new));
        assert!(begins(broken_by_swap(&old, &new), transition), "{:?}", broken_by_swap(&old, &new));
    }

    fn segment(first: u64, last: u64) -> SegmentEntry {
        SegmentEntry {
            first,
            last,
            generation: 1,
            parquet_bytes: 9,
            envelope_bytes: 9,
            envelope_crc: 9,
            emptied: 0,
            recorded_last: 9,
        }
    }

    #[test]
    fn the_life_of_a_log_file_keeps_every_invariant() {
        let mut steps = vec![manifest()];
        let mut step = |change: &dyn Fn(&mut Manifest)| {
            let mut next = steps.last().expect("a manifest").clone();
            change(&mut next);
            steps.push(next);
        };
        step(&|m| {
            m.log_files.push(21);
            m.synced_through = 20;
        });
        step(&|m| m.segments.push(segment(1, 10)));
        step(&|m| m.segments.push(segment(11, 20)));
        step(&|m| m.log_files = m.log_files.split_off(1));
        step(&|m| m.segments[0].generation = 2);
        step(&|m| m.log_files = m.log_files.split_off(1));
        step(&|m| m.segments = vec![segment(1, 20)]);
        for pair in steps.windows(2) {
            assert_eq!(broken(&pair[1]), None);
            assert_eq!(broken_by_swap(&pair[0], &pair[1]), None);
        }
    }

    #[test]
    fn each_invariant_bites() {
        check(|m| m.format = 9, Some("the format"), None);
        check(|m| m.format = 1, None, Some("the format never falls"));
        check(|m| m.log_files = vec![2, 11], Some("the first log file"), Some("log files are added"));
        check(|m| m.log_files = vec![1, 11, 11], Some("log files are in rising"), None);
        check(|m| m.log_files.push(22), Some("the newest log file begins"), None);
        check(|m| m.segments = vec![segment(1, 20)], Some("the newest log file is in no"), None);
        check(|m| m.segments = vec![segment(2, 10)], Some("segments follow"), None);
        check(|m| m.log_files = vec![11], Some("the first log file"), None);
        check(|m| m.id_key = 8, None, Some("a branch keeps"));
        check(|m| m.epoch = 0, None, Some("the epoch"));
        check(|m| m.synced_through = 19, None, Some("what is durable"));
        check(|m| m.log_files = vec![1], None, Some("log files are added"));
        let sealed = || Manifest { segments: vec![segment(1, 10)], ..manifest() };
        let both = Manifest {
            log_files: vec![1, 6, 11],
            segments: vec![segment(1, 5), segment(6, 10)],
            ..manifest()
        };
        let merged = Manifest { segments: vec![segment(1, 10)], ..both.clone() };
        assert!(broken_by_swap(&both, &merged).is_some_and(|rule| rule.starts_with("a segment whose log")));
        assert!(broken_by_swap(&sealed(), &manifest()).is_some_and(|rule| rule.starts_with("what segments")));
    }
}
