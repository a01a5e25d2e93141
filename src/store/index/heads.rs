//! *Where does this entity stand?* A bounded cache in front of the index files.
//!
//! An entry says: "of all positions up to `through`, this is the entity's last event." Events are never taken back
//! and a later one has a greater position, so the sentence stays true for ever and nothing is ever invalidated. A
//! later view asks only the stretches that end behind `through`; an earlier one may use the entry when its head lies
//! within the view, for then it is the last event there as well.
//!
//! **Invariant:** entities without an event have no entry: a stream of new names pushes nobody out.

use quick_cache::sync::Cache;

use crate::event::Position;
use crate::store::snapshot::Head;

/// A head and the position through which it is known to be the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedHead {
    pub head: Head,
    pub through: Position,
}

/// The heads of entities that were asked for, bounded by
/// [`Options::head_cache_entries_max`](crate::store::Options::head_cache_entries_max).
pub(crate) struct HeadCache(Cache<Box<str>, CachedHead>);

impl HeadCache {
    /// A cache of at most `entries_max` heads.
    pub(crate) fn new(entries_max: usize) -> Self {
        Self(Cache::new(entries_max))
    }

    /// What is known of an entity.
    pub(crate) fn get(&self, entity: &str) -> Option<CachedHead> {
        self.0.get(entity)
    }

    /// Keeps what was found, unless more is known already.
    pub(crate) fn keep(&self, entity: &str, found: CachedHead) {
        if self.0.peek(entity).is_none_or(|known| known.through < found.through) {
            self.0.insert(entity.into(), found);
        }
    }
}
