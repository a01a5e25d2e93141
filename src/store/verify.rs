//! Proving that what is stored is what was written.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::branch::Branch;
use super::disk::Disk;
use super::index::{IndexFile, RangeIndex, index_dir};
use super::log::{Boundary, Break, Checks, FrameHeader, LogFile, Record, judge, records, walk};
use super::view::Range;
use crate::error::ErrorKind;
use crate::event::Position;

/// What to do about a damaged index.
const REBUILD: &str = "no event is lost: close the store and delete this file from its index directory, it is built anew from \
                       the log when the store is opened for writing";

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to its directory.
    pub file: String,
    /// The byte at which it begins.
    pub offset: u64,
    /// The first position that cannot be read; 0 when none is known to be lost.
    pub first_position: Position,
    /// The last position that cannot be read; 0 when none is known to be lost.
    pub last_position: Position,
    /// What is wrong.
    pub reason: String,
}

impl Damage {
    /// Damage to a file as a whole, by which no position is known to be lost.
    pub(super) fn of_file(file: &str, reason: &str) -> Self {
        found(file, 0, Position::ZERO, Position::ZERO, reason)
    }

    /// Damage that takes a stretch of positions with it.
    pub(super) fn of_positions(file: &str, first: Position, last: Position, reason: &str) -> Self {
        found(file, 0, first, last, reason)
    }

    /// Whether the file can be built anew from what it was made from: no event is lost with it.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        let ending = Path::new(&self.file).extension();
        ending.is_some_and(|ending| ending == "index" || ending == "rows")
    }

    /// Whether positions are known to be lost.
    pub(crate) fn loses_positions(&self) -> bool {
        self.last_position > Position::ZERO
    }
}

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events that were read and proved.
    pub events: u64,
    /// Files that were read and proved.
    pub files: u64,
    /// What is not as it was written; empty means all is well.
    pub damage: Vec<Damage>,
}

/// Proves a branch up to its durable head; `known` is the damage that opening it found.
pub(super) fn verify(branch: &Branch, known: &[Damage]) -> VerifyReport {
    // Ordering: the durable head first. The view that is loaded after it holds every position up to that head.
    let through = branch.durable();
    let view = branch.view();
    let mut proof = Proof { through, versions: HashMap::new(), report: VerifyReport::default() };
    let mut ranges = view.ranges.as_slice();
    while let Some(first) = ranges.first() {
        let Some(log) = first.log() else { break };
        let (of_file, rest) = ranges.split_at(ranges.iter().take_while(|range| range.is_in(log)).count());
        let ends_at = rest.first().map_or(through, |next| next.index.first().previous().min(through));
        proof.log_file(log, of_file, ends_at);
        ranges = rest;
    }
    proof.indexes(branch.options.disk.as_ref(), &index_dir(&branch.dir));
    let mut report = proof.report;
    let (files, damage) = branch.states.verify();
    report.files += files;
    report.damage.extend(damage);
    let is_known = |damage: &Damage| {
        known.iter().any(|one| one.file == damage.file && one.first_position == damage.first_position)
    };
    report.damage.retain(|damage| !is_known(damage));
    report.damage.splice(0..0, known.iter().cloned());
    report
}

struct Proof {
    through: Position,
    /// The last version seen of each entity, by hash: 16 bytes an entity.
    versions: HashMap<u64, u64>,
    report: VerifyReport,
}

impl Proof {
    fn log_file(&mut self, log: &LogFile, ranges: &[Arc<Range>], ends_at: Position) {
        self.report.files += 1;
        let mut at = Boundary::start(log);
        while at.next <= ends_at {
            let mut wrong = None;
            let (end, reason) = walk(log, at, log.bytes().len(), Checks::All, |frame, offset| {
                wrong = wrong.take().or_else(|| self.frame(log, ranges, frame, offset));
            });
            self.report.damage.extend(wrong);
            at = end;
            if at.next > ends_at {
                return;
            }
            let judged = judge(log, at, reason, ends_at);
            let Some(Break::Damage { reason, resume }) = judged else { return };
            let through = resume.map_or(ends_at, |resume| resume.next.previous());
            self.damage(log.name(), at.offset, at.next, through, reason);
            match resume {
                Some(resume) => at = resume,
                None => return,
            }
        }
    }

    /// Proves each record of a frame; gives the first thing that is wrong.
    fn frame(
        &mut self,
        log: &LogFile,
        ranges: &[Arc<Range>],
        frame: &FrameHeader,
        offset: usize,
    ) -> Option<Damage> {
        let mut count = 0;
        for ((at, record), position) in records(log, frame, offset).zip(frame.first_position.get()..) {
            let position = Position::new(position);
            count += 1;
            if position > self.through {
                return None;
            }
            self.report.events += 1;
            if let Some(reason) = self.record(log, position, at, &record) {
                return Some(found(log.name(), at as usize, position, position, reason));
            }
            if let Some(index) = misplacing(ranges, position, at) {
                return Some(Damage::of_file(
                    index.name(),
                    &format!("it places position {position} elsewhere; {REBUILD}"),
                ));
            }
        }
        (count != frame.count).then(|| {
            let reason = "the frame holds another number of records than it says";
            found(log.name(), offset, frame.first_position, frame.last_position(), reason)
        })
    }

    fn record(
        &mut self,
        log: &LogFile,
        position: Position,
        offset: u32,
        record: &Record,
    ) -> Option<&'static str> {
        if log.event(position, offset).is_err() {
            return Some("the record's checksum does not match");
        }
        let version = record.version().get();
        let last = self.versions.insert(xxh3_64(record.entity_id()?.as_bytes()), version);
        // Behind damage the count of an entity goes on where the readable events go on.
        let is_wrong = version != last.unwrap_or(0) + 1 && self.report.damage.is_empty();
        is_wrong.then_some("the version is not one after the entity's version before")
    }

    /// Proves every index file, whether it is in use or not.
    fn indexes(&mut self, disk: &dyn Disk, dir: &Path) {
        let paths = disk.list(dir).unwrap_or_default();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "index")) {
            let reason = match IndexFile::open(disk, path) {
                Ok(index) => index.verify().err(),
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    Some("its header is not what was written".to_owned())
                }
                // Taken away since the directory was listed: another index holds what it did.
                Err(_) => continue,
            };
            self.report.files += 1;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.report
                .damage
                .extend(reason.map(|reason| Damage::of_file(&name, &format!("{reason}; {REBUILD}"))));
        }
    }

    fn damage(&mut self, file: &str, offset: usize, first: Position, last: Position, reason: &str) {
        self.report.damage.push(found(file, offset, first, last, reason));
    }
}

/// The index file that does not lead to the record of `position` at `offset`, although its rows are whole: rows that
/// are not are found with the rest of the file.
fn misplacing(ranges: &[Arc<Range>], position: Position, offset: u32) -> Option<&IndexFile> {
    let range =
        ranges.iter().find(|range| range.index.first() <= position && position <= range.index.last())?;
    match &range.index {
        RangeIndex::File(file) if range.index.offset(range.index.row_of(position)) != Some(offset) => {
            range.index.prove_rows().is_ok().then_some(file)
        }
        _ => None,
    }
}

fn found(
    file: &str,
    offset: usize,
    first_position: Position,
    last_position: Position,
    reason: &str,
) -> Damage {
    Damage {
        file: file.to_owned(),
        offset: offset as u64,
        first_position,
        last_position,
        reason: reason.to_owned(),
    }
}
