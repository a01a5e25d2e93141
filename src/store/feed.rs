//! Following the log: the durable head, for indexers, projections and subscribers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::branch::Branch;
use super::read::{Order, Page, Scan, ScanLimits};
use crate::error::Result;
use crate::event::{Filter, Position};

/// Pulls durable events in order of position, each once: what a crash can take back is not shown.
pub struct Feed {
    branch: Arc<Branch>,
    after: Position,
    woken: Arc<AtomicBool>,
}

/// Ends the wait of a [`Feed`] from another thread.
#[derive(Clone)]
pub struct FeedWaker {
    branch: Arc<Branch>,
    woken: Arc<AtomicBool>,
}

impl Feed {
    pub(super) fn new(branch: Arc<Branch>, after: Position) -> Self {
        Self { branch, after, woken: Arc::default() }
    }

    /// The last position that is durable.
    #[must_use]
    pub fn head(&self) -> Position {
        self.branch.durable()
    }

    /// The last position that was pulled.
    #[must_use]
    pub fn position(&self) -> Position {
        self.after
    }

    /// The next durable events, at most `events_max`; empty when there are none yet.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn pull(&mut self, events_max: usize) -> Result<Page> {
        let scan =
            Scan { filter: Filter::default(), order: Order::Ascending, after: self.after, before: None };
        let limits = ScanLimits { events_max, ..ScanLimits::default() };
        let page = self.branch.snapshot().up_to(self.head()).replay(&scan, &limits)?;
        self.after = page.scanned_to.unwrap_or(self.after).max(self.after);
        Ok(page)
    }

    /// Waits until there is something to pull, until it is [woken](FeedWaker::wake), or until `timeout` has passed; true
    /// when there is something.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        let is_woken = || self.woken.load(Ordering::Acquire);
        let head = self.branch.wait_durable_unless(self.after, timeout, is_woken);
        self.woken.store(false, Ordering::Release);
        head > self.after
    }

    /// Another feed, behind `after`, whose waits the same [waker](Self::waker) ends.
    #[must_use]
    pub(crate) fn again(&self, after: Position) -> Self {
        Self { branch: Arc::clone(&self.branch), after, woken: Arc::clone(&self.woken) }
    }

    /// Waits until it is [woken](FeedWaker::wake), or until `timeout` has passed, whatever there is to pull.
    pub(crate) fn pause(&self, timeout: Duration) {
        let is_woken = || self.woken.load(Ordering::Acquire);
        self.branch.wait_durable_unless(Position::MAX, timeout, is_woken);
        self.woken.store(false, Ordering::Release);
    }

    /// What ends a wait from another thread.
    #[must_use]
    pub fn waker(&self) -> FeedWaker {
        FeedWaker { branch: Arc::clone(&self.branch), woken: Arc::clone(&self.woken) }
    }
}

impl FeedWaker {
    /// Ends the wait that is under way, or else the next one at once.
    pub fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.branch.nudge();
    }
}
