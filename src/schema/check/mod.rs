//! *Does this payload fit?* A schema compiled once ([`Checker`]), and what is wrong where it does not ([`Violation`]).
//!
//! ```text
//! schema text ── limits, drafts, no remote $ref ──▶ validator (crate jsonschema)
//!                                             └──▶ plan: the common keywords alone, when it has no others
//! payload text ── plan says yes ──▶ fits        else ──▶ validator ──▶ violations
//! ```
//!
//! Useful for: validating raw JSON text as it is appended. Not for: comparing two schemas ([`evolve`](super::evolve)).
//!
//! **Invariant:** the plan only ever says yes. Whatever it does not know, and every violation, is for the validator to
//! decide and to word; a property test holds that the two never disagree.

mod checker;
mod plan;
mod text;
mod violation;
mod walk;

pub use checker::{Checker, SCHEMA_BYTES_MAX, SCHEMA_LEVELS_MAX, VIOLATIONS_MAX};
pub use violation::Violation;

pub(crate) use checker::Pattern;
pub(crate) use text::{is_date, is_date_time, is_uuid};

#[cfg(test)]
mod tests;
