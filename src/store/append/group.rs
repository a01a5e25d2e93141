//! Deciding the appends of one group, in their order, under the commit lock.

use std::collections::{HashMap, HashSet};

use super::call::{Append, AppendCondition};
use super::conflict;
use super::prepare::Prepared;
use crate::error::{Error, Result};
use crate::event::{EntityId, Event, EventId, IdempotencyKey, Position, Timestamp, Version};
use crate::store::branch::{Branch, Writer};
use crate::store::log::{FrameStamp, generated_id};

/// How many events the committer looks back over; an append further behind is prepared again.
const LOOK_BACK_EVENTS_MAX: u64 = 10_000;

/// What was decided about an append.
pub(crate) enum Decision {
    Accepted,
    /// An expectation or the condition does not hold, or there is no room.
    Refused(Error),
    /// It may depend on an earlier append of this group in a way that only the index can tell: the next group.
    Again(Prepared),
    /// Too much was committed since it was prepared.
    Stale(Append),
}

/// An append that was found good, with what it was assigned.
pub(crate) struct Accepted {
    pub prepared: Prepared,
    pub first: Position,
    pub recorded_at: Timestamp,
    pub versions: Vec<Version>,
    /// Where its frame goes in the log file.
    pub offset: u64,
}

/// The appends of a group that were found good so far, and what they change.
pub(crate) struct Group<'a> {
    branch: &'a Branch,
    writer: &'a mut Writer,
    /// More than one append is in the group, so later ones must see what earlier ones change.
    shared: bool,
    accepted: Vec<Accepted>,
    bytes: usize,
    next: Position,
    recorded_at: Timestamp,
    versions: HashMap<EntityId, Version>,
    event_ids: HashSet<EventId>,
    keys: HashSet<IdempotencyKey>,
}

impl<'a> Group<'a> {
    pub(crate) fn new(branch: &'a Branch, writer: &'a mut Writer, appends: usize) -> Self {
        let (next, recorded_at) = (writer.next, writer.recorded_at);
        Self {
            branch,
            writer,
            shared: appends > 1,
            accepted: Vec::with_capacity(appends),
            bytes: 0,
            next,
            recorded_at,
            versions: HashMap::new(),
            event_ids: HashSet::new(),
            keys: HashSet::new(),
        }
    }

    pub(crate) fn into_accepted(self) -> Vec<Accepted> {
        self.accepted
    }

    /// Decides one append: checks it against everything committed since it was prepared and everything accepted
    /// before it in this group, and assigns positions, versions and a time.
    pub(crate) fn decide(&mut self, mut prepared: Prepared) -> Decision {
        if let Some(fault) = self.branch.fault() {
            return Decision::Refused(fault);
        }
        if self.repeats_in_group(&prepared) {
            return Decision::Again(prepared);
        }
        if self.is_behind(&prepared) {
            return Decision::Stale(prepared.append);
        }
        let bytes = prepared.frame.len();
        if let Err(error) = self.check(&mut prepared).and_then(|()| self.check_quota(&prepared)) {
            return Decision::Refused(error);
        }
        if !self.writer.end.has_room(self.bytes + bytes) {
            if !self.accepted.is_empty() {
                return Decision::Again(prepared);
            }
            if let Err(error) = self.branch.rotate(self.writer, bytes) {
                return Decision::Refused(error);
            }
        }
        self.accept(prepared);
        Decision::Accepted
    }

    /// The position of the last committed event.
    fn head(&self) -> Position {
        self.writer.next.previous()
    }

    fn repeats_in_group(&self, prepared: &Prepared) -> bool {
        let key = prepared.append.idempotency_key.as_ref();
        key.is_some_and(|key| self.keys.contains(key))
            || (!self.event_ids.is_empty()
                && prepared
                    .new_drafts()
                    .filter_map(|draft| draft.event_id.as_ref())
                    .any(|id| self.event_ids.contains(id)))
    }

