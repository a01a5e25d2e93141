//! Immutable and in-memory indexes over ranges of positions.
