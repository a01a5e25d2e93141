//! *Who reads and writes the states?* Readers together, one writer beside them, and whoever has states forgotten.
//!
//! **Invariant:** readers wait for a writer only while it changes what is kept in memory, never while it writes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::catalog::{Catalog, Key, Place, STATES_MAX};
use super::file::{FILE_BYTES_MAX, StatesFile, generations, states_dir};
use super::format::{BadHeader, Owner, Walked, decode, encode, encode_mark, walk};
use super::{Cut, SavedState};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Position, quote};
use crate::store::disk::Disk;
use crate::store::index::hash_of;
use crate::store::options::{Mode, Options};
use crate::store::verify::Damage;

/// The largest state that is saved: 4 MiB.
const STATE_BYTES_MAX: usize = 4 << 20;
/// A file up to this size is left alone, however much of it is superseded: 1 MiB.
const REWRITTEN_BYTES_MIN: usize = 1 << 20;
/// What to do about a damaged file.
const REBUILD: &str = "no event is lost and states are folded from the events instead; `allsource verify --repair` removes the \
                       file, and states are saved again";

/// The saved states of a branch.
pub(crate) struct States {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    owner: Owner,
    mode: Mode,
    /// Read from the file when it is first needed: an open does not wait for it.
    opened: OnceLock<RwLock<Opened>>,
    /// Held by whoever writes; true when nothing is to be written any more.
    writer: Mutex<bool>,
}

/// What is known of the file.
#[derive(Default)]
struct Opened {
    file: Option<Arc<StatesFile>>,
    catalog: Catalog,
    /// The newest file's, whether it could be used or not.
    generation: u64,
    /// Behind the last record.
    end: usize,
    /// Behind the last record that holds a state.
    states_end: usize,
    /// Every byte before this one is durable.
    synced: u64,
}

/// As long as this is held, nothing is saved.
pub(crate) struct Forgetting<'s>(#[expect(dead_code, reason = "held, not read")] MutexGuard<'s, bool>);

impl States {
    pub(crate) fn new(options: &Options, branch_dir: &std::path::Path, id_key: u64, epoch: u64) -> Self {
        Self {
            disk: Arc::clone(&options.disk),
            dir: states_dir(branch_dir),
            owner: Owner { id_key, epoch },
            mode: options.mode,
            opened: OnceLock::new(),
            writer: Mutex::new(options.mode == Mode::Read),
        }
    }

    /// The last state of an entity that serves for a moment; whether it ends with an event that exists is for the caller
    /// to find out.
    pub(super) fn find(&self, entity: &EntityId, cut: &Cut) -> Option<SavedState> {
        let hash = hash_of(entity.as_str().as_bytes());
        loop {
            let (key, place, file) = {
                let opened = self.opened().read();
                let (key, place) = opened.catalog.serving(hash, cut)?;
                (key, place, Arc::clone(opened.file.as_ref()?))
            };
            match decode(&file.bytes, place.offset) {
                Some(state) => return Some(state).filter(|state| state.entity_id == *entity),
                None => self.pass_over(key, place, &file),
            }
        }
    }

    fn pass_over(&self, key: Key, place: Place, file: &StatesFile) {
        tracing::warn!(
            "failed to read the saved state at byte {} of {}: it is not what was written; folding it anew",
            place.offset,
            file.path().display()
        );
        self.opened().write().catalog.remove(key);
    }

    /// Takes away a state that does not agree with the events.
    pub(super) fn discard(&self, state: &SavedState) {
        let hash = hash_of(state.entity_id.as_str().as_bytes());
        self.opened().write().catalog.remove((hash, state.position));
    }

    /// Saves a state, unless somebody else is writing or `is_current` says no; that is asked when nobody else can be.
    pub(super) fn save(&self, state: &SavedState, is_current: impl FnOnce() -> bool) -> bool {
        let Some(mut ended) = self.writer.try_lock() else { return false };
        if *ended || state.document.len() > STATE_BYTES_MAX || !is_current() {
            return false;
        }
        let written = self.write(state);
        if let Err(error) = &written {
            *ended = true;
            tracing::warn!(
                "failed to save the state of {} in {}: {error}; no more are saved until the store is opened again",
                quote(state.entity_id.as_str()),
                self.dir.display()
            );
        }
        written.is_ok()
    }

    fn write(&self, state: &SavedState) -> io::Result<()> {
        let len = encode(state, 0).len();
        let usable = {
            let opened = self.opened().read();
            opened.file.clone().filter(|_| !opened.is_to_be_rewritten(len))
        };
        let mut file = match usable {
            Some(file) => file,
            None => self.rewrite(|_| true)?,
        };
        let end = self.opened().read().end;
        if end + len > file.bytes.len() {
            file = Arc::new(file.lengthen(end + len)?);
            let mut opened = self.opened().write();
            opened.file = Some(Arc::clone(&file));
            opened.synced = end as u64;
        }
        let synced = self.opened().read().synced;
        file.write(&encode(state, synced), end)?;
        // Ordering: readers learn of it once it is written.
        let mut opened = self.opened().write();
        let (version, timestamp_max) = (state.version, state.timestamp_max);
        let place = Place { offset: end, bytes: len, version, timestamp_max };
        opened.catalog.insert((hash_of(state.entity_id.as_str().as_bytes()), state.position), place);
        (opened.end, opened.states_end) = (end + len, end + len);
        Ok(())
    }

