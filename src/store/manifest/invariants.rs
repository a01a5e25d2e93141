//! What holds in every manifest, checked before it is swapped in and after it is loaded.

use super::{FORMAT, Manifest};

type Invariant = (&'static str, fn(&Manifest) -> bool);
type Transition = (&'static str, fn(&Manifest, &Manifest) -> bool);

const INVARIANTS: &[Invariant] = &[
    ("the format is one that this program writes", |m| m.format == FORMAT),
    ("the first log file begins at position 1", |m| m.log_files.first() == Some(&1)),
    ("log files are in rising order", |m| m.log_files.is_sorted_by(|a, b| a < b)),
    ("the newest log file begins at most one position after what is durable", |m| {
        m.log_files.last().is_some_and(|&last| last <= m.synced_through + 1)
    }),
];

const TRANSITIONS: &[Transition] = &[
    ("a branch keeps its name and its key", |old, new| old.branch == new.branch && old.id_key == new.id_key),
    ("the epoch never falls", |old, new| old.epoch <= new.epoch),
    ("what is durable stays durable", |old, new| old.synced_through <= new.synced_through),
    ("log files are only added, after the newest", |old, new| new.log_files.starts_with(&old.log_files)),
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
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            branch: "main".to_owned(),
            id_key: 7,
            epoch: 1,
            synced_through: 20,
            volatile: false,
            suspect: false,
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

    #[test]
    fn a_rotation_keeps_every_invariant() {
        check(
            |m| {
                m.log_files.push(21);
                m.synced_through = 20;
            },
            None,
            None,
        );
    }

    #[test]
    fn each_invariant_bites() {
        check(|m| m.format = 9, Some("the format"), None);
        check(|m| m.log_files = vec![2, 11], Some("the first log file"), Some("log files are only added"));
        check(|m| m.log_files = vec![1, 11, 11], Some("log files are in rising"), None);
        check(|m| m.log_files.push(22), Some("the newest log file"), None);
        check(|m| m.id_key = 8, None, Some("a branch keeps"));
        check(|m| m.epoch = 0, None, Some("the epoch"));
        check(|m| m.synced_through = 19, None, Some("what is durable"));
        check(|m| m.log_files = vec![1], None, Some("log files are only added"));
    }
}
