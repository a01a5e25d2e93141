//! *May this schema follow that one?* Differences of two JSON Schemas, judged by whether the one reads the data of the other.
//!
//! The rules and the names of differences are those that the Confluent Schema Registry documents for JSON Schema
//! ("Schema Evolution and Compatibility", open, closed and partially open content models), written anew. It goes beyond them where a
//! keyword is asserted here and not there: `format`, `patternProperties`, `propertyNames`, `contains`, `if`.
//!
//! Useful for: refusing a version with every path and reason. Not for: deciding whether two schemas mean the same; what cannot be
//! proved to be compatible is a break.
//!
//! **Invariant:** pure and finite: a pair of `$ref`s is compared once on the way down.

mod array;
mod combined;
mod compare;
mod kind;
mod mode;
mod object;
mod resolve;
mod scalar;

pub use compare::{Difference, differences};
pub use kind::Kind;
pub use mode::{Mode, Verdict, judge};

#[cfg(test)]
mod tests;
