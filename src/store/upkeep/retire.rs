//! Deleting a log file that a segment holds too.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::store::branch::Branch;
use crate::store::index::RangeIndex;
use crate::store::log::{LogFile, log_dir};
use crate::store::options::PlantedBug;
use crate::store::segment::{Segment, SegmentEntry, segment_dir};
use crate::store::view::Range;

impl Branch {
    /// Deletes a log file once its segment was found to hold the same, row by row.
    ///
    /// A segment that does not is written anew from the log file first.
    pub(super) fn retire(&self, log: &Arc<LogFile>) -> Result<()> {
        let segment = self.proved_segment(log)?;
        if self.options.has(PlantedBug::DeleteLogBeforeSwap) {
            self.discard_log(log)?;
        }
        // Ordering: the manifest without the file is durable before the file goes, and so is the way to its rows.
        self.swap_manifest(|manifest| manifest.log_files.retain(|&first| first != log.first().get()))?;
        let mut indexes = Vec::new();
        let view = self.view();
        for range in view.ranges.iter().filter(|range| range.is_in(log)) {
            if let RangeIndex::File(file) = &range.index {
                indexes.push(Arc::clone(file));
            }
        }
        self.change_view(|view| {
            for range in view.ranges.iter_mut().filter(|range| range.is_in(log)) {
                *range = Arc::new(Range::of_segment(&segment, range.index.clone()));
            }
        });
        self.discard_log(log)?;
        indexes.iter().try_for_each(|index| index.remove_rows(&self.discards))
    }

    fn discard_log(&self, log: &LogFile) -> Result<()> {
        let path = log_dir(&self.dir).join(log.name());
        self.discards.discard([path.clone()]).map_err(|error| {
            let message = format!("remove log file {}, which a segment holds too", path.display());
            Error::new(ErrorKind::Unavailable, "log_not_removed", message).caused_by(error)
        })
    }

    fn proved_segment(&self, log: &Arc<LogFile>) -> Result<Arc<Segment>> {
        let entry = self.segment_of(log)?;
        let mismatch = match self.proved(&entry, log) {
            Err(error) if error.kind() == ErrorKind::Corrupt => error,
            proved => return proved,
        };
        tracing::warn!(
            "segment {} does not hold what its log file does: {mismatch}; writing it anew",
            entry.name()
        );
        let anew = self.write_segment(log, entry.last(), entry.generation + 1)?;
        self.swap_manifest(|manifest| {
            if let Some(place) = manifest.segments.iter_mut().find(|place| **place == entry) {
                *place = anew;
            }
        })?;
        self.discard_segment(&entry)?;
        self.proved(&anew, log)
    }

    fn proved(&self, entry: &SegmentEntry, log: &Arc<LogFile>) -> Result<Arc<Segment>> {
        let segment = self.open_segment(entry)?;
        if !self.options.has(PlantedBug::SkipRowComparison) {
            self.compare(&segment, log)?;
        }
        Ok(Arc::new(segment))
    }

    /// Fails unless the segment holds, row by row, all that the log file does.
    fn compare(&self, segment: &Segment, log: &Arc<LogFile>) -> Result<()> {
        let (first, last) = segment.compare(log, &|| !self.background.is_closing())?;
        if (first, last) == (segment.first(), segment.last()) {
            return Ok(());
        }
        let message = format!(
            "compare segment {}: log file {} holds positions {first} to {last} of it only",
            segment.name(),
            log.name()
        );
        Err(Error::new(ErrorKind::Corrupt, "segment_differs", message))
    }

    /// Removes the files of a segment that the manifest does not name any more.
    pub(super) fn discard_segment(&self, entry: &SegmentEntry) -> Result<()> {
        let (dir, name) = (segment_dir(&self.dir), entry.name());
        let files = [dir.join(name.file_name()), dir.join(name.envelope_name())];
        self.discards.discard(files).map_err(|error| {
            let message = format!("remove segment {name}, which another took the place of");
            Error::new(ErrorKind::Unavailable, "segment_not_removed", message).caused_by(error)
        })
    }

    pub(super) fn open_segment(&self, entry: &SegmentEntry) -> Result<Segment> {
        let disk = self.options.disk.as_ref();
        Segment::open(disk, &segment_dir(&self.dir), entry, Arc::clone(&self.pages))
    }

    fn segment_of(&self, log: &LogFile) -> Result<SegmentEntry> {
        let manifest = self.manifest.lock();
        let found = manifest.segments.iter().find(|entry| entry.first() == log.first());
        found
            .copied()
            .ok_or_else(|| Error::internal(format!("retire log file {}: it lies in no segment", log.name())))
    }
}
