//! Whether the indexes of a log file say what its frames say.
//!
//! **Invariant:** one index is made anew at a time, so memory is bounded by the largest: that of a full log file.

use std::sync::Arc;

use crate::store::index::{IndexDamage, MemoryIndex, RangeIndex, push_frame};
use crate::store::log::{FrameHeader, LogFile};
use crate::store::view::Range;

/// The index files of some stretches, compared to what is read of these, in order.
pub(super) struct Agreement<'a> {
    waiting: std::slice::Iter<'a, Arc<Range>>,
    current: Option<Current<'a>>,
    /// What was found of each index file.
    pub results: Vec<(&'a Range, Result<(), IndexDamage>)>,
}

struct Current<'a> {
    range: &'a Range,
    made: MemoryIndex,
    /// The offset behind the last frame in it.
    end: usize,
}

impl<'a> Agreement<'a> {
    pub(super) fn over(stretches: &'a [Arc<Range>]) -> Self {
        Self { waiting: stretches.iter(), current: None, results: Vec::new() }
    }

    /// Takes the next whole frame.
    pub(super) fn push(&mut self, log: &LogFile, frame: &FrameHeader, offset: usize) {
        while self.current.as_ref().is_none_or(|current| current.range.index.last() < frame.first_position) {
            self.settle();
            let Some(range) = self.waiting.next() else { return };
            let made = MemoryIndex::new(range.index.first());
            self.current = Some(Current { range, made, end: 0 });
        }
        let Some(current) = &mut self.current else { return };
        // Behind damage there is nothing to compare: the rest of the index is proved by its checksums alone.
        if frame.first_position == current.made.last().next() && current.range.index.is_saved() {
            push_frame(&current.made, log, frame, offset);
            current.end = offset + frame.len as usize;
        }
    }

    /// Takes the end of the log file.
    pub(super) fn finish(mut self) -> Vec<(&'a Range, Result<(), IndexDamage>)> {
        self.settle();
        while let Some(range) = self.waiting.next() {
            self.current = Some(Current { range, made: MemoryIndex::new(range.index.first()), end: 0 });
            self.settle();
        }
        self.results
    }

    fn settle(&mut self) {
        let Some(Current { range, made, end }) = self.current.take() else { return };
        if let Some(result) = compare(range, &made, Some(end as u64)) {
            self.results.push((range, result));
        }
    }
}

/// Compares the index file of a stretch to one that was made anew from as much of its events as can be read; `None`
/// when the stretch has none.
pub(super) fn compare(
    range: &Range,
    made: &MemoryIndex,
    log_end: Option<u64>,
) -> Option<Result<(), IndexDamage>> {
    let RangeIndex::File(file) = &range.index else { return None };
    let is_whole = made.last() == file.last() && !made.has_gaps();
    let proved = file.verify();
    Some(if is_whole { proved.and_then(|()| file.agrees_with(made, log_end)) } else { proved })
}
