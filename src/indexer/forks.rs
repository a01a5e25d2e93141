//! When does what a fork added become findable? When it is searched: then its newest events are indexed, in memory.
//!
//! Nothing of it is stored: the events are in the fork's log, and there are at most as many as fit into one append, so they are
//! indexed again when they are searched again after a restart.

use std::sync::Arc;

use parking_lot::Mutex;

use super::shared::Published;
use crate::error::Result;
use crate::search::ForkIndex;
use crate::search::embed::{Embedder, text_of};
use crate::store::{Scan, ScanLimits, Snapshot, Store};

/// The most memory for indexes over what forks added: 64 MiB. One that takes more is alone.
const MEMORY_BYTES_MAX: usize = 64 << 20;
/// The most forks with an index in memory: 16.
const FORKS_MAX: usize = 16;
/// The events that are indexed in one step.
const STEP: usize = 4_096;

/// The indexes over what forks added: of those that were searched last.
#[derive(Default)]
pub(super) struct Forks {
    /// The one that was used last stands first.
    recent: Mutex<Vec<Recent>>,
}

struct Recent {
    /// The identity and the epoch of the branch: of a fork that was reset it is another.
    key: (u64, u64),
    index: Slot,
    bytes: usize,
}

/// The index of a fork; none before the first search, and after one that failed.
type Slot = Arc<Mutex<Option<ForkIndex>>>;

impl Forks {
    /// What can be searched on a fork: what `main`'s indexes have up to where both part, and all that the fork has behind that.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written, `Unavailable` when the model or Tantivy fails.
    pub(super) fn behind(
        &self,
        main: &Published,
        fork: &Store,
        embedder: Option<&dyn Embedder>,
    ) -> Result<Published> {
        let snapshot = fork.snapshot();
        let key = (fork.identity(), snapshot.epoch());
        let slot = self.slot(key);
        let mut held = slot.lock();
        // Taken out: after a failure it may hold a part of the events, and is made anew.
        let mut index = match held.take() {
            Some(index) => index,
            None => ForkIndex::new(snapshot.on_main(), embedder.map(Embedder::dimension))?,
        };
        catch_up(&mut index, &snapshot, embedder)?;
        let (cut, through) = (index.shared(), index.through());
        let findable = |main| if main < cut { main } else { through };
        let published = Published {
            reader: index.behind(&main.reader),
            keyword_through: findable(main.keyword_through),
            vectors_through: findable(main.vectors_through),
            meaning: main.meaning.clone(),
            emptied: main.emptied,
        };
        let bytes = index.bytes();
        *held = Some(index);
        drop(held);
        self.note(key, bytes);
        Ok(published)
    }

    /// Where the index of a fork is, in front of all others from now on.
    fn slot(&self, key: (u64, u64)) -> Slot {
        let mut recent = self.recent.lock();
        let known = recent.iter().position(|known| known.key == key).map(|place| recent.remove(place));
        let used = known.unwrap_or_else(|| Recent { key, index: Slot::default(), bytes: 0 });
        let slot = Arc::clone(&used.index);
        recent.insert(0, used);
        recent.truncate(FORKS_MAX);
        slot
    }

    /// Notes how much memory an index takes, and drops those that there is no room for.
    fn note(&self, key: (u64, u64), bytes: usize) {
        let mut recent = self.recent.lock();
        for known in recent.iter_mut().filter(|known| known.key == key) {
            known.bytes = bytes;
        }
        let mut sum = 0;
        let fits = recent.iter().take_while(|known| {
            sum += known.bytes;
            sum <= MEMORY_BYTES_MAX
        });
        let fits = fits.count().max(1);
        recent.truncate(fits);
    }
}

/// Indexes what a fork added since it was last searched.
fn catch_up(index: &mut ForkIndex, snapshot: &Snapshot, embedder: Option<&dyn Embedder>) -> Result<()> {
    let mut after = index.through();
    if after >= snapshot.head() {
        return Ok(());
    }
    let mut added = index.begin()?;
    loop {
        let scan = Scan { after, ..Scan::default() };
        let page = snapshot.replay(&scan, &ScanLimits { events_max: STEP, ..ScanLimits::default() })?;
        let vectors = embedder.map(|embedder| {
            let texts: Vec<String> = page.events.iter().map(text_of).collect();
            embedded(embedder, &texts)
        });
        added.add(&page.events, &vectors.transpose()?.unwrap_or_default())?;
        match page.scanned_to {
            Some(to) if !page.complete => after = to,
            _ => return index.finish(added, snapshot.head()),
        }
    }
}

