//! *How much of an entity is not known any more?* The events that retention has emptied.

use super::Snapshot;
use crate::error::{ErrorKind, Result};
use crate::event::{Position, Timestamp};
use crate::store::index::{EntityKey, Span};
use crate::store::options::Mode;
use crate::store::read::Order;
use crate::store::segment::Segment;
use crate::store::view::Range;

/// The most events of an entity that are looked at in one segment.
const ROWS_MAX: usize = 10_000;

pub(super) fn emptied(
    snapshot: &Snapshot,
    name: &str,
    through: Position,
    as_of: Option<Timestamp>,
) -> Result<u64> {
    let entity = EntityKey::new(name);
    let mut count = 0;
    for range in snapshot.ranges() {
        let Some(segment) = range.segment().filter(|segment| segment.entry().emptied > 0) else { continue };
        match emptied_in(range, segment, entity, through, as_of) {
            Err(error) if error.kind() == ErrorKind::Corrupt && snapshot.mode == Mode::Read => {}
            found => count += found?,
        }
    }
    Ok(count)
}

fn emptied_in(
    range: &Range,
    segment: &Segment,
    entity: EntityKey<'_>,
    through: Position,
    as_of: Option<Timestamp>,
) -> Result<u64> {
    if range.first() > through {
        return Ok(0);
    }
    let Some(postings) = range.index.entity(entity)? else { return Ok(0) };
    let (mut rows, mut cursor, mut count) = (Vec::new(), segment.cursor(), 0);
    let span = Span { low: 0, high: range.row_up_to(through) };
    postings.chunk(span, Order::Ascending, ROWS_MAX, &mut rows)?;
    for row in rows {
        let row = range.segment_row(segment, row);
        let is_seen = match as_of {
            Some(as_of) => cursor.timestamp(row)? <= as_of,
            None => true,
        };
        count += u64::from(is_seen && cursor.is_emptied(row)?);
    }
    Ok(count)
}