    /// Writes what is not superseded, and wanted, into the next file, at most half of what such a file holds, and takes
    /// away every other file.
    fn rewrite(&self, is_wanted: impl Fn(Position) -> bool) -> io::Result<Arc<StatesFile>> {
        let (old, places, generation) = {
            let opened = self.opened().read();
            (opened.file.clone(), opened.newest(is_wanted), opened.generation + 1)
        };
        let states =
            places.iter().filter_map(|place| old.as_ref().and_then(|old| decode(&old.bytes, place.offset)));
        let records = states.map(|state| encode(&state, 0));
        let (file, end) = StatesFile::create(self.disk.as_ref(), &self.dir, generation, self.owner, records)?;
        let mut opened = Opened::of(file, generation);
        opened.synced = end as u64;
        let file = opened.file.clone().ok_or(io::ErrorKind::NotFound)?;
        *self.opened().write() = opened;
        self.remove_files(Some(&file))?;
        Ok(file)
    }

    fn remove_files(&self, except: Option<&StatesFile>) -> io::Result<()> {
        let files = generations(self.disk.as_ref(), &self.dir);
        let mut superseded =
            files.iter().filter(|(_, path)| except.is_none_or(|kept| kept.path() != path)).peekable();
        if superseded.peek().is_none() {
            return Ok(());
        }
        for (_, path) in superseded {
            self.disk.remove(path)?;
        }
        self.disk.sync_dir(&self.dir)
    }

    /// Takes away every state that holds an event at or behind `from`, durably, and keeps any from being saved until
    /// what is given back is dropped.
    ///
    /// For retention: a state holds what was in its events. Hold it until readers see the emptied ones; a fold that began
    /// before that saves nothing afterwards, because the view that it read is not the branch's any more.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails: the states may still be there. `Denied` when the store is open for reading
    /// only.
    pub(crate) fn forget(&self, from: Position) -> Result<Forgetting<'_>> {
        let alone = self.writer.lock();
        if self.mode == Mode::Read {
            let message = "forget saved states: the store is open for reading only; open it for writing";
            return Err(Error::new(ErrorKind::Denied, "read_only", message));
        }
        let keeps_some = self.opened().read().catalog.iter().any(|((_, position), _)| position < from);
        let forgotten = if keeps_some {
            self.rewrite(|position| position < from).map(drop)
        } else {
            let mut opened = self.opened().write();
            *opened = Opened { generation: opened.generation, ..Opened::default() };
            drop(opened);
            self.remove_files(None)
        };
        forgotten.map_err(|error| {
            let message = format!(
                "forget saved states in {}: {error}; delete that directory while the store is closed",
                self.dir.display()
            );
            Error::new(ErrorKind::Unavailable, "disk_failed", message)
        })?;
        Ok(Forgetting(alone))
    }

    /// Up to `count` states from all over, always the same ones of the same file.
    pub(super) fn sample(&self, count: usize) -> Vec<SavedState> {
        let opened = self.opened().read();
        let step = opened.catalog.len().div_ceil(count.max(1)).max(1);
        let Some(file) = &opened.file else { return Vec::new() };
        opened
            .catalog
            .iter()
            .step_by(step)
            .filter_map(|(_, place)| decode(&file.bytes, place.offset))
            .collect()
    }

    /// The name of the file, if there is one.
    pub(super) fn file_name(&self) -> Option<String> {
        self.opened().read().file.as_ref().map(|file| file.name())
    }

    /// Proves every checksum; gives how many files were read, and what is wrong with them.
    pub(crate) fn verify(&self) -> (u64, Vec<Damage>) {
        let (used, end) = {
            let opened = self.opened().read();
            (opened.file.clone(), opened.end)
        };
        let (mut files, mut damage) = (0, Vec::new());
        for (_, path) in generations(self.disk.as_ref(), &self.dir) {
            let (file, end) = match &used {
                Some(used) if used.path() == path => (Arc::clone(used), end),
                // Taken away since the directory was listed: another file holds what it did.
                _ => match StatesFile::open(self.disk.as_ref(), &path, false) {
                    Ok(file) => (Arc::new(file), usize::MAX),
                    Err(_) => continue,
                },
            };
            files += 1;
            damage.extend(self.wrong_in(&file, end));
        }
        (files, damage)
    }

    /// What is wrong with a file up to `end`: only what was durable once can be damaged.
    fn wrong_in(&self, file: &StatesFile, end: usize) -> Vec<Damage> {
        let bytes = file.bytes.get(..end).unwrap_or(&file.bytes);
        let header = self.owner.check(bytes);
        if header == Err(BadHeader::Foreign) {
            return Vec::new();
        }
        let mut bad = Vec::new();
        let walked = walk(bytes, |at, header| {
            if !header.is_mark() && decode(bytes, at).is_none() {
                bad.push(at);
            }
        });
        bad.extend(walked.bad);
        bad.sort_unstable();
        if header.is_err() {
            bad.insert(0, 0);
        }
        bad.retain(|at| (*at as u64) < walked.synced);
        let damage = |at: usize| {
            let what = if at == 0 { "its header is" } else { "the saved state that begins here is" };
            let reason = format!("{what} not what was written; {REBUILD}");
            Damage { offset: at as u64, ..Damage::of_file(&file.name(), &reason) }
        };
        bad.into_iter().map(damage).collect()
    }

    /// Ends all saving, and makes what was saved durable.
    pub(crate) fn close(&self) {
        let mut ended = self.writer.lock();
        let is_writing = !std::mem::replace(&mut *ended, true);
        let Some(opened) = self.opened.get().filter(|_| is_writing) else { return };
        let mut opened = opened.write();
        let Some(file) = opened.file.clone().filter(|_| opened.states_end as u64 > opened.synced) else {
            return;
        };
        let mark = encode_mark(opened.end as u64);
        let marked = file.sync().and_then(|()| {
            let fits = opened.end + mark.len() <= file.bytes.len();
            if fits { file.write(&mark, opened.end) } else { Ok(()) }
        });
        match marked {
            Ok(()) => opened.synced = opened.end as u64,
            Err(error) => tracing::warn!("failed to sync {}: {error}", file.path().display()),
        }
    }

    fn opened(&self) -> &RwLock<Opened> {
        self.opened.get_or_init(|| RwLock::new(self.load()))
    }

    /// The newest file that can be used.
    fn load(&self) -> Opened {
        let files = generations(self.disk.as_ref(), &self.dir);
        let generation = files.last().map_or(0, |(generation, _)| *generation);
        for (_, path) in files.iter().rev() {
            let found = StatesFile::open(self.disk.as_ref(), path, self.mode == Mode::Write);
            let reason = match found {
                Ok(file) => match self.owner.check(&file.bytes) {
                    Ok(()) => return Opened::of(file, generation),
                    Err(BadHeader::Foreign) => continue,
                    Err(BadHeader::Damaged) => "its header is not what was written".to_owned(),
                },
                Err(error) => error.to_string(),
            };
            tracing::warn!("failed to use {}: {reason}; folding states from their events", path.display());
        }
        Opened { generation, ..Opened::default() }
    }
}

