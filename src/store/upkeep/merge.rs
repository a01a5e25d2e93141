//! Making one segment of several neighbours, and then one index of theirs.

use std::collections::BTreeSet;
use std::ops::Range as Places;
use std::sync::Arc;

use super::choice::{Urgency, can_wait, choose};
use crate::error::{Error, ErrorKind, Result};
use crate::store::branch::Branch;
use crate::store::index::{
    IndexFile, MemoryIndex, RangeIndex, file_name, index_dir, index_rows, merge_files,
};
use crate::store::options::Mode;
use crate::store::segment::{
    Empties, Segment, SegmentEntry, SegmentName, SegmentsSource, WriteSettings, segment_dir, withdraw, write,
};
use crate::store::view::{Range, View};

/// Segments that could not be rewritten since the store was opened, because they are not what was written.
pub(crate) type Damaged = BTreeSet<SegmentName>;

impl Branch {
    /// Whether merging is to wait until nobody appends any more.
    pub(super) fn merging_can_wait(&self, urgency: Urgency) -> bool {
        let last_append = self.writer.lock().recorded_at;
        let now = self.options.clock.now();
        matches!(urgency, Urgency::InTime(_))
            && can_wait(self.manifest.lock().cold(), &self.options, last_append, now)
    }

    /// The neighbouring cold segments that are to become one, if it is time for some.
    ///
    /// Those that could not be read are left as they are.
    pub(super) fn mergeable(&self, urgency: Urgency, damaged: &Damaged) -> Option<Vec<SegmentEntry>> {
        let manifest = self.manifest.lock();
        let view = self.view();
        let mut cold = manifest.cold();
        loop {
            let chosen: Places<usize> = choose(cold, &self.options, urgency)?;
            let entries = cold.get(chosen.clone())?;
            // An index that is in memory still is on its way to a file, and that thread knows the old segment.
            let is_ready = |entry: &SegmentEntry| is_saved(&view, entry) && !damaged.contains(&entry.name());
            match entries.iter().rposition(|entry| !is_ready(entry)) {
                None => return Some(entries.to_vec()),
                Some(at) => cold = cold.get(chosen.start + at + 1..)?,
            }
        }
    }

