//! Where are the vectors of what a fork added? In a set in memory, of the same make as those on the disk.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::format::{LAST_BYTES, NONE, ROW_BYTES, Row, Shape, count};
use super::quantise::Quantised;
use super::set::{Last, SetView};
use crate::event::Position;

/// The vectors of consecutive events, in memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct VectorMemory {
    pub(super) set: Arc<SetView>,
}

/// Vectors that are being added.
pub(crate) struct AddedVectors {
    first: Position,
    shape: Shape,
    vectors: Vec<u8>,
    sketches: Vec<u8>,
    rows: Vec<u8>,
    last: Vec<u32>,
}

impl VectorMemory {
    /// No vector yet; that of `first` comes first.
    pub(crate) fn new(first: Position, dimension: usize) -> Self {
        let (vectors, sketches, rows, last) = Default::default();
        AddedVectors { first, shape: Shape::new(dimension), vectors, sketches, rows, last }.finish()
    }

    /// Begins to add vectors behind these.
    pub(crate) fn begin(&self) -> AddedVectors {
        let set = self.set.as_ref();
        AddedVectors {
            first: set.first,
            shape: set.shape,
            vectors: set.vectors.to_vec(),
            sketches: set.sketches.to_vec(),
            rows: set.rows.to_vec(),
            last: match &set.last {
                Last::Memory(rows) => rows.to_vec(),
                Last::File(_) => Vec::new(),
            },
        }
    }

    /// About how much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        let set = self.set.as_ref();
        set.vectors.len() + set.sketches.len() + set.rows.len() + set.ordinals() as usize * LAST_BYTES
    }
}

impl AddedVectors {
    /// Adds the vector of an event behind all others; one of zeros, or of another length, says nothing. Events that are passed
    /// over have none.
    pub(crate) fn add(&mut self, position: Position, vector: &[f32]) {
        let row = position.get().saturating_sub(self.first.get());
        while row > (self.rows.len() / ROW_BYTES) as u64 {
            self.rows.extend(Row::EMPTY.encode());
        }
        let is_fit = vector.len() == self.shape.dimension();
        let Some(quantised) = Quantised::of(vector).filter(|_| is_fit) else {
            self.rows.extend(Row::EMPTY.encode());
            return;
        };
        let ordinal = count(self.last.len());
        self.last.push(count(self.rows.len() / ROW_BYTES));
        self.rows.extend(Row { ordinal, previous: NONE }.encode());
        self.vectors.extend(quantised.vector);
        self.sketches.extend(quantised.sketch);
    }

    /// All of them, to be searched.
    pub(crate) fn finish(self) -> VectorMemory {
        let set = SetView {
            stem: PathBuf::new(),
            first: self.first,
            shape: self.shape,
            vectors: Bytes::from(self.vectors),
            sketches: Bytes::from(self.sketches),
            rows: Bytes::from(self.rows),
            last: Last::Memory(Arc::new(self.last)),
            gone: None,
            sealed: None,
            graph: Arc::default(),
        };
        VectorMemory { set: Arc::new(set) }
    }
}
