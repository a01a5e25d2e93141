//! The states in which a power cut may leave a disk: synced content, plus any subset of what was not synced, each
//! change kept, lost or torn.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use allsource::clock::{IdSource, SeededIds};

use super::record::{Change, Entry, FileRecord, Record, write};

/// The unit that a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// Decides what becomes of each change that was not synced.
enum Fate {
    /// Nothing unsynced is left: an honest disk with a large cache.
    LoseAll,
    /// Everything is left: only the process died.
    KeepAll,
    /// Each change on its own.
    Dice(SeededIds),
}

impl Fate {
    /// The same for the same seed and moment, so that a finding comes again.
    fn of(seed: u64, moment: u64) -> Self {
        match seed {
            0 => Self::LoseAll,
            1 => Self::KeepAll,
            _ => Self::Dice(SeededIds::new(moment << 32 | seed)),
        }
    }

    /// Whether a change that cannot be torn is kept.
    fn keeps(&self) -> bool {
        match self {
            Self::LoseAll => false,
            Self::KeepAll => true,
            Self::Dice(dice) => dice.next_u64() % 2 == 0,
        }
    }
}

/// A number below `end`; zero when there is none.
fn below(dice: &SeededIds, end: usize) -> usize {
    usize::try_from(dice.next_u64() % (end.max(1) as u64)).expect("a number below a usize")
}

/// Writes the disk that the power cut of this `seed` and moment leaves into `into`, which is empty.
pub fn leave(record: &Record, seed: u64, moment: u64, into: &Path) {
    let fate = Fate::of(seed, moment);
    let mut names = record.durable_names.clone();
    for change in record.pending_names.iter().filter(|_| fate.keeps()) {
        change.apply(&mut names);
    }
    let mut written: BTreeMap<usize, PathBuf> = BTreeMap::new();
    // A map of paths is in order, so a directory comes before what is in it.
    for (name, entry) in &names {
        let path = into.join(name);
        let reachable = path.parent().is_some_and(Path::is_dir);
        match entry {
            Entry::Directory if reachable => fs::create_dir(path).expect("a directory can be made"),
            Entry::File(id) if reachable => {
                if let Some(first) = written.get(id) {
                    fs::hard_link(first, path).expect("a file can be linked");
                } else {
                    let content = content(&record.files[*id], &fate);
                    fs::write(&path, content).expect("a file can be written");
                    written.insert(*id, path);
                }
            }
            Entry::Directory | Entry::File(_) => {}
        }
    }
}

fn content(file: &FileRecord, fate: &Fate) -> Vec<u8> {
    let mut content = file.durable.clone();
    for change in &file.pending {
        match (fate, change) {
            (Fate::Dice(dice), Change::Write { offset, bytes }) => tear(&mut content, *offset, bytes, dice),
            _ if fate.keeps() => change.apply(&mut content),
            _ => {}
        }
    }
    if let Fate::Dice(dice) = fate {
        // A file's new size is metadata of its own: it may be lost although the bytes are there.
        let grown = content.len().saturating_sub(file.durable.len());
        if grown > 0 && dice.next_u64().is_multiple_of(4) {
            content.truncate(file.durable.len() + below(dice, grown));
        }
    }
    content
}

/// Keeps a write, loses it, or keeps its beginning or any of its sectors.
fn tear(content: &mut Vec<u8>, offset: usize, bytes: &[u8], dice: &SeededIds) {
    match dice.next_u64() % 4 {
        0 => {}
        1 => write(content, offset, bytes),
        2 => write(content, offset, &bytes[..below(dice, bytes.len())]),
        _ => {
            let mut at = 0;
            while at < bytes.len() {
                let sector_end = ((offset + at) / SECTOR_BYTES + 1) * SECTOR_BYTES;
                let end = (sector_end - offset).min(bytes.len());
                if dice.next_u64().is_multiple_of(2) {
                    write(content, offset + at, &bytes[at..end]);
                }
                at = end;
            }
        }
    }
}
