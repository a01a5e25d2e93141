//! The one writer of an index.

use std::path::Path;
use std::sync::Arc;

use tantivy::directory::error::OpenReadError;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::query::AllQuery;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyError};

use super::directory::DiskDirectory;
use super::lookup::OfPositions;
use super::reader::KeywordReader;
use super::schema::{EventDocument, Fields, settings, tokenizers};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::search::positions::PositionSet;
use crate::store::disk::Disk;

/// The memory for documents that are not committed: 15 MB, the least that Tantivy takes. When it is full a segment is
/// written, which is findable with the next commit.
const WRITER_BYTES: usize = 15_000_000;
/// Threads that merge segments: 1.
const MERGE_THREADS: usize = 1;
/// How many segments of about one size are merged into one: 16. So there are at most about 45, on the average half as many, and a merge
/// thread takes a quarter less of the processor than with 8.
const MERGED_SEGMENTS: usize = 16;
/// Below this number of documents all segments are of one size: 10,000, a few commits.
const SMALL_SEGMENT_DOCUMENTS: u32 = 10_000;
/// A segment with more documents than this is not merged any more: 1,000,000. So the largest hold up to sixteen million, and
/// every document is rewritten two or three times on its way there.
const MERGED_DOCUMENTS_MAX: usize = 1_000_000;
/// From this share of removed documents on, a segment is written anew.
const REMOVED_SHARE: f32 = 0.3;

/// The keyword index of a branch, as the indexer holds it.
///
/// After an error nothing more can be added: drop it and open it again, which goes on from the last commit.
pub(crate) struct KeywordIndex {
    writer: IndexWriter<EventDocument>,
    reader: IndexReader,
    fields: Fields,
}

impl KeywordIndex {
    /// Opens the index in `dir`, or makes a new one when there is none, or none that this version can read. What no
    /// commit names is removed.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Self> {
        disk.create_dir_all(dir)
            .map_err(|error| failed("create the directory of the keyword index", error))?;
        let index = match open_index(disk, dir, true)? {
            Some(index) => index,
            None => create_index(disk, dir)?,
        };
        Self::start(&index).map_err(|error| failed("open the keyword index", error))
    }

    /// Opens an index for writing.
    pub(super) fn start(index: &Index) -> tantivy::Result<Self> {
        let (_, fields) = Fields::schema();
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .memory_budget_per_thread(WRITER_BYTES)
            .num_merge_threads(MERGE_THREADS)
            .build();
        let writer = index.writer_with_options(options)?;
        writer.set_merge_policy(Box::new(merge_policy()));
        writer.garbage_collect_files().wait()?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { writer, reader, fields })
    }

    /// What the last commit was given: the indexer's checkpoint. `None` for an index without a commit.
    pub(crate) fn payload(&self) -> Option<String> {
        self.writer.index().load_metas().ok()?.payload
    }

    /// Adds an event; it is found after the next commit.
    ///
    /// # Errors
    /// `Unavailable` when the disk has failed.
    pub(crate) fn add(&mut self, event: &Event) -> Result<()> {
        let document = self.fields.document(event);
        self.writer.add_document(document).map_err(|error| failed("index an event", error))?;
        Ok(())
    }

    /// Removes the events at these positions with the next commit; what is added after this call stays.
    ///
    /// # Errors
    /// `Unavailable` when the disk has failed.
    pub(crate) fn remove_all(&mut self, positions: &PositionSet) -> Result<()> {
        if positions.is_empty() {
            return Ok(());
        }
        let query = OfPositions::new(positions);
        self.writer
            .delete_query(Box::new(query))
            .map_err(|error| failed("remove events from the keyword index", error))?;
        Ok(())
    }

    /// Makes everything that was added findable: durable, at once, and with this payload.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails; the commit before this one stays.
    pub(crate) fn commit(&mut self, payload: &str) -> Result<KeywordReader> {
        self.commit_with(Some(payload)).map_err(|error| failed("commit the keyword index", error))?;
        self.reader()
    }

    fn commit_with(&mut self, payload: Option<&str>) -> tantivy::Result<()> {
        let mut commit = self.writer.prepare_commit()?;
        if let Some(payload) = payload {
            commit.set_payload(payload);
        }
        commit.commit()?;
        Ok(())
    }

    /// The index as the last commit left it, with the merges since.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn reader(&self) -> Result<KeywordReader> {
        self.reader.reload().map_err(|error| failed("open the keyword index", error))?;
        Ok(KeywordReader::new(self.reader.searcher(), self.fields))
    }

    /// Removes everything, the payload too, at once and durably.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn forget_all(&mut self) -> Result<()> {
        self.writer
            .delete_query(Box::new(AllQuery))
            .and_then(|_| self.commit_with(None))
            .map_err(|error| failed("empty the keyword index", error))
    }

    /// Waits for the merges that are under way, and ends.
    ///
    /// # Errors
    /// `Unavailable` when one of its threads failed; the last commit stands all the same.
    pub(crate) fn close(self) -> Result<()> {
        self.writer.wait_merging_threads().map_err(|error| failed("close the keyword index", error))
    }
}

