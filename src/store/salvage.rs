//! Saving what can be read of a damaged store.

use serde_json::{Value, json};

use super::append::Append;
use super::open::Store;
use super::read::{Order, Scan, ScanLimits};
use crate::error::Result;
use crate::event::{Event, EventDraft, Filter, Position, limits};

/// How many events go into one batch of the new store: 1,000.
const BATCH_EVENTS: usize = 1_000;
/// How many payload and metadata bytes: 32 MiB, half of what one append takes, for names and stamps need room too.
const BATCH_BYTES: usize = 32 << 20;

/// What a salvage did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Events that the new store holds now.
    pub events: u64,
    /// Positions that could not be read.
    pub lost: u64,
}

impl Store {
    /// Copies every event that can be read into `target`, in order, under its own id and time.
    ///
    /// Positions and versions are counted anew, without a gap; where the event stood before is kept in
    /// `metadata.$salvaged` (position, version, `recorded_at`, and `emptied` where retention left `null`) unless the metadata would outgrow 64 KiB. Idempotency keys are not carried over. Doing it twice
    /// adds nothing, so an interrupted salvage is simply started again.
    ///
    /// # Errors
    /// Those of [`append`](Self::append) on `target`.
    pub fn salvage(&self, target: &Self) -> Result<Salvaged> {
        let snapshot = self.snapshot();
        let limits = ScanLimits { events_max: BATCH_EVENTS, bytes_max: BATCH_BYTES, ..ScanLimits::default() };
        let mut salvaged = Salvaged::default();
        let mut after = Position::ZERO;
        loop {
            let scan = Scan { filter: Filter::default(), order: Order::Ascending, after, before: None };
            let page = snapshot.scan(&scan, &limits)?;
            salvaged.lost += page.damaged;
            salvaged.events += page.events.len() as u64;
            if !page.events.is_empty() {
                let events = page.events.iter().map(draft).collect::<Result<_>>()?;
                target.append(Append { events, ..Append::default() })?;
            }
            match page.scanned_to {
                Some(scanned_to) if !page.complete => after = scanned_to,
                _ => return Ok(salvaged),
            }
        }
    }
}

fn draft(event: &Event) -> Result<EventDraft> {
    let mut metadata = match event.metadata.as_ref().map(crate::event::Json::to_value) {
        Some(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let mut place = json!({
        "position": event.position.get(),
        "version": event.version.get(),
        "recorded_at": event.recorded_at.to_string(),
    });
    if let (true, Value::Object(place)) = (event.emptied, &mut place) {
        place.insert("emptied".to_owned(), true.into());
    }
    metadata.entry("$salvaged").or_insert(place);
    let draft =
        EventDraft::new(event.entity_id.as_str(), event.event_type.as_str(), event.payload.to_string())?;
    let mut stamped = Value::Object(metadata).to_string();
    if stamped.len() > limits::METADATA_BYTES_MAX
        && let Some(unstamped) = &event.metadata
    {
        stamped = unstamped.to_string();
    }
    let draft = draft.with_metadata(stamped)?;
    Ok(draft.with_event_id(event.event_id.clone()).at(event.timestamp))
}
