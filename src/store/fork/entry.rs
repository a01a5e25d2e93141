//! What is asked of a fork, and what is told about it.

use std::collections::BTreeMap;

use super::ForkId;
use crate::event::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX};
use crate::event::{IdempotencyKey, Position, Timestamp};

/// How long a fork stays after its last use unless something else is asked for: a day.
const TTL_SECONDS: u64 = 86_400;
/// What is left of the largest batch for what a promotion adds to metadata: 16 MiB.
const PROMOTION_BYTES: u64 = 16 << 20;
/// The most bytes that a fork's own log may hold: 48 MiB. What a promotion adds to it must fit into one batch.
pub(super) const QUOTA_BYTES_MAX: u64 = BATCH_BYTES_MAX as u64 - PROMOTION_BYTES;
/// The most events that a fork may hold of its own: as many as go into one batch.
pub(super) const QUOTA_EVENTS_MAX: u64 = BATCH_EVENTS_MAX as u64;
/// How long a discarded fork can be restored: a day.
pub(super) const RESTORABLE_US: i64 = 86_400_000_000;

/// What a new fork is to be.
#[derive(Clone, Debug)]
pub struct NewFork {
    /// What it is for, in words.
    pub purpose: String,
    /// Who makes it, as it calls itself.
    pub creator: Option<String>,
    /// The last position that it shares with its parent; the parent's last one if `None`.
    pub cut: Option<Position>,
    /// How long it stays after its last use, in seconds: 86,400; 0 keeps it.
    pub ttl_seconds: u64,
    /// How many events it may hold of its own: 100,000, which is the most.
    pub quota_events: u64,
    /// How many bytes its own log may hold: 48 MiB, which is the most.
    pub quota_bytes: u64,
    /// Names the call, so that sending it again finds the same fork.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl Default for NewFork {
    fn default() -> Self {
        Self {
            purpose: String::new(),
            creator: None,
            cut: None,
            ttl_seconds: TTL_SECONDS,
            quota_events: QUOTA_EVENTS_MAX,
            quota_bytes: QUOTA_BYTES_MAX,
            idempotency_key: None,
        }
    }
}

/// Whether a fork can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkState {
    /// It can.
    Live,
    /// It was discarded, and can be restored until then.
    Discarded {
        /// When it is removed for good.
        restorable_until: Timestamp,
    },
    /// It was not used for as long as it was to stay.
    Expired,
}

/// A fork in the list of all.
#[derive(Clone, Debug, PartialEq)]
pub struct ForkListed {
    /// Its id.
    pub id: ForkId,
    /// The branch it was forked from.
    pub parent: String,
    /// Whether it can be used.
    pub state: ForkState,
}

/// What is known of a fork.
#[derive(Clone, Debug, PartialEq)]
pub struct ForkInfo {
    /// Its id, which is the name of its branch.
    pub id: ForkId,
    /// The branch it was forked from: `main`, or another fork.
    pub parent: String,
    /// The last position that it shares with that one.
    pub cut: Position,
    /// Its own last position: the cut when it added nothing.
    pub head: Position,
    /// What it is for.
    pub purpose: String,
    /// Who made it, as it called itself.
    pub creator: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires unless it is used before; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// How long it stays after its last use, in seconds; 0: for ever.
    pub ttl_seconds: u64,
    /// How many events it may hold of its own.
    pub quota_events: u64,
    /// How many bytes its own log may hold.
    pub quota_bytes: u64,
    /// Bytes in use of its own log.
    pub bytes: u64,
    /// Whether it can be used.
    pub state: ForkState,
    /// The position on its parent from which its events stand there, when it was promoted.
    pub promoted_at: Option<Position>,
    /// The call that made it was sent before: it was there already.
    pub duplicate: bool,
    /// Positions that were given a name.
    pub tags: BTreeMap<String, Position>,
}

impl ForkInfo {
    /// How many events it holds of its own.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.head.get().saturating_sub(self.cut.get())
    }
}

/// What is to be changed about a fork; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ForkChange {
    /// How long it stays after its last use, in seconds; 0 keeps it.
    pub ttl_seconds: Option<u64>,
    /// How many events it may hold of its own.
    pub quota_events: Option<u64>,
    /// How many bytes its own log may hold.
    pub quota_bytes: Option<u64>,
    /// What it is for.
    pub purpose: Option<String>,
}
