//! *Which events speak of this?* Keyword and vector indexes over events: positions and scores.
//!
//! Useful for: finding positions by words, by meaning, or by both. Not for: the events themselves (read them from the
//! [`store`](crate::store)), or deciding when something is indexed (the `indexer`).
//!
//! **Invariant:** never reads the store. What is in here came from the indexer, and can be made anew from the log.

pub mod embed;
mod keyword;
mod leaves;
mod positions;
mod vector;
