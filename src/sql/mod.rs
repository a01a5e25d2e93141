//! *What does the store say when it is asked in SQL?* One SELECT over the events of a branch as of a moment, the folded
//! states of its entities, and a view for each event type, run by `DataFusion`.
//!
//! Useful for: any question over many events. Not for: paging through events or following them
//! ([`engine`](crate::engine) reads those in order of position).
//!
//! Tables:
//!
//! | table | columns |
//! | --- | --- |
//! | `events` | position, timestamp, `entity_id`, `event_type`, version, payload, metadata, `event_id`, `recorded_at` |
//! | `entities` | `entity_id`, version, state, `last_event_type`, `last_timestamp`, `last_position` |
//! | `event_types` | `event_type`, events |
//! | a view for each event type, by its name | the same as `events` without the type, and the fields of its payload |
//! | `events_at(branch)` | as `events`, of another branch |
//! | `state_at(time [, branch])` | as `entities`, at another time |
//! | `search_events(text [, limit])` | position, score, `entity_id`, `event_type` |
//!
//! Names are case-sensitive and need quotes only where they hold other than letters, digits, dots and `_`; a path is written
//! `payload.items` or `payload->>'items'`. A text that stands beside a number is read as a number.
//!
//! Limits: 32 KiB of statement, 48 levels of nesting, 100 operators in a row, 12 calls one inside the other, 50 set operations, 10 s, 256 MiB of memory for all statements together, and what one
//! function makes: 128 KiB a value and 64 MiB a batch of rows; a value of more than 128 KiB is neither aggregated nor joined. Nothing is spilled to disk.
//!
//! **Invariant:** a statement changes nothing and reaches no file and no network: only SELECT is planned, and no table,
//! function or format that could is there.

mod catalog;
mod columns;
mod concat;
mod depth;
mod entities;
mod events;
mod fields;
mod functions;
mod ground;
mod guard;
mod meter;
mod mistake;
mod numbers;
mod pushdown;
mod repeated;
mod run;
mod scan;
mod session;
mod statement;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use run::{Outcome, RunLimits, run};
pub(crate) use value::{type_name, value};
