//! *What did clients do?* Each call of a tool becomes an event of the branch `audit`: who called what, how long it took and
//! what came of it.
//!
//! The branch is a store of its own in `DIR/audit`, so that no number of `main` counts it; it is opened by the first record or
//! the first read. A record is written in the background after the call has ended, and synced within a second. At most 10,000
//! records wait; what comes beyond them is counted, and the count becomes an event (`audit.lost`).
//!
//! **Invariant:** no call waits for its record, no call fails for want of one, and nothing else writes to the branch.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use serde_json::{Value, json};

use super::ingest::client_stamp;
use super::schemas::Schemas;
use super::{Caller, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, EventDraft, Timestamp};
use crate::indexer::Indexer;
use crate::store::{Append, Durability, ForkId, Mode, Options, Store};

/// The name of the branch, and of its directory.
pub(crate) const AUDIT: &str = "audit";
/// The type of a call's record.
const CALLED: &str = "tool.called";
/// The type of the record that others are missing.
const LOST: &str = "audit.lost";
/// The entity of calls by a client that gave no name.
const NOBODY: &str = "unnamed client";
/// The most records that wait to be written.
const WAITING_MAX: usize = 10_000;
/// The longest that a record is not synced: 1 s.
const SYNC_MS: u64 = 1_000;
/// The longest that a read waits for records to be written: 2 s.
const READ_WAIT: Duration = Duration::from_secs(2);

/// What is recorded of a call.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub tool: &'static str,
    /// XXH3-128 of the arguments as they were given.
    pub arguments_hash: u128,
    /// The branch it named, if any.
    pub branch: Option<String>,
    /// The name under which the query can be refined.
    pub query_id: Option<String>,
    pub rows: usize,
    pub tokens: usize,
    pub took: Duration,
    /// The code of the error that it was answered with.
    pub error: Option<String>,
}

/// The branch `audit` of a directory.
pub(super) struct Audit {
    dir: PathBuf,
    options: Options,
    state: Mutex<State>,
    /// A record has come or was written, or the branch is closed.
    changed: Condvar,
    store: Mutex<Option<Store>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// What keeps the branch findable, once it was searched.
    indexer: Arc<Mutex<Option<Arc<Indexer>>>>,
    schemas: Arc<Schemas>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<EventDraft>,
    lost: u64,
    /// Records were taken and are not written yet.
    writing: bool,
    /// Nothing is recorded any more: the branch is closed, or cannot be written.
    ended: bool,
}

impl Audit {
    /// The branch of the store in `dir` that was opened with `options`.
    pub(super) fn new(dir: &Path, options: &Options) -> Self {
        let options = Options {
            durability: Durability::Interval { ms: SYNC_MS },
            log_file_bytes: 4 << 20,
            run_bytes: 1 << 20,
            hot_window_bytes: 32 << 20,
            head_cache_entries_max: 1_024,
            page_cache_bytes_max: 4 << 20,
            state_every_events: 0,
            ..options.clone()
        };
        Self {
            dir: dir.join(AUDIT),
            options,
            state: Mutex::default(),
            changed: Condvar::new(),
            store: Mutex::default(),
            thread: Mutex::default(),
            indexer: Arc::default(),
            schemas: Arc::default(),
        }
    }

