//! Vectors without a store: for programs that have vectors of their own, and for benches.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::checkpoint::VectorCheckpoint;
use super::file::{failed, write_whole};
use super::format::TextHash;
use super::found::{VectorFound, VectorPath};
use super::graph::GraphStep;
use super::options::VectorOptions;
use super::reader::{VectorReader, VectorStats};
use super::writer::Vectors;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::search::positions::PositionSet;

/// A directory of vectors that stands alone; one process at a time may have it open.
///
/// ```
/// use allsource::search::vector::{TextHash, VectorIndex, VectorOptions, VectorPath};
///
/// # fn main() -> allsource::Result<()> {
/// # let root = tempfile::tempdir().map_err(|e| allsource::Error::internal(e.to_string()))?;
/// # let dir = root.path();
/// let mut index = VectorIndex::open(VectorOptions::default(), dir, "my-model", 2)?;
/// index.add(TextHash::of("north"), &[0.0, 1.0])?;
/// index.add(TextHash::of("east"), &[1.0, 0.0])?;
/// index.commit()?;
/// let found = index.nearest(&[0.9, 0.1], None, 1, VectorPath::Auto);
/// assert_eq!(found.hits.first().map(|hit| hit.position.get()), Some(2));
/// # Ok(())
/// # }
/// ```
pub struct VectorIndex {
    options: VectorOptions,
    vectors: Vectors,
    reader: VectorReader,
    checkpoint: PathBuf,
}

/// The positions that a search may find.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorFilter(PositionSet);

impl FromIterator<Position> for VectorFilter {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> Self {
        Self(positions.into_iter().collect())
    }
}

impl VectorIndex {
    /// Opens a directory as the last [`commit`](Self::commit) left it; an empty one where there was none.
    ///
    /// # Errors
    /// `Conflict` when the vectors are another model's, `Corrupt` when files are damaged.
    pub fn open(options: VectorOptions, dir: &Path, model: &str, dimension: usize) -> Result<Self> {
        options.disk.create_dir_all(dir).map_err(|error| failed("create", dir, &error))?;
        let path = dir.join("checkpoint.json");
        let there = options.disk.list(dir).map_err(|error| failed("list", dir, &error))?.contains(&path);
        let checkpoint = there.then(|| read(&options, &path)).transpose()?;
        let vectors = Vectors::open(options.clone(), dir, model, dimension, checkpoint.as_ref())?;
        Ok(Self { reader: vectors.reader(), vectors, options, checkpoint: path })
    }

    /// Adds a vector, which has this position from then on. The same text again needs no vector of its own: the first
    /// one is taken.
    pub fn add(&mut self, text: TextHash, vector: &[f32]) -> Result<Position> {
        let position = self.vectors.next();
        self.vectors.add(position, text, Some(vector))?;
        Ok(position)
    }

    /// Makes everything that was added durable, then shows it to searches.
    pub fn commit(&mut self) -> Result<()> {
        let checkpoint = self.vectors.flush()?;
        let text = serde_json::to_vec(&checkpoint).map_err(|error| Error::internal(error.to_string()))?;
        let new = self.checkpoint.with_extension("new");
        write_whole(self.options.disk.as_ref(), &new, &text)?;
        let dir = self.checkpoint.parent().unwrap_or(&self.checkpoint);
        let renamed = self.options.disk.rename(&new, &self.checkpoint);
        let synced = renamed.and_then(|()| self.options.disk.sync_dir(dir));
        synced.map_err(|error| failed("commit", &self.checkpoint, &error))?;
        self.reader = self.vectors.reader();
        Ok(())
    }

    /// Builds or loads every graph that there may be; it takes about
    /// a minute for 100,000 vectors.
    pub fn make_graphs(&self) -> Result<()> {
        let stop = AtomicBool::new(false);
        while !matches!(self.vectors.graphs().step(&stop)?, GraphStep::Nothing | GraphStep::Stopped) {}
        Ok(())
    }

    /// The positions most like the query, among those that the filter names if there is one.
    pub fn nearest(
        &self,
        query: &[f32],
        filter: Option<&VectorFilter>,
        depth: usize,
        path: VectorPath,
    ) -> VectorFound {
        self.reader.nearest(query, filter.map(|filter| &filter.0), None, depth, path)
    }

    /// How much is committed.
    pub fn stats(&self) -> VectorStats {
        self.reader.stats()
    }
}

fn read(options: &VectorOptions, path: &Path) -> Result<VectorCheckpoint> {
    let bytes = options.disk.open(path, false).and_then(|file| file.map());
    let bytes = bytes.map_err(|error| failed("open", path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let message =
            format!("read {}: {error}; remove the directory and add the vectors anew", path.display());
        Error::new(ErrorKind::Corrupt, "vectors_damaged", message)
    })
}
