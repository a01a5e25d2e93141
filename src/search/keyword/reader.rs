//! Searching a point in time of an index.

use std::cmp::Ordering;

use tantivy::query::{EnableScoring, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Searcher, SegmentReader, TERMINATED, Term};

use super::corpus::Corpus;
use super::document::{EMPTIED, EMPTIED_TERM};
use super::exact::Exact;
use super::fields::{ending_so, term_at};
use super::lookup::Places;
use super::narrow::{Left, Narrow};
use super::plan::{Plan, Planner, search_failed};
use super::query::KeywordQuery;
use super::schema::Fields;
use super::top::Top;
use super::words::{Manner, Words};
use crate::error::Result;
use crate::event::Position;
use crate::search::positions::PositionSet;

/// When a filter leaves at most this many documents of a segment, each is scored by itself: 2,000. With more, the search
/// goes through those that match and looks at the filter.
const SCORED_SINGLY_MAX: u32 = 2_000;

/// An index as one commit left it; what is committed later does not show. Cheap to clone, and searched from any thread.
#[derive(Clone)]
pub(crate) struct KeywordReader {
    corpus: Corpus,
    /// The last position that counts of the index itself; what a fork added lies behind it.
    through: Position,
    fields: Fields,
}

/// An event that matches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct KeywordHit {
    /// Its position.
    pub(crate) position: Position,
    /// Its BM25 score (k1 1.2, b 0.75), greater than zero.
    pub(crate) score: f32,
}

impl KeywordHit {
    /// The order of hits: the best first, of equal ones the newest.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| other.position.cmp(&self.position))
    }
}

/// One segment with its positions.
struct Segment<'s> {
    reader: &'s SegmentReader,
    places: Places,
    /// The last position that counts.
    through: Position,
}

impl<'s> Segment<'s> {
    fn of(reader: &'s SegmentReader, through: Position) -> tantivy::Result<Self> {
        Ok(Self { reader, places: Places::of(reader)?, through })
    }

    /// The documents that are left of it.
    fn left(&self, narrow: &Narrow, fields: Fields) -> tantivy::Result<Left<'s>> {
        let through = narrow.through.map_or(self.through, |through| through.min(self.through));
        Left::of(narrow, self.reader, self.places.at_or_below(through), fields)
    }
}

impl KeywordReader {
    /// A reader of what a searcher sees.
    pub(super) fn new(searcher: Searcher, fields: Fields) -> Self {
        Self { corpus: Corpus::of(searcher), through: Position::MAX, fields }
    }

    /// This index up to `through`, and behind it what a fork added.
    pub(crate) fn with_fork(&self, through: Position, fork: &Self) -> Self {
        Self { corpus: self.corpus.with_fork(&fork.corpus), through, fields: self.fields }
    }

