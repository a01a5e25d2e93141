use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::event::{EventDraft, Timestamp};
use crate::store::{Append, Options, Store};

const DAY_US: i64 = 86_400_000_000;

/// A store with these events: entity, type, payload, metadata, the day on which they happened.
fn profile(events: &[(String, &str, String, Option<&str>, i64)]) -> Profile {
    let dir = TempDir::new().expect("a directory");
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000 * DAY_US)));
    let store =
        Store::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).expect("a store");
    let events = events
        .iter()
        .map(|(entity, kind, payload, metadata, day)| {
            let draft = EventDraft::new(entity, kind, payload.as_str()).expect("a draft");
            let draft = draft.at(Timestamp::from_micros(day * DAY_US));
            metadata.map_or(Ok(draft.clone()), |metadata| draft.with_metadata(metadata)).expect("metadata")
        })
        .collect();
    store.append(Append { events, ..Append::default() }).expect("stored");
    Profile::of(&store.snapshot(), clock.as_ref()).expect("a profile")
}

#[test]
fn the_rarest_type_is_looked_at_too() {
    let mut events: Vec<_> = (0..5_000_i64)
        .map(|n| (format!("case-{}", n % 50), "step", format!(r#"{{"n":{n}}}"#), None, n))
        .collect();
    events.push(("case-1".to_owned(), "refund", r#"{"refund":{"amount":5}}"#.to_owned(), None, 5_000));
    let profile = profile(&events);
    let refund = profile.types.last().expect("a type");
    assert_eq!((refund.event_type.as_str(), refund.count), ("refund", 1));
    assert_eq!(refund.fields.first().expect("a field").path, "payload.refund.amount");
    assert_eq!(profile.entities.prefixes.first().expect("a prefix").0, "case-");
    assert_eq!(profile.entities.largest().expect("an entity").1, 101);
}

#[test]
fn order_lateness_and_bursts_show() {
    let events: Vec<_> = (0..200_i64)
        .map(|n| {
            let day = if n < 100 { 500 } else { 500 - n };
            (format!("e{n}"), "t", "{}".to_owned(), Some(r#"{"actor":"me"}"#), day)
        })
        .collect();
    let profile = profile(&events);
    assert!(profile.times.out_of_order > 0.4, "{:?}", profile.times);
    assert!(profile.times.late > 0.9);
    assert!((profile.metadata_share("actor") - 1.0).abs() < 1e-9);
    assert_eq!(profile.actor().expect("an actor").path, "metadata.actor");
}

#[test]
fn the_person_is_found_in_the_payload_where_metadata_names_none() {
    let events: Vec<_> = (0..20_i64)
        .map(|n| (format!("r{n}"), "push", format!(r#"{{"owner":"x","actor":"p{n}"}}"#), None, n))
        .collect();
    assert_eq!(profile(&events).actor().expect("an actor").path, "payload.actor");
}

#[test]
fn an_empty_store_has_an_empty_profile() {
    let dir = TempDir::new().expect("a directory");
    let clock = Arc::new(ManualClock::at(Timestamp::default()));
    let store =
        Store::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).expect("a store");
    let profile = Profile::of(&store.snapshot(), clock.as_ref()).expect("a profile");
    assert_eq!(profile.types.len(), 0);
    assert!(profile.entities.largest().is_none() && profile.times.densest.is_none());
}