    /// Has a record written; the first starts the thread that writes them.
    fn note(self: &Arc<Self>, record: EventDraft) {
        if self.options.mode == Mode::Read {
            return;
        }
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        if state.waiting.len() >= WAITING_MAX {
            state.lost += 1;
            return;
        }
        state.waiting.push_back(record);
        drop(state);
        self.changed.notify_all();
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let writer = Arc::clone(self);
            let started =
                thread::Builder::new().name("allsource-audit".to_owned()).spawn(move || writer.write());
            match started {
                Ok(started) => *thread = Some(started),
                Err(error) => self.give_up(&error),
            }
        }
    }

    fn give_up(&self, why: &dyn std::fmt::Display) {
        tracing::warn!("calls are not recorded on branch {AUDIT} any more: {why}");
        let mut state = self.state.lock();
        state.ended = true;
        state.waiting.clear();
        state.writing = false;
        drop(state);
        self.changed.notify_all();
    }

    /// Writes what waits, all of it at a time, until the branch is closed.
    fn write(&self) {
        let mut state = self.state.lock();
        loop {
            if state.waiting.is_empty() {
                if state.ended {
                    return;
                }
                self.changed.wait(&mut state);
                continue;
            }
            let mut records: Vec<EventDraft> = state.waiting.drain(..).collect();
            records.extend(missing(std::mem::take(&mut state.lost)));
            state.writing = true;
            let written = MutexGuard::unlocked(&mut state, || self.append(records));
            if let Err(error) = written {
                drop(state);
                return self.give_up(&error);
            }
            state.writing = false;
            self.changed.notify_all();
        }
    }

    fn append(&self, events: Vec<EventDraft>) -> Result<()> {
        self.opened()?.append(Append { events, ..Append::default() }).map(drop)
    }

    fn opened(&self) -> Result<Store> {
        let mut store = self.store.lock();
        if let Some(store) = &*store {
            return Ok(store.clone());
        }
        let opened = Store::open(&self.dir, self.options.clone())?;
        *store = Some(opened.clone());
        Ok(opened)
    }

    /// The branch with all that was recorded until now; `None` when nothing ever was.
    fn read(&self) -> Result<Option<Store>> {
        let mut state = self.state.lock();
        while !state.waiting.is_empty() || state.writing {
            if self.changed.wait_for(&mut state, READ_WAIT).timed_out() {
                break;
            }
        }
        drop(state);
        match self.opened() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            // It is made by the first record, not by a look.
            Ok(store) if store.snapshot().head().get() == 0 => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Writes what waits and gives the directory back.
    pub(super) fn close(&self) {
        self.state.lock().ended = true;
        self.changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that records calls panicked");
        }
        if let Some(indexer) = self.indexer.lock().take() {
            indexer.close();
        }
        if let Some(Err(error)) = self.store.lock().take().map(Store::close) {
            tracing::warn!("failed to close branch {AUDIT}: {error}");
        }
    }
}

impl Engine {
    /// Records calls in `dir/audit`, and shows them as the branch `audit`.
    #[must_use]
    pub fn auditing(mut self, dir: &Path, options: &Options) -> Self {
        self.audit = Some(Arc::new(Audit::new(dir, options)));
        self
    }

    /// Records what `caller` did, unless its server does not want that or it may change nothing.
    pub(crate) fn record(&self, caller: &Caller, done: impl FnOnce() -> Called) {
        let Some(audit) = self.audit.as_ref().filter(|_| caller.is_recorded()) else { return };
        match record(caller, &done(), self.clock.now()) {
            Ok(record) => audit.note(record),
            Err(error) => tracing::warn!("a call was not recorded: {error}"),
        }
    }

    /// The branch `audit`.
    ///
    /// # Errors
    /// `NotFound` (`unknown_branch`) when nothing was recorded, and those of [`Store::open`].
    pub(super) fn audit_branch(&self) -> Result<Self> {
        let unknown = || ForkId::unknown(AUDIT);
        let audit = self.audit.as_ref().ok_or_else(unknown)?;
        Ok(Self {
            store: audit.read()?.ok_or_else(unknown)?,
            indexer: Arc::clone(&audit.indexer),
            schemas: Arc::clone(&audit.schemas),
            is_audit: true,
            ..self.clone()
        })
    }

    /// Refuses the branch `audit`, which the server alone writes.
    ///
    /// # Errors
    /// `Denied` (`audit_is_read_only`).
    pub(crate) fn check_not_audit(&self) -> Result<()> {
        if !self.is_audit {
            return Ok(());
        }
        let message = "change branch \"audit\": the server alone writes it, one event for each call; append to a fork or to main";
        Err(Error::new(ErrorKind::Denied, "audit_is_read_only", message).with("argument", "branch"))
    }
}

fn record(caller: &Caller, done: &Called, at: Timestamp) -> Result<EventDraft> {
    let mut payload = json!({
        "tool": done.tool,
        "arguments_hash": format!("{:032x}", done.arguments_hash),
        "outcome": done.error.as_deref().unwrap_or("ok"),
        "rows": done.rows,
        "tokens": done.tokens,
        "us": u64::try_from(done.took.as_micros()).unwrap_or(u64::MAX),
    });
    if let Some(members) = payload.as_object_mut() {
        let named = [("branch", &done.branch), ("query_id", &done.query_id)];
        members.extend(
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))),
        );
    }
    let who = caller.client.as_deref().filter(|name| EntityId::new(*name).is_ok()).unwrap_or(NOBODY);
    let draft = EventDraft::new(who, CALLED, payload.to_string())?.at(at);
    match client_stamp(caller) {
        Some(stamp) => draft.with_metadata(json!({"$client": stamp}).to_string()),
        None => Ok(draft),
    }
}

