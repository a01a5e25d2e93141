//! *What does the store really hold?* A bounded look at its events: which fields each type has and what they look
//! like, who the entities are, how events lie in time.
//!
//! Useful for: advice and hints made of the store's own names. Not for: exact counts, which the store's indexes and
//! queries give.
//!
//! **Invariant:** looks at no more than 600 events, whatever the size of the store, and the same store gives the same
//! profile.

mod entities;
mod field;
mod gather;
mod times;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub(crate) use entities::Entities;
pub(crate) use field::{FieldProfile, Role, words};
pub(crate) use times::Times;

use crate::clock::Clock;
use crate::error::Result;
use crate::event::filter::Root;
use crate::event::{Event, EventType};
use crate::store::{Snapshot, StoreStats};

/// Words by which fields name who acted, the clearest first.
const PERSONS: [&str; 15] = [
    "actor", "user", "username", "author", "operator", "employee", "resource", "agent", "sender", "login",
    "owner", "account", "customer", "member", "client",
];

/// What a store holds, as far as a sample tells.
pub(crate) struct Profile {
    /// What the indexes know exactly.
    pub(crate) stats: StoreStats,
    /// The event types that were looked at, most frequent first.
    pub(crate) types: Vec<TypeProfile>,
    /// The fields of the metadata, with the share of events that have them.
    pub(crate) metadata: Vec<FieldProfile>,
    /// Who the entities are.
    pub(crate) entities: Entities,
    /// How events lie in time.
    pub(crate) times: Times,
    /// The mean and the largest payload, in bytes.
    pub(crate) payload_bytes: (usize, usize),
}

/// One event type.
pub(crate) struct TypeProfile {
    pub(crate) event_type: EventType,
    /// How many events have it: exact.
    pub(crate) count: u64,
    /// The fields of the payload, in the order in which they came.
    pub(crate) fields: Vec<FieldProfile>,
    /// How many of the sampled events of this type were the first or the last of their entity.
    pub(crate) first: usize,
    pub(crate) last: usize,
    /// Some event of this type.
    pub(crate) example: Event,
}

impl Profile {
    /// Looks at the events of `snapshot`: some hundred spread over it, and a few of every type.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn of(snapshot: &Snapshot, clock: &dyn Clock) -> Result<Self> {
        let stats = snapshot.stats()?;
        let gathered = gather::gather(snapshot, &stats, clock)?;
        let spread = gathered.spread.as_slice();
        let entities = Entities::of(snapshot, spread)?;
        let mut metadata = field::Fields::new(Root::Metadata);
        let mut by_type: HashMap<&str, field::Fields> = HashMap::new();
        let (mut bytes, mut bytes_max) = (0, 0);
        for event in gathered.all() {
            let fields = by_type.entry(event.event_type.as_str());
            fields.or_insert_with(|| field::Fields::new(Root::Payload)).add(Some(&event.payload));
        }
        for event in spread {
            metadata.add(event.metadata.as_ref());
            bytes += event.payload.as_str().len();
            bytes_max = bytes_max.max(event.payload.as_str().len());
        }
        let mut types = Vec::with_capacity(by_type.len());
        for known in &stats.event_types {
            let name = known.event_type.as_str();
            let Some(fields) = by_type.remove(name) else { continue };
            let Some(example) = gathered.all().find(|event| event.event_type == known.event_type) else {
                continue;
            };
            types.push(TypeProfile {
                event_type: known.event_type.clone(),
                count: known.count,
                fields: fields.finish(),
                first: spread
                    .iter()
                    .filter(|event| event.event_type.as_str() == name && event.version.get() == 1)
                    .count(),
                last: entities.last_types.iter().filter(|last| last.as_str() == name).count(),
                example: example.clone(),
            });
        }
        Ok(Self {
            types,
            metadata: metadata.finish(),
            times: Times::of(spread, stats.time_range),
            payload_bytes: (bytes / spread.len().max(1), bytes_max),
            entities,
            stats,
        })
    }

    /// The share of events whose metadata has this key, from 0 to 1.
    pub(crate) fn metadata_share(&self, key: &str) -> f64 {
        let path = format!("metadata.{key}");
        self.metadata.iter().find(|field| field.path == path).map_or(0.0, |field| field.share)
    }

    /// The field that says who did it: `metadata.actor` where most events have it, else a payload field whose name
    /// speaks of a person.
    pub(crate) fn actor(&self) -> Option<&FieldProfile> {
        let claimed = self.metadata.iter().find(|field| field.path == "metadata.actor" && field.share >= 0.5);
        let person = |field: &FieldProfile| {
            let words = words(field.name());
            let says = |one: &str| words.iter().any(|word| word == one);
            PERSONS.iter().position(|person| says(person)).filter(|_| {
                field.examples.iter().any(|value| value.chars().count() < field::EXAMPLE_CHARS_MAX)
            })
        };
        let named = self.fields().into_iter().filter_map(|(_, field)| Some((person(field)?, field)));
        let best = named.min_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.share.total_cmp(&a.1.share)));
        claimed.or(best.map(|(_, field)| field))
    }

    /// Each payload field once, of the type that has most events with it; none that is only ever null.
    pub(crate) fn fields(&self) -> Vec<(&TypeProfile, &FieldProfile)> {
        let mut all: Vec<(&TypeProfile, &FieldProfile)> = Vec::new();
        for one in &self.types {
            for field in one.fields.iter().filter(|field| field.kinds != "null") {
                if !all.iter().any(|(_, known)| known.path == field.path) {
                    all.push((one, field));
                }
            }
        }
        all
    }
}