/// A vector for each text, an empty one for one that says nothing.
fn embedded(embedder: &dyn Embedder, texts: &[String]) -> Result<Vec<Vec<f32>>> {
    let telling: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let mut vectors = embedder.embed(&telling)?.into_iter();
    let of = |text: &String| if text.is_empty() { Vec::new() } else { vectors.next().unwrap_or_default() };
    Ok(texts.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::event::{EventDraft, Position};
    use crate::indexer::{Indexer, SearchOptions};
    use crate::search::{KeywordQuery, Narrow};
    use crate::store::{Append, NewFork, Options};

    fn append(store: &Store, text: &str) {
        let draft = EventDraft::new("a", "noted", format!(r#"{{"text":"{text}"}}"#)).expect("a draft");
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
    }

    #[track_caller]
    fn check(published: &Published, word: &str, expected: &[u64]) {
        let query = KeywordQuery::parse(word).expect("a word");
        let hits = published.reader.keyword().search(&query, &Narrow::default(), 9).expect("a search");
        assert_eq!(hits.iter().map(|hit| hit.position.get()).collect::<Vec<_>>(), expected, "{word}");
    }

    #[test]
    fn indexes_of_forks_are_kept_as_long_as_there_is_room() {
        let dir = TempDir::new().expect("a directory");
        let store = Store::open(dir.path(), Options::default()).expect("a store");
        append(&store, "shared");
        let indexer = Indexer::start(&store, SearchOptions { embedder: None, ..SearchOptions::default() });
        let indexer = indexer.expect("an indexer");
        assert!(indexer.catch_up(Duration::from_mins(2)));
        let main = indexer.wait_for(Position::new(1), Duration::ZERO).expect("searchable");
        let made =
            |_| store.fork(&store.create_fork(NewFork::default()).expect("a fork").id).expect("a fork");
        let branches: Vec<Store> = (0..=FORKS_MAX).map(made).collect();
        let forks = Forks::default();
        for (number, branch) in branches.iter().enumerate() {
            append(branch, &format!("own{number}"));
            let published = forks.behind(&main, branch, None).expect("indexed");
            assert_eq!(published.through(), Position::new(2));
            check(&published, &format!("own{number}"), &[2]);
            check(&published, "shared", &[1]);
            check(&published, &format!("own{}", number + 1), &[]);
        }
        let keys = || forks.recent.lock().iter().map(|recent| recent.key.0).collect::<Vec<_>>();
        let expected: Vec<u64> = branches.iter().skip(1).rev().map(Store::identity).collect();
        assert_eq!(keys(), expected);
        append(&branches[0], "own0 again");
        check(&forks.behind(&main, &branches[0], None).expect("indexed"), "own0", &[2, 3]);
        assert_eq!(keys().len(), FORKS_MAX);
        assert_eq!(keys()[0], branches[0].identity());
    }

    #[test]
    fn an_index_that_takes_all_the_memory_is_alone() {
        let forks = Forks::default();
        let used = |number: u64, bytes| {
            forks.slot((number, 1));
            forks.note((number, 1), bytes);
            forks.recent.lock().iter().map(|recent| recent.key.0).collect::<Vec<_>>()
        };
        assert_eq!(used(1, MEMORY_BYTES_MAX / 2), [1]);
        assert_eq!(used(2, MEMORY_BYTES_MAX / 2), [2, 1]);
        assert_eq!(used(1, MEMORY_BYTES_MAX / 2), [1, 2]);
        assert_eq!(used(3, 1), [3, 1]);
        assert_eq!(used(4, MEMORY_BYTES_MAX + 1), [4]);
        assert_eq!(used(5, 1), [5]);
    }

    #[test]
    fn a_fork_is_as_fresh_as_what_it_shares() {
        let dir = TempDir::new().expect("a directory");
        let store = Store::open(dir.path(), Options::default()).expect("a store");
        let indexer = Indexer::start(&store, SearchOptions { embedder: None, ..SearchOptions::default() });
        let behind =
            indexer.expect("an indexer").wait_for(Position::ZERO, Duration::from_mins(2)).expect("open");
        append(&store, "late");
        let branch = store.fork(&store.create_fork(NewFork::default()).expect("a fork").id).expect("a fork");
        append(&branch, "own");
        let published = Forks::default().behind(&behind, &branch, None).expect("indexed");
        check(&published, "own", &[2]);
        assert_eq!(published.through(), behind.through());
    }
}
