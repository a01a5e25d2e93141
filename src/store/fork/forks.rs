//! Which forks are there? The list of a store's forks: read when it is first asked for, kept beside the files.
//!
//! **Invariant:** of a fork there is at most one open branch, so one writer.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::entry::RESTORABLE_US;
use super::{ForkId, ForkState};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Timestamp;
use crate::store::branch::Branch;
use crate::store::manifest::{ForkEntry, Manifest, load, swap};
use crate::store::options::Mode;

/// How many forks stay open when nobody uses them: 32. What they added is indexed in memory.
const OPEN_MAX: usize = 32;
/// The part of its lifetime for which the noted time of a fork's last use may be late: a twenty-fourth.
const USE_NOTED_SHARE: i64 = 24;

/// The forks of a store.
pub(crate) struct Forks {
    pub(super) dir: PathBuf,
    pub(super) main: Arc<Branch>,
    state: Mutex<State>,
    /// Woken when the store closes.
    pub(super) closing: Condvar,
}

/// What is known of the forks.
#[derive(Default)]
pub(super) struct State {
    /// Whether the directory was read.
    is_loaded: bool,
    pub is_closed: bool,
    pub slots: BTreeMap<ForkId, Slot>,
    /// The fork that each idempotency key made.
    pub keys: HashMap<String, ForkId>,
    /// The branches that were used last, which keeps them open.
    recent: VecDeque<Arc<Branch>>,
}

/// A fork in the list.
pub(super) struct Slot {
    pub manifest: Arc<Mutex<Manifest>>,
    /// The open branch, as long as anybody uses it.
    pub branch: Weak<Branch>,
    /// Whether a power cut would leave it there.
    pub is_durable: bool,
    /// Its manifest could not be replaced, so that nobody knows what the directory holds.
    pub is_unsure: bool,
}

impl Slot {
    pub(super) fn new(manifest: Manifest, is_durable: bool) -> Self {
        Self { manifest: Arc::new(Mutex::new(manifest)), branch: Weak::new(), is_durable, is_unsure: false }
    }

    /// What makes it a fork.
    pub(super) fn entry(&self) -> ForkEntry {
        self.manifest.lock().fork.clone().unwrap_or_default()
    }
}

impl Forks {
    pub(crate) fn new(main: Arc<Branch>) -> Self {
        let dir = main.dir.with_file_name("forks");
        Self { dir, main, state: Mutex::default(), closing: Condvar::new() }
    }

    /// The list, read from the directory when nobody has done so before.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read.
    pub(super) fn loaded(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        if !state.is_loaded {
            self.read(&mut state)?;
            state.is_loaded = true;
        }
        Ok(state)
    }

    /// The list as far as it is known.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Reads what the directory has that is not known yet. A fork whose manifest cannot be believed is left alone.
    fn read(&self, state: &mut State) -> Result<()> {
        let disk = self.main.options.disk.as_ref();
        let listed = match disk.list(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            listed => listed.map_err(|error| {
                let message = format!("list the forks in {}: {error}; check the disk", self.dir.display());
                Error::new(ErrorKind::Unavailable, "disk_failed", message)
            })?,
        };
        for path in listed {
            let Some(id) = id_of(&path).filter(|id| !state.slots.contains_key(id)) else { continue };
            match load(disk, &path) {
                Ok(Some(manifest)) if manifest.fork.is_some() && manifest.branch == id.as_str() => {
                    state.insert(id, Slot::new(manifest, false));
                }
                // It has no manifest yet, or none any more: nobody was told of it, or everybody that it is gone.
                Ok(_) => {}
                Err(error) => tracing::warn!("failed to {error}; fork {id} cannot be used"),
            }
        }
        Ok(())
    }

    pub(super) fn dir_of(&self, id: &ForkId) -> PathBuf {
        self.dir.join(id.as_str())
    }

    /// Where a fork stands at a time.
    pub(super) fn state_of(entry: &ForkEntry, now: Timestamp) -> ForkState {
        if let Some(discarded_at) = entry.discarded_at {
            let restorable_until = Timestamp::from_micros(discarded_at.saturating_add(RESTORABLE_US));
            return ForkState::Discarded { restorable_until };
        }
        if entry.expires_at().is_some_and(|at| at < now) { ForkState::Expired } else { ForkState::Live }
    }

    /// The open branch of a live fork, which is used by that.
    ///
    /// # Errors
    /// `NotFound` (`unknown_branch`, `fork_discarded`, `fork_expired`), `Closed`, and those of opening its log.
    pub(crate) fn open(&self, id: &ForkId) -> Result<Arc<Branch>> {
        let mut state = self.loaded()?;
        if self.main.options.mode == Mode::Read && !state.slots.contains_key(id) {
            // The process that writes may have made it since.
            self.read(&mut state)?;
        }
        let now = self.main.options.clock.now();
        state.check_live(id, now)?;
        let branch = self.opened(&mut state, id)?;
        self.note_use(&state, id, now);
        Ok(branch)
    }

