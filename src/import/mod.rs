//! *How do real files become events?* Rows of JSON Lines or CSV, plain or packed, and the history of a git repository.
//!
//! Useful for: files of any size, over and over, with nothing stored twice, whoever stores them ([`Ledger`]). Not for: writing
//! single events ([`tools`](crate::tools)), or what is said meanwhile ([`cli`](crate::cli)).
//!
//! [`source`] unpacks, [`rows`] cuts, [`mapping`] makes events, [`chunk`] batches them on a thread of its own, and
//! [`ledger`] puts into the store what is not there yet.
//!
//! **Invariant:** a line is stored, reported as there before, or reported as bad: the three counts add up to the lines.

mod chunk;
mod git;
mod ledger;
mod mapping;
mod members;
mod pick;
mod places;
mod rows;
mod source;
mod when;

pub(crate) use chunk::{BadLine, Chunk, Item, Message, read_chunks, send_drafts};
pub(crate) use git::Repository;
pub(crate) use ledger::{Intake, Ledger};
pub(crate) use mapping::{EXPORT_FIELDS, Mapping, Wanted};
pub(crate) use rows::Format;
pub(crate) use source::{Source, look_for};
pub(crate) use when::read_time;
