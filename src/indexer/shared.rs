//! What the indexing thread and those who search have in common.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};

use super::progress::Meaning;
use crate::error::{Error, Result};
use crate::event::Position;
use crate::search::SearchReader;
use crate::store::FeedWaker;

/// What can be searched since the last commit.
pub(crate) struct Published {
    /// Both indexes as they were committed.
    pub reader: SearchReader,
    /// Everything up to here is found by words.
    pub keyword_through: Position,
    /// Everything up to here is found by meaning; where that is off, the same.
    pub vectors_through: Position,
    /// Whether events are searched by meaning.
    pub meaning: Meaning,
    /// Retention has emptied events that are still found by what they said.
    pub emptied: bool,
}

impl Published {
    /// Everything up to here is found.
    pub(crate) fn through(&self) -> Position {
        self.keyword_through.min(self.vectors_through)
    }
}

/// The meeting place of the indexing thread and of those who search.
#[derive(Default)]
pub(super) struct Shared {
    published: ArcSwapOption<Published>,
    wishes: Mutex<Wishes>,
    /// Something was published, has failed, or is over.
    changed: Condvar,
    waker: Mutex<Option<FeedWaker>>,
}

/// What is asked of the indexing thread, and how it fares.
#[derive(Default)]
struct Wishes {
    /// Somebody waits until everything up to here is findable.
    wanted: Position,
    /// The vectors, or everything, are to be made anew.
    rebuild: Option<Rebuild>,
    /// How many times that was done.
    rebuilt: u64,
    failure: Option<Error>,
    closing: bool,
}

/// What is to be made anew from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rebuild {
    /// The vectors, by the present embedder; words stay findable meanwhile.
    Vectors,
    /// Everything.
    Everything,
}

impl Shared {
    /// What can be searched now; `None` before the indexes are open.
    pub(super) fn published(&self) -> Option<Arc<Published>> {
        self.published.load_full()
    }

    /// Makes a commit visible to those who search.
    pub(super) fn publish(&self, published: Published) {
        self.published.store(Some(Arc::new(published)));
        self.wishes.lock().failure = None;
        self.changed.notify_all();
    }

    /// Tells why indexing stands still.
    pub(super) fn fail(&self, error: &Error) {
        self.wishes.lock().failure = Some(error.copy());
        self.changed.notify_all();
    }

    /// Why indexing stands still, if it does.
    pub(super) fn failure(&self) -> Option<Error> {
        self.wishes.lock().failure.as_ref().map(Error::copy)
    }

    /// Gives what ends the wait of the indexing thread.
    pub(super) fn woken_by(&self, waker: FeedWaker) {
        *self.waker.lock() = Some(waker);
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake();
        }
    }

    /// Has the indexing thread end.
    pub(super) fn close(&self) {
        self.wishes.lock().closing = true;
        self.changed.notify_all();
        self.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.wishes.lock().closing
    }

    /// The last position that somebody waits for.
    pub(super) fn wanted(&self) -> Position {
        self.wishes.lock().wanted
    }

    /// Has something made anew, and waits until that has begun.
    pub(super) fn rebuild(&self, what: Rebuild, timeout: Duration) -> Result<()> {
        let mut wishes = self.wishes.lock();
        let before = wishes.rebuilt;
        wishes.rebuild = wishes.rebuild.max(Some(what));
        drop(wishes);
        self.wake();
        let mut wishes = self.wishes.lock();
        let has_begun = |wishes: &mut Wishes| wishes.rebuilt == before && !wishes.closing;
        self.changed.wait_while_for(&mut wishes, has_begun, timeout);
        match &wishes.failure {
            Some(error) if wishes.rebuilt == before => Err(error.copy()),
            _ => Ok(()),
        }
    }

    /// What is to be made anew, once.
    pub(super) fn take_rebuild(&self) -> Option<Rebuild> {
        self.wishes.lock().rebuild.take()
    }

    /// Tells that making anew has begun.
    pub(super) fn rebuilt(&self) {
        self.wishes.lock().rebuilt += 1;
        self.changed.notify_all();
    }

    /// Waits until the indexes are open and everything up to `position` is findable, or `timeout` has passed, or indexing
    /// has failed; gives what can be searched then.
    ///
    /// # Errors
    /// Why nothing can be searched at all.
    pub(super) fn wait_for(&self, position: Position, timeout: Duration) -> Result<Option<Arc<Published>>> {
        self.wait_until(position, timeout, |published| published.through() >= position)
    }

    /// The same, where `is_there` says when waiting is over.
    pub(super) fn wait_until(
        &self,
        position: Position,
        timeout: Duration,
        is_there: impl Fn(&Published) -> bool,
    ) -> Result<Option<Arc<Published>>> {
        if let Some(published) = self.published().filter(|published| is_there(published)) {
            return Ok(Some(published));
        }
        let mut wishes = self.wishes.lock();
        wishes.wanted = wishes.wanted.max(position);
        drop(wishes);
        self.wake();
        let mut wishes = self.wishes.lock();
        let is_awaited = |wishes: &mut Wishes| {
            let is_there = self.published().is_some_and(|published| is_there(&published));
            !is_there && wishes.failure.is_none() && !wishes.closing
        };
        self.changed.wait_while_for(&mut wishes, is_awaited, timeout);
        match (self.published(), &wishes.failure) {
            (None, Some(error)) => Err(error.copy()),
            (published, _) => Ok(published),
        }
    }
}
