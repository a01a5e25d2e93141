//! From positions to documents and back.

use std::fmt;

use tantivy::columnar::Column;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::Field;
use tantivy::{BitSet, DocId, Score, SegmentReader, TantivyError};

use super::narrow::documents_named;
use super::schema::POSITION;
use crate::event::{NamePattern, Position};
use crate::search::positions::PositionSet;

/// The positions of the documents of one segment, the newest first.
pub(super) struct Places {
    column: Column<u64>,
    documents: DocId,
}

impl Places {
    /// The positions of a segment.
    pub(super) fn of(segment: &SegmentReader) -> tantivy::Result<Self> {
        Ok(Self { column: segment.fast_fields().u64(POSITION)?, documents: segment.max_doc() })
    }

    /// The position of a document.
    pub(super) fn position(&self, document: DocId) -> Position {
        Position::new(self.column.values.get_val(document))
    }

    /// The greatest position; zero when there is no document.
    pub(super) fn newest(&self) -> Position {
        if self.documents == 0 { Position::ZERO } else { self.position(0) }
    }

    /// The first document whose position is not above this one.
    pub(super) fn at_or_below(&self, position: Position) -> DocId {
        let (mut low, mut high) = (0, self.documents);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.position(middle) > position { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The document at a position.
    pub(super) fn find(&self, position: Position) -> Option<DocId> {
        let document = self.at_or_below(position);
        (document < self.documents && self.position(document) == position).then_some(document)
    }

    /// The documents at these positions, in order.
    pub(super) fn find_all(&self, positions: &PositionSet) -> Vec<DocId> {
        let mut found: Vec<DocId> = if positions.len() < u64::from(self.documents) {
            positions.iter().filter_map(|position| self.find(position)).collect()
        } else {
            (0..self.documents).filter(|document| positions.contains(self.position(*document))).collect()
        };
        found.sort_unstable();
        found
    }
}

/// Finds events by their types or entity ids.
#[derive(Clone, Debug)]
pub(super) struct OfNames {
    /// Which names are meant.
    pub(super) pattern: NamePattern,
    /// Where they stand.
    pub(super) field: Field,
}

impl Query for OfNames {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for OfNames {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(scorer_of(documents_named(&self.pattern, segment, self.field)?, boost))
    }

    fn explain(&self, _: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        Err(unexplained(document))
    }
}

fn scorer_of(documents: BitSet, boost: Score) -> Box<dyn Scorer> {
    if documents.len() == 0 {
        return Box::new(EmptyScorer);
    }
    Box::new(ConstScorer::new(BitSetDocSet::from(documents), boost))
}

fn unexplained(document: DocId) -> TantivyError {
    TantivyError::InvalidArgument(format!("document {document} was filtered, not scored"))
}

/// Finds events by their positions.
#[derive(Clone)]
pub(super) struct OfPositions(PositionSet);

impl OfPositions {
    /// Finds the events at these positions.
    pub(super) fn new(positions: &PositionSet) -> Self {
        Self(positions.clone())
    }
}

impl fmt::Debug for OfPositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} positions", self.0.len())
    }
}

impl Query for OfPositions {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for OfPositions {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let found = Places::of(segment)?.find_all(&self.0);
        let mut documents = BitSet::with_max_value(segment.max_doc());
        for document in found {
            documents.insert(document);
        }
        Ok(scorer_of(documents, boost))
    }

    fn explain(&self, _: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        Err(unexplained(document))
    }
}
