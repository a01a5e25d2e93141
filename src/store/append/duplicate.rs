//! Has this been stored before? Idempotency by key and by event id.

use std::collections::HashSet;

use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use super::call::{Append, Appended, StoredEvent};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventDraft, EventId, Json, Position};
use crate::store::snapshot::Snapshot;

/// XXH3-128 of what a call wants stored, in hexadecimal.
///
/// Conditions do not count: what was stored once is stored, whatever is expected now, and `timestamp > now-7d` means
/// another moment each time it is sent.
///
/// Metadata keys that begin with `$` are the server's own stamps and do not count: the same call through another
/// client is the same call.
pub(crate) fn request_hash(append: &Append) -> String {
    let mut hash = Xxh3::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for draft in &append.events {
        add(draft.entity_id.as_str());
        add(draft.event_type.as_str());
        add(draft.payload().as_str());
        add(&unstamped(draft.metadata()));
        add(&draft.event_id.as_ref().map(ToString::to_string).unwrap_or_default());
        add(&draft.timestamp.map(|time| time.as_micros().to_string()).unwrap_or_default());
    }
    format!("{:032x}", hash.digest128())
}

/// The first result of a call whose idempotency key is known.
///
/// # Errors
/// `Conflict` (`idempotency_conflict`) when the key is known with other content.
pub(crate) fn of_call(
    append: &Append,
    request: Option<&str>,
    snapshot: &Snapshot,
) -> Result<Option<Appended>> {
    let Some(key) = &append.idempotency_key else { return Ok(None) };
    let Some(first) = snapshot.call(key)? else { return Ok(None) };
    let frame = snapshot.frame_of(first)?;
    if frame.attrs.request.as_deref() != request {
        let name = Value::from(key.as_str());
        let message = format!(
            "append with idempotency key {name}: it was used at position {first} with other content; use a new key for a new call"
        );
        let error = Error::new(ErrorKind::Conflict, "idempotency_conflict", message);
        return Err(error.with("idempotency_key", key.as_str()).with("position", first.get()));
    }
    let mut next = first;
    let events = append.events.iter().map(|draft| {
        // An event that was stored before that call lies outside its frame and can be found by its id alone.
        let stored = match &draft.event_id {
            Some(id) => snapshot.event_by_id(id)?,
            None => snapshot.event(next)?,
        };
        let stored = stored.ok_or_else(|| Error::internal("find an event of a known idempotency key"))?;
        let already_stored = stored.position < first || stored.position > frame.last;
        if !already_stored {
            next = stored.position.next();
        }
        Ok(place(&stored, already_stored))
    });
    let events = events.collect::<Result<_>>()?;
    Ok(Some(Appended { events, recorded_at: frame.recorded_at, duplicate: true, head: snapshot.head() }))
}

/// For each draft: where it is already stored under its id.
///
/// # Errors
/// `Conflict` (`event_id_conflict`) when an id is known, or given twice in the call, with other content.
pub(crate) fn of_events(drafts: &[EventDraft], snapshot: &Snapshot) -> Result<Vec<Option<StoredEvent>>> {
    let mut given: HashSet<&EventId> = HashSet::new();
    let mut with_id = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        let Some(id) = &draft.event_id else { continue };
        if !given.insert(id) {
            let name = Value::from(id.to_string());
            let message =
                format!("append event {name}: the batch gives that id twice; leave one of them out");
            return Err(Error::invalid("event_id_repeated", message).with("event_id", id.to_string()));
        }
        with_id.push((at, draft, id));
    }
    let ids: Vec<_> = with_id.iter().map(|(_, _, id)| *id).collect();
    let mut known = vec![None; drafts.len()];
    for ((at, draft, id), stored) in with_id.into_iter().zip(snapshot.events_by_id(&ids)?) {
        let Some(stored) = stored else { continue };
        if !is_same(draft, &stored) {
            return Err(id_conflict(id, stored.position));
        }
        if let Some(known) = known.get_mut(at) {
            *known = Some(place(&stored, true));
        }
    }
    Ok(known)
}

/// The answer to a call of which every event is already stored.
pub(crate) fn all_stored(known: Vec<Option<StoredEvent>>, snapshot: &Snapshot) -> Result<Appended> {
    let events: Vec<_> = known.into_iter().flatten().collect();
    let newest = events.iter().map(|event| event.position).max().unwrap_or(Position::ZERO);
    let recorded_at = snapshot.event(newest)?.map(|event| event.recorded_at).unwrap_or_default();
    Ok(Appended { events, recorded_at, duplicate: false, head: snapshot.head() })
}

fn place(stored: &Event, already_stored: bool) -> StoredEvent {
    StoredEvent {
        event_id: stored.event_id.clone(),
        position: stored.position,
        version: stored.version,
        already_stored,
    }
}

/// Of an event that retention emptied nobody can tell what it held; its names and its time still say which it is.
fn is_same(draft: &EventDraft, stored: &Event) -> bool {
    let is_same_content = || {
        draft.payload() == &stored.payload
            && (draft.metadata() == stored.metadata.as_ref()
                || unstamped(draft.metadata()) == unstamped(stored.metadata.as_ref()))
    };
    draft.entity_id == stored.entity_id
        && draft.event_type == stored.event_type
        && draft.timestamp.is_none_or(|time| time == stored.timestamp)
        && (stored.emptied || is_same_content())
}

/// Metadata without the server's stamps; nothing at all when only stamps were there.
fn unstamped(metadata: Option<&Json>) -> String {
    match metadata.map(Json::to_value) {
        Some(Value::Object(mut fields)) => {
            fields.retain(|name, _| !name.starts_with('$'));
            if fields.is_empty() { String::new() } else { Value::Object(fields).to_string() }
        }
        _ => String::new(),
    }
}

fn id_conflict(id: &EventId, position: Position) -> Error {
    let name = Value::from(id.to_string());
    let message = format!(
        "append event {name}: it is stored at position {position} with other content; give the new event another id or none"
    );
    Error::new(ErrorKind::Conflict, "event_id_conflict", message)
        .with("event_id", id.to_string())
        .with("position", position.get())
}
