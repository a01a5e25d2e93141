//! Proving log files in the background after an open: damage in them stops writing before much is built on it.

use std::sync::Arc;
use std::time::Duration;

use super::branch::{Branch, Unproved};
use super::log::{Boundary, Break, Checks, LogFile, damage_error, judge, walk};
use crate::event::Position;

/// How much of the older log is proved after an open, newest files first: 1 GiB, about half a second of one core.
const PROVED_BYTES_MAX: usize = 1 << 30;
/// How much of it is proved before the first append goes in: 256 MiB, some 50 ms when it is in memory.
const PROVED_FIRST_BYTES: usize = 256 << 20;
/// How long an open store answers before the older log is proved, unless an append comes: 250 ms. The first answer, for
/// which somebody waits, has the processor and the disk to itself.
const PROVE_DELAY: Duration = Duration::from_millis(250);
/// How much is proved between two looks at whether the branch closes: 8 MiB.
const STEP_BYTES: usize = 8 << 20;

impl Branch {
    /// Proves what the open took on the word of the indexes: the newest log file as far as these cover it, then the older
    /// ones. It begins when the first append waits for it, or after a while without one.
    ///
    /// The first damage poisons the branch: writes answer `Corrupt` with file, offset and positions, reads go on.
    pub(crate) fn prove_log(&self) {
        self.background.wait_for_an_append(PROVE_DELAY);
        if self.background.is_closing() {
            return;
        }
        let unproved = self.unproved.lock().take();
        if unproved.is_none_or(|unproved| self.prove_newest(&unproved)) {
            self.prove_older_files();
        }
        self.background.let_appends_go();
        self.prove_indexes(PROVED_BYTES_MAX as u64);
    }

    /// Proves what the open did not look at of the newest log file; false when something is wrong with it.
    fn prove_newest(&self, Unproved { log, covered, end }: &Unproved) -> bool {
        if !self.prove(log, *covered) {
            return false;
        }
        match judge(log, *end, None, end.next.previous()) {
            Some(Break::Damage { reason, resume }) => {
                self.poison_with(log, *end, end.next, resume, reason);
                false
            }
            // What was never acknowledged is cut off before the first write.
            Some(Break::Torn) | None => true,
        }
    }

    /// Proves the frames of the older log files, the newest first.
    fn prove_older_files(&self) {
        let view = self.view();
        let mut logs: Vec<(&Arc<LogFile>, Position)> = Vec::new();
        for range in view.ranges.iter().rev() {
            match (range.log(), logs.last()) {
                (Some(log), Some((newer, _))) if Arc::ptr_eq(log, newer) => {}
                (Some(log), _) => logs.push((log, range.index.last())),
                (None, _) => {}
            }
        }
        let mut proved = 0;
        for (log, last) in logs.into_iter().skip(1) {
            if proved > PROVED_BYTES_MAX || !self.prove(log, last) {
                break;
            }
            proved += log.bytes().len();
            if proved >= PROVED_FIRST_BYTES {
                self.background.let_appends_go();
            }
        }
    }

    /// Proves one log file up to position `last`; false when that was not possible or the branch closes.
    fn prove(&self, log: &LogFile, last: Position) -> bool {
        let mut at = Boundary::start(log);
        if !log.proves_header() {
            self.poison_behind(&log.damaged(log.first(), 0));
            return false;
        }
        while at.next <= last {
            if self.background.is_closing() {
                return false;
            }
            let (end, reason) = walk(log, at, at.offset + STEP_BYTES, Checks::All, |_, _| {});
            if end.next <= last && (end == at || reason.is_some()) {
                if let Some(Break::Damage { reason, resume }) = judge(log, end, reason, last) {
                    self.poison_with(log, end, last, resume, reason);
                }
                return false;
            }
            at = end;
        }
        true
    }

    fn poison_with(
        &self,
        log: &LogFile,
        at: Boundary,
        last: Position,
        resume: Option<Boundary>,
        reason: &str,
    ) {
        let through = resume.map_or(last, |resume| resume.next.previous());
        self.poison_behind(&damage_error(log, at, through, reason));
    }
}
