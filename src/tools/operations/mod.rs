//! *What does the command line need that no agent may see?* Bulk work and completions, with a tool's shape: JSON
//! object in, JSON object out, so that they pass through the door between processes like a tool call.
//!
//! Useful for: import, export, verify, completions. Not for: anything with a budget, pages or next steps.
//!
//! Payloads and metadata travel as text (`"payload": "{\"a\":1}"`), so that the bytes arrive as they came.
//!
//! | operation | arguments | result |
//! | --- | --- | --- |
//! | `append_batch` | `events[]` {`entity_id`, `event_type`, `payload` (text), `metadata`? (text), `event_id`?, `timestamp`? (µs since 1970)}, `idempotency_key`? | `stored`, `already_stored`, `duplicate`, `head_position` |
//! | `export_page` | `after_position`? (0), `entity_id`?, `event_type`?, `since`?, `until`?, `where[]`?, `as_of`?, `known_at`?, `as_of_position`?, `time_zone`?, `bytes_max`? (8 MiB) | `events[]` {`position`, `version`, `event_id`, `entity_id`, `event_type`, `timestamp`, `recorded_at`, `payload` (text), `metadata`? (text)}, `next_position` (the next `after_position`; absent at the end), `head_position`, `damaged`? |
//! | `verify` | – | `events`, `files`, `damage[]` {`file`, `offset`, `first_position`, `last_position`, `reason`} |
//! | `complete` | `kind` (`entity_id`, `event_type`, `branch`), `prefix`? (""), `limit`? (100) | `values[]` |
//!
//! **Invariant:** permission to write is checked as for tools.

use super::{Caller, Engine, Object};
use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;

/// One operation of the table.
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Does it.
    pub(crate) run: fn(&Engine, &Object, &Caller) -> Result<Object>,
}

/// Every operation.
pub static OPERATIONS: &[Operation] = &[];

/// Performs the operation with that name.
///
/// # Errors
/// `NotFound` (`unknown_operation`) when there is none, else whatever the operation meets.
pub fn operate(engine: &Engine, name: &str, arguments: &Object, caller: &Caller) -> Result<Object> {
    let found = OPERATIONS.iter().find(|operation| operation.name == name);
    let operation = found.ok_or_else(|| {
        let message = format!("perform {}: there is no such operation", quote(name));
        Error::new(ErrorKind::NotFound, "unknown_operation", message)
    })?;
    (operation.run)(engine, arguments, caller)
}
