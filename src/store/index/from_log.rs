//! Indexing what a log file holds: after a crash, and when a file's runs become one index.

use super::{MemoryIndex, NewEntry, NewFrame};
use crate::store::log::{Boundary, Checks, FrameHeader, LogFile, records, walk};

/// Reads every whole frame of a log file into an index; gives the place behind the last, and why it ends there if that
/// is not the end of the log.
pub(crate) fn index_frames(log: &LogFile, memory: &MemoryIndex) -> (Boundary, Option<&'static str>) {
    let push = |frame: &FrameHeader, offset: usize| push_frame(memory, log, frame, offset);
    walk(log, Boundary::start(log), log.bytes().len(), Checks::All, push)
}

/// Adds a frame that was read from a log file.
pub(crate) fn push_frame(memory: &MemoryIndex, log: &LogFile, frame: &FrameHeader, offset: usize) {
    let key = log.attrs(frame, offset).key;
    let records: Vec<_> = records(log, frame, offset)
        .take(frame.count as usize)
        .map(|(at, record)| (at, record.given_id(), record))
        .collect();
    let events: Vec<_> = records
        .iter()
        .map(|(at, given_id, record)| NewEntry {
            entity_id: record.entity_id().unwrap_or_default(),
            event_type: record.event_type().unwrap_or_default(),
            given_id: given_id.as_ref(),
            version: record.version(),
            timestamp: record.timestamp(),
            offset: *at,
        })
        .collect();
    memory.push(&NewFrame {
        first: frame.first_position,
        call_key: key.as_deref(),
        recorded_at: frame.recorded_at,
        events: &events,
    });
}
