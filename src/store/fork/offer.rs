//! *What does a fork have to give, and what of it can its parent take?*

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::promote::{FORK, key_of};
use super::{ForkId, Forks, OnConflict, Promoted, Promotion, PromotionConflict};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{
    EntityId, Event, EventDraft, EventId, Expected, Filter, IdempotencyKey, Json, NamePattern, Position,
    Version, quote,
};
use crate::store::append::{Append, AppendCondition};
use crate::store::branch::Branch;
use crate::store::read::{Order, Scan, ScanLimits};
use crate::store::snapshot::{Head, Snapshot};

/// The most of the parent's events that a conflict names.
const EVENTS_NAMED_MAX: usize = 20;

/// What a fork has to give to its parent.
pub(super) struct Offer<'a> {
    id: &'a ForkId,
    fork: Snapshot,
    cut: Position,
    parent: Arc<Branch>,
    /// The chosen events of the fork, in order.
    events: Vec<Event>,
    /// Every event that the fork added, chosen or not.
    own: HashSet<EventId>,
    /// The conditions that appends of the fork rested on.
    conditions: Vec<Condition>,
    pub(super) diff: String,
}

/// A condition that an append of the fork rested on.
struct Condition {
    filter: Filter,
    /// The append's events, and their entities.
    events: Vec<(EventId, EntityId)>,
}

/// What of an offer goes in now.
struct Plan {
    drafts: Vec<EventDraft>,
    expected: Vec<(EntityId, Expected)>,
    conditions: Vec<AppendCondition>,
    already_promoted: u64,
    conflicts: Vec<PromotionConflict>,
}

impl Forks {
    /// What a fork has to give of what is chosen.
    pub(super) fn offer<'a>(&self, id: &'a ForkId, promotion: &Promotion) -> Result<Offer<'a>> {
        let branch = self.open(id)?;
        let lineage = branch.lineage.as_ref().ok_or_else(|| Error::internal("promote what is no fork"))?;
        // Not the branch that the fork reads: that one ended when its parent was discarded, though it is restored since.
        let parent = match ForkId::parse(&branch.parent_name()) {
            Ok(parent) => self.open(&parent)?,
            Err(_) => Arc::clone(&self.main),
        };
        let (fork, cut) = (branch.snapshot(), lineage.cut);
        let wanted: HashSet<&EntityId> = promotion.entities.iter().collect();
        let mut events = own_events(&fork, cut)?;
        let present: HashSet<EntityId> = events.iter().map(|event| event.entity_id.clone()).collect();
        if let Some(absent) = promotion.entities.iter().find(|entity| !present.contains(entity)) {
            let name = quote(absent.as_str());
            let message = format!(
                "promote entity {name} of fork {id}: the fork added nothing to it; diff_fork shows what it added"
            );
            return Err(
                Error::new(ErrorKind::NotFound, "not_in_fork", message).with("entity_id", absent.as_str())
            );
        }
        let conditions = conditions(&fork, &events)?;
        let own = events.iter().map(|event| event.event_id.clone()).collect();
        events.retain(|event| wanted.is_empty() || wanted.contains(&event.entity_id));
        let diff = diff_of(id, cut, promotion.on_conflict, &events);
        Ok(Offer { id, fork, cut, parent, events, own, conditions, diff })
    }
}

