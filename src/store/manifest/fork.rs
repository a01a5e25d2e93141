//! What makes a branch a fork.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

/// Where a fork comes from, and how long it stays. Times are microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForkEntry {
    /// The branch it was forked from: `main`, or a fork's id.
    pub parent: String,
    /// The last position that it shares with that one.
    pub cut: u64,
    /// When the last frame up to the cut was recorded: recording goes on from there.
    pub cut_recorded_at: i64,
    /// What it is for.
    pub purpose: String,
    /// Who made it, as it called itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used, to a twenty-fourth of its lifetime.
    pub used_at: i64,
    /// How long it stays after its last use, in seconds; 0: for ever.
    pub ttl_seconds: u64,
    /// How many events it may hold of its own.
    pub quota_events: u64,
    /// How many bytes its own log may hold.
    pub quota_bytes: u64,
    /// The idempotency key of the call that made it, and what that call asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<MadeBy>,
    /// When it was discarded; it can be restored for a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded_at: Option<i64>,
    /// What became of it on its parent, as far as that was noted: the parent's own frames decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<PromotedAs>,
}

/// The call that made a fork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeBy {
    /// Its idempotency key.
    pub key: String,
    /// XXH3-128 of what it asked for, in hexadecimal.
    pub request: String,
}

/// Where the events of a fork went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PromotedAs {
    /// The idempotency key of the frame on the parent.
    pub key: String,
    /// The first position of that frame.
    pub position: u64,
    /// When it was committed.
    pub at: i64,
}

impl ForkEntry {
    /// When it expires unless it is used again; `None`: never.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let ttl_us = i64::try_from(self.ttl_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        (self.ttl_seconds > 0).then(|| Timestamp::from_micros(self.used_at.saturating_add(ttl_us)))
    }
}
