//! How much may one client take? As much as the store allows, or as little as whoever started its server says.

use serde::{Deserialize, Serialize};

use super::{Caller, Engine, check_fork_writes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventDraft;
use crate::store::{ForkInfo, ForkState, NewFork};

/// What one client may take; `None`: what the store allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The most rows in one answer; more are not refused but left for the next page.
    pub rows: Option<u64>,
    /// The most bytes of payloads and metadata in one append.
    pub append_bytes: Option<u64>,
    /// The most live forks that clients of its name have made.
    pub forks: Option<u64>,
    /// The longest that one call may take, in milliseconds; what is read until then is answered, and no more.
    pub call_ms: Option<u64>,
}

impl Limits {
    /// Refuses an append that is larger than the client's may be.
    pub(super) fn check_append(&self, events: &[EventDraft]) -> Result<()> {
        let size = |draft: &EventDraft| {
            draft.payload().as_str().len() + draft.metadata().map_or(0, |metadata| metadata.as_str().len())
        };
        let bytes = events.iter().map(size).sum::<usize>() as u64;
        match self.append_bytes {
            Some(max) if bytes > max => {
                let message = format!(
                    "append {} events: their payloads and metadata have {bytes} bytes, and this server takes {max} from a client at \
                     a time (--max-append-bytes); send fewer events at a time",
                    events.len()
                );
                Err(beyond(message, "append_bytes", max))
            }
            _ => Ok(()),
        }
    }
}

impl Engine {
    /// Makes a fork of the branch on behalf of `caller`.
    ///
    /// # Errors
    /// `Denied` (`writes_denied`, `audit_is_read_only`), `Exhausted` (`client_limit`) when it has as many as it may, and those of
    /// [`Store::create_fork`](crate::store::Store::create_fork).
    pub(crate) fn create_fork(&self, new: NewFork, caller: &Caller) -> Result<ForkInfo> {
        check_fork_writes(caller)?;
        self.check_not_audit()?;
        if let Some(max) = caller.limits.forks {
            let mine = self.live_forks_of(caller, max)?;
            // The same call sent again makes none.
            if mine >= max && new.idempotency_key.is_none() {
                let message = format!(
                    "fork: clients of this name have {mine} live forks, and this server allows {max} (--max-forks); discard one with \
                     discard_fork (list_forks shows them), or write on one that is there"
                );
                return Err(beyond(message, "forks", max));
            }
        }
        self.store().create_fork(new)
    }

    /// How many live forks were made by clients of the caller's name; it stops counting at `enough`.
    fn live_forks_of(&self, caller: &Caller, enough: u64) -> Result<u64> {
        let mut count = 0;
        for listed in self.store().list_forks()? {
            if listed.state == ForkState::Live && self.store().fork_info(&listed.id)?.creator == caller.client
            {
                count += 1;
            }
            if count >= enough {
                break;
            }
        }
        Ok(count)
    }
}

fn beyond(message: String, limit: &str, max: u64) -> Error {
    Error::new(ErrorKind::Exhausted, "client_limit", message).with("limit", limit).with("max", max)
}