/// The record of records that found no place.
fn missing(lost: u64) -> Option<EventDraft> {
    let payload: Value = json!({"calls": lost, "why": "more calls came than could be recorded"});
    (lost > 0).then(|| EventDraft::new(AUDIT, LOST, payload.to_string()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::clock::SystemClock;
    use crate::engine::Writes;
    use crate::store::disk::{Disk, RealDisk};

    struct Place {
        dir: TempDir,
        engine: Engine,
    }

    impl Place {
        fn new() -> Self {
            let dir = TempDir::new().expect("a directory");
            let options = Options::default();
            let store = Store::open(dir.path(), options.clone()).expect("a store");
            let engine = Engine::new(store, SystemClock::shared()).auditing(dir.path(), &options);
            Self { dir, engine }
        }

        fn call(&self, caller: &Caller, tool: &'static str) {
            self.engine.record(caller, || Called {
                tool,
                arguments_hash: 7,
                branch: None,
                query_id: None,
                rows: 2,
                tokens: 30,
                took: Duration::from_micros(5),
                error: None,
            });
        }

        fn recorded(&self) -> u64 {
            self.engine.branch(AUDIT).map_or(0, |branch| branch.store().snapshot().head().get())
        }
    }

    fn client() -> Caller {
        Caller { client: Some("probe".to_owned()), audited: true, ..Caller::default() }
    }

    #[test]
    fn a_call_is_an_event_of_its_client() {
        let place = Place::new();
        place.call(&client(), "quick_stats");
        let branch = place.engine.branch(AUDIT).expect("a branch");
        let snapshot = branch.store().snapshot();
        let event = snapshot.event(snapshot.head()).expect("read").expect("an event");
        assert_eq!((event.entity_id.as_str(), event.event_type.as_str()), ("probe", CALLED));
        let payload: Value = serde_json::from_str(event.payload.as_str()).expect("JSON");
        assert_eq!((&payload["tool"], &payload["outcome"]), (&json!("quick_stats"), &json!("ok")));
        assert_eq!(
            (&payload["rows"], &payload["tokens"], &payload["us"]),
            (&json!(2), &json!(30), &json!(5))
        );
        assert_eq!(place.engine.store().snapshot().head().get(), 0, "main has nothing of it");
    }

    #[test]
    fn who_may_change_nothing_or_does_not_want_it_leaves_no_record() {
        let place = Place::new();
        place.call(&Caller { writes: Writes::None, ..client() }, "quick_stats");
        place.call(&Caller { audited: false, ..client() }, "quick_stats");
        assert_eq!(
            place.engine.branch(AUDIT).err().map(|error| error.code().to_owned()).as_deref(),
            Some("unknown_branch")
        );
    }

    #[test]
    fn records_survive_a_restart_and_nobody_else_writes_them() {
        let place = Place::new();
        for _ in 0..20 {
            place.call(&client(), "query_events");
        }
        assert_eq!(place.recorded(), 20);
        let branch = place.engine.branch(AUDIT).expect("a branch");
        let events = vec![EventDraft::new("a", "b", "{}").expect("a draft")];
        let refused = branch.append(Append { events, ..Append::default() }, &client()).expect_err("refused");
        assert_eq!(refused.code(), "audit_is_read_only");
        drop(branch);
        let Place { dir, engine } = place;
        engine.close().expect("closed");
        let options = Options::default();
        let store = Store::open(dir.path(), options.clone()).expect("a store");
        let engine = Engine::new(store, SystemClock::shared()).auditing(dir.path(), &options);
        let place = Place { dir, engine };
        place.call(&client(), "query_events");
        assert_eq!(place.recorded(), 21);
        let from_main = place.engine.branch(AUDIT).and_then(|branch| branch.branch("main")).err();
        assert_eq!(from_main.map(|error| error.code().to_owned()).as_deref(), Some("audit_alone"));
    }

    #[test]
    fn what_cannot_be_recorded_costs_no_call() {
        let place = Place::new();
        RealDisk.create(&place.dir.path().join(AUDIT)).expect("a file where the directory should be");
        for _ in 0..3 {
            place.call(&client(), "query_events");
        }
        assert_eq!(place.recorded(), 0);
        place.engine.close().expect("closed");
    }
}
