//! One turn after the other: pull, add to both indexes, commit, publish.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::SearchOptions;
use super::checkpoint::Checkpoint;
use super::shared::{Published, Rebuild, Shared};
use super::vectoring::Vectoring;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::search::{KeywordIndex, KeywordReader, SearchReader, open_to_read, wipe};
use crate::store::{Feed, RETENTION_APPLIED, Store};

/// The most events whose words are added in one turn.
const EVENTS_PER_TURN: usize = 4_096;
/// How long nothing is looked at when nothing happens: an hour. Whatever happens ends the wait.
const IDLE: Duration = Duration::from_hours(1);
/// How long it is waited until retention has emptied what it has begun to: 1 s, again and again.
const EMPTYING_PAUSE: Duration = Duration::from_secs(1);

/// Where the words lie in the directory of the indexes, and where the vectors.
pub(super) const KEYWORD_DIR: &str = "keyword";
pub(super) const VECTOR_DIR: &str = "vectors";

/// Both indexes, open for writing.
pub(super) struct Tail<'a> {
    pub(super) store: &'a Store,
    shared: &'a Shared,
    options: &'a SearchOptions,
    pub(super) keyword: KeywordIndex,
    pub(super) vectoring: Vectoring,
    feed: Feed,
    pub(super) checkpoint: Checkpoint,
    /// When the first event was added that is not findable yet.
    waiting_since: Option<Duration>,
    /// How many events wait to become findable.
    waiting: u64,
}

