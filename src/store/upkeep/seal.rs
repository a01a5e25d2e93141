//! Writing a full log file as a segment.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::branch::Branch;
use crate::store::log::LogFile;
use crate::store::segment::{
    LogSource, SegmentEntry, SegmentName, SegmentSource, WriteSettings, segment_dir, write,
};

impl Branch {
    /// Writes the segment of a full log file, whose last position is `last`, and names it in the manifest.
    pub(super) fn seal(&self, log: &Arc<LogFile>, last: Position) -> Result<()> {
        let entry = self.write_segment(log, last, 1)?;
        self.swap_manifest(|manifest| manifest.segments.push(entry))
    }

    /// Writes one generation of the segment of a log file.
    pub(super) fn write_segment(
        &self,
        log: &Arc<LogFile>,
        last: Position,
        generation: u32,
    ) -> Result<SegmentEntry> {
        let mut source = LogSource::new(log).inspect_err(|error| self.poison_if_damaged(error))?;
        if source.last() != last {
            let error = log.damaged(source.last().next(), 0);
            self.poison_if_damaged(&error);
            return Err(error);
        }
        let name = SegmentName { first: log.first(), last, generation };
        let goes_on = || !self.background.is_closing();
        let settings = WriteSettings { planted_bug: self.options.planted(), ..WriteSettings::new(&goes_on) };
        write(self.options.disk.as_ref(), &segment_dir(&self.dir), name, &mut source, &settings)
    }

    /// A log file that no longer says what was written must not be given checksums of its own, nor be built upon.
    fn poison_if_damaged(&self, error: &Error) {
        if error.kind() == ErrorKind::Corrupt {
            self.poison_behind(error);
        }
    }
}
