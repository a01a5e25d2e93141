//! Whether a segment says what a log file says: asked before the log file goes.

use std::sync::Arc;

use super::reader::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::log::{Attrs, Boundary, Checks, FrameHeader, LogFile, records, walk};

impl Segment {
    /// Compares every event of `log` that lies in this segment's positions, with all that its frame says, to what is
    /// read from the segment; gives the first and the last position that were compared. `goes_on` is asked before each frame.
    ///
    /// # Errors
    /// `Corrupt` (`segment_differs`) at the first that is not the same, `Corrupt` when either cannot be read, `Closed` when
    /// `goes_on` said no.
    pub(crate) fn compare(
        &self,
        log: &Arc<LogFile>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(Position, Position)> {
        let mut cursor = self.replay();
        let mut compared: Option<(Position, Position)> = None;
        let mut result = Ok(());
        let (end, broken) =
            walk(log, Boundary::start(log), log.bytes().len(), Checks::All, |frame, offset| {
                let is_here = frame.first_position >= self.first() && frame.last_position() <= self.last();
                if result.is_err() || !is_here {
                    return;
                }
                result = if goes_on() {
                    self.compare_frame(log, frame, offset, &mut cursor)
                } else {
                    Err(Error::new(
                        ErrorKind::Closed,
                        "closed",
                        "compare a segment: the store is being closed",
                    ))
                };
                let first = compared.map_or(frame.first_position, |compared| compared.0);
                compared = Some((first, frame.last_position()));
            });
        result?;
        match (broken, compared) {
            (Some(_), _) => Err(log.damaged(end.next, u32::try_from(end.offset).unwrap_or(u32::MAX))),
            (None, Some(compared)) => Ok(compared),
            (None, None) => Err(self.differs(self.first(), "the log file holds none of its positions")),
        }
    }

    fn compare_frame(
        &self,
        log: &LogFile,
        frame: &FrameHeader,
        offset: usize,
        cursor: &mut super::Cursor<'_>,
    ) -> Result<()> {
        let first_row = self.row_of(frame.first_position);
        let mut row = first_row;
        for (_, record) in records(log, frame, offset) {
            let position = self.position_of(row);
            let expected = record.event(position, frame.recorded_at, log.header().id_key);
            let mut found = cursor.event(row)?;
            if found.emptied {
                // Retention may have been here: what it leaves is still compared.
                found.payload = expected.as_ref().map_or(found.payload, |event| event.payload.clone());
                found.metadata = expected.as_ref().and_then(|event| event.metadata.clone());
                found.emptied = false;
            }
            if expected.as_ref() != Some(&found) {
                return Err(self.differs(position, "its event is not the one in the log file"));
            }
            row += 1;
        }
        if u64::from(row - first_row) != u64::from(frame.count) {
            return Err(self.differs(self.position_of(row), "the log file has another number of events"));
        }
        let attrs: Attrs = log.attrs(frame, offset);
        let said = self.frame_of(first_row)?;
        if (said.first, said.last, said.recorded_at, said.attrs)
            != (frame.first_position, frame.last_position(), frame.recorded_at, attrs)
        {
            return Err(self.differs(frame.first_position, "its frame is not the one in the log file"));
        }
        Ok(())
    }

    /// The row of a position that is not before the first.
    pub(crate) fn row_of(&self, position: Position) -> u32 {
        u32::try_from(position.get().saturating_sub(self.first().get())).unwrap_or(u32::MAX)
    }

    fn differs(&self, position: Position, reason: &str) -> Error {
        let file = self.name().file_name();
        let message = format!(
            "trust segment {file} at position {position}: {reason}; the log file stays, run `allsource verify`"
        );
        Error::new(ErrorKind::Corrupt, "segment_differs", message)
            .with("file", file)
            .with("position", position.get())
    }
}
