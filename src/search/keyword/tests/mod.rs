//! The index as a whole.

mod durable;
mod forked;
mod found;
mod narrowed;
mod scored;
mod syntax;

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::event::{EntityId, Event, EventId, EventType, Json, Position, Text, Timestamp, Version};
use crate::store::disk::{Disk, RealDisk};

/// An event whose timestamp is its position in ms.
pub(super) fn event(position: u64, entity: &str, kind: &str, payload: &str) -> Event {
    Event {
        position: Position::new(position),
        version: Version::new(1),
        timestamp: Timestamp::from_micros(i64::try_from(position).expect("small") * 1_000),
        recorded_at: Timestamp::from_micros(0),
        event_id: EventId::from_u128(7 << 76 | u128::from(position)),
        entity_id: EntityId::new(entity.to_owned()).expect("an id"),
        event_type: EventType::new(kind.to_owned()).expect("a type"),
        payload: Json::trusted(Text::from(payload.to_owned())),
        metadata: None,
        emptied: false,
    }
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn open(dir: &Path) -> KeywordIndex {
    KeywordIndex::open(&disk(), dir).expect("an index")
}

fn query(keywords: &str) -> KeywordQuery {
    KeywordQuery::parse(keywords).expect("keywords")
}

/// The positions of the hits, the best first.
#[track_caller]
fn found(reader: &KeywordReader, keywords: &str) -> Vec<u64> {
    let hits = reader.search(&query(keywords), &Narrow::default(), 100).expect("a search");
    hits.iter().map(|hit| hit.position.get()).collect()
}

/// An index over these events, in commits of `each`.
fn indexed(events: &[Event], each: usize) -> (tempfile::TempDir, KeywordReader) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    for chunk in events.chunks(each) {
        for event in chunk {
            index.add(event).expect("added");
        }
        index.commit("{}").expect("a commit");
    }
    let reader = index.reader().expect("a reader");
    index.close().expect("closed");
    (dir, reader)
}

/// An index over events with these payloads, at positions 1, 2, 3 …
fn over(payloads: &[&str]) -> (tempfile::TempDir, KeywordReader) {
    let events: Vec<Event> =
        (1..).zip(payloads).map(|(position, payload)| event(position, "e", "t", payload)).collect();
    indexed(&events, 2)
}
