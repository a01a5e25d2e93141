//! Who the entities are.

use std::collections::HashMap;

use super::field::share;
use crate::error::Result;
use crate::event::{EntityId, Event, EventType};
use crate::store::Snapshot;

/// The most entities whose last event is looked at.
const ENTITIES_MAX: usize = 120;

/// Who the entities are, as far as a sample of events tells.
#[derive(Debug, Default)]
pub(crate) struct Entities {
    /// What ids begin with, up to a separator, and the share of the sampled entities that begin so; most first.
    pub(crate) prefixes: Vec<(String, f64)>,
    /// Entities and how many events each has, the largest first. Large ones are met more often than small ones.
    pub(crate) sizes: Vec<(EntityId, u64)>,
    /// The types of the last events of these entities.
    pub(crate) last_types: Vec<EventType>,
}

impl Entities {
    pub(super) fn of(snapshot: &Snapshot, events: &[Event]) -> Result<Self> {
        let mut met: Vec<&EntityId> = Vec::new();
        for event in events {
            if met.len() < ENTITIES_MAX && !met.contains(&&event.entity_id) {
                met.push(&event.entity_id);
            }
        }
        let mut entities = Self::default();
        let mut prefixes: HashMap<&str, usize> = HashMap::new();
        for id in &met {
            if let Some(head) = snapshot.entity_head(id)? {
                entities.sizes.push(((*id).clone(), head.version.get()));
                let last = snapshot.event(head.position)?;
                entities.last_types.extend(last.map(|event| event.event_type));
            }
            if let Some(prefix) = prefix(id.as_str()) {
                *prefixes.entry(prefix).or_default() += 1;
            }
        }
        entities.sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let of_all = |count| share(count, met.len());
        entities.prefixes = prefixes
            .into_iter()
            .filter(|(_, count)| *count > 1 && of_all(*count) >= 0.05)
            .map(|(prefix, count)| (prefix.to_owned(), of_all(count)))
            .collect();
        entities.prefixes.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(entities)
    }

    /// The entity with most events, among those that were met.
    pub(crate) fn largest(&self) -> Option<(&EntityId, u64)> {
        self.sizes.first().map(|(id, events)| (id, *events))
    }

    /// An entity whose events make a story that can be read: some events, not too many.
    pub(crate) fn readable(&self) -> Option<(&EntityId, u64)> {
        const GOOD: std::ops::RangeInclusive<u64> = 4..=40;
        let good = self.sizes.iter().filter(|(_, events)| GOOD.contains(events));
        let nearest = |(_, events): &&(EntityId, u64)| events.abs_diff(12);
        good.min_by_key(nearest).or_else(|| self.sizes.iter().min_by_key(nearest)).map(|(id, n)| (id, *n))
    }
}

/// The front of an id up to its first separator, with it.
fn prefix(id: &str) -> Option<&str> {
    let end = id.find(['-', ':', '/', '_', '.', '#'])?;
    id.get(..=end).filter(|prefix| prefix.len() > 1)
}
