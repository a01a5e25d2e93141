//! A set of positions: what a filter leaves.

use roaring::RoaringTreemap;

use crate::event::Position;

/// The shortest run that is added as a whole: 64 positions.
const RANGE_POSITIONS_MIN: u64 = 64;

/// Positions, each once, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PositionSet(RoaringTreemap);

impl PositionSet {
    /// Adds a position; true when it was not there.
    pub(crate) fn insert(&mut self, position: Position) -> bool {
        self.0.insert(position.get())
    }

    /// All positions of these runs, each from its first to its last; runs lie apart, in any order.
    pub(crate) fn of_runs(mut runs: Vec<(Position, Position)>) -> Self {
        // Stable, because that is fast where much is in order already.
        runs.sort();
        let mut set = RoaringTreemap::new();
        for (first, last) in runs {
            if last.get() - first.get() < RANGE_POSITIONS_MIN {
                set.extend(first.get()..=last.get());
            } else {
                set.insert_range(first.get()..=last.get());
            }
        }
        Self(set)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_whole_whatever_their_order_and_length() {
        let runs =
            [(70, 199), (3, 5), (201, 201)].map(|(first, last)| (Position::new(first), Position::new(last)));
        let expected = (3..=5).chain(70..=199).chain([201]).map(Position::new).collect();
        assert_eq!(PositionSet::of_runs(runs.to_vec()), expected);
    }
}
