//! *What is an event, and what may it hold?* The vocabulary of the whole program, and its limits.
//!
//! Useful for: naming things once, refusing bad input at the edge. Not for: anything that touches a file.
//!
//! **Invariant:** pure. A value of a type in here is valid; whoever holds one need not check again.
//!
//! A draft ([`EventDraft`]) is what a caller wants stored; an [`Event`] is what the store gave back, with its
//! position, version and times.

mod count;
mod draft;
mod stored;
mod expected;
pub mod filter;
pub mod limits;
mod names;
mod nearest;
mod position;
mod quote;
mod text;
mod time;

pub(crate) use count::{counted, grouped};
pub use draft::EventDraft;
pub use expected::Expected;
pub use filter::{Conditions, Filter, NamePattern};
pub use names::{EntityId, EventId, EventType, IdempotencyKey};
pub(crate) use nearest::nearest;
pub use position::{Position, Version};
pub use quote::{quote, visible};
pub use stored::Event;
pub(crate) use text::is_deeper_than;
pub use text::{Json, Text};
pub(crate) use time::from_wall_clock;
pub use time::{TimeZone, Timestamp, parse_zone};
