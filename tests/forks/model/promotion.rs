//! What a promotion must do, told from the lists alone.

use std::collections::BTreeSet;

use allsource::event::{EntityId, Event, EventId, IdempotencyKey, Json, Position, Version};
use allsource::store::{Append, AppendCondition, Appended, OnConflict, Promoted, Promotion, StoredEvent};
use proptest::prelude::*;

use super::plan::Chosen;
use super::{Checked, World};
use crate::machines::model::everything_in;

/// What is to be expected.
struct Foretold {
    /// The events that go in.
    events: Vec<Event>,
    conflicts: BTreeSet<EntityId>,
    already_promoted: u64,
    /// An event whose id the parent has with other content.
    has_other_content: bool,
    /// What their appends rested on, which the promotion rests on too.
    conditions: Vec<AppendCondition>,
}

fn is_same(own: &Event, there: &Event) -> bool {
    own.entity_id == there.entity_id && own.event_type == there.event_type && own.payload == there.payload
}

impl World<'_> {
    /// What the fork added, of the chosen entities.
    fn chosen(&self, line: usize, chosen: &Chosen) -> (Vec<EntityId>, Vec<Event>) {
        let line = &self.lines[line];
        let own = &line.model.events[line.cut..];
        let names: BTreeSet<&EntityId> = own.iter().map(|event| &event.entity_id).collect();
        let entities: Vec<EntityId> = names.into_iter().take(chosen.first.unwrap_or(0)).cloned().collect();
        let is_chosen = |event: &&Event| entities.is_empty() || entities.contains(&event.entity_id);
        let events = own.iter().filter(is_chosen).cloned().collect();
        (entities, events)
    }

    fn foretell(&self, line: usize, own: &[Event], on_conflict: OnConflict) -> Foretold {
        let line = &self.lines[line];
        let parent = &self.lines[line.parent].model;
        let there = |event: &Event| parent.events.iter().find(|there| there.event_id == event.event_id);
        let (known, fresh): (Vec<&Event>, Vec<&Event>) =
            own.iter().partition(|event| there(event).is_some_and(|there| is_same(event, there)));
        let own_ids: BTreeSet<&EventId> =
            line.model.events[line.cut..].iter().map(|event| &event.event_id).collect();
        let fresh_ids: BTreeSet<&EventId> = fresh.iter().map(|event| &event.event_id).collect();
        let (mut conflicts, mut carried) = (BTreeSet::new(), Vec::new());
        for (ids, conditions) in &line.appends {
            let is_at_stake = ids.iter().any(|id| fresh_ids.contains(id));
            if is_at_stake && on_conflict != OnConflict::Rebase {
                carried.extend(conditions.iter().cloned());
            }
            let breaks = |event: &&Event| {
                !own_ids.contains(&event.event_id)
                    && conditions.iter().any(|condition| condition.filter.matches(event))
            };
            if is_at_stake && parent.events[line.cut..].iter().any(|event| breaks(&event)) {
                let of_append = fresh.iter().filter(|event| {
                    let in_append = |id: &EventId| {
                        line.model
                            .events
                            .iter()
                            .any(|other| other.event_id == *id && other.entity_id == event.entity_id)
                    };
                    ids.iter().any(in_append)
                });
                conflicts.extend(of_append.map(|event| event.entity_id.clone()));
            }
        }
        for event in &fresh {
            let version =
                |events: &[Event]| events.iter().filter(|other| other.entity_id == event.entity_id).count();
            let promoted = known.iter().filter(|other| other.entity_id == event.entity_id).count();
            if version(&parent.events) != version(&parent.events[..line.cut]) + promoted {
                conflicts.insert(event.entity_id.clone());
            }
        }
        let goes_in = |event: &&Event| match on_conflict {
            OnConflict::Abort => conflicts.is_empty(),
            OnConflict::Skip => !conflicts.contains(&event.entity_id),
            OnConflict::Rebase => true,
        };
        let events: Vec<Event> = fresh.into_iter().filter(goes_in).cloned().collect();
        let has_other_content = events.iter().any(|event| there(event).is_some());
        Foretold {
            events,
            conflicts,
            already_promoted: known.len() as u64,
            has_other_content,
            conditions: carried,
        }
    }

    pub fn promote(&mut self, line: usize, chosen: &Chosen) -> Checked {
        let (entities, own) = self.chosen(line, chosen);
        let promotion = Promotion { entities, on_conflict: chosen.on_conflict, ..Promotion::default() };
        let (store, id) = (self.store(), self.lines[line].id().clone());
        let parent = self.lines[line].parent;
        if self.lines[parent].is_discarded {
            let error = store.promote_fork(&id, &promotion).expect_err("its parent is gone");
            prop_assert_eq!(error.code(), "fork_discarded");
            return Ok(());
        }
        let dry =
            store.promote_fork(&id, &Promotion { dry_run: true, ..promotion.clone() }).expect("looked at");
        let foretold = self.foretell(line, &own, chosen.on_conflict);
        let key = format!("promote:{id}:{}", dry.diff);
        let before = self.lines[parent].model.calls.contains_key(&key);
        prop_assert_eq!(dry.duplicate, before);
        if !before {
            check(&dry, &foretold)?;
        }
        self.agrees(line)?;
        self.is_quiet &= parent != 0;
        match store.promote_fork(&id, &promotion) {
            Err(error) => {
                prop_assert!(foretold.has_other_content, "{}", error);
                prop_assert_eq!(error.code(), "event_id_conflict");
            }
            Ok(promoted) if before => prop_assert!(promoted.duplicate),
            Ok(promoted) => {
                prop_assert!(!foretold.has_other_content && !promoted.duplicate);
                check(&promoted, &foretold)?;
                self.take(line, &foretold, &key, promoted.first_position)?;
                if chosen.twice {
                    let again = store.promote_fork(&id, &promotion).expect("a healthy disk");
                    prop_assert_eq!(again.duplicate, !foretold.events.is_empty());
                    prop_assert_eq!(again.first_position, promoted.first_position);
                }
            }
        }
        self.agrees(parent)
    }

    /// Takes what went in after checking it.
    fn take(&mut self, line: usize, foretold: &Foretold, key: &str, first: Option<Position>) -> Checked {
        let Some(first) = first else {
            prop_assert!(foretold.events.is_empty());
            return Ok(());
        };
        let (parent, id) = (self.lines[line].parent, self.lines[line].id().to_string());
        let snapshot = self.branch(parent).snapshot();
        let model = &mut self.lines[parent].model;
        prop_assert_eq!(first.get(), model.events.len() as u64 + 1);
        let (mut stored, mut ids) = (Vec::new(), Vec::new());
        for own in &foretold.events {
            let version = Version::new(model.version(&own.entity_id).get() + 1);
            let position = Position::new(model.events.len() as u64 + 1);
            let event = snapshot.event(position).expect("readable").expect("it went in");
            let mut metadata = event.metadata.as_ref().expect("a stamp").to_value();
            let stamp = metadata.as_object_mut().and_then(|all| all.shift_remove("$fork")).expect("a stamp");
            prop_assert_eq!(
                (stamp["id"].as_str(), stamp["position"].as_u64()),
                (Some(id.as_str()), Some(own.position.get()))
            );
            let mut given = own.metadata.as_ref().map_or_else(|| serde_json::json!({}), Json::to_value);
            let earlier = given.as_object_mut().and_then(|all| all.shift_remove("$fork"));
            prop_assert_eq!((metadata, stamp.get("from").cloned()), (given, earlier));
            let (recorded_at, metadata) = (event.recorded_at, event.metadata.clone());
            prop_assert_eq!(&event, &Event { position, version, recorded_at, metadata, ..own.clone() });
            stored.push(StoredEvent {
                event_id: event.event_id.clone(),
                position,
                version,
                already_stored: false,
            });
            ids.push(event.event_id.clone());
            model.events.push(event);
        }
        let (recorded_at, head) = (model.events[model.events.len() - 1].recorded_at, snapshot.head());
        let appended = Appended { events: stored, recorded_at, duplicate: false, head };
        let found = snapshot.call(&IdempotencyKey::new(key).expect("a key")).expect("readable");
        prop_assert_eq!(found, Some(first));
        model.calls.insert(key.to_owned(), (Append::default(), appended));
        everything_in(model, &snapshot)?;
        self.lines[parent].appends.push((ids, foretold.conditions.clone()));
        Ok(())
    }
}

fn check(promoted: &Promoted, foretold: &Foretold) -> Checked {
    let conflicts: BTreeSet<EntityId> =
        promoted.conflicts.iter().map(|conflict| conflict.entity_id.clone()).collect();
    prop_assert_eq!(&conflicts, &foretold.conflicts);
    prop_assert_eq!(promoted.events, foretold.events.len() as u64);
    prop_assert_eq!(promoted.already_promoted, foretold.already_promoted);
    Ok(())
}
