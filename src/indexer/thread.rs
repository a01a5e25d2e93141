//! Starting the indexer, asking it, and ending it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::SearchOptions;
use super::forks::Forks;
use super::progress::Progress;
use super::shared::{Published, Rebuild, Shared};
use super::tail::{Tail, remove};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::{Mode, Store, priority};

/// How long indexing stands still after a failure before it is tried again: 10 s.
const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// How long it is waited until making anew has begun: 60 s.
const REBUILD_TIME_MAX: Duration = Duration::from_mins(1);

/// Keeps the indexes of a store up to date in a thread of low priority, until it is [closed](Self::close) or dropped.
///
/// One at a time for a store that is open for writing. For a store that is open for reading it searches the index that
/// lies there, and changes nothing.
pub struct Indexer {
    store: Store,
    shared: Arc<Shared>,
    options: SearchOptions,
    forks: Forks,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Indexer {
    /// Starts indexing; returns at once. Indexes that are missing, of another store or of another version of the program
    /// are made anew.
    ///
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub fn start(store: &Store, options: SearchOptions) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let (forks, thread) = (Forks::default(), Mutex::new(None));
        let indexer = Self { store: store.clone(), shared, options, forks, thread };
        let (store, shared, options) = (store.clone(), Arc::clone(&indexer.shared), indexer.options.clone());
        let follow = move || match store.mode() {
            Mode::Write => follow(&store, &shared, &options),
            Mode::Read => open_to_read(&store, &shared, &options),
        };
        let spawned = std::thread::Builder::new().name("allsource-search".to_owned()).spawn(follow);
        let thread = spawned.map_err(|error| {
            let message = "start the indexing thread; end other programs, or raise the limit of threads";
            Error::new(ErrorKind::Unavailable, "no_thread", message).caused_by(error)
        })?;
        *indexer.thread.lock() = Some(thread);
        Ok(indexer)
    }

    /// What can be searched once everything up to `position` is findable, or once `timeout` has passed.
    ///
    /// # Errors
    /// `Unavailable` (`search_not_ready`) when the indexes are not open by then, and why indexing has failed when there is
    /// nothing to search at all.
    pub(crate) fn wait_for(&self, position: Position, timeout: Duration) -> Result<Arc<Published>> {
        self.shared.wait_for(position, timeout)?.ok_or_else(|| {
            let message = "search: the indexes are still being opened; try again in a moment";
            Error::new(ErrorKind::Unavailable, "search_not_ready", message)
        })
    }

    /// What can be searched on a branch of the store, given what can be on `main`: of a fork everything that it added too.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written, `Unavailable` when the model or the index in memory fails.
    pub(crate) fn on_branch(&self, main: Arc<Published>, branch: &Store) -> Result<Arc<Published>> {
        if !branch.is_fork() {
            return Ok(main);
        }
        Ok(Arc::new(self.forks.behind(&main, branch, self.options.embedder.as_deref())?))
    }

    /// Waits until everything that is durable now can be found, and nothing that retention has emptied, or until `timeout`
    /// has passed or indexing has failed; true when it is so.
    pub fn catch_up(&self, timeout: Duration) -> bool {
        let head = self.store.durable_head();
        let agrees = |published: &Published| published.through() >= head && !published.emptied;
        let published = self.shared.wait_until(head, timeout, agrees);
        published.is_ok_and(|published| published.is_some_and(|published| agrees(&published)))
    }

    /// How far the indexes are; `None` before they are open.
    pub fn progress(&self) -> Option<Progress> {
        let published = self.shared.published()?;
        Some(Progress {
            head: self.store.durable_head(),
            indexed_through: published.through(),
            keyword_through: published.keyword_through,
            meaning: published.meaning.clone(),
            vectors: published.reader.vector_stats(),
            failure: self.shared.failure(),
        })
    }

    /// Why indexing stands still, if it does.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.shared.failure()
    }

    pub(super) fn options(&self) -> &SearchOptions {
        &self.options
    }

    /// Makes indexes anew from the log; returns when that has begun.
    ///
    /// # Errors
    /// `Denied` for a store that is open for reading, and why indexing has failed, if it has.
    pub fn rebuild(&self, what: Rebuild) -> Result<()> {
        if self.store.mode() == Mode::Read {
            let message = "index anew: the store is open for reading only; open it for writing";
            return Err(Error::new(ErrorKind::Denied, "read_only", message));
        }
        self.shared.rebuild(what, REBUILD_TIME_MAX)
    }

    /// Ends indexing; what was indexed and not committed is indexed again next time.
    pub fn close(&self) {
        self.shared.close();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the indexing thread panicked; please report it");
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Indexes until it is told to end; after a failure it goes on from the last commit.
fn follow(store: &Store, shared: &Shared, options: &SearchOptions) {
    // Threads that are started from here, for merging, inherit it.
    priority::lower(priority::BEHIND);
    let feed = store.feed(Position::ZERO);
    shared.woken_by(feed.waker());
    while !shared.is_closing() {
        let turn = || Tail::open(store, shared, options, &feed).and_then(Tail::run);
        // A file that is not what was written can make a library panic; that must not end indexing for good.
        let indexed = catch_unwind(AssertUnwindSafe(turn)).unwrap_or_else(|_| Err(panicked()));
        let Err(error) = indexed else { continue };
        tracing::error!("failed to index events for searching: {error}");
        shared.fail(&error);
        if !shared.is_closing() {
            feed.pause(RETRY_PAUSE);
        }
        if shared.take_rebuild().is_some() {
            match remove(store) {
                Ok(()) => shared.rebuilt(),
                Err(error) => shared.fail(&error),
            }
        }
    }
}

fn panicked() -> Error {
    Error::internal(
        "index events: a thread panicked, perhaps over a damaged file of the index; `allsource reindex` makes it anew; \
         please report it",
    )
}

/// Opens what lies there, for reading alone.
fn open_to_read(store: &Store, shared: &Shared, options: &SearchOptions) {
    match Tail::open_to_read(store, options) {
        Ok(published) => shared.publish(published),
        Err(error) => shared.fail(&error),
    }
}
