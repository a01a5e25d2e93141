//! What of an append can be done before its turn, on a pinned snapshot: duplicates, look-ups, checks, encoding.

use std::collections::HashMap;

use super::call::{Append, AppendCondition, Appended, StoredEvent};
use super::{conflict, duplicate};
use crate::error::{Error, Result};
use crate::event::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX};
use crate::event::{EntityId, EventDraft, Expected, Position, Version, quote};
use crate::store::log::{Attrs, FrameBuilder, RecordParts, record_bytes};
use crate::store::read::{Order, Scan, ScanLimits};
use crate::store::snapshot::Snapshot;

/// An append that waits for its turn.
pub(crate) struct Prepared {
    /// The call, to be prepared again if it waited too long.
    pub append: Append,
    /// Everything below was true at this position.
    pub head: Position,
    /// The entities that are appended to or expected something of.
    pub entities: Vec<PreparedEntity>,
    /// For each event of the call: the place where it is already stored, or `None`.
    pub known: Vec<Option<StoredEvent>>,
    /// For each record of the frame: its entity, as an index into `entities`.
    pub owners: Vec<usize>,
    pub frame: FrameBuilder,
}

/// An entity of an append, as it stood at the snapshot.
pub(crate) struct PreparedEntity {
    pub id: EntityId,
    pub version: Version,
    pub expected: Expected,
}

/// What became of the preparation.
pub(crate) enum Preparation {
    /// Nothing needs to be written.
    Answered(Appended),
    Ready(Box<Prepared>),
}

impl Prepared {
    /// Resolves and encodes an append whose conditions are known to hold up to position `checked`.
    ///
    /// # Errors
    /// As [`Store::append`](crate::store::Store::append): what does not hold now is answered now.
    pub(crate) fn prepare(append: Append, snapshot: &Snapshot, checked: Position) -> Result<Preparation> {
        check_limits(&append)?;
        let request = append.idempotency_key.as_ref().map(|_| duplicate::request_hash(&append));
        if let Some(first) = duplicate::of_call(&append, request.as_deref(), snapshot)? {
            return Ok(Preparation::Answered(first));
        }
        let known = duplicate::of_events(&append.events, snapshot)?;
        if known.iter().all(Option::is_some) {
            return duplicate::all_stored(known, snapshot).map(Preparation::Answered);
        }
        let (entities, owners) = entities(&append, &known, snapshot)?;
        for entity in &entities {
            conflict::check_expected(&entity.id, entity.expected, entity.version)?;
        }
        for condition in &append.conditions {
            check_condition(condition, snapshot, checked)?;
        }
        if append.dry_run {
            return Ok(Preparation::Answered(foretell(&append, entities, &owners, known, snapshot)));
        }
        let frame = encode(&append, request, &known)?;
        let prepared = Self { append, head: snapshot.head(), entities, known, owners, frame };
        Ok(Preparation::Ready(Box::new(prepared)))
    }

    /// The drafts that are to be written, in the order of the frame's records.
    pub(crate) fn new_drafts(&self) -> impl Iterator<Item = &EventDraft> {
        self.append
            .events
            .iter()
            .zip(&self.known)
            .filter(|(_, known)| known.is_none())
            .map(|(draft, _)| draft)
    }
}

fn check_limits(append: &Append) -> Result<()> {
    let count = append.events.len();
    if count == 0 {
        return Err(Error::invalid("empty_batch", "append an empty batch; give 1 to 100,000 events"));
    }
    if count > BATCH_EVENTS_MAX {
        let message =
            format!("append {count} events: at most {BATCH_EVENTS_MAX} go into one batch; split it");
        return Err(Error::invalid("batch_too_large", message).with("events_max", BATCH_EVENTS_MAX));
    }
    let times = append.events.iter().enumerate().filter_map(|(index, draft)| Some((index, draft.timestamp?)));
    match times.into_iter().find(|(_, time)| !time.is_writable()) {
        Some((index, time)) => {
            let message = format!(
                "append events[{index}]: its timestamp {time} lies outside the years 0001 to 9999; give another"
            );
            Err(Error::invalid("timestamp_out_of_range", message).with("index", index))
        }
        None => Ok(()),
    }
}

