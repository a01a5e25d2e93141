//! *What is in the newest stretch of the log?* The index that grows with every commit.
//!
//! One writer pushes whole frames after their sync; any number of readers look things up meanwhile. It covers the
//! newest 8 MiB of log and costs some tens of bytes per event; [`build`](super::build) turns it into a file.
//!
//! **Invariant:** what was pushed never changes. Positions beyond a reader's head may be there already, so a reader
//! cuts every answer at its head; the lock is never held for longer than some microseconds.

use hashbrown::HashTable;
use parking_lot::RwLock;

use super::format::{TIME_BLOCK, hash_of, hash_of_id};
use super::names::Names;
use super::postings::{Rank, Span, chunk_in, rank_in};
use super::{EntityKey, NameKind};
use crate::event::{EventId, Position, Timestamp, Version};
use crate::store::read::Order;
use crate::store::snapshot::Head;

/// How many events are pushed, or names asked for, under one hold of the lock.
const PUSH_MAX: usize = 64;
/// How many names are looked at under one hold of the lock.
const NAMES_MAX: u32 = 1_024;

/// One committed frame.
pub(crate) struct NewFrame<'a> {
    /// The position of its first event: the one behind the last that was pushed.
    pub first: Position,
    /// Its idempotency key.
    pub call_key: Option<&'a str>,
    /// When it was committed.
    pub recorded_at: Timestamp,
    /// Its events, in order.
    pub events: &'a [NewEntry<'a>],
}

/// One event of a committed frame.
pub(crate) struct NewEntry<'a> {
    /// The entity.
    pub entity_id: &'a str,
    /// The type.
    pub event_type: &'a str,
    /// The id, when the caller gave it.
    pub given_id: Option<&'a EventId>,
    /// The version in the entity.
    pub version: Version,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Where its record begins in the log file.
    pub offset: u32,
}

/// The index of the newest stretch of the log.
pub(crate) struct MemoryIndex {
    first: Position,
    state: RwLock<State>,
}

/// What the lock guards; positions are counted from the first, from 0.
#[derive(Default)]
pub(super) struct State {
    /// The offset of each position's record; 0 where the bytes are damaged.
    pub(super) rows: Vec<u32>,
    pub(super) entities: Names,
    /// Per entity the version of its first event here.
    pub(super) first_versions: Vec<Version>,
    /// Where version 1 of an entity stands.
    pub(super) births: Vec<u32>,
    pub(super) types: Names,
    pub(super) ids: HashTable<(u64, u32)>,
    pub(super) calls: HashTable<(u64, u32)>,
    pub(super) times: Vec<(Timestamp, Timestamp)>,
    pub(super) recorded: Option<(Timestamp, Timestamp)>,
    pub(super) gaps: bool,
}

impl MemoryIndex {
    /// An empty index whose first position will be `first`.
    pub(crate) fn new(first: Position) -> Self {
        Self { first, state: RwLock::default() }
    }

    /// Adds a frame, which begins where the last one ended.
    ///
    /// The lock is given up every 64 events: half a frame harms nobody, for the head moves only afterwards.
    pub(crate) fn push(&self, frame: &NewFrame<'_>) {
        for (index, events) in frame.events.chunks(PUSH_MAX).enumerate() {
            let mut state = self.state.write();
            if index == 0 {
                state.begin(self.first, frame);
            }
            for event in events {
                state.push(event);
            }
        }
    }

    /// Marks every position up to `through` that is not there as damaged: its events cannot be read.
    pub(crate) fn push_gap(&self, through: Position) {
        let len = through.next().get().saturating_sub(self.first.get());
        let mut state = self.state.write();
        while (state.rows.len() as u64) < len {
            state.gaps = true;
            state.push_row(0);
        }
    }

    /// Where it begins.
    pub(crate) fn first(&self) -> Position {
        self.first
    }

    /// The last position that was pushed; the one before the first when there is none.
    pub(crate) fn last(&self) -> Position {
        Position::new(self.first.get() + self.state.read().rows.len() as u64).previous()
    }

