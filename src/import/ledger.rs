//! Putting chunks into a store so that the same lines go in once, however often and however far they are imported.
//!
//! Each append carries the hash of every line up to its last one as its idempotency key. A key that the store knows
//! therefore says that all lines up to there are stored: a file that was imported before is skipped by its keys, one
//! that has grown since is taken up where it ended, and an interrupted import where it was interrupted. Event ids of
//! the rows themselves, where there are any, catch what a changed beginning of the file would repeat.
//!
//! The hash leaves the mapping out. Lines that the store knows must stand there as this mapping makes them; when they
//! do not, they were imported with another mapping, and the import is refused rather than doubled.

use std::cell::Cell;

use super::chunk::{BadLine, Chunk, Item};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventDraft;

/// What an import does to a store.
pub(crate) trait Ledger {
    /// Where the append with each of these keys begins; `None` when the store does not know it.
    fn known(&self, keys: &[String]) -> Result<Vec<Option<u64>>>;
    /// The event at a position, as it would be imported.
    fn event_at(&self, position: u64) -> Result<Option<EventDraft>>;
    /// Appends events in one batch; gives how many of them were there before.
    fn append(&self, items: &[Item], key: Option<&str>) -> Result<u64>;
}

/// What became of a chunk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) added: u64,
    pub(crate) there_before: u64,
    pub(crate) bad: Vec<BadLine>,
}

/// The state of one file's import.
pub(crate) struct Intake<'l, L> {
    ledger: &'l L,
    keyed: bool,
    /// A line was met that the store does not know, so it knows none of those after it.
    fresh: Cell<bool>,
}

impl<'l, L: Ledger> Intake<'l, L> {
    /// Takes in chunks; unless `keyed`, lines without event ids are stored again.
    pub(crate) fn new(ledger: &'l L, keyed: bool) -> Self {
        Self { ledger, keyed, fresh: Cell::new(false) }
    }

    /// Stores what is not stored yet.
    pub(crate) fn take(&self, chunk: Chunk) -> Result<Outcome> {
        let mut outcome = Outcome { bad: chunk.bad, ..Outcome::default() };
        let known = if self.keyed && !self.fresh.get() { self.known_prefix(&chunk.items)? } else { 0 };
        let (before, new) = chunk.items.split_at(known);
        outcome.there_before = before.len() as u64;
        if !new.is_empty() {
            let key = new.last().filter(|_| self.keyed).map(key_of);
            self.append(new, key.as_deref(), &mut outcome)?;
        }
        outcome.bad.sort_by_key(|bad| bad.line);
        Ok(outcome)
    }

    /// How many of the first items the store has; the usual answers, all and none, cost one look-up each.
    fn known_prefix(&self, items: &[Item]) -> Result<usize> {
        let Some(last) = items.last() else { return Ok(0) };
        if let Some(Some(first)) = self.ledger.known(&[key_of(last)])?.first() {
            self.must_be_stored(items, *first)?;
            return Ok(items.len());
        }
        let keys: Vec<_> = items.iter().map(key_of).collect();
        let known = self.ledger.known(&keys)?;
        let newest = (1..).zip(known).filter_map(|(count, first)| Some((count, first?))).last();
        let Some((count, first)) = newest else { return Ok(0) };
        self.must_be_stored(items.get(..count).unwrap_or(items), first)?;
        Ok(count)
    }

    /// Refuses when the stored event at `first`, which one of these items became, is none that they are now.
    fn must_be_stored(&self, items: &[Item], first: u64) -> Result<()> {
        let Some(stored) = self.ledger.event_at(first)? else { return Ok(()) };
        if items.iter().any(|item| is_same(&item.event, &stored)) {
            return Ok(());
        }
        let (from, to) =
            (items.first().map_or(0, |item| item.line), items.last().map_or(0, |item| item.line));
        let message = format!(
            "import again with another mapping: lines {from} to {to} were imported before, from position {first} on, \
             where they became events like {}/{}; give the mapping of then to go on with that import, or --again to \
             store the lines a second time",
            stored.entity_id, stored.event_type
        );
        Err(Error::new(ErrorKind::Conflict, "other_mapping", message).with("position", first))
    }

    /// Appends items in one batch. Refused, it is halved until the events at fault stand alone.
    fn append(&self, items: &[Item], key: Option<&str>, outcome: &mut Outcome) -> Result<()> {
        match (self.ledger.append(items, key), items) {
            (Ok(before), _) => {
                let added = (items.len() as u64).saturating_sub(before);
                self.fresh.set(self.fresh.get() || added > 0);
                outcome.there_before += before;
                outcome.added += added;
                Ok(())
            }
            (Err(error), _) if !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) => {
                Err(error)
            }
            (Err(error), [item]) => {
                outcome.bad.push(BadLine { line: item.line, reason: format!("is refused: {error}") });
                Ok(())
            }
            (Err(_), _) => {
                let (left, right) = items.split_at(items.len() / 2);
                for half in [left, right] {
                    // A key of a half would make the whole chunk look stored, refused events and all; events with
                    // ids of their own do without it.
                    let needed = self.keyed && half.iter().any(|item| item.event.event_id.is_none());
                    let key = half.last().filter(|_| needed).map(key_of);
                    self.append(half, key.as_deref(), outcome)?;
                }
                Ok(())
            }
        }
    }
}