impl<'a> Tail<'a> {
    /// Opens what lies there as the last commit left it, and publishes it; `feed` is what wakes this thread.
    pub(super) fn open(
        store: &'a Store,
        shared: &'a Shared,
        options: &'a SearchOptions,
        feed: &Feed,
    ) -> Result<Self> {
        let dir = store.search_dir();
        let (mut keyword, checkpoint) = open_keyword(store, &dir.join(KEYWORD_DIR))?;
        let mut checkpoint = match checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(why) => {
                tracing::info!("indexing the store anew: {why}");
                keyword.forget_all()?;
                wipe(store.disk().as_ref(), &dir.join(VECTOR_DIR))?;
                Checkpoint::beginning(store.identity())
            }
        };
        let vectoring = Vectoring::open(store, options, &dir.join(VECTOR_DIR), &mut checkpoint, feed)?;
        let feed = feed.again(Position::new(checkpoint.keyword_through));
        let tail = Self {
            store,
            shared,
            options,
            keyword,
            vectoring,
            feed,
            checkpoint,
            waiting_since: None,
            waiting: 0,
        };
        tail.publish(tail.keyword.reader()?);
        Ok(tail)
    }

    /// What lies in the directory of a store that nobody writes to, for searching alone.
    ///
    /// # Errors
    /// `NotFound` (`no_search_index`) when nothing does, or what lies there is of another store.
    pub(super) fn open_to_read(store: &Store, options: &SearchOptions) -> Result<Published> {
        let dir = store.search_dir();
        let found = open_to_read(store.disk(), &dir.join(KEYWORD_DIR))?;
        let usable = found.and_then(|(reader, payload)| {
            let checkpoint = Checkpoint::parse(&payload?)?;
            let refusal = checkpoint.refusal(store.identity(), store.durable_head());
            refusal.is_none().then_some((reader, checkpoint))
        });
        let Some((keyword, checkpoint)) = usable else {
            let message = "search: the store is open for reading only and holds no index for searching; open it for \
                           writing once, and one is made";
            return Err(Error::new(ErrorKind::NotFound, "no_search_index", message));
        };
        let (vectors, through, meaning) =
            Vectoring::open_to_read(store, options, &dir.join(VECTOR_DIR), &checkpoint)?;
        let keyword_through = Position::new(checkpoint.keyword_through);
        Ok(Published {
            reader: SearchReader::new(keyword, vectors),
            keyword_through,
            vectors_through: through.unwrap_or(keyword_through),
            meaning,
            emptied: checkpoint.emptied,
        })
    }

    /// Indexes until it is told to end.
    pub(super) fn run(mut self) -> Result<()> {
        while !self.shared.is_closing() {
            if let Some(what) = self.shared.take_rebuild() {
                self.rebuild(what)?;
            }
            let added = self.add_words()? + self.vectoring.add()?;
            if added > 0 {
                self.waiting += added;
                self.waiting_since.get_or_insert_with(|| self.store.clock().elapsed());
            }
            if self.commit_is_due(added == 0) {
                self.commit()?;
            }
            let swept = added == 0 && self.checkpoint.emptied && self.sweep()?;
            if added == 0 && !swept {
                self.rest();
            }
        }
        self.finish()
    }

    /// Makes findable what is not yet, and ends the threads that merge.
    fn finish(mut self) -> Result<()> {
        if self.waiting > 0 {
            self.commit()?;
        }
        self.keyword.close()
    }

    /// Adds the words of the next events; gives how many there were.
    fn add_words(&mut self) -> Result<u64> {
        let page = self.feed.pull(EVENTS_PER_TURN)?;
        for event in &page.events {
            self.checkpoint.emptied |= event.event_type.as_str() == RETENTION_APPLIED;
            self.keyword.add(event)?;
        }
        Ok(page.events.len() as u64)
    }

    /// Whether what was added must become findable now: it has waited long enough, there is much of it, or somebody waits
    /// for it and no more of it comes.
    fn commit_is_due(&self, nothing_comes: bool) -> bool {
        let Some(since) = self.waiting_since else { return false };
        let age = self.store.clock().elapsed().saturating_sub(since);
        let is_awaited = || {
            let published = self.shared.published().map_or(Position::ZERO, |published| published.through());
            let wanted = self.shared.wanted();
            wanted > published && (self.through() >= wanted || nothing_comes)
        };
        self.waiting >= self.options.commit_events_max || age >= self.options.commit_interval || is_awaited()
    }

    /// Everything up to here was added to both indexes.
    fn through(&self) -> Position {
        self.vectoring.through().unwrap_or(Position::MAX).min(self.feed.position())
    }

    /// Makes everything added findable, durably: the vectors first, then the words with a checkpoint that names both.
    pub(super) fn commit(&mut self) -> Result<()> {
        self.vectoring.flush(&mut self.checkpoint)?;
        self.checkpoint.keyword_through = self.feed.position().get();
        // Ordering: what the checkpoint says of the vectors is on the disk before the commit that holds it.
        let reader = self.keyword.commit(&self.checkpoint.to_payload())?;
        (self.waiting, self.waiting_since) = (0, None);
        self.publish(reader);
        Ok(())
    }

    fn publish(&self, keyword: KeywordReader) {
        let keyword_through = Position::new(self.checkpoint.keyword_through);
        let (vectors, through) = self.vectoring.published();
        self.shared.publish(Published {
            reader: SearchReader::new(keyword, vectors),
            keyword_through,
            vectors_through: through.unwrap_or(keyword_through),
            meaning: self.vectoring.meaning(),
            emptied: self.checkpoint.emptied,
        });
    }

    /// Begins anew with the vectors, or with everything.
    fn rebuild(&mut self, what: Rebuild) -> Result<()> {
        if what == Rebuild::Everything {
            self.keyword.forget_all()?;
            self.checkpoint = Checkpoint::beginning(self.store.identity());
            self.feed = self.feed.again(Position::ZERO);
        }
        let dir: PathBuf = self.store.search_dir().join(VECTOR_DIR);
        self.vectoring.begin_anew(self.store, self.options, &dir, &mut self.checkpoint, &self.feed)?;
        self.commit()?;
        self.shared.rebuilt();
        Ok(())
    }

    /// Waits for the next event, the next commit, or whatever else there is to do.
    fn rest(&self) {
        let until_commit = self.waiting_since.map(|since| {
            let waited = self.store.clock().elapsed().saturating_sub(since);
            self.options.commit_interval.saturating_sub(waited)
        });
        let pause = until_commit.unwrap_or(if self.checkpoint.emptied { EMPTYING_PAUSE } else { IDLE });
        let _ = self.feed.wait(pause);
    }
}

/// Removes both indexes, which are not open.
pub(super) fn remove(store: &Store) -> Result<()> {
    let dir = store.search_dir();
    [KEYWORD_DIR, VECTOR_DIR].iter().try_for_each(|part| wipe(store.disk().as_ref(), &dir.join(part)))
}

/// Opens the index of words with its checkpoint, or says why it is to be made anew; one that cannot be opened is removed.
fn open_keyword(store: &Store, dir: &std::path::Path) -> Result<(KeywordIndex, Result<Checkpoint, String>)> {
    let disk: &Arc<_> = store.disk();
    let keyword = match KeywordIndex::open(disk, dir) {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::warn!("failed to {error}; it is made anew");
            wipe(disk.as_ref(), dir)?;
            KeywordIndex::open(disk, dir)?
        }
        opened => opened?,
    };
    let Some(payload) = keyword.payload() else {
        return Ok((keyword, Err("there is no index yet".to_owned())));
    };
    let checkpoint = Checkpoint::parse(&payload).ok_or_else(|| "its checkpoint cannot be read".to_owned());
    let checkpoint = checkpoint.and_then(|checkpoint| {
        let refusal = checkpoint.refusal(store.identity(), store.durable_head());
        refusal.map_or(Ok(checkpoint), |why| Err(why.to_owned()))
    });
    Ok((keyword, checkpoint))
}
