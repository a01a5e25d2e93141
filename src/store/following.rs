//! Waiting for events to become durable.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::branch::Branch;
use crate::event::Position;

/// Where those wait who follow the durable head of a branch.
#[derive(Default)]
pub(super) struct Following {
    watch: Mutex<()>,
    moved: Condvar,
}

impl Branch {
    /// Waits until the durable head is beyond `after`, or `timeout` has passed; gives the durable head.
    pub(crate) fn wait_durable(&self, after: Position, timeout: Duration) -> Position {
        self.wait_durable_unless(after, timeout, || false)
    }

    /// The same, but waits no longer once `is_over` says so, which is asked again after each [`nudge`](Self::nudge).
    pub(crate) fn wait_durable_unless(
        &self,
        after: Position,
        timeout: Duration,
        is_over: impl Fn() -> bool,
    ) -> Position {
        let mut watch = self.following.watch.lock();
        self.following.moved.wait_while_for(&mut watch, |()| self.durable() <= after && !is_over(), timeout);
        self.durable()
    }

    /// Has everyone who waits for the durable head look again.
    pub(crate) fn nudge(&self) {
        // Ordering: behind the lock. Whoever has looked already waits by then, and is woken.
        drop(self.following.watch.lock());
        self.following.moved.notify_all();
    }
}