/// Opens an index for reading alone, without creating or removing a file; `None` when there is none that this version reads.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(crate) fn open_to_read(
    disk: &Arc<dyn Disk>,
    dir: &Path,
) -> Result<Option<(KeywordReader, Option<String>)>> {
    // Whoever writes may remove a file between our reading its name and opening it; then the names are newer by now.
    const TRIES: usize = 5;
    let mut last = None;
    for _ in 0..TRIES {
        let Some(index) = open_index(disk, dir, false)? else { return Ok(None) };
        match read(&index) {
            Ok(found) => return Ok(Some(found)),
            Err(error) => last = Some(error),
        }
    }
    let last = last.map_or_else(|| "no try was made".to_owned(), |error| error.to_string());
    Err(failed("open the keyword index", last))
}

/// The files of the last commit whose checksum is not what they were written with, by name; none where there is no index.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(crate) fn damaged_files(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Vec<String>> {
    // As above: what is removed meanwhile is found missing, and the next try asks for newer names.
    const TRIES: usize = 5;
    let mut last = None;
    for _ in 0..TRIES {
        let Some(index) = open_index(disk, dir, false)? else { return Ok(Vec::new()) };
        match index.validate_checksum() {
            Ok(damaged) => {
                let mut names: Vec<String> = damaged.iter().map(|path| path.display().to_string()).collect();
                names.sort();
                return Ok(names);
            }
            Err(error) => last = Some(error),
        }
    }
    let last = last.map_or_else(|| "no try was made".to_owned(), |error| error.to_string());
    Err(failed("prove the keyword index", last))
}

/// The index as its last commit left it, and what that was given.
pub(super) fn read(index: &Index) -> tantivy::Result<(KeywordReader, Option<String>)> {
    let (_, fields) = Fields::schema();
    // Ordering: the payload first. A commit in between then makes the reader newer than the payload says, never older.
    let payload = index.load_metas()?.payload;
    let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
    Ok((KeywordReader::new(reader.searcher(), fields), payload))
}

/// The index in `dir`, if it is one of this format.
fn open_index(disk: &Arc<dyn Disk>, dir: &Path, writable: bool) -> Result<Option<Index>> {
    let mut index = match Index::open(DiskDirectory::new(disk, dir, writable)) {
        Ok(index) => index,
        Err(
            error @ (TantivyError::OpenReadError(OpenReadError::IoError { .. }) | TantivyError::IoError(_)),
        ) => {
            return Err(failed("open the keyword index", error));
        }
        // None, one of another format, or a damaged one: everything in it can be made anew.
        Err(_) => return Ok(None),
    };
    let (schema, _) = Fields::schema();
    if index.schema() != schema || *index.settings() != settings() {
        return Ok(None);
    }
    index.set_tokenizers(tokenizers());
    Ok(Some(index))
}

/// Makes a new index where there is none of use.
fn create_index(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Index> {
    let attempt = "create the keyword index";
    for path in disk.list(dir).map_err(|error| failed(attempt, error))? {
        disk.remove(&path).map_err(|error| failed(attempt, error))?;
    }
    let (schema, _) = Fields::schema();
    Index::builder()
        .schema(schema)
        .settings(settings())
        .tokenizers(tokenizers())
        .open_or_create(DiskDirectory::new(disk, dir, true))
        .map_err(|error| failed(attempt, error))
}

fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_num_segments(MERGED_SEGMENTS);
    policy.set_min_layer_size(SMALL_SEGMENT_DOCUMENTS);
    policy.set_max_docs_before_merge(MERGED_DOCUMENTS_MAX);
    policy.set_del_docs_ratio_before_merge(REMOVED_SHARE);
    policy
}

/// The error for what the disk or Tantivy could not do.
pub(super) fn failed(attempt: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let message = format!("{attempt}; what is committed stays, open the index again");
    Error::new(ErrorKind::Unavailable, "keyword_index_failed", message).caused_by(error)
}
