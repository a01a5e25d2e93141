//! What an analysis is told of an event: numbers and symbols, and no texts.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::event::{Position, Timestamp};

/// A name, by its number among the [`Names`] of its sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Symbol(u32);

impl Symbol {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An event, as far as an analysis looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Its place in the branch.
    pub position: Position,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Whose it is: of its entity, unless another key was asked for.
    pub key: Symbol,
    /// What happened.
    pub event_type: Symbol,
    /// Its group; `None` when there is nothing at the place that groups, or nothing groups.
    pub by: Option<Symbol>,
    /// The measured value, when it is a number.
    pub number: Option<f64>,
    /// A hash of the measured value, whatever its kind.
    pub hash: Option<u64>,
}

/// Names, each held once.
#[derive(Default)]
pub(crate) struct Names {
    texts: Vec<Box<str>>,
    table: HashTable<u32>,
}

impl Names {
    /// The symbol of a name; `None` when it is new and `names_max` are held already.
    pub(crate) fn intern(&mut self, name: &str, names_max: usize) -> Option<Symbol> {
        if let Some(known) = self.find(name) {
            return Some(known);
        }
        let next = u32::try_from(self.texts.len()).ok().filter(|_| self.texts.len() < names_max)?;
        self.texts.push(name.into());
        let Self { texts, table } = self;
        let hash_of = |at: &u32| texts.get(*at as usize).map_or(0, |text| xxh3_64(text.as_bytes()));
        table.insert_unique(xxh3_64(name.as_bytes()), next, hash_of);
        Some(Symbol(next))
    }

    /// The symbol of a name that is held.
    pub(crate) fn find(&self, name: &str) -> Option<Symbol> {
        let is_it = |at: &u32| self.texts.get(*at as usize).is_some_and(|text| **text == *name);
        self.table.find(xxh3_64(name.as_bytes()), is_it).map(|at| Symbol(*at))
    }

    /// The name of a symbol.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        self.texts.get(symbol.index()).map_or("", |text| text)
    }

    /// Every name with its symbol.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Symbol, &str)> {
        (0..).map(Symbol).zip(self.texts.iter().map(AsRef::as_ref))
    }
}

/// The names behind the symbols.
#[derive(Default)]
pub(crate) struct Dictionary {
    /// Of keys: entities, or whatever was asked for.
    pub keys: Names,
    /// Of event types.
    pub types: Names,
    /// Of groups.
    pub groups: Names,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_once_and_found_again() {
        let mut names = Names::default();
        let symbols: Vec<_> = (0..1_000).map(|n| names.intern(&format!("n-{n}"), 1_000)).collect();
        assert!(symbols.iter().all(Option::is_some));
        assert_eq!(names.intern("n-7", 1_000), symbols[7]);
        assert_eq!(names.text(symbols[7].expect("held")), "n-7");
        assert_eq!(names.intern("n-1000", 1_000), None);
        assert_eq!((names.find("n-1000"), names.iter().count()), (None, 1_000));
    }
}
