//! How many calls of this process may wait for events at the owner?

use std::sync::atomic::{AtomicUsize, Ordering};

use super::call::Request;
use super::peer::CONNECTIONS_MAX;
use crate::error::{Error, ErrorKind, Result};

/// The most calls that wait at the owner: half of the connections to it, so that other calls get through.
const WAITING_MAX: usize = CONNECTIONS_MAX / 2;

/// The calls that wait at the owner.
#[derive(Default)]
pub(super) struct Waiting(AtomicUsize);

/// A call that waits at the owner, counted as long as it does.
pub(super) struct Place<'w>(&'w AtomicUsize);

impl Waiting {
    /// Counts a call that may wait.
    ///
    /// # Errors
    /// `Exhausted` (`too_many_waiting`).
    pub(super) fn admit(&self, request: &Request<'_>) -> Result<Option<Place<'_>>> {
        if !request.waits() {
            return Ok(None);
        }
        let (before, place) = (self.0.fetch_add(1, Ordering::Relaxed), Place(&self.0));
        if before < WAITING_MAX {
            return Ok(Some(place));
        }
        let message = format!(
            "wait for events: {WAITING_MAX} calls of this process wait already at the process that has the directory; ask again \
             without wait_ms, or later"
        );
        Err(Error::new(ErrorKind::Exhausted, "too_many_waiting", message).with("argument", "wait_ms"))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
