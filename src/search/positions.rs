//! A set of positions: what a filter leaves.

use roaring::RoaringTreemap;

use crate::event::Position;

/// Positions, each once, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PositionSet(RoaringTreemap);

impl PositionSet {
    /// Adds a position; true when it was not there.
    pub(crate) fn insert(&mut self, position: Position) -> bool {
        self.0.insert(position.get())
    }

    /// Whether it is in there.
    pub(crate) fn contains(&self, position: Position) -> bool {
        self.0.contains(position.get())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, the least first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        self.0.iter().map(Position::new)
    }
}

impl FromIterator<Position> for PositionSet {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> Self {
        Self(positions.into_iter().map(Position::get).collect())
    }
}
