//! Where are the words of what a fork added? In an index in memory, of the same make as the one on the disk.

use tantivy::Index;
use tantivy::directory::RamDirectory;

use super::reader::KeywordReader;
use super::schema::{Fields, settings, tokenizers};
use super::writer::{KeywordIndex, failed, read};
use crate::error::Result;

/// An index in memory.
pub(crate) struct KeywordMemory {
    directory: RamDirectory,
    index: Index,
    reader: KeywordReader,
}

impl KeywordMemory {
    /// An empty index.
    ///
    /// # Errors
    /// `Unavailable` when Tantivy cannot make one.
    pub(crate) fn new() -> Result<Self> {
        let directory = RamDirectory::create();
        let (schema, _) = Fields::schema();
        let builder = Index::builder().schema(schema).settings(settings()).tokenizers(tokenizers());
        let made = builder.open_or_create(directory.clone()).and_then(|index| Ok((read(&index)?.0, index)));
        let (reader, index) = made.map_err(|error| failed("make a keyword index in memory", error))?;
        Ok(Self { directory, index, reader })
    }

    /// Begins to add events, which are found once that is [finished](Self::finish).
    ///
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub(crate) fn begin(&self) -> Result<KeywordIndex> {
        KeywordIndex::start(&self.index).map_err(|error| failed("add to a keyword index in memory", error))
    }

    /// Makes what was added findable, and ends the threads that did it.
    ///
    /// # Errors
    /// `Unavailable` when one of them failed.
    pub(crate) fn finish(&mut self, mut added: KeywordIndex) -> Result<()> {
        added.commit("")?;
        added.close()?;
        // Behind the merges, so that what was merged away is freed.
        self.reader = read(&self.index).map_err(|error| failed("open a keyword index in memory", error))?.0;
        Ok(())
    }

    /// What is findable now.
    pub(crate) fn reader(&self) -> &KeywordReader {
        &self.reader
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.directory.total_mem_usage()
    }
}
