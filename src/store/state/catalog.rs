//! *Which states are there?* What is kept in memory of a file of saved states.
//!
//! **Invariant:** at most [`STATES_MAX`] states of some 60 bytes each, however many entities there are, and at most
//! [`STATES_PER_ENTITY_MAX`] of one.

use std::collections::BTreeMap;

use super::Cut;
use crate::event::{Position, Timestamp, Version};

/// The most states that are kept: 65,536, which is some 4 MiB of memory. Beyond them the ones saved first go.
pub(super) const STATES_MAX: usize = 65_536;
/// The most states that are kept of one entity: its newest, and three in its past.
pub(super) const STATES_PER_ENTITY_MAX: usize = 4;

/// Which state: the hash of its entity, and the position of its last event.
pub(super) type Key = (u64, Position);

/// Where a state lies, and for which moments it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub offset: usize,
    pub bytes: usize,
    pub version: Version,
    pub timestamp_max: Timestamp,
}

/// The states of a file that are not superseded.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    places: BTreeMap<Key, Place>,
    live_bytes: usize,
}

impl Catalog {
    /// Puts a state in; one of the same entity may have to go for it.
    pub(super) fn insert(&mut self, key: Key, place: Place) {
        self.remove(key);
        self.live_bytes += place.bytes;
        self.places.insert(key, place);
        if let Some(superfluous) = self.superfluous(key) {
            self.remove(superfluous);
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(place) = self.places.remove(&key) {
            self.live_bytes -= place.bytes;
        }
    }

    /// The last state that serves for a moment.
    pub(super) fn serving(&self, hash: u64, cut: &Cut) -> Option<(Key, Place)> {
        let serves = |place: &Place| place.version <= cut.version && place.timestamp_max <= cut.timestamp;
        let mut before = self.places.range((hash, Position::ZERO)..=(hash, cut.position)).rev();
        before.find(|(_, place)| serves(place)).map(|(key, place)| (*key, *place))
    }

    /// All of them, by hash.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (Key, Place)> {
        self.places.iter().map(|(key, place)| (*key, *place))
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The bytes of their records.
    pub(super) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// The state of the same entity that is missed least, when there is one too many: neither the newest nor the one
    /// just saved, but the one between whose neighbours the fewest events lie.
    fn superfluous(&self, saved: Key) -> Option<Key> {
        let of_entity: Vec<_> =
            self.places.range((saved.0, Position::ZERO)..=(saved.0, Position::MAX)).collect();
        if of_entity.len() <= STATES_PER_ENTITY_MAX {
            return None;
        }
        let mut before = Version::ZERO;
        let mut least: Option<(u64, Key)> = None;
        for pair in of_entity.windows(2) {
            let [(key, place), (_, after)] = pair else { continue };
            let gap = after.version.get().saturating_sub(before.get());
            if **key != saved && least.is_none_or(|(smallest, _)| gap < smallest) {
                least = Some((gap, **key));
            }
            before = place.version;
        }
        least.map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(versions: &[u64]) -> Catalog {
        let mut catalog = Catalog::default();
        for version in versions {
            let place = Place {
                offset: 0,
                bytes: 8,
                version: Version::new(*version),
                timestamp_max: Timestamp::from_micros(version.cast_signed()),
            };
            catalog.insert((7, Position::new(version * 10)), place);
        }
        catalog
    }

    #[track_caller]
    fn check(saved: &[u64], kept: &[u64]) {
        let catalog = catalog(saved);
        let versions: Vec<u64> = catalog.iter().map(|(_, place)| place.version.get()).collect();
        assert_eq!(versions, kept);
        assert_eq!(catalog.live_bytes(), kept.len() * 8);
    }

    #[test]
    fn an_entity_keeps_its_newest_state_and_a_spread_of_old_ones() {
        check(&[100, 200, 300, 400], &[100, 200, 300, 400]);
        check(&[100, 200, 300, 400, 500], &[200, 300, 400, 500]);
        check(&[1_000, 500, 750, 250, 875], &[250, 500, 875, 1_000]);
        check(&[100, 100], &[100]);
    }

    #[test]
    fn a_state_serves_only_moments_that_lie_behind_all_of_it() {
        let catalog = catalog(&[100, 200]);
        let serving = |position, version, timestamp| {
            let cut = Cut {
                position: Position::new(position),
                version: Version::new(version),
                timestamp: Timestamp::from_micros(timestamp),
            };
            catalog.serving(7, &cut).map(|(_, place)| place.version.get())
        };
        assert_eq!(serving(u64::MAX, u64::MAX, i64::MAX), Some(200));
        assert_eq!(serving(2_000, 200, 200), Some(200));
        assert_eq!(serving(1_999, 200, 200), Some(100));
        assert_eq!(serving(2_000, 199, 200), Some(100));
        assert_eq!(serving(2_000, 200, 199), Some(100));
        assert_eq!(serving(999, 200, 200), None);
        assert_eq!(serving(2_000, 200, 99), None);
    }
}