    /// Writes neighbouring segments as one, proves that it holds what they do, names it in their place, and removes them.
    pub(super) fn merge(&self, entries: &[SegmentEntry]) -> Result<()> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let segments = entries.iter().map(|entry| self.cold_segment(entry)).collect::<Result<Vec<_>>>()?;
        let name = SegmentName { first: first.first(), last: last.last(), generation: 1 };
        let merged = self.rewrite(&segments, name, None)?;
        self.replace_segments(entries, merged)
    }

    /// Writes segments as one, without what `empties` says, and proves it.
    pub(super) fn rewrite(
        &self,
        segments: &[Arc<Segment>],
        name: SegmentName,
        empties: Option<Empties<'_>>,
    ) -> Result<SegmentEntry> {
        let goes_on = || !self.background.is_closing();
        let settings = WriteSettings::new(&goes_on);
        let mut source = SegmentsSource::new(segments, empties)?;
        let dir = segment_dir(&self.dir);
        let entry = write(self.options.disk.as_ref(), &dir, name, &mut source, &settings)?;
        let compared = self.open_segment(&entry)?.compare_parts(segments, empties, &goes_on);
        if compared.is_err() {
            // At once, not when no backup copies files any more: by then a second attempt may have taken the name.
            withdraw(self.options.disk.as_ref(), &dir, name);
        }
        compared.map(|()| entry)
    }

    /// Lets one segment, which is durable, take the place of neighbours that hold the same positions.
    pub(super) fn replace_segments(&self, old: &[SegmentEntry], new: SegmentEntry) -> Result<()> {
        let segment = Arc::new(self.open_segment(&new)?);
        // Ordering: the manifest without the old files is durable before they go, and so is the way to the new one.
        let mut is_named = false;
        self.swap_manifest(|manifest| {
            if let Some(at) = manifest.segments.windows(old.len()).position(|entries| entries == old) {
                manifest.segments.splice(at..at + old.len(), [new]);
                is_named = true;
            }
        })?;
        if !is_named {
            return Err(Error::internal(format!(
                "name segment {}: what it replaces is not there",
                new.name()
            )));
        }
        self.change_view(|view| {
            for range in &mut view.ranges {
                let is_old = range.segment().is_some_and(|segment| old.contains(segment.entry()));
                if is_old {
                    *range = Arc::new(Range::of_segment(&segment, range.index.clone()));
                }
            }
        });
        old.iter().try_for_each(|entry| self.discard_segment(entry))
    }

    /// A segment that several index files serve, with these, oldest first.
    pub(super) fn indexes_of_one_segment(
        &self,
        damaged: &Damaged,
    ) -> Option<(Arc<Segment>, Vec<Arc<IndexFile>>)> {
        let view = self.view();
        let cold: Vec<_> =
            view.ranges.iter().filter_map(|range| Some((range.segment()?, &range.index))).collect();
        let mut groups = cold.chunk_by(|(one, _), (other, _)| Arc::ptr_eq(one, other));
        groups.find_map(|group| {
            let files = group.iter().map(|(_, index)| match index {
                RangeIndex::File(file) => Some(Arc::clone(file)),
                RangeIndex::Memory(_) => None,
            });
            let (segment, _) = group.first().filter(|_| group.len() > 1)?;
            if damaged.contains(&segment.name()) {
                return None;
            }
            Some((Arc::clone(segment), files.collect::<Option<Vec<_>>>()?))
        })
    }

    /// Makes one index file of those that serve one segment.
    pub(super) fn merge_indexes(&self, segment: &Arc<Segment>, files: &[Arc<IndexFile>]) -> Result<()> {
        let disk = self.options.disk.as_ref();
        let (first, last) = (segment.first(), segment.last());
        let path = index_dir(&self.dir).join(file_name(first, last));
        let goes_on = || !self.background.is_closing();
        match merge_files(files, segment, disk, &path, &goes_on) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!("failed to {error}; indexing segment {} anew", segment.name());
                let memory = MemoryIndex::new(first);
                index_rows(segment, last, self.id_key, &memory, Mode::Write, &mut |_| {})?;
                memory.write(last, None, disk, &path)?;
            }
            merged => merged?,
        }
        let index = RangeIndex::File(Arc::new(IndexFile::open(disk, &path)?));
        let range = Arc::new(Range::of_segment(segment, index));
        self.change_view(|view| {
            let at = view.ranges.partition_point(|range| range.index.first() < first);
            let len = view.ranges.iter().skip(at).take_while(|range| range.index.first() <= last).count();
            view.ranges.splice(at..at + len, [Arc::clone(&range)]);
        });
        files.iter().try_for_each(|file| file.remove(&self.discards))
    }

    /// Which of some segments are not what was written; all of them when none is, for one must be to blame.
    pub(super) fn find_damaged(&self, entries: &[SegmentEntry]) -> Vec<SegmentName> {
        let found: Vec<_> =
            entries.iter().filter(|entry| self.is_damaged(entry)).map(SegmentEntry::name).collect();
        if found.is_empty() { entries.iter().map(SegmentEntry::name).collect() } else { found }
    }

    /// Whether a cold segment is not what was written.
    pub(super) fn is_damaged(&self, entry: &SegmentEntry) -> bool {
        let goes_on = || !self.background.is_closing();
        self.cold_segment(entry).is_ok_and(|segment| !segment.verify(&goes_on).is_empty())
    }

    /// A cold segment as readers have it open.
    pub(super) fn cold_segment(&self, entry: &SegmentEntry) -> Result<Arc<Segment>> {
        let view = self.view();
        let mut open = view.ranges.iter().filter_map(|range| range.segment());
        let found = open.find(|segment| segment.entry() == entry);
        found.map(Arc::clone).ok_or_else(|| {
            Error::internal(format!("read segment {}: no stretch of positions lies in it", entry.name()))
        })
    }
}

/// Whether every index of a segment lies in a file.
pub(super) fn is_saved(view: &View, entry: &SegmentEntry) -> bool {
    let mut ranges = view.ranges.iter();
    ranges
        .all(|range| range.segment().is_none_or(|segment| segment.entry() != entry) || range.index.is_saved())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::event::{EventDraft, Position, Timestamp};
    use crate::store::{Append, Options, Store};

    /// A rewriting that is found wrong is withdrawn although files are held, and not once the next one has its name.
    #[test]
    fn a_second_attempt_keeps_the_name_that_the_first_had() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), Options::default()).expect("a new store");
        let draft = EventDraft::new("order-1", "placed", "{}".to_owned()).expect("a draft");
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
        store.compact_to(0).expect("sealed");
        let branch = &store.branch;
        let entry = branch.manifest.lock().segments[0];
        let whole = [branch.cold_segment(&entry).expect("a segment")];
        let name = SegmentName { generation: entry.generation + 1, ..entry.name() };
        let hold = branch.discards.hold();

        // Says yes while the segment is written, which asks for the payload and the metadata, and no when it is compared.
        let asked = Cell::new(0);
        let fickle = |_: &str, _: Position, _: Timestamp| {
            asked.set(asked.get() + 1);
            asked.get() <= 2
        };
        let error = branch.rewrite(&whole, name, Some(&fickle)).expect_err("it is not what was asked for");
        assert_eq!(error.code(), "segment_differs");
        let rewritten = branch.rewrite(&whole, name, None).expect("written");
        drop(hold);
        branch.open_segment(&rewritten).expect("it is there");
    }
}