impl Offer<'_> {
    pub(super) fn promote(&self, promotion: &Promotion) -> Result<Promoted> {
        let now = self.parent.snapshot();
        let key = IdempotencyKey::new(key_of(self.id, &self.diff))?;
        if let Some(first) = now.call(&key)? {
            return self.promoted_before(&now, first);
        }
        let plan = self.plan(promotion.on_conflict, &now)?;
        let entities = plan.drafts.iter().map(|draft| &draft.entity_id).collect::<HashSet<_>>().len() as u64;
        let mut promoted = Promoted {
            diff: self.diff.clone(),
            events: plan.drafts.len() as u64,
            entities,
            first_position: None,
            already_promoted: plan.already_promoted,
            conflicts: plan.conflicts,
            duplicate: false,
            head: now.head(),
        };
        let is_refused = promotion.on_conflict == OnConflict::Abort && !promoted.conflicts.is_empty();
        if is_refused {
            (promoted.events, promoted.entities) = (0, 0);
        }
        if is_refused || promotion.dry_run || plan.drafts.is_empty() {
            return Ok(promoted);
        }
        let append = Append {
            events: plan.drafts,
            expected: plan.expected,
            conditions: plan.conditions,
            idempotency_key: Some(key),
            dry_run: false,
        };
        let appended = self.parent.append(append)?;
        promoted.first_position =
            appended.events.iter().filter(|one| !one.already_stored).map(|one| one.position).min();
        (promoted.duplicate, promoted.head) = (appended.duplicate, appended.head);
        Ok(promoted)
    }

    /// What the same promotion did before.
    fn promoted_before(&self, now: &Snapshot, first: Position) -> Result<Promoted> {
        let frame = now.frame_of(first)?;
        let mut entities = HashSet::new();
        let mut position = first;
        while position <= frame.last {
            entities.extend(now.event(position)?.map(|event| event.entity_id));
            position = position.next();
        }
        Ok(Promoted {
            diff: self.diff.clone(),
            events: frame.last.get() + 1 - first.get(),
            entities: entities.len() as u64,
            first_position: Some(first),
            already_promoted: 0,
            conflicts: Vec::new(),
            duplicate: true,
            head: now.head(),
        })
    }

    /// What goes in over the parent as it is now.
    fn plan(&self, on_conflict: OnConflict, now: &Snapshot) -> Result<Plan> {
        let ids: Vec<_> = self.events.iter().map(|event| &event.event_id).collect();
        let (mut promoted_before, mut already_promoted) = (HashMap::<&EntityId, u64>::new(), 0);
        let mut fresh = Vec::new();
        for (event, there) in self.events.iter().zip(now.events_by_id(&ids)?) {
            if there.is_some_and(|there| is_same(event, &there)) {
                *promoted_before.entry(&event.entity_id).or_default() += 1;
                already_promoted += 1;
            } else {
                fresh.push(event);
            }
        }
        // What is on the parent already is past: whatever came to its entities since is no conflict.
        let fresh_ids: HashSet<&EventId> = fresh.iter().map(|event| &event.event_id).collect();
        let conditions: Vec<&Condition> = self
            .conditions
            .iter()
            .filter(|one| one.events.iter().any(|(id, _)| fresh_ids.contains(id)))
            .collect();
        let mut names: Vec<&EntityId> = fresh.iter().map(|event| &event.entity_id).collect();
        names.sort_unstable();
        names.dedup();
        let texts: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let version = |head: &Option<Head>| head.map_or(Version::ZERO, |head| head.version);
        let at_cut = self.fork.up_to(self.cut).entity_heads(&texts)?;
        let heads = now.entity_heads(&texts)?;
        let broken = self.broken_conditions(&conditions, now)?;
        let (mut conflicts, mut expected, mut skipped) = (Vec::new(), Vec::new(), HashSet::new());
        for ((name, at_cut), head) in names.into_iter().zip(&at_cut).zip(&heads) {
            let (version_at_cut, version_now) = (version(at_cut), version(head));
            let promoted = promoted_before.get(name).copied().unwrap_or_default();
            let condition_broken_by = broken.get(name).copied();
            if version_now.get() != version_at_cut.get() + promoted || condition_broken_by.is_some() {
                let parent_positions = self.parent_positions(now, name)?;
                let entity_id = name.clone();
                conflicts.push(PromotionConflict {
                    entity_id,
                    version_at_cut,
                    version_now,
                    parent_positions,
                    condition_broken_by,
                });
                if on_conflict == OnConflict::Skip {
                    skipped.insert(name);
                    continue;
                }
            }
            let version = version_now;
            expected.push((
                name.clone(),
                if version == Version::ZERO { Expected::New } else { Expected::Exactly(version) },
            ));
        }
        fresh.retain(|event| !skipped.contains(&event.entity_id));
        let drafts = fresh.into_iter().map(|event| self.draft(event)).collect::<Result<_>>()?;
        let conditions =
            if on_conflict == OnConflict::Rebase { Vec::new() } else { renewed(&conditions, now) };
        Ok(Plan { drafts, expected, conditions, already_promoted, conflicts })
    }

    /// For each entity whose append on the fork rested on a condition that the parent broke since the cut: by which event.
    fn broken_conditions(
        &self,
        conditions: &[&Condition],
        now: &Snapshot,
    ) -> Result<BTreeMap<EntityId, Position>> {
        let mut broken = BTreeMap::new();
        for condition in conditions {
            // Up to the cut it held on the fork. Behind that its position is one of the fork, which says nothing here.
            let mut after = self.cut;
            loop {
                let scan =
                    Scan { filter: condition.filter.clone(), order: Order::Ascending, after, before: None };
                let page = now.scan(&scan, &ScanLimits { events_max: 1, ..ScanLimits::default() })?;
                match (page.events.iter().find(|event| !self.is_mine(event)), page.scanned_to) {
                    (Some(event), _) => {
                        broken.extend(
                            condition.events.iter().map(|(_, entity)| (entity.clone(), event.position)),
                        );
                        break;
                    }
                    (None, Some(scanned_to)) if !page.complete => after = scanned_to,
                    (None, _) => break,
                }
            }
        }
        Ok(broken)
    }

    /// Whether an event of the parent came from this fork.
    fn is_mine(&self, event: &Event) -> bool {
        self.own.contains(&event.event_id)
    }

    /// What the parent has of an entity since the cut.
    fn parent_positions(&self, now: &Snapshot, entity: &EntityId) -> Result<Vec<Position>> {
        let filter =
            Filter { entity_id: Some(NamePattern::Exact(entity.as_str().to_owned())), ..Filter::default() };
        let scan = Scan { filter, order: Order::Ascending, after: self.cut, before: None };
        let page = now.scan(&scan, &ScanLimits { events_max: EVENTS_NAMED_MAX, ..ScanLimits::default() })?;
        Ok(page.events.iter().filter(|event| !self.is_mine(event)).map(|event| event.position).collect())
    }

    /// An event of the fork as it goes to the parent.
    fn draft(&self, event: &Event) -> Result<EventDraft> {
        let draft =
            EventDraft::new(event.entity_id.as_str(), event.event_type.as_str(), event.payload.as_str())?;
        let stamp = serde_json::json!({
            "id": self.id.as_str(),
            "position": event.position.get(),
            "recorded_at": event.recorded_at.to_string(),
        });
        let metadata = stamped(event.metadata.as_ref(), stamp);
        Ok(draft.with_event_id(event.event_id.clone()).at(event.timestamp).completed_with(metadata))
    }
}

