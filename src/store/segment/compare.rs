//! Whether a segment says what a log file or other segments say: asked before these go.

use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use super::calls;
use super::format::Section;
use super::merge::Empties;
use super::reader::Segment;
use super::source::{LogSource, SegmentSource};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Position};
use crate::store::log::{Attrs, LogFile};

/// How many rows are compared between two questions whether to go on.
const ROWS_PER_QUESTION: u32 = 1_024;

impl Segment {
    /// Compares every event of `log` that lies in this segment's positions, and all that the frames there say, to what is
    /// read from the segment; gives the first and the last position that were compared. `goes_on` is asked before each
    /// 1,024 events.
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
            if row.is_multiple_of(ROWS_PER_QUESTION) && !goes_on() {
                return Err(closed());
            }
            let position = self.position_of(row);
            if source.event(position)? != cursor.event(row)? {
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
                calls.push((position, xxh3_128(&json)));
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

    /// Compares every event and every call of this segment to what `parts`, in order, hold; `empties` tells whose payload
    /// and metadata are not kept.
    ///
    /// # Errors
    /// `Corrupt` (`segment_differs`) at the first that is not the same, `Corrupt` when one cannot be read, `Closed` when
    /// `goes_on`, asked every 1,024 events, said no.
    pub(crate) fn compare_parts(
        &self,
        parts: &[Arc<Self>],
        empties: Option<Empties<'_>>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<()> {
        let mut own = self.replay();
        for part in parts {
            let mut cursor = part.replay();
            for row in 0..part.rows() {
                if row.is_multiple_of(ROWS_PER_QUESTION) && !goes_on() {
                    return Err(closed());
                }
                let position = part.position_of(row);
                let mut expected = cursor.event(row)?;
                let is_emptied = empties.is_some_and(|empties| {
                    empties(expected.event_type.as_str(), position, expected.timestamp)
                });
                let found = own.event(self.row_of(position))?;
                if is_emptied {
                    expected =
                        Event { payload: found.payload.clone(), metadata: None, emptied: true, ..expected };
                }
                if expected != found {
                    return Err(self.differs(position, "its event is not the one in the segment before"));
                }
            }
        }
        if self.calls_hash(0)?
            != parts.iter().try_fold(0, |hash: u128, part| {
                let before = self.row_of(part.first());
                part.calls_hash(before).map(|next| hash ^ next)
            })?
        {
            return Err(self.differs(self.first(), "its calls are not those in the segments before"));
        }
        Ok(())
    }

    /// A hash of all calls whatever their order, when `before` rows lie before this segment.
    fn calls_hash(&self, before: u32) -> Result<u128> {
        let (mut hash, mut failed) = (0, None);
        let shown = calls::each(self.section(Section::Calls)?, self.cache(), |row, attrs| {
            match serde_json::to_vec(attrs) {
                Ok(json) => hash ^= xxh3_128_with_seed(&json, u64::from(before + row)),
                Err(error) => failed = Some(error),
            }
        });
        match (shown, failed) {
            (Some(()), None) => Ok(hash),
            _ => Err(self.bad_envelope(Section::Calls)),
        }
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

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "closed", "compare a segment: the store is being closed")
}
