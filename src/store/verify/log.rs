//! Proving log files.

use std::sync::Arc;

use super::agreement::Agreement;
use super::{Damage, Proof, WRONG_VERSION, found};
use crate::event::Position;
use crate::store::index::RangeIndex;
use crate::store::log::{
    Boundary, Break, Checks, FileHeader, FrameHeader, LogFile, Record, judge, records, walk,
};
use crate::store::view::Range;

impl Proof<'_> {
    /// Proves a log file up to `ends_at`, and the index files of its stretches.
    pub(super) fn log_file(&mut self, log: &LogFile, stretches: &[Arc<Range>], ends_at: Position) {
        self.report.files += 1;
        if let Err(reason) = FileHeader::decode(log.bytes()) {
            self.report.damage.push(Damage::of_file(log.name(), reason));
        }
        let mut agreement = Agreement::over(stretches);
        self.frames(log, &mut agreement, ends_at);
        for (range, result) in agreement.finish() {
            if let RangeIndex::File(file) = &range.index {
                self.report.files += 1;
                self.compared.insert(file.name().to_owned());
            }
            self.index(range, result);
        }
    }

    fn frames(&mut self, log: &LogFile, agreement: &mut Agreement<'_>, ends_at: Position) {
        let mut at = Boundary::start(log);
        while at.next <= ends_at {
            let mut wrong = None;
            let (end, reason) = walk(log, at, log.bytes().len(), Checks::All, |frame, offset| {
                if frame.last_position() > ends_at {
                    return;
                }
                wrong = wrong.take().or_else(|| self.frame(log, frame, offset));
                agreement.push(log, frame, offset);
            });
            self.report.damage.extend(wrong);
            at = end;
            if at.next > ends_at {
                return;
            }
            let judged = judge(log, at, reason, ends_at);
            let Some(Break::Damage { reason, resume }) = judged else { return };
            let through = resume.map_or(ends_at, |resume| resume.next.previous());
            self.report.damage.push(found(log.name(), at.offset, at.next, through, reason));
            match resume {
                Some(resume) => at = resume,
                None => return,
            }
        }
    }

    /// Proves each record of a frame; gives the first thing that is wrong.
    fn frame(&mut self, log: &LogFile, frame: &FrameHeader, offset: usize) -> Option<Damage> {
        let mut count = 0;
        for ((at, record), position) in records(log, frame, offset).zip(frame.first_position.get()..) {
            let position = Position::new(position);
            count += 1;
            if let Some(reason) = self.record(log, position, at, &record) {
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
        position: Position,
        offset: u32,
        record: &Record,
    ) -> Option<&'static str> {
        if log.event(position, offset).is_err() {
            self.report.events += 1;
            return Some("the record's checksum does not match");
        }
        self.version_is_wrong(record.entity_id()?, record.version()).then_some(WRONG_VERSION)
    }
}
