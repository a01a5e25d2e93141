//! What did a fork change? Its own events, what they did to entities, and what a promotion would meet.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::change::{Change, diff};
use super::state::Moment;
use super::{Caller, Engine, MAIN, Writes, check_fork_writes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Event, EventType, Filter, NamePattern, Position, Version};
use crate::store::{
    ForkId, ForkInfo, ForkState, Order, Promoted, Promotion, PromotionConflict, Scan, ScanLimits, Snapshot,
};

/// The longest that states are folded for a diff: 2 s.
const FOLD_TIME_MAX: Duration = Duration::from_secs(2);
/// How many entities show what happened to a field.
const EXAMPLES: usize = 3;
/// The events read at a time.
const STEP: usize = 1_000;

/// What a fork changed.
pub(crate) struct ForkDiff {
    /// The fork.
    pub info: ForkInfo,
    /// Names exactly this: a promotion of all of it can be bound to it.
    pub diff: String,
    /// What happened to each field, by the type of event that did it; what most entities share first.
    pub fields: Vec<FieldMoved>,
    /// The types of event that it added, most frequent first.
    pub types: Vec<TypeAdded>,
    /// The entities that it touched, in the order in which it did.
    pub entities: Vec<EntityDiff>,
    /// What a promotion of all of it would meet now.
    pub conflicts: Vec<PromotionConflict>,
    /// Whether there was time to fold every state.
    pub complete: bool,
}

/// Events of a type that a fork added.
pub(crate) struct TypeAdded {
    pub event_type: EventType,
    /// How many its parent had of them at the cut.
    pub before: u64,
    pub added: u64,
    pub entities: u64,
}

/// What a fork did to an entity.
pub(crate) struct EntityDiff {
    pub entity_id: EntityId,
    /// The position of its first event of the fork.
    pub first: Position,
    pub version_before: Version,
    pub version_after: Version,
    /// The types of its events of the fork, in the order of their first.
    pub types: Vec<EventType>,
    /// `None`: there was no time to fold its states.
    pub changes: Option<Vec<Change>>,
}

/// What a type of event did to a field.
pub(crate) struct FieldMoved {
    pub event_type: EventType,
    pub path: String,
    pub entities: u64,
    /// Of the numbers that it was and is.
    pub before: Option<Numbers>,
    pub after: Option<Numbers>,
    /// Entities with the field before and after.
    pub examples: Vec<(EntityId, Option<Value>, Option<Value>)>,
}

/// Numbers, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Numbers {
    pub min: f64,
    pub max: f64,
    sum: f64,
    count: u64,
}

impl Numbers {
    fn add(all: &mut Option<Self>, value: Option<&Value>) {
        let Some(number) = value.and_then(Value::as_f64) else { return };
        let all = all.get_or_insert(Self { min: number, max: number, sum: 0.0, count: 0 });
        (all.min, all.max) = (all.min.min(number), all.max.max(number));
        all.sum += number;
        all.count += 1;
    }

    #[expect(clippy::cast_precision_loss, reason = "a fork holds at most 100,000 events")]
    pub(crate) fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}

impl Engine {
    /// What a fork changed, and what a promotion of all of it would meet now.
    ///
    /// # Errors
    /// `NotFound` when there is no such fork, `Corrupt` when stored bytes are not what was written.
    pub(crate) fn diff_fork(&self, id: &ForkId) -> Result<ForkDiff> {
        let fork = self.branch(id.as_str())?;
        let (snapshot, cut) = (fork.store().snapshot(), fork.store().cut());
        let trial = self.store().promote_fork(id, &Promotion { dry_run: true, ..Promotion::default() })?;
        let touched = touched(&snapshot, cut)?;
        let (started, mut complete) = (self.clock().elapsed(), true);
        let mut entities = Vec::with_capacity(touched.len());
        let mut moved = BTreeMap::new();
        for (entity_id, own) in touched {
            let is_late = self.clock().elapsed().saturating_sub(started) > FOLD_TIME_MAX;
            complete &= !is_late;
            let changes = if is_late { None } else { Some(fork.changes_since(&entity_id, &snapshot, cut)?) };
            for change in changes.iter().flatten() {
                if let Some(setter) = own.setter_of(&change.path) {
                    note(&mut moved, &entity_id, change, setter);
                }
            }
            entities.push(EntityDiff {
                entity_id,
                first: own.first,
                version_before: own.version_before,
                version_after: own.version_after,
                types: own.types.into_iter().map(|(event_type, _)| event_type).collect(),
                changes,
            });
        }
        entities.sort_by_key(|entity| entity.first);
        let mut fields: Vec<FieldMoved> = moved.into_values().collect();
        fields.sort_by_key(|field| Reverse(field.entities));
        Ok(ForkDiff {
            info: self.store().fork_info(id)?,
            diff: trial.diff,
            fields,
            types: types(&snapshot, cut, &entities)?,
            entities,
            conflicts: trial.conflicts,
            complete,
        })
    }

    /// The forks that can be used, in order of their ids; opens none of them.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be listed.
    pub(crate) fn live_forks(&self) -> Result<Vec<ForkId>> {
        let listed = self.store().list_forks()?;
        Ok(listed.into_iter().filter(|fork| fork.state == ForkState::Live).map(|fork| fork.id).collect())
    }

