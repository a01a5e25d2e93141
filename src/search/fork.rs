//! What did a fork add that a search finds? Both indexes of it, in memory.

use super::keyword::{KeywordIndex, KeywordMemory};
use super::reader::SearchReader;
use super::vector::{AddedVectors, VectorMemory};
use crate::error::Result;
use crate::event::{Event, Position};

/// The indexes over what a fork and the forks it stands on added to `main`.
pub(crate) struct ForkIndex {
    /// The last position that the fork shares with `main`.
    shared: Position,
    /// Everything up to here is in it.
    through: Position,
    words: KeywordMemory,
    /// `None` without an embedder.
    vectors: Option<VectorMemory>,
}

/// Events that are being added to the indexes of a fork.
pub(crate) struct AddedEvents {
    words: KeywordIndex,
    vectors: Option<AddedVectors>,
}

impl ForkIndex {
    /// Nothing yet of a fork that shares everything up to `shared` with `main`; vectors have `dimension` numbers.
    ///
    /// # Errors
    /// `Unavailable` when Tantivy cannot make an index.
    pub(crate) fn new(shared: Position, dimension: Option<usize>) -> Result<Self> {
        let vectors = dimension.map(|dimension| VectorMemory::new(shared.next(), dimension));
        Ok(Self { shared, through: shared, words: KeywordMemory::new()?, vectors })
    }

    /// The last position that the fork shares with `main`.
    pub(crate) fn shared(&self) -> Position {
        self.shared
    }

    /// Everything up to here is in it.
    pub(crate) fn through(&self) -> Position {
        self.through
    }

    /// Begins to add the events behind [`through`](Self::through).
    ///
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub(crate) fn begin(&self) -> Result<AddedEvents> {
        Ok(AddedEvents {
            words: self.words.begin()?,
            vectors: self.vectors.as_ref().map(VectorMemory::begin),
        })
    }

    /// Makes everything up to `through` findable.
    ///
    /// # Errors
    /// `Unavailable` when a thread of Tantivy failed; then nothing can be added any more.
    pub(crate) fn finish(&mut self, added: AddedEvents, through: Position) -> Result<()> {
        self.words.finish(added.words)?;
        self.vectors = added.vectors.map(AddedVectors::finish);
        self.through = through;
        Ok(())
    }

    /// What `main`'s indexes have up to the position that is shared, and behind that what is in here.
    pub(crate) fn behind(&self, main: &SearchReader) -> SearchReader {
        let keyword = main.keyword().with_fork(self.shared, self.words.reader());
        let vectors = main.vectors().zip(self.vectors.as_ref());
        SearchReader::new(keyword, vectors.map(|(main, fork)| main.with_fork(self.shared, fork)))
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.words.bytes() + self.vectors.as_ref().map_or(0, VectorMemory::bytes)
    }
}

impl AddedEvents {
    /// Adds the next events, each with the vector of what it is about where there are vectors.
    ///
    /// # Errors
    /// `Unavailable` when a thread of Tantivy failed.
    pub(crate) fn add(&mut self, events: &[Event], vectors: &[Vec<f32>]) -> Result<()> {
        for event in events {
            self.words.add(event)?;
        }
        if let Some(added) = &mut self.vectors {
            for (event, vector) in events.iter().zip(vectors) {
                added.add(event.position, vector);
            }
        }
        Ok(())
    }
}
