//! The life of a fork: listed, changed, set back, discarded, restored.

use std::collections::BTreeMap;

use super::create::{check_limits, cut_of};
use super::forks::State;
use super::{ForkChange, ForkId, ForkInfo, ForkListed, ForkState, Forks, NewFork};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp};
use crate::store::branch::Branch;
use crate::store::manifest::{Manifest, swap};
use crate::store::open::Store;
use crate::store::options::Mode;

impl Store {
    /// Makes a fork of this branch: what it holds up to the cut, and from then on a history of its own.
    ///
    /// 1. Makes the branch durable up to the cut, which under [`Durability::Fsync`](crate::store::Durability) it is. 2. Writes
    ///    one small file, without waiting for the disk: after a power cut a fork to which nothing was appended may be gone.
    ///
    /// Nothing is copied, whatever the branch holds. At most 8 forks stand on each other.
    ///
    /// # Errors
    /// `Invalid` when a limit is broken, `Conflict` (`idempotency_conflict`) when the key made another fork, `Denied` when the
    /// store is open for reading only, `Unavailable` when the disk fails.
    pub fn create_fork(&self, new: NewFork) -> Result<ForkInfo> {
        self.forks().create(&self.branch, new)
    }

    /// The branch of a fork, to read and append to as to any other. That is a use, which puts off its expiry.
    ///
    /// # Errors
    /// `NotFound` (`unknown_branch`, `fork_discarded`, `fork_expired`), `Corrupt` when its log is damaged.
    pub fn fork(&self, id: &ForkId) -> Result<Self> {
        Ok(self.on(self.forks().open(id)?))
    }

    /// The ids of the forks there are, discarded and expired ones too, in order.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be listed.
    pub fn fork_ids(&self) -> Result<Vec<ForkId>> {
        Ok(self.forks().loaded()?.slots.keys().cloned().collect())
    }

    /// The same with what is known without a look at their logs, which costs little however many there are.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be listed.
    pub fn list_forks(&self) -> Result<Vec<ForkListed>> {
        let state = self.forks().loaded()?;
        let now = self.branch.options.clock.now();
        let listed = state.slots.iter().map(|(id, slot)| {
            let entry = slot.entry();
            ForkListed { id: id.clone(), state: Forks::state_of(&entry, now), parent: entry.parent }
        });
        Ok(listed.collect())
    }

    /// What is known of a fork; looking is no use of it.
    ///
    /// # Errors
    /// `NotFound` (`unknown_branch`), `Corrupt` when its log is damaged.
    pub fn fork_info(&self, id: &ForkId) -> Result<ForkInfo> {
        let forks = self.forks();
        let mut state = forks.loaded()?;
        forks.info(&mut state, id)
    }

    /// Changes how long a fork stays, what it may hold, or what it is for.
    ///
    /// # Errors
    /// `NotFound` when there is no such fork, `Invalid` when a limit is broken.
    pub fn update_fork(&self, id: &ForkId, change: &ForkChange) -> Result<ForkInfo> {
        self.forks().update(id, change)
    }

    /// Takes back all that a fork added, and moves its cut to its parent's last position.
    ///
    /// # Errors
    /// `NotFound` when there is no such fork, `Conflict` (`fork_has_children`) when other forks stand on it.
    pub fn reset_fork(&self, id: &ForkId) -> Result<ForkInfo> {
        self.forks().reset(id)
    }

    /// Discards a fork: it is hidden at once and removed after a day, until when it can be [restored](Self::restore_fork).
    ///
    /// # Errors
    /// `NotFound` when there is no such fork.
    pub fn discard_fork(&self, id: &ForkId) -> Result<ForkInfo> {
        self.forks().discard(id)
    }

    /// Brings a discarded fork back.
    ///
    /// # Errors
    /// `NotFound` when there is no such fork any more.
    pub fn restore_fork(&self, id: &ForkId) -> Result<ForkInfo> {
        self.forks().restore(id)
    }
}

