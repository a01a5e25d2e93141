//! The index as a whole.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::event::{EntityId, Event, EventId, EventType, Json, Position, Text, Timestamp, Version};
use crate::store::disk::{Disk, RealDisk};

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

pub(super) fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

pub(super) fn open(dir: &Path) -> KeywordIndex {
    KeywordIndex::open(&disk(), dir).expect("an index")
}

#[track_caller]
pub(super) fn found(reader: &KeywordReader, keywords: &str) -> Vec<u64> {
    let query = KeywordQuery::parse(keywords).expect("keywords");
    let hits = reader.search(&query, &Narrow::default(), 100).expect("a search");
    hits.iter().map(|hit| hit.position.get()).collect()
}

#[test]
fn what_is_committed_is_found_and_found_again_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    assert_eq!(index.payload(), None);
    index.add(&event(1, "user-123", "order.placed", r#"{"note":"Payments were failing"}"#)).expect("added");
    assert_eq!(found(&index.reader().expect("a reader"), "payment"), [0; 0]);
    let reader = index.commit("{\"through\":1}").expect("a commit");
    assert_eq!(found(&reader, "payment fail"), [1]);
    index.add(&event(2, "user-124", "order.placed", r#"{"note":"payment"}"#)).expect("added");
    assert_eq!(found(&reader, "payment"), [1]);
    index.close().expect("closed");

    let index = open(dir.path());
    assert_eq!(index.payload().as_deref(), Some("{\"through\":1}"));
    assert_eq!(found(&index.reader().expect("a reader"), "payment"), [1]);
}
