//! What do many events add up to? One tool: [`asked`] understands its arguments, [`crate::analysis`] counts, [`told`] answers, and
//! [`sql`] says the same to whoever wants to check it.

mod analyze_events;
mod asked;
mod sql;
mod told;
#[cfg(test)]
mod tests;

pub(super) use analyze_events::TOOL as ANALYZE_EVENTS;
