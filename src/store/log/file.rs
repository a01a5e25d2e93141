//! One mapped log file, and the events in it.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::format::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameHeader, u32_at};
use super::record::{Record, frame_distance_at};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Position, Timestamp};
use crate::store::disk::DiskFile;

/// What a frame says of the call that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attrs {
    /// The idempotency key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// XXH3-128 of what the call wanted stored, in hexadecimal; given with the key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// The expectations and the condition that held, for those who ask why this batch could go in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conditions: Option<String>,
}

/// The unit in which a processor loads memory: 64 bytes.
const LINE_BYTES: usize = 64;
/// How much of a record is loaded ahead: 320 bytes, which is all of most.
const PREFETCH_LINES: usize = 5;

/// One mapped log file.
pub(crate) struct LogFile {
    name: String,
    header: FileHeader,
    file: Arc<dyn DiskFile>,
    bytes: Bytes,
}

impl LogFile {
    /// Takes an open file whose header was written before.
    pub(crate) fn new(name: String, file: Arc<dyn DiskFile>) -> Result<Self> {
        let bytes = Self::map(&name, file.as_ref())?;
        let header = FileHeader::decode(&bytes).map_err(|reason| {
            Error::new(
                ErrorKind::Corrupt,
                "log_damaged",
                format!("open log file {name}: {reason}; run `allsource verify`"),
            )
            .with("file", name.clone())
            .with("offset", 0)
        })?;
        Ok(Self { name, header, file, bytes })
    }

    /// Takes an open file without a look at its header, which is still to be [proved](Self::proves_header): a file that was
    /// not used for long would have to come from the disk for it.
    pub(crate) fn on_trust(
        name: String,
        file: Arc<dyn DiskFile>,
        first: Position,
        id_key: u64,
    ) -> Result<Self> {
        let bytes = Self::map(&name, file.as_ref())?;
        Ok(Self { header: FileHeader::presumed(first, id_key), name, file, bytes })
    }

    fn map(name: &str, file: &dyn DiskFile) -> Result<Bytes> {
        file.map().map_err(|error| {
            Error::new(ErrorKind::Unavailable, "map_failed", format!("map log file {name}")).caused_by(error)
        })
    }

