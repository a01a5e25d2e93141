//! The ids that the store makes: they cost no bytes, because they can be worked out from where the event stands.

use crate::event::{EventId, Position, Timestamp};

const LOW_62_BITS: u64 = (1 << 62) - 1;

/// The id of an event that came without one: a `UUIDv7` (RFC 9562, 5.7) whose time is `recorded_at` to the
/// quarter of a microsecond (method 3 of 6.2) and whose low 62 bits are the position XOR the branch's key.
pub(crate) fn generated_id(recorded_at: Timestamp, position: Position, id_key: u64) -> EventId {
    let micros = recorded_at.as_micros().max(0).cast_unsigned();
    let (millis, rest) = (micros / 1_000, micros % 1_000);
    let high = (millis & 0xffff_ffff_ffff) << 16 | 0x7000 | (rest * 4_096 / 1_000);
    let low = 1 << 63 | ((position.get() ^ id_key) & LOW_62_BITS);
    EventId::from_u128(u128::from(high) << 64 | u128::from(low))
}

/// The position that a generated id names; whether that event has this id is for the caller to see.
pub(crate) fn generated_position(event_id: &EventId, id_key: u64) -> Option<Position> {
    let bits = event_id.as_u128()?;
    let is_v7 = (bits >> 76) & 0xf == 7;
    let low = u64::try_from(bits & u128::from(LOW_62_BITS)).ok()?;
    is_v7.then(|| Position::new(low ^ (id_key & LOW_62_BITS)))
}