impl ForkChange {
    /// Refuses what no fork can be.
    ///
    /// # Errors
    /// `Invalid` (`bad_argument`), naming the argument.
    pub(crate) fn check(&self) -> Result<()> {
        let default = NewFork::default();
        check_limits(&NewFork {
            purpose: self.purpose.clone().unwrap_or_default(),
            ttl_seconds: self.ttl_seconds.unwrap_or(0),
            quota_events: self.quota_events.unwrap_or(default.quota_events),
            quota_bytes: self.quota_bytes.unwrap_or(default.quota_bytes),
            ..default
        })
    }
}

impl Forks {
    pub(super) fn info(&self, state: &mut State, id: &ForkId) -> Result<ForkInfo> {
        let slot = state.slots.get(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        let is_empty = slot.manifest.lock().log_files.is_empty();
        let branch = if is_empty { None } else { Some(self.opened(state, id)?) };
        self.outline(state, id, branch.as_deref())
    }

    /// What is known of a fork; without its branch it seems to hold nothing of its own.
    fn outline(&self, state: &State, id: &ForkId, branch: Option<&Branch>) -> Result<ForkInfo> {
        let slot = state.slots.get(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        let manifest = slot.manifest.lock().clone();
        let entry = manifest.fork.unwrap_or_default();
        let (head, bytes) =
            branch.map_or((Position::new(entry.cut), 0), |branch| (branch.head(), branch.fork_bytes()));
        Ok(ForkInfo {
            id: id.clone(),
            head,
            bytes,
            state: Self::state_of(&entry, self.main.options.clock.now()),
            expires_at: entry.expires_at(),
            cut: Position::new(entry.cut),
            created_at: Timestamp::from_micros(entry.created_at),
            promoted_at: entry.promoted.map(|promoted| Position::new(promoted.position)),
            parent: entry.parent,
            purpose: entry.purpose,
            creator: entry.creator,
            ttl_seconds: entry.ttl_seconds,
            quota_events: entry.quota_events,
            quota_bytes: entry.quota_bytes,
            duplicate: false,
            tags: manifest.tags.into_iter().map(|(name, position)| (name, Position::new(position))).collect(),
        })
    }

    fn update(&self, id: &ForkId, change: &ForkChange) -> Result<ForkInfo> {
        let mut state = self.usable(id)?;
        let now = self.main.options.clock.now();
        change.check()?;
        self.change(&mut state, id, |manifest| {
            let Some(entry) = &mut manifest.fork else { return };
            entry.used_at = now.as_micros();
            entry.ttl_seconds = change.ttl_seconds.unwrap_or(entry.ttl_seconds);
            entry.quota_events = change.quota_events.unwrap_or(entry.quota_events);
            entry.quota_bytes = change.quota_bytes.unwrap_or(entry.quota_bytes);
            entry.purpose = change.purpose.clone().unwrap_or_else(|| std::mem::take(&mut entry.purpose));
        })?;
        self.info(&mut state, id)
    }

    fn reset(&self, id: &ForkId) -> Result<ForkInfo> {
        let mut state = self.usable(id)?;
        state.check_childless(id)?;
        let parent = self.parent_of(&mut state, id)?;
        let (cut, cut_recorded_at) = cut_of(&parent, None)?;
        let why = format!("write to fork {id}: it was reset meanwhile; read it again");
        state.end(id, Error::new(ErrorKind::Conflict, "fork_reset", why));
        let id_key = self.main.options.ids.next_u64();
        self.change(&mut state, id, |manifest| {
            manifest.epoch += 1;
            manifest.id_key = id_key;
            manifest.synced_through = cut.get();
            manifest.log_files.clear();
            manifest.tags = BTreeMap::new();
            if let Some(entry) = &mut manifest.fork {
                (entry.cut, entry.cut_recorded_at) = (cut.get(), cut_recorded_at.as_micros());
                entry.promoted = None;
            }
        })?;
        // Ordering: once nothing names it. What a crash leaves goes with the fork.
        self.remove_logs(id);
        self.info(&mut state, id)
    }

    fn discard(&self, id: &ForkId) -> Result<ForkInfo> {
        let mut state = self.usable(id)?;
        let now = self.main.options.clock.now().as_micros();
        self.change(&mut state, id, |manifest| {
            if let Some(entry) = &mut manifest.fork {
                entry.discarded_at = Some(now);
            }
        })?;
        let why = format!("write to fork {id}: it was discarded; update_fork with restore brings it back");
        state.end(id, Error::new(ErrorKind::NotFound, "fork_discarded", why));
        // One that is damaged is discarded like any other.
        self.info(&mut state, id).or_else(|_| self.outline(&state, id, None))
    }

    fn restore(&self, id: &ForkId) -> Result<ForkInfo> {
        self.check_writable()?;
        let mut state = self.loaded()?;
        let now = self.main.options.clock.now();
        let slot = state.slots.get(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        if let ForkState::Expired = Self::state_of(&slot.entry(), now) {
            state.check_live(id, now)?;
        }
        self.change(&mut state, id, |manifest| {
            if let Some(entry) = &mut manifest.fork {
                (entry.discarded_at, entry.used_at) = (None, now.as_micros());
            }
        })?;
        self.info(&mut state, id)
    }

    /// The list, when a fork can be changed.
    pub(super) fn usable(&self, id: &ForkId) -> Result<parking_lot::MutexGuard<'_, State>> {
        self.check_writable()?;
        let state = self.loaded()?;
        state.check_live(id, self.main.options.clock.now())?;
        Ok(state)
    }

    /// Changes the manifest of a fork, durably.
    pub(super) fn change(
        &self,
        state: &mut State,
        id: &ForkId,
        change: impl FnOnce(&mut Manifest),
    ) -> Result<()> {
        let slot = state.slots.get_mut(id).ok_or_else(|| ForkId::unknown(id.as_str()))?;
        let mut manifest = slot.manifest.lock();
        let mut changed = manifest.clone();
        change(&mut changed);
        if changed == *manifest && slot.is_durable {
            return Ok(());
        }
        let (disk, dir) = (self.main.options.disk.as_ref(), self.dir_of(id));
        if !slot.is_durable {
            disk.sync_dir(&self.dir)
                .and_then(|()| self.dir.parent().map_or(Ok(()), |dir| disk.sync_dir(dir)))
                .map_err(|error| {
                    let message =
                        format!("sync the fork directory {}: {error}; check the disk", self.dir.display());
                    Error::new(ErrorKind::Unavailable, "disk_failed", message)
                })?;
        }
        if let Err(error) = swap(disk, &dir, Some(&manifest), &changed) {
            drop(manifest);
            if error.kind() == ErrorKind::Unavailable {
                (slot.is_durable, slot.is_unsure) = (false, true);
                state.end(id, error.copy());
            }
            return Err(error);
        }
        (slot.is_durable, slot.is_unsure) = (true, false);
        *manifest = changed;
        Ok(())
    }

    /// Puts what is known of a fork into its directory once more, of which nobody knows what it holds.
    pub(super) fn make_sure(&self, state: &mut State, id: &ForkId) -> Result<()> {
        if let Some(slot) = state.slots.get_mut(id) {
            slot.is_durable = false;
        }
        self.make_durable(state, id)
    }

    /// Makes sure that a power cut leaves a fork there.
    pub(super) fn make_durable(&self, state: &mut State, id: &ForkId) -> Result<()> {
        self.change(state, id, |_| {})
    }

    pub(super) fn check_writable(&self) -> Result<()> {
        if self.main.options.mode == Mode::Read {
            let message = "change forks: the store is open for reading only; open it for writing";
            return Err(Error::new(ErrorKind::Denied, "read_only", message));
        }
        self.main.check_open()
    }
}
