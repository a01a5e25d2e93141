//! The store as anyone would write it who need not fear a crash: a list.

use std::collections::{BTreeMap, BTreeSet};

use allsource::event::{EntityId, Event, EventDraft, EventId, Json, Version};
use allsource::store::{Append, Appended};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;

use crate::machines::ledger::expected_event;

/// The list, and what was asked of it.
#[derive(Default)]
pub struct Model {
    pub events: Vec<Event>,
    /// What each key was used for, and what came of it.
    pub calls: BTreeMap<String, (Append, Appended)>,
}

impl Model {
    pub fn version(&self, entity_id: &EntityId) -> Version {
        let of_entity = self.events.iter().rev().find(|event| event.entity_id == *entity_id);
        of_entity.map_or(Version::ZERO, |event| event.version)
    }

    fn by_id(&self, id: &EventId) -> Option<&Event> {
        self.events.iter().find(|event| event.event_id == *id)
    }

    /// The code with which the append must be refused, if it must.
    pub fn refusal(&self, append: &Append) -> Option<&'static str> {
        if let Some(key) = &append.idempotency_key
            && let Some((first, _)) = self.calls.get(key.as_str())
        {
            return (!same_call(first, append)).then_some("idempotency_conflict");
        }
        let ids: Vec<&EventId> = append.events.iter().filter_map(|draft| draft.event_id.as_ref()).collect();
        if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
            return Some("event_id_repeated");
        }
        let differs = |draft: &EventDraft| {
            let known = draft.event_id.as_ref().and_then(|id| self.by_id(id));
            known.is_some_and(|event| !is_same(draft, event))
        };
        if append.events.iter().any(differs) {
            return Some("event_id_conflict");
        }
        let all_known = append
            .events
            .iter()
            .all(|draft| draft.event_id.as_ref().is_some_and(|id| self.by_id(id).is_some()));
        if all_known {
            return None;
        }
        if append.expected.iter().any(|(entity, expected)| !expected.is_met_by(self.version(entity))) {
            return Some("version_conflict");
        }
        let condition = append.conditions.first()?;
        let mut matching = self.events.iter().filter(|event| event.position > condition.after);
        matching.any(|event| condition.filter.matches(event)).then_some("condition_conflict")
    }

    /// Takes an answer of the store after checking it.
    pub fn take(&mut self, append: &Append, appended: &Appended) -> Result<(), TestCaseError> {
        if let Some(key) = &append.idempotency_key
            && let Some((_, first)) = self.calls.get(key.as_str())
        {
            prop_assert!(appended.duplicate, "a known key was stored again");
            prop_assert_eq!(&appended.events, &first.events);
            prop_assert_eq!(appended.recorded_at, first.recorded_at);
            return Ok(());
        }
        prop_assert!(!appended.duplicate);
        prop_assert_eq!(appended.events.len(), append.events.len());
        let before = self.events.len();
        let last = self.events.last().map(|event| event.recorded_at);
        for (at, draft) in append.events.iter().enumerate() {
            let stored = &appended.events[at];
            if let Some(known) = draft.event_id.as_ref().and_then(|id| self.by_id(id)) {
                prop_assert!(stored.already_stored, "a known id was stored again");
                prop_assert_eq!(stored.position, known.position);
                prop_assert_eq!(stored.version, known.version);
                continue;
            }
            prop_assert!(!stored.already_stored);
            prop_assert_eq!(stored.position.get(), self.events.len() as u64 + 1);
            prop_assert_eq!(stored.version, self.version(&draft.entity_id).next());
            self.events.push(expected_event(draft, appended, at));
        }
        if self.events.len() > before {
            prop_assert!(last.is_none_or(|last| last < appended.recorded_at), "recorded_at does not rise");
        }
        Ok(())
    }

    pub fn remember(&mut self, append: &Append, appended: &Appended) {
        if let Some(key) = &append.idempotency_key
            && appended.events.iter().any(|event| !event.already_stored)
        {
            self.calls.entry(key.to_string()).or_insert_with(|| (append.clone(), appended.clone()));
        }
    }
}

/// Whether a draft with a known id is what was stored under that id.
fn is_same(draft: &EventDraft, event: &Event) -> bool {
    event.entity_id == draft.entity_id
        && event.event_type == draft.event_type
        && event.payload == *draft.payload()
        && unstamped(event.metadata.as_ref()) == unstamped(draft.metadata())
        && draft.timestamp.is_none_or(|time| time == event.timestamp)
}

/// Metadata without what a promotion adds to it.
fn unstamped(metadata: Option<&Json>) -> Vec<(String, Value)> {
    let members =
        metadata.map(Json::to_value).and_then(|value| value.as_object().cloned()).unwrap_or_default();
    members.into_iter().filter(|(name, _)| name != "$fork").collect()
}

/// Whether two appends want the same stored under the same conditions.
fn same_call(a: &Append, b: &Append) -> bool {
    let condition = |append: &Append| append.conditions.first().map(|c| (c.filter.clone(), c.after));
    a.events == b.events && a.expected == b.expected && condition(a) == condition(b)
}