    /// The events that were empty when they were indexed.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn emptied(&self) -> Result<PositionSet> {
        self.search_emptied().map_err(search_failed)
    }

    fn search_emptied(&self) -> tantivy::Result<PositionSet> {
        let term = Term::from_field_text(self.fields.fields, &term_at(EMPTIED, EMPTIED_TERM));
        let mut found = PositionSet::default();
        for segment in self.by_age()? {
            let index = segment.reader.inverted_index(self.fields.fields)?;
            let Some(mut documents) = index.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            while documents.doc() != TERMINATED {
                if !segment.reader.is_deleted(documents.doc()) {
                    found.insert(segment.places.position(documents.doc()));
                }
                documents.advance();
            }
        }
        Ok(found)
    }

    /// How many events are indexed.
    pub(crate) fn events(&self) -> u64 {
        self.corpus.events()
    }

    /// How many segments they lie in.
    #[cfg(test)]
    pub(crate) fn segments(&self) -> usize {
        self.corpus.segments().count()
    }

    /// The best `depth` hits among the events that `narrow` leaves: the best first, of equal ones the newest.
    ///
    /// # Errors
    /// `Invalid` when a prefix or a field stands for too much, `Unavailable` when the disk fails.
    pub(crate) fn search(
        &self,
        query: &KeywordQuery,
        narrow: &Narrow,
        depth: usize,
    ) -> Result<Vec<KeywordHit>> {
        let plan = self.plan(query)?;
        let mut top = Top::new(depth);
        if depth > 0 {
            self.search_all(&plan, narrow, &mut top).map_err(search_failed)?;
        }
        Ok(top.into_hits())
    }

    fn search_all(&self, plan: &Plan, narrow: &Narrow, top: &mut Top) -> tantivy::Result<()> {
        let weight = self.weight(plan)?;
        let exact = Exact::of(plan, &self.corpus)?;
        for segment in self.by_age()? {
            let left = segment.left(narrow, self.fields)?;
            let documents = if left.at_most() <= SCORED_SINGLY_MAX {
                left.documents()
            } else {
                top.candidates(weight.as_ref(), segment.reader, &left)?
            };
            add_scored(&segment, weight.as_ref(), exact.as_ref(), &documents, top)?;
        }
        Ok(())
    }

    /// The best `depth` hits among these events alone.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub(crate) fn search_within(
        &self,
        query: &KeywordQuery,
        allowed: &PositionSet,
        depth: usize,
    ) -> Result<Vec<KeywordHit>> {
        let plan = self.plan(query)?;
        let mut top = Top::new(depth);
        self.score_within(&plan, allowed, &mut top).map_err(search_failed)?;
        Ok(top.into_hits())
    }

    fn score_within(&self, plan: &Plan, allowed: &PositionSet, top: &mut Top) -> tantivy::Result<()> {
        let weight = self.weight(plan)?;
        let exact = Exact::of(plan, &self.corpus)?;
        for segment in self.by_age()? {
            let mut documents = segment.places.find_all(allowed);
            let first = segment.places.at_or_below(segment.through);
            documents.retain(|document| *document >= first && !segment.reader.is_deleted(*document));
            add_scored(&segment, weight.as_ref(), exact.as_ref(), &documents, top)?;
        }
        Ok(())
    }

    /// The scores of these events, `None` where one does not match or is not indexed.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub(crate) fn scores(&self, query: &KeywordQuery, positions: &[Position]) -> Result<Vec<Option<f32>>> {
        let plan = self.plan(query)?;
        let mut top = Top::new(positions.len());
        let wanted = positions.iter().copied().collect();
        self.score_within(&plan, &wanted, &mut top).map_err(search_failed)?;
        let found: std::collections::HashMap<Position, f32> =
            top.into_hits().into_iter().map(|hit| (hit.position, hit.score)).collect();
        Ok(positions.iter().map(|position| found.get(position).copied()).collect())
    }

    /// What no score of this query exceeds: the sum over its terms of idf × (k1 + 1). Zero when no event could match.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub(crate) fn score_bound(&self, query: &KeywordQuery) -> Result<f32> {
        Ok(self.plan(query)?.bound)
    }

    /// How many events match, among those that `narrow` leaves.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub(crate) fn count(&self, query: &KeywordQuery, narrow: &Narrow) -> Result<u64> {
        let plan = self.plan(query)?;
        self.count_all(&plan, narrow).map_err(search_failed)
    }

    fn count_all(&self, plan: &Plan, narrow: &Narrow) -> tantivy::Result<u64> {
        let weight = plan.query.weight(EnableScoring::disabled_from_searcher(self.corpus.main()))?;
        let mut count = 0;
        for segment in self.by_age()? {
            let left = segment.left(narrow, self.fields)?;
            weight.for_each_no_score(segment.reader, &mut |documents| {
                count += documents.iter().filter(|document| left.holds(**document)).count() as u64;
            })?;
        }
        Ok(count)
    }

    /// The events that `narrow` leaves.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn positions(&self, narrow: &Narrow) -> Result<PositionSet> {
        self.all_left(narrow).map_err(search_failed)
    }

    fn all_left(&self, narrow: &Narrow) -> tantivy::Result<PositionSet> {
        let mut runs: Vec<(Position, Position)> = Vec::new();
        for segment in self.by_age()?.iter().rev() {
            let left = segment.left(narrow, self.fields)?;
            // Documents lie newest first, mostly without a gap.
            for document in left.documents().into_iter().rev() {
                let position = segment.places.position(document);
                match runs.last_mut() {
                    Some((_, last)) if last.next() == position => *last = position,
                    _ => runs.push((position, position)),
                }
            }
        }
        Ok(PositionSet::of_runs(runs))
    }

    /// Adds the events up to `through` that may have one of these texts at a path, which is written whole: each has every
    /// word of the text there, perhaps in another order and beside others. Who needs the text itself reads the event.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn add_holders<'t>(
        &self,
        path: &str,
        texts: impl Iterator<Item = &'t str>,
        through: Position,
        found: &mut PositionSet,
    ) -> Result<()> {
        let mut words = Words::default();
        let texts: Vec<Vec<Term>> = texts.map(|text| self.terms_of(path, text, &mut words)).collect();
        self.search_holders(&texts, through, found).map_err(search_failed)
    }

    /// The terms of a text at a path; of one without a word that which says that there is something at the path.
    fn terms_of(&self, path: &str, text: &str, words: &mut Words) -> Vec<Term> {
        let mut terms = Vec::new();
        words.each(text, Manner::Stored, 0, &mut |piece| {
            if piece.finest {
                terms.push(Term::from_field_text(self.fields.fields, &term_at(path, piece.term)));
            }
        });
        if terms.is_empty() {
            terms.push(Term::from_field_text(self.fields.fields, &ending_so(path)));
        }
        terms
    }

    fn search_holders(
        &self,
        texts: &[Vec<Term>],
        through: Position,
        found: &mut PositionSet,
    ) -> tantivy::Result<()> {
        for segment in self.by_age()? {
            let index = segment.reader.inverted_index(self.fields.fields)?;
            let newest = segment.places.at_or_below(through.min(segment.through));
            for terms in texts {
                let mut postings = Vec::with_capacity(terms.len());
                for term in terms {
                    postings.extend(index.read_postings(term, IndexRecordOption::Basic)?);
                }
                if postings.len() < terms.len() {
                    continue;
                }
                for document in in_all(&mut postings, newest) {
                    if !segment.reader.is_deleted(document) {
                        found.insert(segment.places.position(document));
                    }
                }
            }
        }
        Ok(())
    }

    /// The fields of a query that no event has, as they were written: they are searched for as text.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub(crate) fn unknown_fields(&self, query: &KeywordQuery) -> Result<Vec<String>> {
        let planner = Planner { corpus: &self.corpus, fields: self.fields };
        let mut unknown = Vec::new();
        for path in query.field_paths() {
            if planner.paths(path)?.is_empty() && !unknown.iter().any(|known| known == path) {
                unknown.push(path.to_owned());
            }
        }
        Ok(unknown)
    }

    fn plan(&self, query: &KeywordQuery) -> Result<Plan> {
        Planner { corpus: &self.corpus, fields: self.fields }.plan(query)
    }

    fn weight(&self, plan: &Plan) -> tantivy::Result<Box<dyn Weight>> {
        plan.query.weight(EnableScoring::enabled_from_statistics_provider(&self.corpus, self.corpus.main()))
    }

    /// The segments, the one with the newest event first.
    fn by_age(&self) -> tantivy::Result<Vec<Segment<'_>>> {
        let mut segments = Vec::new();
        for reader in self.corpus.main().segment_readers() {
            segments.push(Segment::of(reader, self.through)?);
        }
        for reader in self.corpus.fork().map_or(&[][..], Searcher::segment_readers) {
            segments.push(Segment::of(reader, Position::MAX)?);
        }
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.places.newest().min(segment.through)));
        Ok(segments)
    }
}

