//! *In which bytes does an event lie, and when is it safe?* Frames in files, and the one path by which they get there.
//!
//! Useful for: writing a group of batches with one sync, and finding out after a crash what is there. Not for:
//! finding an event by name or time ([`index`](super::index)).
//!
//! **Invariant:** a frame is written once and never changed; the only thing ever cut is a torn tail.

mod file;
mod format;
mod group;
mod recovery;
mod writer;

pub(crate) use file::{Attrs, LogFile};
pub(crate) use format::{
    FILE_HEADER_BYTES, FileHeader, FrameBuilder, FrameHeader, FrameStamp, Record, RecordParts, ends,
    generated_id, generated_position, record_bytes,
};
pub(crate) use group::{GroupCommit, Outcome};
pub(crate) use recovery::{Boundary, Break, Checks, judge, records, walk};
pub(crate) use writer::{LogEnd, create, file_name, log_dir};
