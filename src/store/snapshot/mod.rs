//! *What does the store hold, at one moment?* A pinned view of a branch: it does not change while it is held.
//!
//! Useful for: every read. Not for: waiting for what comes next ([`Feed`](super::Feed)).
//!
//! **Invariant:** a position beyond the head is invisible, although the in-memory index may hold it already.

mod emptied;
mod heads;
mod lookup;
mod stats;

use std::sync::Arc;

pub use stats::{SegmentStats, StoreStats, TypeCount};

use super::index::{EntityKey, HeadCache, Postings};
use super::log::generated_id;
use super::options::Mode;
use super::read::{ColumnSink, Page, Reading, Scan, ScanLimits, columns, page, reach};
use super::segment::Column;
use super::view::{CallFrame, Range, View};
use crate::clock::Clock;
use crate::error::Result;
use crate::event::{EntityId, Event, EventId, Filter, IdempotencyKey, Position, Timestamp, Version};

/// A pinned view of a branch up to a position.
#[derive(Clone)]
pub struct Snapshot {
    view: Arc<View>,
    head: Position,
    epoch: u64,
    id_key: u64,
    heads: Arc<HeadCache>,
    clock: Arc<dyn Clock>,
    mode: Mode,
}

/// The last event of an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its version.
    pub version: Version,
    /// Its position.
    pub position: Position,
}

impl Snapshot {
    /// Pins `view` up to `head`; the view may hold more.
    pub(crate) fn new(
        view: Arc<View>,
        head: Position,
        epoch: u64,
        id_key: u64,
        heads: Arc<HeadCache>,
        clock: Arc<dyn Clock>,
        mode: Mode,
    ) -> Self {
        Self { view, head, epoch, id_key, heads, clock, mode }
    }

    /// The last position in this view.
    pub fn head(&self) -> Position {
        self.head
    }

    /// Raised whenever an open lost positions; cursors carry it, and one of an older epoch is refused.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The same view, ending at `position` at the latest.
    #[must_use]
    pub fn up_to(&self, position: Position) -> Self {
        Self { head: self.head.min(position), ..self.clone() }
    }

