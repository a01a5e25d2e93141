//! Proving that what is stored is what was written.

use crate::event::Position;

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the data directory.
    pub file: String,
    /// The byte at which it begins.
    pub offset: u64,
    /// The first position that cannot be read.
    pub first_position: Position,
    /// The last position that cannot be read.
    pub last_position: Position,
    /// What is wrong.
    pub reason: String,
}

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events that were read and proved.
    pub events: u64,
    /// Files that were read and proved.
    pub files: u64,
    /// What is not as it was written; empty means all is well.
    pub damage: Vec<Damage>,
}