/// Metadata with the stamp of a fork; that of an earlier promotion goes into it.
fn stamped(metadata: Option<&Json>, mut stamp: serde_json::Value) -> Json {
    let given = metadata.map_or("{}", |metadata| metadata.as_str().trim());
    if given.contains(FORK)
        && let Ok(serde_json::Value::Object(mut members)) = serde_json::from_str(given)
    {
        if let (Some(earlier), Some(stamp)) = (members.shift_remove(FORK), stamp.as_object_mut()) {
            stamp.insert("from".to_owned(), earlier);
        }
        members.insert(FORK.to_owned(), stamp);
        return Json::from(&serde_json::Value::Object(members));
    }
    // Spliced as text, so that what the caller gave keeps its bytes.
    let inside = given.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or("");
    let comma = if inside.trim().is_empty() { "" } else { "," };
    Json::trusted(format!("{{{inside}{comma}\"{FORK}\":{stamp}}}").into())
}

/// What a fork added, in order.
fn own_events(fork: &Snapshot, cut: Position) -> Result<Vec<Event>> {
    let (mut events, mut after) = (Vec::new(), cut);
    loop {
        let scan = Scan { filter: Filter::default(), order: Order::Ascending, after, before: None };
        let mut page = fork.replay(&scan, &ScanLimits { events_max: 1_000, ..ScanLimits::default() })?;
        events.append(&mut page.events);
        match page.scanned_to {
            Some(scanned_to) if !page.complete => after = scanned_to,
            _ => return Ok(events),
        }
    }
}

/// Whether the parent has what the fork added, under the same id; of what retention emptied its names tell.
fn is_same(event: &Event, there: &Event) -> bool {
    event.entity_id == there.entity_id
        && event.event_type == there.event_type
        && (there.emptied || event.payload == there.payload)
}

/// The conditions, of what may come to the parent between now and the append.
fn renewed(conditions: &[&Condition], now: &Snapshot) -> Vec<AppendCondition> {
    conditions.iter().map(|one| AppendCondition { filter: one.filter.clone(), after: now.head() }).collect()
}

/// The conditions that appends to the fork rested on.
fn conditions(fork: &Snapshot, events: &[Event]) -> Result<Vec<Condition>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = events.get(at) {
        let frame = fork.frame_of(first.position)?;
        let len = events.iter().skip(at).take_while(|event| event.position <= frame.last).count();
        let stored = || {
            events.iter().skip(at).take(len).map(|event| (event.event_id.clone(), event.entity_id.clone()))
        };
        for condition in AppendCondition::read_all(frame.attrs.conditions.as_deref())? {
            found.push(Condition { filter: condition.filter, events: stored().collect() });
        }
        at += len.max(1);
    }
    Ok(found)
}

/// XXH3-128 of what is offered: another selection, another choice or another event is another diff.
fn diff_of(id: &ForkId, cut: Position, on_conflict: OnConflict, events: &[Event]) -> String {
    let mut hash = Xxh3::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(id.as_str());
    add(&cut.to_string());
    add(&format!("{on_conflict:?}"));
    for event in events {
        add(&event.event_id.to_string());
        add(event.entity_id.as_str());
        add(event.event_type.as_str());
        add(event.payload.as_str());
        add(event.metadata.as_ref().map_or("", Json::as_str));
        add(&event.timestamp.as_micros().to_string());
    }
    format!("{:032x}", hash.digest128())
}
