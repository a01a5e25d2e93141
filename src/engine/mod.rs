//! *What may be done, and how is it done?* The two paths, ingest and query, in full view, over an open store.
//!
//! Useful for: rules that hold for every tool and every door (who may write, what a fold is, what a store holds).
//! Not for: how an answer looks ([`tools`](crate::tools)).
//!
//! **Invariant:** permission to write is decided here, not by whoever renders an answer.

mod audit;
mod caller;
mod change;
mod fold;
mod forking;
mod ingest;
mod limits;
mod observe;
mod options;
mod profile;
mod progress;
mod queries;
mod query;
mod related;
mod sample;
mod schemas;
mod search;
mod state;
mod tally;
mod verify;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::{Position, quote};
use crate::indexer::{Indexer, SearchOptions};
use crate::store::disk::Disk;
use crate::store::{ForkId, Store};
use audit::Audit;
use schemas::Schemas;

pub use caller::{Caller, Cancel, Writes};
pub use limits::Limits;
pub use options::EngineOptions;
pub use progress::{Progress, Reached};

pub(crate) use audit::{AUDIT, Called};
pub(crate) use caller::CallClock;
pub(crate) use change::{Change, diff};
pub(crate) use fold::{Folded, Origin};
pub(crate) use forking::{EntityDiff, FieldMoved, ForkDiff, Numbers};
pub(crate) use ingest::{check_fork_writes, check_main_writes};
pub(crate) use observe::{OBSERVE_TIME_MAX, Observed, Stopped, Wanted, observe};
pub(crate) use profile::{FieldProfile, Profile, Role, TypeProfile, words};
pub(crate) use queries::{Queries, Query, QueryId};
pub(crate) use query::{Found, Stretch, View, Wish, exactly};
pub(crate) use related::{HOPS_MAX, RELATED_MAX, Related, Relation, follow};
pub(crate) use sample::sample;
pub(crate) use schemas::{Failure, Measure, Registered, Registration, Survey, Upcaster, filter_of};
pub(crate) use search::{FoundRanked, Hit, RANKED_MAX, Sought};
pub(crate) use state::Moment;
pub(crate) use tally::{Tally, Values, tally};

/// The branch that all others are forked from.
pub(crate) const MAIN: &str = "main";

/// An open store with the rules around it, seen from one of its branches. Clones share it.
#[derive(Clone)]
pub struct Engine {
    /// Before the store, so that it ends first. `None` until something is searched for, or indexing was asked for.
    indexer: Arc<Mutex<Option<Arc<Indexer>>>>,
    search: SearchOptions,
    store: Store,
    clock: Arc<dyn Clock>,
    queries: Arc<Queries>,
    schemas: Arc<Schemas>,
    audit: Option<Arc<Audit>>,
    /// The branch is `audit`.
    is_audit: bool,
    /// The call that it serves, if it serves one.
    call: Option<Arc<CallClock>>,
    /// Whoever holds the store is about to close it.
    leaving: Cancel,
}