    /// Whether the header is one of a log file of this branch that begins at this position.
    pub(crate) fn proves_header(&self) -> bool {
        FileHeader::decode(&self.bytes).is_ok_and(|found| {
            (found.first_position, found.id_key) == (self.header.first_position, self.header.id_key)
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn first(&self) -> Position {
        self.header.first_position
    }

    pub(crate) fn header(&self) -> &FileHeader {
        &self.header
    }

    pub(crate) fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The frame header at `offset`, without a look at the body.
    pub(crate) fn frame(&self, offset: usize) -> Option<FrameHeader> {
        if offset < FILE_HEADER_BYTES {
            return None;
        }
        FrameHeader::decode(self.bytes.get(offset..)?)
    }

    /// The event at `position`, whose record begins at `offset`.
    ///
    /// # Errors
    /// `Corrupt` when the record's checksum does not match or it is another position's.
    pub(crate) fn event(&self, position: Position, offset: u32) -> Result<Event> {
        let (record, recorded_at) = self.record_of(position, offset)?;
        let event = record.event(position, recorded_at, self.header.id_key);
        event.ok_or_else(|| self.damaged(position, offset))
    }

    /// Adds the event to `to`, unless `is_wanted` refuses the record, which saves most of the work; gives whether it did.
    /// An event is large enough for handing it up from caller to caller to be felt.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    pub(crate) fn push_if(
        &self,
        position: Position,
        offset: u32,
        is_wanted: impl FnOnce(&Record<'_>) -> bool,
        to: &mut Vec<Event>,
    ) -> Result<bool> {
        let (record, recorded_at) = self.record_of(position, offset)?;
        if !is_wanted(&record) {
            return Ok(false);
        }
        match record.event(position, recorded_at, self.header.id_key) {
            Some(event) => to.push(event),
            None => return Err(self.damaged(position, offset)),
        }
        Ok(true)
    }

    /// The record at `offset`, proved to be the one of `position`, and when its frame was committed.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    pub(crate) fn record_of(&self, position: Position, offset: u32) -> Result<(Record<'_>, Timestamp)> {
        match self.record(offset) {
            Some((record, frame, _))
                if frame.first_position.get() + u64::from(record.index()) == position.get() =>
            {
                Ok((record, frame.recorded_at))
            }
            _ => Err(self.damaged(position, offset)),
        }
    }

    /// Has the processor load the records at `offsets`, and the headers of their frames, all at the same time.
    ///
    /// They lie all over the file, so that each costs a wait for memory; read one after the other, proofs and all, they
    /// would wait one after the other.
    pub(crate) fn prefetch(&self, offsets: &[u32]) {
        let mut loaded = 0;
        for &offset in offsets {
            let offset = offset as usize;
            for line in 1..PREFETCH_LINES {
                loaded ^= u32_at(&self.bytes, offset + line * LINE_BYTES);
            }
            let start = offset.saturating_sub(frame_distance_at(&self.bytes, offset));
            loaded ^= u32_at(&self.bytes, start);
        }
        black_box(loaded);
    }

    /// When the frame that holds the record at `offset` was committed.
    pub(crate) fn recorded_at(&self, offset: u32) -> Result<Timestamp> {
        match self.record(offset) {
            Some((_, frame, _)) => Ok(frame.recorded_at),
            None => Err(self.damaged(self.first(), offset)),
        }
    }

    /// The offset behind the frame that holds the record at `offset`; `None` when there is none.
    pub(crate) fn end_of(&self, offset: u32) -> Option<u64> {
        let (_, frame, start) = self.record(offset)?;
        Some(start as u64 + u64::from(frame.len))
    }

    /// Of the whole frame that holds the record at `offset`: the offset behind it, its last position, and when it was
    /// committed. `None` when there is none.
    pub(crate) fn frame_end(&self, offset: u32) -> Option<(u64, Position, Timestamp)> {
        let (_, frame, start) = self.record(offset)?;
        let is_whole = frame.proves(self.bytes.get(start..)?);
        is_whole.then_some((start as u64 + u64::from(frame.len), frame.last_position(), frame.recorded_at))
    }

    /// The first position and the attributes of the frame that holds the record at `offset`.
    pub(crate) fn frame_of(&self, offset: u32) -> Result<(FrameHeader, Attrs)> {
        let found = self.record(offset).map(|(_, frame, start)| (frame, start));
        // What a frame says of its call is covered by the frame's checksum alone; a key that cannot be believed must not
        // be taken for a stranger's.
        let whole = found.filter(|(frame, start)| frame.proves(self.bytes.get(*start..).unwrap_or_default()));
        let (frame, start) = whole.ok_or_else(|| self.damaged(self.first(), offset))?;
        Ok((frame, self.attrs(&frame, start)))
    }

    /// The attributes of the frame that begins at `start`.
    pub(crate) fn attrs(&self, frame: &FrameHeader, start: usize) -> Attrs {
        let from = start + FRAME_HEADER_BYTES;
        let bytes = self.bytes.get(from..from + frame.attrs_len as usize).unwrap_or_default();
        if bytes.is_empty() { Attrs::default() } else { serde_json::from_slice(bytes).unwrap_or_default() }
    }

    fn record(&self, offset: u32) -> Option<(Record<'_>, FrameHeader, usize)> {
        let record = Record::proved(&self.bytes, offset as usize)?;
        let start = (offset as usize).checked_sub(record.frame_distance())?;
        Some((record, self.frame(start)?, start))
    }

    /// The error for bytes that are not what was written.
    pub(crate) fn damaged(&self, position: Position, offset: u32) -> Error {
        let message = format!(
            "read position {position} in log file {}: the bytes at offset {offset} are not what was written; run `allsource verify`",
            self.name
        );
        Error::new(ErrorKind::Corrupt, "log_damaged", message)
            .with("file", self.name.clone())
            .with("offset", offset)
            .with("position", position.get())
    }
}
