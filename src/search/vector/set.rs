//! A set as its readers see it: a stretch of positions, and the vectors of their events.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::checkpoint::SetLengths;
use super::file::map;
use super::format::{NONE, ROW_BYTES, Row, Shape, count, u32_at};
use super::gone::{Gone, GoneRows};
use super::graph::Graph;
use super::kernel::Kernel;
use super::quantise::{Query, restored};
use crate::error::Result;
use crate::event::Position;
use crate::store::disk::Disk;

/// What is flushed of a set. It never changes; a graph may come to it.
#[derive(Clone)]
pub(super) struct SetView {
    /// The name of its files, without their endings.
    pub(super) stem: PathBuf,
    /// The position of its first row.
    pub(super) first: Position,
    /// The size of the records.
    pub(super) shape: Shape,
    /// The records of `vectors`.
    pub(super) vectors: Bytes,
    /// The records of `sketches`.
    pub(super) sketches: Bytes,
    /// The records of `rows`.
    pub(super) rows: Bytes,
    /// The last row of each ordinal.
    pub(super) last: Last,
    /// Which rows were emptied, if any.
    pub(super) gone: Option<Arc<Gone>>,
    /// The CRC-32C of the vectors, once no more of them come.
    pub(super) sealed: Option<u32>,
    /// Its graph, once there is one.
    pub(super) graph: Arc<OnceLock<Graph>>,
}

/// The last row of each ordinal: in memory of the set being filled, in a file of the others.
#[derive(Clone)]
pub(super) enum Last {
    /// As it was at the flush.
    Memory(Arc<Vec<u32>>),
    /// The records of `last`.
    File(Bytes),
}

impl Last {
    /// The last row of an ordinal.
    pub(super) fn row(&self, ordinal: u32) -> Option<u32> {
        match self {
            Self::Memory(rows) => rows.get(ordinal as usize).copied(),
            Self::File(bytes) => u32_at(bytes, ordinal as usize),
        }
    }
}

impl SetView {
    /// Opens the files of a sealed set.
    pub(super) fn open(
        disk: &dyn Disk,
        dir: &Path,
        shape: Shape,
        lengths: &SetLengths,
        gone: &GoneRows,
    ) -> Result<Self> {
        let stem = stem(dir, lengths.number, lengths.first);
        let file = |ending: &str, length| map(disk, &stem.with_extension(ending), length);
        let mut view = Self {
            first: Position::new(lengths.first),
            shape,
            vectors: file("vectors", lengths.vectors)?,
            sketches: file("sketches", lengths.sketches)?,
            rows: file("rows", lengths.rows)?,
            last: Last::File(file("last", lengths.last.unwrap_or_default())?),
            gone: None,
            sealed: Some(lengths.vectors.crc),
            graph: Arc::default(),
            stem,
        };
        view.gone = gone.view(&view.rows, view.ordinals());
        Ok(view)
    }

    /// How many vectors it has.
    pub(super) fn ordinals(&self) -> u32 {
        count(self.vectors.len() / self.shape.vector_bytes())
    }

    /// How many events it covers.
    pub(super) fn row_count(&self) -> u32 {
        count(self.rows.len() / ROW_BYTES)
    }

    /// The row of a position, if it is in this set.
    pub(super) fn row_of(&self, position: Position) -> Option<u32> {
        let row = position.get().checked_sub(self.first.get())?;
        u32::try_from(row).ok().filter(|row| *row < self.row_count())
    }

    /// The position of a row.
    pub(super) fn position_of(&self, row: u32) -> Position {
        Position::new(self.first.get() + u64::from(row))
    }

    /// The ordinal of a row that has a vector and is not gone.
    pub(super) fn ordinal_of(&self, row: u32) -> Option<u32> {
        let ordinal = Row::at(&self.rows, row)?.ordinal;
        (ordinal < self.ordinals() && !self.is_gone(row)).then_some(ordinal)
    }

    /// Whether the event of a row was emptied.
    pub(super) fn is_gone(&self, row: u32) -> bool {
        self.gone.as_ref().is_some_and(|gone| gone.rows.contains(row))
    }

    /// The rows of an ordinal, newest first, emptied ones included.
    pub(super) fn rows_of(&self, ordinal: u32) -> impl Iterator<Item = u32> + '_ {
        let known = move |row: &u32| *row < self.row_count();
        std::iter::successors(self.last.row(ordinal).filter(known), move |row| {
            let previous = Row::at(&self.rows, *row)?.previous;
            // Rows only lead backwards: damaged ones must not make this endless.
            (previous != NONE && previous < *row).then_some(previous)
        })
    }

    /// The record of a vector.
    pub(super) fn vector(&self, ordinal: u32) -> Option<&[u8]> {
        let bytes = self.shape.vector_bytes();
        self.vectors.get(ordinal as usize * bytes..)?.get(..bytes)
    }

    /// The vector of an ordinal, of length 1.
    pub(super) fn restored(&self, ordinal: u32) -> Option<Vec<f32>> {
        restored(self.vector(ordinal)?)
    }

    /// Begins to fetch a vector that is needed soon.
    #[inline]
    pub(super) fn fetch(&self, kernel: Kernel, ordinal: u32) {
        if let Some(record) = self.vector(ordinal) {
            kernel.prefetch(record);
        }
    }

    /// How like each other two vectors are.
    #[inline]
    pub(super) fn cosine_between(&self, kernel: Kernel, one: u32, other: u32) -> Option<f32> {
        let (one_norm, one) = self.vector(one)?.split_first_chunk()?;
        let (other_norm, other) = self.vector(other)?.split_first_chunk()?;
        #[expect(clippy::cast_precision_loss, reason = "24 bits are more than the codes are good for")]
        let dot = kernel.dot_codes(one, other) as f32;
        Some(dot * f32::from_le_bytes(*one_norm) * f32::from_le_bytes(*other_norm))
    }

    /// How like the query a vector is.
    #[inline]
    pub(super) fn cosine(&self, kernel: Kernel, query: &Query, ordinal: u32) -> Option<f32> {
        let (norm, codes) = self.vector(ordinal)?.split_first_chunk()?;
        Some(query.cosine(kernel.dot(&query.numbers, codes), f32::from_le_bytes(*norm)))
    }
}

/// The name of a set's files, without their endings.
pub(super) fn stem(dir: &Path, number: u64, first: u64) -> PathBuf {
    dir.join(format!("{number:06}-{first:020}"))
}