    /// The last position that was recorded at or before `time`: the cut of a `known_at` read.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn position_known_at(&self, time: Timestamp) -> Result<Position> {
        lookup::position_known_at(self, time)
    }

    /// The event at a position; `None` beyond the head.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn event(&self, position: Position) -> Result<Option<Event>> {
        lookup::event(self, position)
    }

    /// The event with that id.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn event_by_id(&self, event_id: &EventId) -> Result<Option<Event>> {
        lookup::event_by_id(self, event_id)
    }

    /// The last event of an entity; `None` when it has none.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn entity_head(&self, entity_id: &EntityId) -> Result<Option<Head>> {
        Ok(self.newest_of(EntityKey::new(entity_id.as_str()))?.map(|(head, _)| head))
    }

    /// The same, with the entity's rows in the stretch that holds it when that was asked for them.
    pub(crate) fn newest_of(&self, entity: EntityKey<'_>) -> Result<Option<(Head, Option<Postings>)>> {
        heads::newest_of(self, entity)
    }

    /// The last events of many entities, in their order: much cheaper than one by one where most are new.
    pub(crate) fn entity_heads(&self, names: &[&str]) -> Result<Vec<Option<Head>>> {
        heads::entity_heads(self, names)
    }

    /// The events with those ids, in their order: much cheaper than one by one where most are new.
    pub(crate) fn events_by_id(&self, event_ids: &[&EventId]) -> Result<Vec<Option<Event>>> {
        lookup::events_by_id(self, event_ids)
    }

    /// The first position of the append with that idempotency key.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn call(&self, key: &IdempotencyKey) -> Result<Option<Position>> {
        lookup::call(self, key)
    }

    /// One page of a scan.
    ///
    /// A page ends at the first of the limits that is met, but decides at least one event, and looks at the clock
    /// only after each 256 candidates, so that every page makes progress. What it says of `complete` and
    /// `scanned_to` is exact: the next page, from behind `scanned_to`, has no gap and no repeat.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written and the mode is [`Mode::Write`].
    pub fn scan(&self, scan: &Scan, limits: &ScanLimits) -> Result<Page> {
        page(self, scan, limits, Reading::Some)
    }

    /// The same for a reader that goes through everything once: it leaves the decoded pages of others alone.
    pub(crate) fn replay(&self, scan: &Scan, limits: &ScanLimits) -> Result<Page> {
        page(self, scan, limits, Reading::Once)
    }

    /// The wanted columns of what may match, oldest first; see [`columns`].
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written and the mode is [`Mode::Write`].
    pub(crate) fn columns(
        &self,
        scan: &Scan,
        limits: &ScanLimits,
        wanted: &[Column],
        sink: &mut impl ColumnSink,
    ) -> Result<Page> {
        columns(self, scan, limits, wanted, sink)
    }

    /// How many candidates a scan has, and where, without reading one; see [`reach`].
    ///
    /// # Errors
    /// `Corrupt` when an index is not what was written and the mode is [`Mode::Write`].
    pub(crate) fn reach(&self, scan: &Scan) -> Result<Page> {
        reach(self, scan)
    }

    /// How many events match, when the indexes alone can tell: for no condition, one entity, or one event type.
    /// Damaged positions are not counted.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn count(&self, filter: &Filter) -> Result<Option<u64>> {
        stats::count(self, filter)
    }

    /// Whether there is an event of a type behind a position, from the indexes alone.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn has_after(&self, event_type: &str, after: Position) -> Result<bool> {
        stats::has_after(self, event_type, after)
    }

    /// Entity ids that begin with `prefix`, in order of bytes, at most `max`; ask for one more than you show to know
    /// whether there are more.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn entity_ids(&self, prefix: &str, max: usize) -> Result<Vec<EntityId>> {
        lookup::entity_ids(self, prefix, max)
    }

    /// How many events of an entity up to a position and a timestamp retention has emptied; those beyond the first 10,000
    /// events of each segment are not counted. Costs nothing where nothing was emptied.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written and the mode is [`Mode::Write`].
    pub(crate) fn emptied(
        &self,
        entity: &EntityId,
        through: Position,
        as_of: Option<Timestamp>,
    ) -> Result<u64> {
        emptied::emptied(self, entity.as_str(), through.min(self.head), as_of)
    }

    /// Counts and ranges of the view.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub fn stats(&self) -> Result<StoreStats> {
        stats::stats(self)
    }

    /// When the last frame of the view was committed; `None` when there is none, or it cannot be read.
    pub(crate) fn last_recorded_at(&self) -> Option<Timestamp> {
        stats::last_recorded_at(self)
    }

    /// How many positions of the view are known to be damaged.
    pub(crate) fn damaged(&self) -> u64 {
        stats::damaged(self)
    }

    /// The frame that holds the event at `position`.
    ///
    /// # Errors
    /// `NotFound` beyond the head, `Corrupt` when stored bytes are not what was written.
    pub(crate) fn frame_of(&self, position: Position) -> Result<CallFrame> {
        lookup::frame_of(self, position)
    }

    /// The id that the store makes for an event without one.
    pub(crate) fn generated_id(&self, recorded_at: Timestamp, position: Position) -> EventId {
        generated_id(recorded_at, position, self.id_key)
    }

    /// A number that no other branch of the store has.
    pub(crate) fn branch_key(&self) -> u64 {
        self.id_key
    }

    /// The same snapshot, whose reads look at that clock to know when to stop.
    pub(crate) fn timed_by(mut self, clock: &Arc<dyn Clock>) -> Self {
        self.clock = Arc::clone(clock);
        self
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Whether it was pinned over this very view.
    pub(crate) fn is_over(&self, view: &Arc<View>) -> bool {
        Arc::ptr_eq(&self.view, view)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The last position of the view that lies on `main`: what is known of main's entities holds up to there.
    pub(crate) fn on_main(&self) -> Position {
        self.view.shared_with_main.map_or(self.head, |shared| shared.min(self.head))
    }

    /// What generated event ids XOR their positions with: of the branch, then of those it was forked from.
    fn id_keys(&self) -> impl Iterator<Item = u64> {
        [self.id_key].into_iter().chain(self.view.ancestor_keys.iter().copied())
    }

    /// The stretches that hold positions up to the head, oldest first.
    pub(crate) fn ranges(&self) -> &[Arc<Range>] {
        let visible = self.view.ranges.partition_point(|range| range.first() <= self.head);
        self.view.ranges.get(..visible).unwrap_or_default()
    }
}
