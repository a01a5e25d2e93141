//! Events put together by key, in the order in which they happened.

use super::seen::{Seen, Symbol};
use crate::event::Position;

/// The most events that are held at once: 4,000,000, of 40 bytes each.
const POINTS_MAX: usize = 4_000_000;

/// An event in the story of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub key: Symbol,
    /// Microseconds since 1970.
    pub at: i64,
    pub position: Position,
    pub event_type: Symbol,
    pub by: Option<Symbol>,
}

/// The stories of all keys.
#[derive(Default)]
pub(crate) struct Sequences(Vec<Point>);

impl Sequences {
    pub(crate) fn take(&mut self, seen: &Seen) -> bool {
        let Seen { key, position, event_type, by, .. } = *seen;
        self.0.push(Point { key, at: seen.timestamp.as_micros(), position, event_type, by });
        self.0.len() < POINTS_MAX
    }

    /// By key, then by timestamp; what happened at the same time stays in order of position.
    pub(crate) fn sorted(mut self) -> Stories {
        self.0.sort_unstable();
        Stories(self.0)
    }
}

/// Stories one behind the other.
pub(crate) struct Stories(Vec<Point>);

impl Stories {
    /// The events of each key.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[Point]> {
        self.0.chunk_by(|a, b| a.key == b.key)
    }

    /// Every event, by key.
    pub(crate) fn points(&self) -> &[Point] {
        &self.0
    }
}
