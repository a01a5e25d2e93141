//! The named limits of what an event may hold. Every refusal quotes the one it enforces.

/// The longest entity id, event type, event id or idempotency key: 256 bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 256;
/// The largest payload: 1 MiB of JSON.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// The largest metadata object: 64 KiB of JSON.
pub const METADATA_BYTES_MAX: usize = 64 << 10;
/// The most events in one append: 100,000.
pub const BATCH_EVENTS_MAX: usize = 100_000;
/// The most bytes in one append, everything counted: 64 MiB. (Over MCP a call is one line, of at most 40 MiB.)
pub const BATCH_BYTES_MAX: usize = 64 << 20;
/// The most conditions in one filter: 16.
pub const CONDITIONS_MAX: usize = 16;
/// The most characters in one condition: 2,000.
pub const CONDITION_CHARS_MAX: usize = 2_000;
/// The deepest nesting of a condition's brackets and NOTs: 32.
pub const CONDITION_DEPTH_MAX: usize = 32;
/// The deepest JSON that is taken: 127 levels, which is also what `serde_json` parses.
pub const JSON_DEPTH_MAX: usize = 127;
/// The deepest message that is taken: 256 levels. A payload lies some levels down in its call, and one that is too deep
/// is to be refused by the call, which knows the event, not by the parser.
pub(crate) const MESSAGE_DEPTH_MAX: usize = 256;