    /// Whether the append must be prepared again: the in-memory index no longer covers all that was committed since,
    /// or a key or an id of it may have been committed since.
    fn is_behind(&self, prepared: &Prepared) -> bool {
        let (head, memory) = (self.head(), &self.writer.memory);
        if prepared.head == head {
            return false;
        }
        if head.get() - prepared.head.get() > LOOK_BACK_EVENTS_MAX || prepared.head.next() < memory.first() {
            return true;
        }
        let key = prepared.append.idempotency_key.as_ref();
        key.is_some_and(|key| memory.may_have_call(key.as_str()))
            || prepared
                .new_drafts()
                .filter_map(|draft| draft.event_id.as_ref())
                .any(|id| memory.may_have_id(id))
    }

    /// Whether a fork may hold that much more.
    fn check_quota(&self, prepared: &Prepared) -> Result<()> {
        if self.branch.lineage.is_none() {
            return Ok(());
        }
        let used = self.writer.end.offset + self.bytes as u64;
        let (events, bytes) = (prepared.owners.len() as u64, prepared.frame.len() as u64);
        self.branch.check_quota(self.next, used, events, bytes)
    }

    fn check(&self, prepared: &mut Prepared) -> Result<()> {
        let moved = prepared.head != self.head();
        for entity in &mut prepared.entities {
            if let Some(&version) = self.versions.get(&entity.id) {
                entity.version = version;
            } else if moved && let Some(head) = self.writer.memory.head(entity.id.as_str()) {
                entity.version = entity.version.max(head.version);
            }
            conflict::check_expected(&entity.id, entity.expected, entity.version)?;
        }
        prepared
            .append
            .conditions
            .iter()
            .try_for_each(|condition| self.check_condition(condition, prepared.head))
    }

    /// Checks a condition over what was committed since `checked` and what is accepted in this group.
    fn check_condition(&self, condition: &AppendCondition, checked: Position) -> Result<()> {
        let snapshot = self.branch.snapshot();
        let mut at = checked.max(condition.after);
        while at < self.head() {
            at = at.next();
            if snapshot.event(at)?.is_some_and(|event| condition.filter.matches(&event)) {
                return Err(conflict::condition(at));
            }
        }
        let mut events = self.accepted.iter().flat_map(|accepted| accepted.events(self.branch.id_key));
        match events.find(|event| event.position > condition.after && condition.filter.matches(event)) {
            Some(event) => Err(conflict::condition(event.position)),
            None => Ok(()),
        }
    }

    fn accept(&mut self, mut prepared: Prepared) {
        let first = self.next;
        self.recorded_at = self.branch.next_recorded_at(self.recorded_at);
        let mut versions = Vec::with_capacity(prepared.owners.len());
        for &owner in &prepared.owners {
            let Some(entity) = prepared.entities.get_mut(owner) else { continue };
            entity.version = entity.version.next();
            versions.push(entity.version);
        }
        if self.shared {
            self.versions.extend(prepared.entities.iter().map(|entity| (entity.id.clone(), entity.version)));
            self.keys.extend(prepared.append.idempotency_key.clone());
            self.event_ids.extend(prepared.new_drafts().filter_map(|draft| draft.event_id.clone()));
        }
        let stamp = FrameStamp {
            first_position: first,
            synced_through: self.branch.durable(),
            recorded_at: self.recorded_at,
        };
        prepared.frame.stamp(&stamp, &versions);
        let offset = self.writer.end.offset + self.bytes as u64;
        self.bytes += prepared.frame.len();
        self.next = Position::new(first.get() + versions.len() as u64);
        self.accepted.push(Accepted { prepared, first, recorded_at: self.recorded_at, versions, offset });
    }
}

impl Accepted {
    pub(crate) fn next(&self) -> Position {
        Position::new(self.first.get() + self.versions.len() as u64)
    }

    /// The events as readers will see them.
    fn events(&self, id_key: u64) -> impl Iterator<Item = Event> {
        let numbered = self.prepared.new_drafts().zip(&self.versions).zip(self.first.get()..);
        numbered.map(move |((draft, &version), position)| {
            let position = Position::new(position);
            let generated = || generated_id(self.recorded_at, position, id_key);
            Event {
                position,
                version,
                timestamp: draft.timestamp.unwrap_or(self.recorded_at),
                recorded_at: self.recorded_at,
                event_id: draft.event_id.clone().unwrap_or_else(generated),
                entity_id: draft.entity_id.clone(),
                event_type: draft.event_type.clone(),
                payload: draft.payload().clone(),
                metadata: draft.metadata().cloned(),
                emptied: false,
            }
        })
    }
}
