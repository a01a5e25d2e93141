//! Whether a segment says what a log file says: asked before the log file goes.

use std::sync::Arc;

use super::calls;
use super::format::Section;
use super::reader::Segment;
use super::source::{LogSource, SegmentSource};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::log::{Attrs, LogFile};

impl Segment {
    /// Compares every event of `log` that lies in this segment's positions, and all that the frames there say, to what is
    /// read from the segment; gives the first and the last position that were compared. `goes_on` is asked before each
    /// 1,024 events. An event that retention has emptied may differ in what was emptied.
    ///
    /// # Errors
    /// `Corrupt` (`segment_differs`) at the first that is not the same, `Corrupt` when either cannot be read, `Closed` when
    /// `goes_on` said no.
    pub(crate) fn compare(
        &self,
        log: &Arc<LogFile>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(Position, Position)> {
        let mut source = LogSource::new(log)?;
        let (first, last) = (self.first().max(source.first()), self.last().min(source.last()));
        if first > last {
            return Err(self.differs(self.first(), "the log file holds none of its positions"));
        }
        let mut cursor = self.replay();
        for row in self.row_of(first)..=self.row_of(last) {
            if row % 1_024 == 0 && !goes_on() {
                return Err(Error::new(
                    ErrorKind::Closed,
                    "closed",
                    "compare a segment: the store is being closed",
                ));
            }
            let position = self.position_of(row);
            let mut expected = source.event(position)?;
            let found = cursor.event(row)?;
            if found.emptied {
                expected.payload = found.payload.clone();
                expected.metadata = None;
                expected.emptied = true;
            }
            if expected != found {
                return Err(self.differs(position, "its event is not the one in the log file"));
            }
        }
        self.compare_calls(&mut source, first, last)?;
        Ok((first, last))
    }

    /// Where a frame begins and ends is compared already: its events, and no others, were recorded at one time.
    fn compare_calls(&self, source: &mut LogSource, first: Position, last: Position) -> Result<()> {
        let said = |calls: &mut Vec<(Position, u128)>, position: Position, attrs: &Attrs| {
            if (first..=last).contains(&position) {
                let json = serde_json::to_vec(attrs).unwrap_or_default();
                calls.push((position, xxhash_rust::xxh3::xxh3_128(&json)));
            }
        };
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let start = source.first().get();
        source.calls(&mut |row, attrs| said(&mut expected, Position::new(start + u64::from(row)), attrs))?;
        let read = calls::each(self.section(Section::Calls)?, self.cache(), |row, attrs| {
            said(&mut found, self.position_of(row), attrs);
        });
        read.ok_or_else(|| self.bad_envelope(Section::Calls))?;
        if expected == found {
            return Ok(());
        }
        let both = expected.iter().zip(&found).find(|(expected, found)| expected != found);
        let at = both.map(|(expected, found)| expected.0.min(found.0));
        let longer = expected.get(found.len()).or(found.get(expected.len())).map(|call| call.0);
        Err(self.differs(at.or(longer).unwrap_or(first), "what its frame says is not what the log file says"))
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
