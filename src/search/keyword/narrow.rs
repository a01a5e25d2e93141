//! Which events a search is about.

use tantivy::columnar::Column;
use tantivy::postings::TermInfo;
use tantivy::query::BitSetDocSet;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, SegmentReader, TERMINATED};

use super::schema::{Fields, TIMESTAMP};
use super::terms::each_beginning;
use crate::event::{Filter, NamePattern, Position, Timestamp};

/// What an event must be for a search to find it; nothing said means any.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Narrow {
    /// Its entity.
    pub(crate) entity_id: Option<NamePattern>,
    /// Its type.
    pub(crate) event_type: Option<NamePattern>,
    /// The earliest timestamp.
    pub(crate) since: Option<Timestamp>,
    /// The timestamp that it must be before.
    pub(crate) until: Option<Timestamp>,
    /// The latest timestamp.
    pub(crate) as_of: Option<Timestamp>,
    /// The greatest position.
    pub(crate) through: Option<Position>,
}

/// The documents of one segment that a [`Narrow`] leaves.
pub(super) struct Left<'s> {
    segment: &'s SegmentReader,
    /// Documents before this one are too new.
    first: DocId,
    names: Option<BitSet>,
    times: Option<(Column<i64>, i64, i64)>,
}

impl<'s> Left<'s> {
    /// What is left of a segment from the document `first` on: those before it are too new.
    pub(super) fn of(
        narrow: &Narrow,
        segment: &'s SegmentReader,
        first: DocId,
        fields: Fields,
    ) -> tantivy::Result<Self> {
        let mut names: Option<BitSet> = None;
        for (pattern, field) in
            [(&narrow.entity_id, fields.entity_id), (&narrow.event_type, fields.event_type)]
        {
            let Some(pattern) = pattern else { continue };
            let meant = documents_named(pattern, segment, field)?;
            match &mut names {
                None => names = Some(meant),
                Some(names) => names.intersect_update(&(&meant).into()),
            }
        }
        let times = match narrow.times() {
            None => None,
            Some((from, to)) => Some((segment.fast_fields().i64(TIMESTAMP)?, from, to)),
        };
        Ok(Self { segment, first, names, times })
    }

    /// Whether a document is left.
    pub(super) fn holds(&self, document: DocId) -> bool {
        document >= self.first
            && self.names.as_ref().is_none_or(|names| names.contains(document))
            && self
                .times
                .as_ref()
                .is_none_or(|(column, from, to)| (*from..=*to).contains(&column.values.get_val(document)))
            && !self.segment.is_deleted(document)
    }

    /// The most documents that may be left.
    pub(super) fn at_most(&self) -> u32 {
        let rest = self.segment.max_doc().saturating_sub(self.first);
        self.names.as_ref().map_or(rest, |names| rest.min(u32::try_from(names.len()).unwrap_or(rest)))
    }

    /// The documents that are left, in order.
    pub(super) fn documents(&self) -> Vec<DocId> {
        let last = self.segment.max_doc();
        let mut documents = Vec::new();
        match (&self.names, &self.times) {
            (Some(names), _) => {
                let mut meant = BitSetDocSet::from(names.clone());
                while meant.doc() != TERMINATED {
                    documents.push(meant.doc());
                    meant.advance();
                }
                documents.retain(|document| self.holds(*document));
            }
            (None, Some((column, from, to))) => {
                // A range beyond the values of a column gives its least value.
                let (from, to) = ((*from).max(column.min_value()), (*to).min(column.max_value()));
                if from <= to {
                    column.get_docids_for_value_range(from..=to, self.first..last, &mut documents);
                }
                documents.retain(|document| self.holds(*document));
            }
            (None, None) => {
                documents.extend((self.first..last).filter(|document| !self.segment.is_deleted(*document)));
            }
        }
        documents
    }
}

impl Narrow {
    /// What an index can decide of a filter: everything but its conditions.
    pub(crate) fn of(filter: &Filter, through: Option<Position>) -> Self {
        Self {
            entity_id: filter.entity_id.clone(),
            event_type: filter.event_type.clone(),
            since: filter.since,
            until: filter.until,
            as_of: filter.as_of,
            through,
        }
    }

    /// The first and the last timestamp in µs.
    fn times(&self) -> Option<(i64, i64)> {
        if self.since.is_none() && self.until.is_none() && self.as_of.is_none() {
            return None;
        }
        let from = self.since.map_or(i64::MIN, Timestamp::as_micros);
        let before = self.until.map_or(i64::MAX, |until| until.as_micros().saturating_sub(1));
        // Before the earliest time there is none: an empty range says so.
        let from = if self.until == Some(Timestamp::MIN) { i64::MAX } else { from };
        let to = self.as_of.map_or(i64::MAX, Timestamp::as_micros).min(before);
        Some((from, to))
    }
}

/// The documents of a segment whose type or entity id is meant.
pub(super) fn documents_named(
    pattern: &NamePattern,
    segment: &SegmentReader,
    field: Field,
) -> tantivy::Result<BitSet> {
    let mut documents = BitSet::with_max_value(segment.max_doc());
    let index = segment.inverted_index(field)?;
    let mut add = |info: &TermInfo| -> tantivy::Result<()> {
        let mut postings = index.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            documents.insert(postings.doc());
            postings.advance();
        }
        Ok(())
    };
    match pattern {
        NamePattern::Exact(name) => {
            if let Some(info) = index.terms().get(name.as_bytes())? {
                add(&info)?;
            }
        }
        NamePattern::Prefix(prefix) => each_beginning(&index, prefix.as_bytes(), &mut |_, info| {
            add(info)?;
            Ok(true)
        })?,
    }
    Ok(documents)
}