impl Engine {
    /// Puts the rules around an open store.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            indexer: Arc::default(),
            search: SearchOptions::default(),
            store,
            clock,
            queries: Arc::new(Queries::in_memory()),
            schemas: Arc::default(),
            audit: None,
            is_audit: false,
            call: None,
            leaving: Cancel::default(),
        }
    }

    /// Searches as `options` say.
    #[must_use]
    pub fn searching(mut self, options: SearchOptions) -> Self {
        self.search = options;
        self
    }

    /// What keeps the store findable; the first call starts it.
    ///
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub fn indexer(&self) -> Result<Arc<Indexer>> {
        let mut indexer = self.indexer.lock();
        if let Some(indexer) = &*indexer {
            return Ok(Arc::clone(indexer));
        }
        let started = Arc::new(Indexer::start(&self.store.main(), self.search.clone())?);
        *indexer = Some(Arc::clone(&started));
        Ok(started)
    }

    /// What keeps the store findable, if anything does yet.
    pub(crate) fn running_indexer(&self) -> Option<Arc<Indexer>> {
        self.indexer.lock().clone()
    }

    /// Ends indexing, then closes the store.
    ///
    /// # Errors
    /// Those of [`Store::close`].
    pub fn close(self) -> Result<()> {
        if let Some(indexer) = self.indexer.lock().take() {
            indexer.close();
        }
        if let Some(audit) = &self.audit {
            audit.close();
        }
        self.store.close()
    }

    /// Remembers queries in `dir/queries`, so that a `query_id` or a cursor means the same after a restart.
    #[must_use]
    pub fn keeping_queries(mut self, dir: &Path, disk: Arc<dyn Disk>) -> Self {
        self.queries = Arc::new(Queries::in_dir(dir, disk));
        self
    }

    /// The same store, for one call of `caller`: its clock ends what nobody waits for.
    pub(crate) fn on_behalf_of(&self, caller: &Caller) -> Self {
        let call = Arc::new(CallClock::new(&self.clock, caller));
        let clock: Arc<dyn Clock> = call.clone();
        Self { clock, call: Some(call), ..self.clone() }
    }

    /// Whether the call that this serves is to end: nobody waits for it, or its time is up.
    pub(crate) fn is_over(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.is_over())
    }

    /// The time since the clock was made, to say how long something took; never to know when to stop.
    pub(crate) fn measured(&self) -> Duration {
        self.call.as_ref().map_or_else(|| self.clock.elapsed(), |call| call.measured())
    }

    /// Whether the client of the call that this serves has cancelled it.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.is_cancelled())
    }

    /// Says how long the call that this serves has waited, out of the longest that it will.
    pub(crate) fn tell_waited(&self, waited: Duration, longest: Duration, what: &str) {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if let Some(call) = &self.call {
            call.progress().tell(ms(waited), Some(ms(longest)), what);
        }
    }

    /// Ends the calls that wait for events, because the store is about to be closed; others go on to their end.
    pub(crate) fn end_waits(&self) {
        self.leaving.cancel();
    }

    /// Whether a call that waits for events is to wait no longer.
    pub(crate) fn waits_no_longer(&self) -> bool {
        self.is_over() || self.leaving.is_cancelled()
    }

    /// The same store, seen from a branch: `main`, the id of a fork, or `audit`, from which no other is seen.
    ///
    /// # Errors
    /// `NotFound` (`unknown_branch`, `fork_discarded`, `fork_expired`), `Invalid` (`audit_alone`).
    pub fn branch(&self, name: &str) -> Result<Self> {
        match (name, self.is_audit) {
            (AUDIT, false) => return self.audit_branch(),
            (AUDIT, true) => return Ok(self.clone()),
            (other, true) => {
                let message = format!(
                    "read branch {} beside \"audit\": that one is read alone; ask twice",
                    quote(other)
                );
                return Err(Error::invalid("audit_alone", message));
            }
            (_, false) => {}
        }
        let store = match name {
            MAIN => self.store.main(),
            fork => self.store.fork(&ForkId::parse(fork)?)?,
        };
        Ok(Self { store, ..self.clone() })
    }

    /// The store seen from a branch, and the position behind the `@` of its name: a number or a tag.
    ///
    /// # Errors
    /// Those of [`branch`](Self::branch), and `NotFound` when it has no such tag.
    pub(crate) fn branch_at(&self, asked: &str) -> Result<(Self, Option<Position>)> {
        let (name, point) = asked.split_once('@').map_or((asked, None), |(name, point)| (name, Some(point)));
        let branch = self.branch(name)?;
        let point = point.map(|point| match point.parse() {
            Ok(position) => Ok(Position::new(position)),
            Err(_) => branch.store().tagged(point),
        });
        let point = point.transpose()?;
        Ok((branch, point))
    }

    /// The store, seen from the branch.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The queries that were asked.
    pub(crate) fn queries(&self) -> &Queries {
        &self.queries
    }
}