    /// The open branch of a fork, whatever became of it since: its children need it.
    pub(super) fn opened(&self, state: &mut State, id: &ForkId) -> Result<Arc<Branch>> {
        if state.is_closed {
            let message = format!("open fork {id}: the store is closed; open it again");
            return Err(Error::new(ErrorKind::Closed, "closed", message));
        }
        let slot = state.slots.get(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        // One whose disk failed is opened anew: only then is it known what it holds.
        let open = slot.branch.upgrade();
        let is_unsure = slot.is_unsure || open.as_ref().is_some_and(|branch| branch.fault().is_some());
        if is_unsure && self.main.options.mode == Mode::Write {
            self.make_sure(state, id)?;
        }
        let open = open.filter(|_| !is_unsure);
        let branch = open.map_or_else(|| self.open_anew(state, id), Ok)?;
        state.keep_open(&branch);
        Ok(branch)
    }

    fn open_anew(&self, state: &mut State, id: &ForkId) -> Result<Arc<Branch>> {
        let parent = self.parent_of(state, id)?;
        let slot = state.slots.get_mut(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        let branch = Arc::new(self.open_branch(id, &slot.manifest, parent)?);
        slot.branch = Arc::downgrade(&branch);
        Ok(branch)
    }

    /// The open branch that a fork stands on.
    pub(super) fn parent_of(&self, state: &mut State, id: &ForkId) -> Result<Arc<Branch>> {
        let slot = state.slots.get(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        match ForkId::parse(&slot.entry().parent) {
            Ok(parent) => self.opened(state, &parent),
            Err(_) => Ok(Arc::clone(&self.main)),
        }
    }

    /// Notes that a fork was used, unless that was noted a short while ago.
    fn note_use(&self, state: &State, id: &ForkId, now: Timestamp) {
        let Some(slot) = state.slots.get(id) else { return };
        let mut manifest = slot.manifest.lock();
        let Some(entry) = &manifest.fork else { return };
        let lifetime_us = i64::try_from(entry.ttl_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let late_us = now.as_micros().saturating_sub(entry.used_at);
        if self.main.options.mode == Mode::Read
            || lifetime_us == 0
            || late_us <= lifetime_us / USE_NOTED_SHARE
        {
            return;
        }
        let mut noted = manifest.clone();
        if let Some(entry) = &mut noted.fork {
            entry.used_at = now.as_micros();
        }
        match swap(self.main.options.disk.as_ref(), &self.dir_of(id), Some(&manifest), &noted) {
            Ok(()) => *manifest = noted,
            Err(error) => tracing::warn!("failed to note that fork {id} was used: {error}"),
        }
    }

    /// Ends the writing of every open fork.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        self.closing.notify_all();
        for branch in state.slots.values().filter_map(|slot| slot.branch.upgrade()) {
            branch.note_durable();
            branch.end(Error::new(ErrorKind::Closed, "closed", "write: the store is closed; open it again"));
        }
        state.recent.clear();
    }
}

impl State {
    pub(super) fn insert(&mut self, id: ForkId, slot: Slot) {
        if let Some(made_by) = slot.entry().made_by {
            self.keys.insert(made_by.key, id.clone());
        }
        self.slots.insert(id, slot);
    }

    /// Fails when a fork cannot be used.
    ///
    /// # Errors
    /// `NotFound`: `unknown_branch`, `fork_discarded`, `fork_expired`.
    pub(super) fn check_live(&self, id: &ForkId, now: Timestamp) -> Result<()> {
        let slot = self.slots.get(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        let (code, message) = match Forks::state_of(&slot.entry(), now) {
            ForkState::Live => return Ok(()),
            ForkState::Discarded { restorable_until } => (
                "fork_discarded",
                format!(
                    "use fork {id}: it was discarded; update_fork with restore brings it back until {restorable_until}"
                ),
            ),
            ForkState::Expired => (
                "fork_expired",
                format!("use fork {id}: it was not used for its lifetime and expired; create another"),
            ),
        };
        Err(Error::new(ErrorKind::NotFound, code, message).with("branch", id.as_str()))
    }

    /// Moves a branch to the front of those that stay open.
    fn keep_open(&mut self, branch: &Arc<Branch>) {
        self.recent.retain(|other| !Arc::ptr_eq(other, branch));
        self.recent.push_front(Arc::clone(branch));
        for left in self.recent.drain(OPEN_MAX.min(self.recent.len())..) {
            left.note_durable();
        }
    }

    /// Ends the writing of a fork's branch, which is not the fork's any more.
    pub(super) fn end(&mut self, id: &ForkId, why: Error) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let Some(branch) = std::mem::take(&mut slot.branch).upgrade() else { return };
        branch.end(why);
        self.recent.retain(|other| !Arc::ptr_eq(other, &branch));
    }

    /// Whether anybody holds the branch beside the list.
    pub(super) fn is_read(&self, branch: &Weak<Branch>) -> bool {
        let recent = self.recent.iter().any(|other| std::ptr::eq(Arc::as_ptr(other), branch.as_ptr()));
        branch.strong_count() > usize::from(recent)
    }

    /// Fails when another fork stands on this one.
    ///
    /// # Errors
    /// `Conflict` (`fork_has_children`).
    pub(super) fn check_childless(&self, id: &ForkId) -> Result<()> {
        let mut children = self.slots.iter().filter(|(_, slot)| slot.entry().parent == id.as_str());
        let Some((child, _)) = children.next() else { return Ok(()) };
        let message =
            format!("change fork {id}: fork {child} stands on it; discard that first, or fork anew");
        Err(Error::new(ErrorKind::Conflict, "fork_has_children", message).with("branch", id.as_str()))
    }

    /// Whether another fork stands on this one.
    pub(super) fn has_children(&self, id: &ForkId) -> bool {
        self.slots.values().any(|slot| slot.entry().parent == id.as_str())
    }
}

/// The fork that a directory belongs to.
pub(super) fn id_of(path: &Path) -> Option<ForkId> {
    ForkId::parse(path.file_name()?.to_str()?).ok()
}
