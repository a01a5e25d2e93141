//! *May this schema follow that one?* Differences of two JSON Schemas, judged by whether the one reads the data of the other.
//!
//! The rules and the names of differences are those that the Confluent Schema Registry documents for JSON Schema
//! ("Schema Evolution and Compatibility", open, closed and partially open content models), written anew. It goes beyond them where a
//! keyword is asserted here and not there: `format`, `patternProperties`, `propertyNames`, `contains`, `if`.
//!
//! Two of these rules are conventions, not proofs: a required member with a `default` counts as compatible although the default is not filled
//! in, and that a value fits exactly one alternative of a `oneOf` is not looked into. Apart from these a property test holds that no
//! payload fits the older schema and not a newer one that is found compatible.
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
