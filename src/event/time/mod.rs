//! *When?* Points in time, to the microsecond, and the ways in which people and files write them.
//!
//! Useful for: reading what an agent or a file says, writing it back in the reader's zone. Not for: asking what
//! time it is ([`Clock`](crate::clock::Clock)).
//!
//! **Invariant:** pure. "Now" and the zone are arguments.

mod lenient;
mod parse;
mod stamp;
mod zone;

pub use stamp::Timestamp;
pub(crate) use zone::from_wall_clock;
pub use zone::{TimeZone, parse_zone};