    /// Promotes a fork on behalf of a caller who may change what it goes to.
    ///
    /// # Errors
    /// `Denied` (`writes_denied`) and those of [`Store::promote_fork`](crate::store::Store::promote_fork).
    pub(crate) fn promote_fork(
        &self,
        id: &ForkId,
        promotion: &Promotion,
        caller: &Caller,
    ) -> Result<Promoted> {
        caller.check_waits()?;
        check_fork_writes(caller)?;
        if !promotion.dry_run && self.store().fork_info(id)?.parent == MAIN {
            check_promotion_to_main(id, promotion, caller)?;
        }
        self.store().promote_fork(id, promotion)
    }

    /// What of an entity's state is another than it was at a position.
    fn changes_since(&self, entity: &EntityId, snapshot: &Snapshot, cut: Position) -> Result<Vec<Change>> {
        let state = |snapshot: &Snapshot| {
            let moment = Moment { snapshot, as_of: None, version: None };
            self.state_at(entity, moment, false).map(|found| found.folded.state)
        };
        let (before, after) = (state(&snapshot.up_to(cut))?, state(snapshot)?);
        // Of an entity that is new, each field is.
        let nothing = || Value::Object(serde_json::Map::new());
        let before = before.or_else(|| after.as_ref().filter(|after| after.is_object()).map(|_| nothing()));
        Ok(diff(before.as_ref(), after.as_ref()))
    }
}

/// Refuses a caller that may change forks only, unless a person agreed to exactly this difference.
fn check_promotion_to_main(id: &ForkId, promotion: &Promotion, caller: &Caller) -> Result<()> {
    let is_agreed = caller.confirmed.is_some() && caller.confirmed == promotion.diff;
    if caller.writes == Writes::All || is_agreed {
        return Ok(());
    }
    let message = format!(
        "promote fork {id} to main: this server was started with --writes forks, so a person has to agree, and this client \
         cannot ask one; tell them to run `allsource fork promote {id}` in a terminal"
    );
    Err(Error::new(ErrorKind::Denied, "writes_denied", message).with("allowed_by", "--writes all"))
}

/// What a fork's own events say of an entity.
struct Own {
    first: Position,
    version_before: Version,
    version_after: Version,
    /// The types, in the order of their first event, each with the keys that its payloads set.
    types: Vec<(EventType, Vec<String>)>,
}

impl Own {
    fn add(&mut self, event: &Event) {
        self.version_after = event.version;
        let keys = match event.payload.to_value() {
            Value::Object(members) => members.keys().cloned().collect(),
            _ => Vec::new(),
        };
        match self.types.iter_mut().find(|(event_type, _)| *event_type == event.event_type) {
            Some((_, known)) => known.extend(keys),
            None => self.types.push((event.event_type.clone(), keys)),
        }
    }

    /// The type of event that set a path: the last that names its first key, or else the last.
    fn setter_of(&self, path: &str) -> Option<EventType> {
        let names = |keys: &Vec<String>| keys.iter().any(|key| begins_with_key(path, key));
        let setter = self.types.iter().rev().find(|(_, keys)| names(keys)).or(self.types.last());
        setter.map(|(event_type, _)| event_type.clone())
    }
}

fn begins_with_key(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The entities that a fork's own events belong to.
fn touched(snapshot: &Snapshot, cut: Position) -> Result<BTreeMap<EntityId, Own>> {
    let (mut entities, mut after) = (BTreeMap::<EntityId, Own>::new(), cut);
    loop {
        let scan = Scan { filter: Filter::default(), order: Order::Ascending, after, before: None };
        let page = snapshot.replay(&scan, &ScanLimits { events_max: STEP, ..ScanLimits::default() })?;
        for event in &page.events {
            let own = entities.entry(event.entity_id.clone()).or_insert_with(|| Own {
                first: event.position,
                version_before: event.version.previous(),
                version_after: event.version,
                types: Vec::new(),
            });
            own.add(event);
        }
        match page.scanned_to {
            Some(scanned_to) if !page.complete => after = scanned_to,
            _ => return Ok(entities),
        }
    }
}

fn note(
    moved: &mut BTreeMap<(EventType, String), FieldMoved>,
    entity: &EntityId,
    change: &Change,
    setter: EventType,
) {
    let field = moved.entry((setter.clone(), change.path.clone())).or_insert_with(|| FieldMoved {
        event_type: setter,
        path: change.path.clone(),
        entities: 0,
        before: None,
        after: None,
        examples: Vec::new(),
    });
    field.entities += 1;
    Numbers::add(&mut field.before, change.before.as_ref());
    Numbers::add(&mut field.after, change.after.as_ref());
    if field.examples.len() < EXAMPLES {
        field.examples.push((entity.clone(), change.before.clone(), change.after.clone()));
    }
}

fn types(snapshot: &Snapshot, cut: Position, entities: &[EntityDiff]) -> Result<Vec<TypeAdded>> {
    let mut touching: BTreeMap<&EventType, u64> = BTreeMap::new();
    for event_type in entities.iter().flat_map(|entity| &entity.types) {
        *touching.entry(event_type).or_default() += 1;
    }
    let count = |snapshot: &Snapshot, event_type: &EventType| {
        let named = Some(NamePattern::Exact(event_type.as_str().to_owned()));
        let count = snapshot.count(&Filter { event_type: named, ..Filter::default() })?;
        count.ok_or_else(|| Error::new(ErrorKind::Internal, "uncounted", "count the events of a type"))
    };
    let before = snapshot.up_to(cut);
    let mut types = Vec::new();
    for (event_type, entities) in touching {
        let before = count(&before, event_type)?;
        let added = count(snapshot, event_type)? - before;
        types.push(TypeAdded { event_type: event_type.clone(), before, added, entities });
    }
    types.sort_by(|a, b| b.added.cmp(&a.added).then_with(|| a.event_type.cmp(&b.event_type)));
    Ok(types)
}