/// Whether an event is the stored one, in everything that it says; the store gave the rest. What retention has emptied
/// can be told by its names, time and id alone.
fn is_same(event: &EventDraft, stored: &EventDraft) -> bool {
    let metadata = |event: &EventDraft| event.metadata().map(ToString::to_string);
    let is_emptied = stored.payload().as_str() == "null" && stored.metadata().is_none();
    event.entity_id == stored.entity_id
        && event.event_type == stored.event_type
        && (is_emptied || event.payload().as_str() == stored.payload().as_str())
        && (is_emptied || metadata(event) == metadata(stored))
        && (event.event_id.is_none() || event.event_id == stored.event_id)
        && (event.timestamp.is_none() || event.timestamp == stored.timestamp)
}

fn key_of(item: &Item) -> String {
    format!("import:{:032x}", item.chain)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::*;

    /// A store that knows keys and refuses events of the type `refused`.
    #[derive(Default)]
    struct Fake {
        keys: RefCell<HashMap<String, u64>>,
        stored: RefCell<Vec<Item>>,
    }

    impl Ledger for Fake {
        fn known(&self, keys: &[String]) -> Result<Vec<Option<u64>>> {
            Ok(keys.iter().map(|key| self.keys.borrow().get(key).copied()).collect())
        }

        fn event_at(&self, position: u64) -> Result<Option<EventDraft>> {
            let at = usize::try_from(position - 1).expect("a position");
            Ok(self.stored.borrow().get(at).map(|item| item.event.clone()))
        }

        fn append(&self, items: &[Item], key: Option<&str>) -> Result<u64> {
            if items.iter().any(|item| item.event.event_type.as_str() == "refused") {
                return Err(Error::new(ErrorKind::Conflict, "id_conflict", "store it"));
            }
            let first = self.stored.borrow().len() as u64 + 1;
            self.keys.borrow_mut().extend(key.map(|key| (key.to_owned(), first)));
            self.stored.borrow_mut().extend(items.iter().cloned());
            Ok(0)
        }
    }

    fn chunk(lines: std::ops::Range<u64>, refused: &[u64]) -> Chunk {
        let items = lines.map(|line| {
            let event_type = if refused.contains(&line) { "refused" } else { "fine" };
            let event = EventDraft::new("e", event_type, "{}").expect("a draft");
            Item { line, event, chain: u128::from(line) }
        });
        Chunk { items: items.collect(), bad: Vec::new() }
    }

    #[test]
    fn the_same_lines_go_in_once_and_new_ones_behind_them_too() {
        let ledger = Fake::default();
        let take = |lines, expected| {
            let outcome = Intake::new(&ledger, true).take(chunk(lines, &[])).expect("taken");
            assert_eq!((outcome.added, outcome.there_before), expected);
        };
        take(1..8, (7, 0));
        take(1..8, (0, 7));
        take(1..11, (3, 7));
        take(1..11, (0, 10));
        take(1..8, (0, 7));
        let stored: Vec<_> = ledger.stored.borrow().iter().map(|item| item.line).collect();
        assert_eq!(stored, (1..11).collect::<Vec<_>>());
    }

    #[test]
    fn lines_that_were_imported_with_another_mapping_are_refused() {
        let ledger = Fake::default();
        Intake::new(&ledger, true).take(chunk(1..8, &[])).expect("taken");
        let mut other = chunk(1..11, &[]);
        for item in &mut other.items {
            item.event = EventDraft::new("other", "fine", "{}").expect("a draft");
        }
        let error = Intake::new(&ledger, true).take(other.clone()).expect_err("another mapping");
        assert_eq!(error.code(), "other_mapping");
        assert!(
            error.to_string().contains("lines 1 to 7 were imported before, from position 1 on"),
            "{error}"
        );
        assert_eq!(Intake::new(&ledger, false).take(other).expect("taken").added, 10);
    }

    /// Importing a file again after retention was refused as if it came with another mapping.
    #[test]
    fn what_retention_emptied_is_still_what_was_imported() {
        let draft = |payload: &str, kind: &str| EventDraft::new("order-1", kind, payload).expect("a draft");
        assert!(is_same(&draft(r#"{"total": 1}"#, "placed"), &draft("null", "placed")));
        assert!(!is_same(&draft(r#"{"total": 1}"#, "placed"), &draft("null", "paid")));
        assert!(!is_same(&draft(r#"{"total": 1}"#, "placed"), &draft("{}", "placed")));
    }

    #[test]
    fn an_event_that_is_refused_does_not_take_its_batch_with_it() {
        let ledger = Fake::default();
        let outcome = Intake::new(&ledger, true).take(chunk(1..100, &[1, 50, 99])).expect("taken");
        assert_eq!(outcome.added, 96);
        assert_eq!(outcome.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [1, 50, 99]);
        assert_eq!(outcome.bad[0].reason, "is refused: store it");
    }

    #[test]
    fn without_keys_the_same_lines_go_in_again() {
        let ledger = Fake::default();
        for _ in 0..2 {
            Intake::new(&ledger, false).take(chunk(1..4, &[])).expect("taken");
        }
        assert_eq!(ledger.stored.borrow().len(), 6);
    }
}