/// The distinct entities of the call, and for each event to be written which one it belongs to.
fn entities(
    append: &Append,
    known: &[Option<StoredEvent>],
    snapshot: &Snapshot,
) -> Result<(Vec<PreparedEntity>, Vec<usize>)> {
    let mut places: HashMap<&EntityId, usize> = HashMap::new();
    let mut entities = Vec::new();
    let mut place = |id| {
        *places.entry(id).or_insert_with(|| {
            entities.push(PreparedEntity { id: id.clone(), version: Version::ZERO, expected: Expected::Any });
            entities.len() - 1
        })
    };
    let fresh = append.events.iter().zip(known).filter(|(_, known)| known.is_none());
    let owners = fresh.map(|(draft, _)| place(&draft.entity_id)).collect();
    let expected: Vec<_> = append.expected.iter().map(|(id, expected)| (place(id), *expected)).collect();
    for (index, expectation) in expected {
        let Some(entity) = entities.get_mut(index) else { continue };
        if entity.expected != Expected::Any && entity.expected != expectation {
            let name = quote(entity.id.as_str());
            let message = format!("append: two different things are expected of entity {name}; give one");
            return Err(Error::invalid("expectation_repeated", message));
        }
        entity.expected = expectation;
    }
    let names: Vec<_> = entities.iter().map(|entity| entity.id.as_str()).collect();
    let heads = snapshot.entity_heads(&names)?;
    for (entity, head) in entities.iter_mut().zip(heads) {
        entity.version = head.map_or(Version::ZERO, |head| head.version);
    }
    Ok((entities, owners))
}

/// Checks a condition over everything after position `checked`, up to which it is known to hold.
fn check_condition(condition: &AppendCondition, snapshot: &Snapshot, checked: Position) -> Result<()> {
    let mut after = condition.after.max(checked);
    loop {
        let scan = Scan { filter: condition.filter.clone(), order: Order::Ascending, after, before: None };
        let page = snapshot.scan(&scan, &ScanLimits { events_max: 1, ..ScanLimits::default() })?;
        if let Some(event) = page.events.first() {
            return Err(conflict::condition(event.position));
        }
        match page.scanned_to {
            Some(scanned_to) if !page.complete => after = scanned_to,
            _ => return Ok(()),
        }
    }
}

fn encode(append: &Append, request: Option<String>, known: &[Option<StoredEvent>]) -> Result<FrameBuilder> {
    let attrs = Attrs {
        key: append.idempotency_key.as_ref().map(ToString::to_string),
        request,
        conditions: conflict::describe(append),
    };
    let attrs = if attrs == Attrs::default() {
        Vec::new()
    } else {
        serde_json::to_vec(&attrs)
            .map_err(|error| Error::internal("encode the conditions of an append").caused_by(error))?
    };
    let fresh = || {
        append.events.iter().zip(known).filter(|(_, known)| known.is_none()).map(|(draft, _)| parts(draft))
    };
    let bytes: usize = attrs.len() + fresh().map(|parts| record_bytes(&parts)).sum::<usize>();
    if bytes > BATCH_BYTES_MAX {
        let message = format!("append {bytes} bytes: at most {BATCH_BYTES_MAX} go into one batch; split it");
        return Err(Error::invalid("batch_too_large", message).with("bytes_max", BATCH_BYTES_MAX));
    }
    let mut frame = FrameBuilder::new(&attrs, bytes, append.events.len());
    fresh().for_each(|parts| frame.push(&parts));
    Ok(frame)
}

fn parts(draft: &EventDraft) -> RecordParts<'_> {
    RecordParts {
        entity_id: &draft.entity_id,
        event_type: &draft.event_type,
        event_id: draft.event_id.as_ref(),
        timestamp: draft.timestamp,
        metadata: draft.metadata(),
        payload: draft.payload(),
    }
}

/// What a dry run would have done. The ids are those of an append at this very moment.
fn foretell(
    append: &Append,
    mut entities: Vec<PreparedEntity>,
    owners: &[usize],
    known: Vec<Option<StoredEvent>>,
    snapshot: &Snapshot,
) -> Appended {
    let recorded_at = snapshot.clock().now();
    let mut position = snapshot.head();
    let mut owners = owners.iter();
    let events = append.events.iter().zip(known).map(|(draft, known)| {
        known.unwrap_or_else(|| {
            position = position.next();
            let entity = owners.next().and_then(|&owner| entities.get_mut(owner));
            let version = entity.map_or(Version::ZERO, |entity| {
                entity.version = entity.version.next();
                entity.version
            });
            let generated = || snapshot.generated_id(recorded_at, position);
            let event_id = draft.event_id.clone().unwrap_or_else(generated);
            StoredEvent { event_id, position, version, already_stored: false }
        })
    });
    Appended { events: events.collect(), recorded_at, duplicate: false, head: snapshot.head() }
}
