//! *Which one event, which one call?* Look-ups that end at one record.
//!
//! **Invariant:** what was found through a hash is given only after the record itself was read and compared.

use std::collections::BTreeSet;

use super::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Event, EventId, IdempotencyKey, Position, Text, Timestamp};
use crate::store::index::{hash_of, hash_of_id};
use crate::store::log::generated_position;
use crate::store::options::Mode;
use crate::store::read::Reader;
use crate::store::view::{CallFrame, Range};

pub(super) fn event(snapshot: &Snapshot, position: Position) -> Result<Option<Event>> {
    match locate(snapshot, position) {
        Some((range, row)) => range.event(row).map(Some),
        None => Ok(None),
    }
}

pub(super) fn event_by_id(snapshot: &Snapshot, event_id: &EventId) -> Result<Option<Event>> {
    if let Some(event) = generated(snapshot, event_id)? {
        return Ok(Some(event));
    }
    let hash = hash_of_id(event_id);
    for range in snapshot.ranges().iter().rev() {
        if let Some(event) = given(snapshot, range, event_id, hash)? {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// The same for many ids, in their order. Each stretch is asked for all that are not found yet, so that a batch of new
/// ids does not wait for the memory of every index one id after the other.
pub(super) fn events_by_id(snapshot: &Snapshot, event_ids: &[&EventId]) -> Result<Vec<Option<Event>>> {
    let mut events = event_ids.iter().map(|id| generated(snapshot, id)).collect::<Result<Vec<_>>>()?;
    let mut open: Vec<(usize, &EventId)> = event_ids.iter().copied().enumerate().collect();
    let (mut hashes, mut likely) = (Vec::new(), Vec::new());
    for range in snapshot.ranges().iter().rev() {
        open.retain(|&(at, _)| events.get(at).is_some_and(Option::is_none));
        hashes.clear();
        hashes.extend(open.iter().map(|(_, id)| hash_of_id(id)));
        range.index.likely_ids(&hashes, &mut likely)?;
        for &index in &likely {
            let (Some(&(at, id)), Some(&hash)) = (open.get(index), hashes.get(index)) else { continue };
            if let Some(place) = events.get_mut(at) {
                *place = given(snapshot, range, id, hash)?;
            }
        }
    }
    Ok(events)
}

/// The event whose id the store made, from the position that the id names by the key of its branch.
fn generated(snapshot: &Snapshot, event_id: &EventId) -> Result<Option<Event>> {
    for key in snapshot.id_keys() {
        let position = generated_position(event_id, key);
        let Some((range, row)) = position.and_then(|position| locate(snapshot, position)) else { continue };
        let event = readable(snapshot, range.event(row))?;
        if let Some(event) = event.filter(|event| event.event_id == *event_id) {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// The event of a stretch that came with this id.
fn given(snapshot: &Snapshot, range: &Range, event_id: &EventId, hash: u64) -> Result<Option<Event>> {
    let cut = range.row_up_to(snapshot.head);
    for row in range.index.ids(hash)?.into_iter().filter(|&row| row <= cut) {
        let event = readable(snapshot, range.event(row))?;
        if let Some(event) = event.filter(|event| event.event_id == *event_id) {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

pub(super) fn call(snapshot: &Snapshot, key: &IdempotencyKey) -> Result<Option<Position>> {
    let hash = hash_of(key.as_str().as_bytes());
    for range in snapshot.ranges().iter().rev() {
        let cut = range.row_up_to(snapshot.head);
        for row in range.index.calls(hash)?.into_iter().filter(|&row| row <= cut) {
            let Some(frame) = readable(snapshot, range.frame_of(row))? else { continue };
            // A cut may go through a batch: what is there of it was not stored by that call here.
            let is_whole = frame.last <= range.up_to(snapshot.head);
            if is_whole && frame.attrs.key.as_deref() == Some(key.as_str()) {
                return Ok(Some(frame.first));
            }
        }
    }
    Ok(None)
}

pub(super) fn frame_of(snapshot: &Snapshot, position: Position) -> Result<CallFrame> {
    let Some((range, row)) = locate(snapshot, position) else {
        let message =
            format!("read the frame of position {position}: the last position is {}", snapshot.head);
        return Err(Error::new(ErrorKind::NotFound, "no_such_position", message));
    };
    range.frame_of(row)
}

pub(super) fn entity_ids(snapshot: &Snapshot, prefix: &str, max: usize) -> Result<Vec<EntityId>> {
    let mut names = BTreeSet::new();
    for range in snapshot.ranges() {
        names.extend(range.index.entity_ids(prefix, range.row_up_to(snapshot.head), max)?);
        while names.len() > max {
            names.pop_last();
        }
    }
    Ok(names.into_iter().map(|name| EntityId::trusted(Text::from(name))).collect())
}

/// The cut is found by halving: `recorded_at` rises from frame to frame. Damaged rows are taken to be as old as
/// the readable row before them.
pub(super) fn position_known_at(snapshot: &Snapshot, time: Timestamp) -> Result<Position> {
    let begins = |range: &&std::sync::Arc<Range>| range.index.recorded().is_some_and(|times| times.0 <= time);
    let Some(range) = snapshot.ranges().iter().rev().find(begins) else { return Ok(Position::ZERO) };
    let index = &range.index;
    let last = range.last().min(snapshot.head);
    if index.recorded().is_some_and(|times| times.1 <= time) {
        return Ok(last);
    }
    index.prove_rows()?;
    let mut reader = Reader::new(range);
    let (mut low, mut high) = (0, index.row_of(last).saturating_add(1));
    while high - low > 1 {
        let middle = low.midpoint(high);
        match recorded_before(snapshot, &mut reader, low, middle)? {
            Some((row, recorded_at)) if recorded_at > time => high = row,
            _ => low = middle,
        }
    }
    Ok(index.position_of(low))
}

/// The last readable row in `(low, row]`, and when it was recorded.
fn recorded_before(
    snapshot: &Snapshot,
    reader: &mut Reader<'_>,
    low: u32,
    row: u32,
) -> Result<Option<(u32, Timestamp)>> {
    for row in (low + 1..=row).rev() {
        if let Some(recorded_at) = readable(snapshot, reader.recorded_at(row))? {
            return Ok(Some((row, recorded_at)));
        }
    }
    Ok(None)
}

/// The stretch and the row of a position up to the head.
fn locate(snapshot: &Snapshot, position: Position) -> Option<(&Range, u32)> {
    if position == Position::ZERO || position > snapshot.head {
        return None;
    }
    let ranges = snapshot.ranges();
    let at = ranges.partition_point(|range| range.first() <= position).checked_sub(1)?;
    let range = ranges.get(at)?;
    Some((range, range.index.row_of(position)))
}

/// Damage is read around with [`Mode::Read`] and an error with [`Mode::Write`].
fn readable<T>(snapshot: &Snapshot, read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::Corrupt && snapshot.mode == Mode::Read => Ok(None),
        Err(error) => Err(error),
    }
}