impl Opened {
    /// What a file holds.
    fn of(file: StatesFile, generation: u64) -> Self {
        let (mut catalog, mut states_end) = (Catalog::default(), 0);
        let Walked { end, bad, synced } = walk(&file.bytes, |offset, header| {
            if header.is_mark() {
                return;
            }
            let (bytes, version, timestamp_max) =
                (header.record_bytes(), header.version, header.timestamp_max);
            states_end = offset + bytes;
            if catalog.len() < STATES_MAX {
                let place = Place { offset, bytes, version, timestamp_max };
                catalog.insert((header.entity_hash, header.position), place);
            }
        });
        if let Some(at) = bad.first() {
            tracing::warn!(
                "failed to read {} from byte {at} on: it is not what was written; reading on behind it",
                file.path().display()
            );
        }
        Self { file: Some(Arc::new(file)), catalog, generation, end, states_end, synced }
    }

    /// Whether the file has no room for a record of `len` bytes, or is mostly superseded.
    fn is_to_be_rewritten(&self, len: usize) -> bool {
        !StatesFile::can_hold(self.end + len)
            || self.catalog.len() >= STATES_MAX
            || (self.end > REWRITTEN_BYTES_MIN && self.catalog.live_bytes() * 2 < self.end)
    }

    /// The states to be kept by a rewriting, those saved last first to be considered, in the order in which they were
    /// saved.
    fn newest(&self, is_wanted: impl Fn(Position) -> bool) -> Vec<Place> {
        let wanted = self.catalog.iter().filter(|((_, position), _)| is_wanted(*position));
        let mut places: Vec<Place> = wanted.map(|(_, place)| place).collect();
        places.sort_unstable_by_key(|place| std::cmp::Reverse(place.offset));
        let mut room = FILE_BYTES_MAX / 2;
        let fits = |place: &&Place| {
            let left = room.checked_sub(place.bytes as u64);
            room = left.unwrap_or(0);
            left.is_some()
        };
        let mut kept: Vec<Place> = places.iter().take(STATES_MAX / 2).take_while(fits).copied().collect();
        kept.reverse();
        kept
    }
}
