//! What an append expects of an entity before it may go in.

use super::Version;

/// The state in which an entity must be for an append to go in (optimistic concurrency control).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The entity has no event yet.
    New,
    /// The entity stands exactly at this version.
    Exactly(Version),
    /// The entity has at least one event.
    Exists,
    /// Whatever it is.
    Any,
}

impl Expected {
    /// Whether an entity whose last version is `current` (zero: none) meets the expectation.
    #[must_use]
    pub fn is_met_by(self, current: Version) -> bool {
        match self {
            Self::New => current == Version::ZERO,
            Self::Exactly(version) => current == version,
            Self::Exists => current > Version::ZERO,
            Self::Any => true,
        }
    }
}
