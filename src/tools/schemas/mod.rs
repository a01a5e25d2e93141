//! *What shape do payloads have to have?* The tools of schemas: one file each, and what they share.

mod list_schemas;
mod register_schema;
mod told;
mod validate_events;

pub(super) use list_schemas::TOOL as LIST_SCHEMAS;
pub(super) use register_schema::TOOL as REGISTER_SCHEMA;
pub(super) use validate_events::TOOL as VALIDATE_EVENTS;

#[cfg(test)]
mod tests;
