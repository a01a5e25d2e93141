//! Following the log: the durable head, for indexers, projections and subscribers.

use std::sync::Arc;
use std::time::Duration;

use super::branch::Branch;
use super::read::{Order, Page, Scan, ScanLimits};
use crate::error::Result;
use crate::event::{Filter, Position};

/// Pulls durable events in order of position, each once: what a crash can take back is not shown.
pub struct Feed {
    branch: Arc<Branch>,
    after: Position,
}

impl Feed {
    pub(super) fn new(branch: Arc<Branch>, after: Position) -> Self {
        Self { branch, after }
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

    /// Waits until there is something to pull or `timeout` has passed; true when there is.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        self.branch.wait_durable(self.after, timeout) > self.after
    }
}