/// The documents from `first` on that are in all of these, in order.
fn in_all<P: DocSet>(postings: &mut [P], first: DocId) -> Vec<DocId> {
    postings.sort_by_key(DocSet::size_hint);
    let Some((fewest, others)) = postings.split_first_mut() else { return Vec::new() };
    let mut documents = Vec::new();
    let mut document = if fewest.doc() < first { fewest.seek(first) } else { fewest.doc() };
    while document != TERMINATED {
        let is_in = |other: &mut P| {
            let at = if other.doc() < document { other.seek(document) } else { other.doc() };
            at == document
        };
        if others.iter_mut().all(is_in) {
            documents.push(document);
        }
        document = fewest.advance();
    }
    documents
}

fn add_scored(
    segment: &Segment<'_>,
    weight: &dyn Weight,
    exact: Option<&Exact>,
    documents: &[DocId],
    top: &mut Top,
) -> tantivy::Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let scores = match exact {
        Some(exact) => exact.scores(segment.reader, documents)?,
        None => scores_by(weight, segment.reader, documents)?,
    };
    for (document, score) in documents.iter().zip(scores) {
        if let Some(score) = score {
            top.add(KeywordHit { position: segment.places.position(*document), score });
        }
    }
    Ok(())
}

/// The scores of documents, which are in order.
fn scores_by(
    weight: &dyn Weight,
    segment: &SegmentReader,
    documents: &[DocId],
) -> tantivy::Result<Vec<Option<f32>>> {
    let mut scorer = weight.scorer(segment, 1.0)?;
    let mut found = Vec::with_capacity(documents.len());
    for document in documents {
        if scorer.doc() < *document {
            scorer.seek(*document);
        }
        let matches = scorer.doc() == *document && *document != TERMINATED;
        found.push(matches.then(|| scorer.score()));
    }
    Ok(found)
}
