//! *In which bytes does an event lie, and when is it safe?* Frames in files, and the one path by which they get there.
//!
//! Useful for: writing a group of batches with one sync, and finding out after a crash what is there. Not for:
//! finding an event by name or time ([`index`](super::index)).
//!
//! **Invariant:** a frame is written once and never changed; the only thing ever cut is a torn tail.

mod file;
mod format;

pub(crate) use file::{Attrs, LogFile};
pub(crate) use format::{
    FILE_HEADER_BYTES, FileHeader, FrameBuilder, FrameHeader, FrameStamp, MAGIC, Record, RecordParts, ends,
    generated_id, generated_position, record_bytes,
};
