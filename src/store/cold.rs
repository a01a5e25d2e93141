//! Opening the segments whose log files are gone.
//!
//! **Invariant:** every position of such a segment has an index when it is open: a saved one, or one that was just made
//! from the segment.

use std::sync::Arc;

use super::background::Job;
use super::index::{IndexFile, MemoryIndex, RangeIndex, index_rows};
use super::options::Mode;
use super::recover::Recovery;
use super::segment::{Segment, SegmentEntry, segment_dir};
use super::verify::Damage;
use super::view::Range;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;

impl Recovery<'_> {
    /// Opens the cold segments with the indexes that can be trusted.
    ///
    /// # Errors
    /// `Corrupt` when one is missing or not the one that the manifest names, and the mode is [`Mode::Write`].
    pub(super) fn cold(&mut self, saved: &[Arc<IndexFile>]) -> Result<()> {
        for entry in self.manifest.cold().to_vec() {
            match self.segment(&entry) {
                Ok(segment) => self.cold_ranges(&entry, &Arc::new(segment), saved)?,
                Err(error) if self.options.mode == Mode::Read && error.kind() == ErrorKind::Corrupt => {
                    self.lost(&entry, &error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn segment(&self, entry: &SegmentEntry) -> Result<Segment> {
        let disk = self.options.disk.as_ref();
        Segment::open(disk, &segment_dir(self.dir), entry, Arc::clone(&self.pages))
    }

    fn cold_ranges(
        &mut self,
        entry: &SegmentEntry,
        segment: &Arc<Segment>,
        saved: &[Arc<IndexFile>],
    ) -> Result<()> {
        let mut next = entry.first();
        while next <= entry.last() {
            let fits = |index: &&Arc<IndexFile>| index.first() == next && index.last() <= entry.last();
            let index = if let Some(index) = saved.iter().filter(fits).max_by_key(|index| index.last()) {
                RangeIndex::File(Arc::clone(index))
            } else {
                let behind = saved.iter().map(|index| index.first()).filter(|first| *first > next).min();
                let last = behind.map_or(entry.last(), Position::previous).min(entry.last());
                self.unsaved.push(Job { first: next, covered: None });
                RangeIndex::Memory(Arc::new(self.index_anew(segment, next, last)?))
            };
            next = index.last().next();
            self.view.ranges.push(Arc::new(Range::of_segment(segment, index)));
        }
        Ok(())
    }

    fn index_anew(&self, segment: &Segment, first: Position, last: Position) -> Result<MemoryIndex> {
        tracing::info!("indexing positions {first} to {last} anew from segment {}", segment.name());
        let memory = MemoryIndex::new(first);
        index_rows(segment, last, self.manifest.id_key, &memory, self.options.mode, &mut |_| {})?;
        Ok(memory)
    }

    /// Stands in for a segment that cannot be used: its positions are known to be damaged.
    fn lost(&mut self, entry: &SegmentEntry, error: &Error) {
        let file = entry.name().file_name();
        let memory = MemoryIndex::new(entry.first());
        memory.push_gap(entry.last());
        let (first_position, last_position) = (entry.first(), entry.last());
        self.damage.push(Damage { first_position, last_position, ..Damage::of_error(&file, error) });
        self.view.ranges.push(Arc::new(Range::lost(file, RangeIndex::Memory(Arc::new(memory)))));
    }
}