    /// Whether nothing was pushed yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.read().rows.is_empty()
    }

    /// The last event of an entity in here.
    pub(crate) fn head(&self, entity_id: &str) -> Option<Head> {
        let state = self.state.read();
        let number = state.entities.find(entity_id, hash_of(entity_id.as_bytes()))?;
        let rows = state.entities.positions(number);
        let first_version = state.first_versions.get(number as usize)?;
        Some(Head {
            version: Version::new(first_version.get() + rows.len() as u64).previous(),
            position: Position::new(self.first.get() + u64::from(*rows.last()?)),
        })
    }

    /// Whether an event in here may have that given id; false is certain.
    pub(crate) fn may_have_id(&self, event_id: &EventId) -> bool {
        let hash = hash_of_id(event_id);
        self.state.read().ids.find(hash, |entry| entry.0 == hash).is_some()
    }

    /// Whether a frame in here may have that idempotency key; false is certain.
    pub(crate) fn may_have_call(&self, key: &str) -> bool {
        let hash = hash_of(key.as_bytes());
        self.state.read().calls.find(hash, |entry| entry.0 == hash).is_some()
    }

    pub(crate) fn has_gaps(&self) -> bool {
        self.state.read().gaps
    }

    /// Looks at the state under the lock; `look` takes microseconds.
    pub(super) fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read())
    }

    pub(super) fn row(&self, row: u32) -> Option<u32> {
        self.state.read().rows.get(row as usize).copied()
    }

    pub(super) fn offsets(&self, rows: &[u32], out: &mut Vec<u32>) {
        let state = self.state.read();
        out.extend(rows.iter().map(|&row| state.rows.get(row as usize).copied().unwrap_or_default()));
    }

    /// An entity's number, the version of its first event here, and how many it has.
    pub(super) fn entity(&self, entity: EntityKey<'_>) -> Option<(u32, Version, u32)> {
        let state = self.state.read();
        let number = state.entities.find(entity.name, entity.hash)?;
        let first_version = state.first_versions.get(number as usize).copied().unwrap_or_default();
        Some((number, first_version, state.entities.positions(number).len() as u32))
    }

    /// Puts into `out` (emptied first) the index of each entity, given by its hash, that may be here.
    pub(super) fn likely_entities(&self, hashes: &[u64], out: &mut Vec<usize>) {
        out.clear();
        for (chunk, hashes) in hashes.chunks(PUSH_MAX).enumerate() {
            let state = self.state.read();
            let found = hashes.iter().enumerate().filter(|(_, hash)| state.entities.may_have(**hash));
            out.extend(found.map(|(index, _)| chunk * PUSH_MAX + index));
        }
    }

    /// The same for given ids.
    pub(super) fn likely_ids(&self, hashes: &[u64], out: &mut Vec<usize>) {
        out.clear();
        for (chunk, hashes) in hashes.chunks(PUSH_MAX).enumerate() {
            let state = self.state.read();
            let found =
                hashes.iter().enumerate().filter(|(_, hash)| state.ids.iter_hash(**hash).next().is_some());
            out.extend(found.map(|(index, _)| chunk * PUSH_MAX + index));
        }
    }

    /// A type's number and how many events it has.
    pub(super) fn event_type(&self, name: &str) -> Option<(u32, u32)> {
        let state = self.state.read();
        let number = state.types.find(name, hash_of(name.as_bytes()))?;
        Some((number, state.types.positions(number).len() as u32))
    }

    pub(super) fn rank(&self, kind: NameKind, number: u32, through: u32) -> Rank {
        rank_in(self.state.read().names(kind).positions(number), through)
    }

    pub(super) fn chunk(
        &self,
        kind: NameKind,
        number: u32,
        span: Span,
        order: Order,
        max: usize,
        out: &mut Vec<u32>,
    ) {
        chunk_in(self.state.read().names(kind).positions(number), span, order, max, out);
    }

    /// Calls `each` with number, name and positions of every name with that prefix, in no order, until it says no.
    pub(super) fn names(
        &self,
        kind: NameKind,
        prefix: &str,
        mut each: impl FnMut(u32, &str, &[u32]) -> bool,
    ) {
        let mut next = 0;
        loop {
            let state = self.state.read();
            let names = state.names(kind);
            let end = (next + NAMES_MAX).min(names.len() as u32);
            if next >= end {
                return;
            }
            for number in next..end {
                let name = names.name(number);
                if name.starts_with(prefix) && !each(number, name, names.positions(number)) {
                    return;
                }
            }
            next = end;
        }
    }

    pub(super) fn ids(&self, hash: u64, mut each: impl FnMut(u32)) {
        let state = self.state.read();
        state.ids.iter_hash(hash).filter(|entry| entry.0 == hash).for_each(|entry| each(entry.1));
    }

    pub(super) fn calls(&self, hash: u64, mut each: impl FnMut(u32)) {
        let state = self.state.read();
        state.calls.iter_hash(hash).filter(|entry| entry.0 == hash).for_each(|entry| each(entry.1));
    }
}

impl State {
    pub(super) fn names(&self, kind: NameKind) -> &Names {
        match kind {
            NameKind::Entity => &self.entities,
            NameKind::EventType => &self.types,
        }
    }

    fn begin(&mut self, first: Position, frame: &NewFrame<'_>) {
        debug_assert_eq!(frame.first.get(), first.get() + self.rows.len() as u64, "frames leave no gap");
        let first_recorded = self.recorded.map_or(frame.recorded_at, |recorded| recorded.0);
        self.recorded = Some((first_recorded, frame.recorded_at));
        if let Some(key) = frame.call_key {
            let (hash, row) = (hash_of(key.as_bytes()), self.rows.len() as u32);
            self.calls.insert_unique(hash, (hash, row), |entry| entry.0);
        }
    }

    fn push(&mut self, event: &NewEntry<'_>) {
        let row = self.push_row(event.offset);
        if let Some(times) = self.times.last_mut() {
            *times = (times.0.min(event.timestamp), times.1.max(event.timestamp));
        }
        if self.entities.push(event.entity_id, row).is_some() {
            self.first_versions.push(event.version);
        }
        if event.version == Version::ZERO.next() {
            self.births.push(row);
        }
        self.types.push(event.event_type, row);
        if let Some(event_id) = event.given_id {
            let hash = hash_of_id(event_id);
            self.ids.insert_unique(hash, (hash, row), |entry| entry.0);
        }
    }

    fn push_row(&mut self, offset: u32) -> u32 {
        let row = self.rows.len() as u32;
        if row.is_multiple_of(TIME_BLOCK) {
            self.times.push((Timestamp::MAX, Timestamp::MIN));
        }
        self.rows.push(offset);
        row
    }
}
