//! *Which events are no longer kept, and how do they go?* Policies by event type that empty payload and metadata.
//!
//! ```text
//! policies + what is stored ── cuts ──▶ manifest ──▶ an event that says so ──▶ segments without those payloads
//! ```
//!
//! Useful for: data that must not be kept for ever. Not for: making a store smaller in events; the row of an emptied event
//! stays, and with it every version, position, id and count.
//!
//! **Invariant:** what is about to go is durable in the manifest, then recorded by an event, and only then emptied. A run
//! that was interrupted is finished by the next one with the same cuts, and recorded once.

mod apply;
mod cut;

use serde::{Deserialize, Serialize};

pub(crate) use apply::Pace;
pub(crate) use cut::Cut;

use crate::error::{Error, Result};
use crate::event::NamePattern;
use crate::schema::{CONFIGURED, REGISTERED};

/// The entity of the events that tell of retention.
pub const RETENTION_ENTITY: &str = "allsource:retention";
/// The type of the events that tell of retention; events of this type are never emptied.
pub const RETENTION_APPLIED: &str = "allsource.retention.applied";
/// The most policies of a store: 256.
const POLICIES_MAX: usize = 256;

/// How long the payloads of an event type are kept: an event that any of the limits leaves out is emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPolicy {
    /// The event type, or a prefix of types with a trailing star; limits hold for each type by itself.
    pub event_type: String,
    /// How long after its timestamp an event is kept, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
    /// How many events of a type are kept, the newest by position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_events: Option<u64>,
    /// How many bytes of payload and metadata are kept of a type, the newest by position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// What one policy emptied, or would empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emptied {
    /// The policy.
    pub policy: RetentionPolicy,
    /// How many events.
    pub events: u64,
    /// Their bytes of payload and metadata.
    pub bytes: u64,
}

/// What retention is told to do, and what it has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retention {
    /// The policies, in order of their event types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<RetentionPolicy>,
    /// What is to be recorded and emptied, whatever the policies say by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun: Vec<Cut>,
}

impl Retention {
    pub(crate) fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.begun.is_empty()
    }

    /// Sets a policy, in the place of one for the same types.
    ///
    /// # Errors
    /// `Invalid` (`no_limit`) when it keeps everything, `Exhausted` beyond 256 policies.
    pub(super) fn set(&mut self, policy: RetentionPolicy) -> Result<()> {
        if policy.event_type.is_empty()
            || (policy.max_age_seconds, policy.max_events, policy.max_bytes) == (None, None, None)
        {
            let message = "set a retention policy: it names no event type or no limit; give a type, and an age, a number of \
                           events or a number of bytes";
            return Err(Error::invalid("no_limit", message));
        }
        self.policies.retain(|other| other.event_type != policy.event_type);
        if self.policies.len() >= POLICIES_MAX {
            let message = format!("set a retention policy: there are {POLICIES_MAX} already; clear one");
            return Err(Error::new(crate::ErrorKind::Exhausted, "too_many_policies", message));
        }
        self.policies.push(policy);
        self.policies.sort_by(|one, other| one.event_type.cmp(&other.event_type));
        Ok(())
    }
}

/// Whether an event says what the schemas are: without it payloads could not be read as they were meant.
fn is_registry(event_type: &str) -> bool {
    event_type == REGISTERED || event_type == CONFIGURED
}

impl RetentionPolicy {
    fn matches(&self, event_type: &str) -> bool {
        event_type != RETENTION_APPLIED
            && !is_registry(event_type)
            && NamePattern::parse(&self.event_type).matches(event_type)
    }
}
