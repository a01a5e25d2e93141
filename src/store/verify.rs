//! Proving that what is stored is what was written.

use std::collections::HashMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::branch::Branch;
use super::index::RangeIndex;
use super::log::{Boundary, Break, Checks, FrameHeader, LogFile, Record, judge, records, walk};
use super::view::Range;
use crate::event::Position;

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to its directory.
    pub file: String,
    /// The byte at which it begins.
    pub offset: u64,
    /// The first position that cannot be read.
    pub first_position: Position,
    /// The last position that cannot be read.
    pub last_position: Position,
    /// What is wrong.
    pub reason: String,
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

/// Proves a branch up to its durable head.
pub(super) fn verify(branch: &Branch) -> VerifyReport {
    let view = branch.view();
    let mut proof =
        Proof { through: branch.durable(), versions: HashMap::new(), report: VerifyReport::default() };
    let mut ranges = view.ranges.as_slice();
    while let Some(first) = ranges.first() {
        let (of_file, rest) =
            ranges.split_at(ranges.partition_point(|range| range.log.first() <= first.log.first()));
        let ends_at = rest.first().map_or(proof.through, |next| next.log.first().previous());
        proof.log_file(&first.log, of_file, ends_at);
        proof.indexes(of_file);
        ranges = rest;
    }
    proof.report
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
            if let Some(reason) = self.record(log, ranges, position, at, &record) {
                return Some(found(log.name(), at as usize, position, position, reason));
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
        ranges: &[Arc<Range>],
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
        if version != last.unwrap_or(0) + 1 && self.report.damage.is_empty() {
            return Some("the version is not one after the entity's version before");
        }
        let index =
            ranges.iter().find(|range| range.index.first() <= position && position <= range.index.last())?;
        let index = &index.index;
        (index.offset(index.row_of(position)) != Some(offset))
            .then_some("the index places the event elsewhere; delete the index directory, it is built anew at the next open")
    }

    fn indexes(&mut self, ranges: &[Arc<Range>]) {
        for range in ranges {
            let RangeIndex::File(index) = &range.index else { continue };
            self.report.files += 1;
            if let Err(reason) = index.verify() {
                self.damage(index.name(), 0, index.first(), index.last(), &reason);
            }
        }
    }

    fn damage(&mut self, file: &str, offset: usize, first: Position, last: Position, reason: &str) {
        self.report.damage.push(found(file, offset, first, last, reason));
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
