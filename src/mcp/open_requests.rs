//! *What has the client still to get?* The requests that were read and not yet answered, and how much memory they hold.
//!
//! **Invariant:** while [`OPEN_MAX`] requests are open or [`OPEN_BYTES_MAX`] are held, nothing more is read; so a client
//! that sends and does not read makes the server wait, not grow.

use std::collections::HashMap;

use parking_lot::Mutex;
use rmcp::model::RequestId;
use tokio::sync::Notify;

/// The most requests that are open at once, refusals on their way out included: 64.
pub(super) const OPEN_MAX: usize = 64;
/// The most bytes of open requests and of answers that wait to be written: 8 MiB. One message may go beyond it.
pub(super) const OPEN_BYTES_MAX: usize = 8 << 20;

/// The requests that were read and not yet answered.
#[derive(Default)]
pub(super) struct OpenRequests {
    held: Mutex<Held>,
    fewer: Notify,
}

#[derive(Default)]
struct Held {
    /// How many bytes each request came in.
    requests: HashMap<RequestId, usize>,
    /// Answers on their way out, and their bytes together with those of the requests.
    answers: usize,
    bytes: usize,
}

impl Held {
    fn has_room(&self) -> bool {
        self.requests.len() + self.answers < OPEN_MAX && self.bytes < OPEN_BYTES_MAX
    }

    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.answers == 0
    }
}

impl OpenRequests {
    /// Takes a request of so many bytes; `false` when one with its id is open.
    pub(super) fn add(&self, id: &RequestId, bytes: usize) -> bool {
        let mut held = self.held.lock();
        if held.requests.contains_key(id) {
            return false;
        }
        held.requests.insert(id.clone(), bytes);
        held.bytes += bytes;
        true
    }

    /// The request was answered or cancelled.
    pub(super) fn remove(&self, id: &RequestId) {
        let mut held = self.held.lock();
        if let Some(bytes) = held.requests.remove(id) {
            held.bytes = held.bytes.saturating_sub(bytes);
        }
        drop(held);
        self.fewer.notify_waiters();
    }

    /// An answer waits to be written.
    pub(super) fn answer_waits(&self, bytes: usize) {
        let mut held = self.held.lock();
        held.answers += 1;
        held.bytes += bytes;
    }

    /// An answer was written, or never will be.
    pub(super) fn answer_left(&self, bytes: usize) {
        let mut held = self.held.lock();
        held.answers = held.answers.saturating_sub(1);
        held.bytes = held.bytes.saturating_sub(bytes);
        drop(held);
        self.fewer.notify_waiters();
    }

    /// Waits until another request may be read.
    pub(super) async fn room(&self) {
        self.until(Held::has_room).await;
    }

    /// Waits until nothing is open.
    pub(super) async fn none_left(&self) {
        self.until(Held::is_empty).await;
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.held.lock().requests.len()
    }

    async fn until(&self, holds: impl Fn(&Held) -> bool) {
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            // Ordering: listens before it looks, so that the last answer cannot slip in between.
            fewer.as_mut().enable();
            if holds(&self.held.lock()) {
                return;
            }
            fewer.await;
        }
    }
}
