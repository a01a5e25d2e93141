//! *Which positions does this name have?* The names of the in-memory index with their positions.
//!
//! Useful for: entities and types, whose numbers grow with the log. All names lie in one string and the table holds
//! indexes only, so a name costs its bytes and about 50 more.
//!
//! **Invariant:** names are only added; number `n` names the same thing for ever.

use hashbrown::HashTable;

use super::format::hash_of;

/// Names, numbered in the order in which they came, with their positions.
#[derive(Default)]
pub(super) struct Names {
    text: String,
    items: Vec<Item>,
    lookup: HashTable<u32>,
}

struct Item {
    at: u32,
    len: u32,
    positions: Vec<u32>,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The number of a name.
    pub(super) fn find(&self, name: &str, hash: u64) -> Option<u32> {
        self.lookup.find(hash, |&number| self.name(number) == name).copied()
    }

    /// Whether a name with that hash may be here; false is certain, and no name is compared.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        self.lookup.iter_hash(hash).next().is_some()
    }

    /// Adds a position to a name; the name's number when it is new.
    pub(super) fn push(&mut self, name: &str, position: u32) -> Option<u32> {
        let hash = hash_of(name.as_bytes());
        if let Some(number) = self.find(name, hash) {
            if let Some(item) = self.items.get_mut(number as usize) {
                item.positions.push(position);
            }
            return None;
        }
        let number = self.items.len() as u32;
        let at = self.text.len() as u32;
        self.text.push_str(name);
        self.items.push(Item { at, len: name.len() as u32, positions: vec![position] });
        let (items, text) = (&self.items, &self.text);
        self.lookup.insert_unique(hash, number, |&other| hash_of(name_in(items, text, other).as_bytes()));
        Some(number)
    }

    pub(super) fn name(&self, number: u32) -> &str {
        name_in(&self.items, &self.text, number)
    }

    pub(super) fn positions(&self, number: u32) -> &[u32] {
        self.items.get(number as usize).map_or(&[], |item| &item.positions)
    }
}

fn name_in<'a>(items: &[Item], text: &'a str, number: u32) -> &'a str {
    items
        .get(number as usize)
        .and_then(|item| text.get(item.at as usize..(item.at + item.len) as usize))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_keeps_its_number_and_positions() {
        let mut names = Names::default();
        for position in 0..3_000 {
            let new = names.push(&format!("order-{}", position % 1_000), position);
            assert_eq!(new.is_some(), position < 1_000);
        }
        let number = names.find("order-7", hash_of(b"order-7")).expect("a name");
        assert_eq!((names.name(number), names.positions(number)), ("order-7", &[7, 1_007, 2_007][..]));
        assert_eq!(names.find("order-1000", hash_of(b"order-1000")), None);
        assert!((0..1_000).all(|n| names.may_have(hash_of(format!("order-{n}").as_bytes()))));
        assert!((1_000..2_000).any(|n| !names.may_have(hash_of(format!("order-{n}").as_bytes()))));
        assert_eq!(names.len(), 1_000);
    }
}
