//! *What shape do payloads have, and may it change so?* Schemas, how they follow each other, and the list of them.
//!
//! ```text
//! payloads ── infer ──▶ schema ── evolve: judge ──▶ registered (an event) ── registry: fold ──▶ subject → versions
//! append ── check ──▶ fits, or violations            read ── upcast ──▶ the payload as of the newest version
//! ```
//!
//! A schema is of JSON Schema (2020-12, or the draft that `$schema` names) and belongs to a [`Subject`]: an event type, or a prefix
//! of types. Registered schemas are events, so they are cut by time, forked and promoted like all else: what was the schema then
//! is the fold of what was registered by then.
//!
//! Useful for: everything about schemas that needs no store. Not for: finding the registered ones, or refusing an append
//! ([`engine`](crate::engine)).
//!
//! **Invariant:** pure. No file, no clock, no network: a `$ref` that leads out of its schema is refused.

pub mod check;
pub mod evolve;
#[cfg(test)]
mod fixture;
mod infer;
mod registry;
mod subject;
mod upcast;

pub use check::{Checker, Violation};
pub use evolve::{Difference, Kind, Mode, Verdict, differences, judge};
pub use infer::{Inference, Note, SAMPLE_EVENTS_MAX};
pub use registry::{
    CONFIGURED, Change, Enforcement, Entry, REGISTERED, Registry, SCHEMA_ENTITY_PREFIX, Version, is_reserved,
};
pub use subject::{SUBJECT_BYTES_MAX, Subject};
pub use upcast::{Operation, upcast};
