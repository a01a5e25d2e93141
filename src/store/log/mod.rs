//! *In which bytes does an event lie, and when is it safe?* Frames in files, and the one path by which they get there.
//!
//! Useful for: writing a group of batches with one sync, and finding out after a crash what is there. Not for:
//! finding an event by name or time ([`index`](super::index)).
//!
//! **Invariant:** a frame is written once and never changed; the only thing ever cut is a torn tail.

mod event_id;
mod file;
mod format;
mod frame;
mod record;
mod recovery;
mod writer;

pub(crate) use event_id::{generated_id, generated_position};
pub(crate) use file::{Attrs, LogFile};
pub(crate) use format::{FILE_HEADER_BYTES, FileHeader, FrameHeader};
pub(crate) use frame::{FrameBuilder, FrameStamp, RecordParts, record_bytes};
pub(crate) use record::Record;
pub(crate) use recovery::{
    Boundary, Break, Checks, LOOK_AT_OPEN_BYTES, damage_error, judge, judge_within, records, walk,
};
pub(crate) use writer::{LogEnd, create, file_name, grow, log_dir};
