//! Opening the segments whose log files are gone.
//!
//! **Invariant:** every position of such a segment has an index when it is open: a saved one, or one that was just made
//! from the segment.

use std::sync::Arc;

use super::background::Job;
use super::index::{IndexFile, MemoryIndex, RangeIndex, file_name, index_dir, index_rows};
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
                self.index_anew(segment, next, last)?
            };
            next = index.last().next();
            self.view.ranges.push(Arc::new(Range::of_segment(segment, index)));
        }
        Ok(())
    }

    /// Makes an index and saves it, where that can be, before the next one is made: the indexes of all segments do not fit
    /// into memory.
    fn index_anew(&mut self, segment: &Segment, first: Position, last: Position) -> Result<RangeIndex> {
        tracing::info!("indexing positions {first} to {last} anew from segment {}", segment.name());
        let memory = MemoryIndex::new(first);
        index_rows(segment, last, self.manifest.id_key, &memory, self.options.mode, &mut |_| {})?;
        if self.options.mode == Mode::Write {
            match self.save(&memory) {
                Ok(file) => return Ok(RangeIndex::File(Arc::new(file))),
                Err(error) => tracing::warn!("failed to {error}; it stays in memory until it can be saved"),
            }
        }
        self.unsaved.push(Job { first, covered: None });
        Ok(RangeIndex::Memory(Arc::new(memory)))
    }

    fn save(&self, memory: &MemoryIndex) -> Result<IndexFile> {
        let disk = self.options.disk.as_ref();
        let path = index_dir(self.dir).join(file_name(memory.first(), memory.last()));
        memory.write(memory.last(), None, disk, &path)?;
        IndexFile::open(disk, &path)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventDraft;
    use crate::store::open::branch_dir;
    use crate::store::{Append, Options, Store, recover};

    #[test]
    fn an_index_that_is_made_anew_from_a_segment_does_not_stay_in_memory() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), Options::default()).expect("a new store");
        let draft = EventDraft::new("order-1", "placed", "{}".to_owned()).expect("a draft");
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
        store.compact_to(0).expect("sealed");
        store.close().expect("closed");
        let (branch, options) = (branch_dir(dir.path()), Options::default());
        #[expect(clippy::disallowed_methods, reason = "deletes what is derived, behind the store's back")]
        std::fs::remove_dir_all(index_dir(&branch)).expect("removed");
        let (found, damage) = recover::open(&branch, "main", &options).expect("whole");
        assert_eq!((damage, found.unsaved.len()), (Vec::new(), 0));
        assert!(found.view.ranges[0].segment().is_some() && found.view.ranges[0].index.is_saved());
    }
}
