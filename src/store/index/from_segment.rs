//! Indexing what a segment holds, when its index file is gone.

use super::{MemoryIndex, NewEntry, NewFrame};
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Position};
use crate::store::log::generated_position;
use crate::store::options::Mode;
use crate::store::segment::Segment;

/// The offset that stands for every row of a segment, where there are none: 0 would say that it is damaged.
const NO_OFFSET: u32 = 1;

/// Reads the events of a segment, from the first position of an empty index up to `last`, into that index, and shows each
/// to `seen`.
///
/// # Errors
/// `Corrupt` when one cannot be read and the mode is [`Mode::Write`]; with [`Mode::Read`] it is marked as damaged.
pub(crate) fn index_rows(
    segment: &Segment,
    last: Position,
    id_key: u64,
    memory: &MemoryIndex,
    mode: Mode,
    seen: &mut dyn FnMut(&Event),
) -> Result<()> {
    let mut cursor = segment.replay();
    let mut frame: Vec<Event> = Vec::new();
    for position in memory.first().get()..=last.get() {
        let position = Position::new(position);
        match cursor.event(segment.row_of(position)) {
            Ok(event) => {
                seen(&event);
                if frame.last().is_some_and(|before| before.recorded_at != event.recorded_at) {
                    push(segment, &frame, id_key, memory)?;
                    frame.clear();
                }
                frame.push(event);
            }
            Err(error) if error.kind() == ErrorKind::Corrupt && mode == Mode::Read => {
                push(segment, &frame, id_key, memory)?;
                frame.clear();
                memory.push_gap(position);
            }
            Err(error) => return Err(error),
        }
    }
    push(segment, &frame, id_key, memory)?;
    Ok(())
}

fn push(segment: &Segment, frame: &[Event], id_key: u64, memory: &MemoryIndex) -> Result<()> {
    let Some(first) = frame.first() else { return Ok(()) };
    let is_given = |event: &Event| generated_position(&event.event_id, id_key) != Some(event.position);
    let events: Vec<_> = frame
        .iter()
        .map(|event| NewEntry {
            entity_id: event.entity_id.as_str(),
            event_type: event.event_type.as_str(),
            given_id: is_given(event).then_some(&event.event_id),
            version: event.version,
            timestamp: event.timestamp,
            offset: NO_OFFSET,
        })
        .collect();
    let call = segment.call_of(segment.row_of(first.position))?;
    let call_key = call.as_ref().filter(|(_, begins)| *begins == first.position).map(|(key, _)| key.as_str());
    memory.push(&NewFrame {
        first: first.position,
        call_key,
        recorded_at: first.recorded_at,
        events: &events,
    });
    Ok(())
}
