//! What do an index and the part of a fork know together? The statistics that scores depend on.

use std::iter;

use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::Field;
use tantivy::{Searcher, SegmentReader, Term};

/// An index, and behind it that of what a fork added, if there is one.
///
/// Documents and terms are counted over both, so that the scores of events from either are of one measure.
#[derive(Clone)]
pub(super) struct Corpus {
    main: Searcher,
    fork: Option<Searcher>,
}

impl Corpus {
    /// An index alone.
    pub(super) fn of(main: Searcher) -> Self {
        Self { main, fork: None }
    }

    /// This index with another one behind it.
    pub(super) fn with_fork(&self, fork: &Self) -> Self {
        Self { main: self.main.clone(), fork: Some(fork.main.clone()) }
    }

    /// The index itself; the schema of the part of a fork is the same.
    pub(super) fn main(&self) -> &Searcher {
        &self.main
    }

    /// What a fork added.
    pub(super) fn fork(&self) -> Option<&Searcher> {
        self.fork.as_ref()
    }

    /// The segments of both.
    pub(super) fn segments(&self) -> impl Iterator<Item = &SegmentReader> {
        self.searchers().flat_map(Searcher::segment_readers)
    }

    /// How many events are indexed.
    pub(super) fn events(&self) -> u64 {
        self.searchers().map(Searcher::num_docs).sum()
    }

    fn searchers(&self) -> impl Iterator<Item = &Searcher> {
        iter::once(&self.main).chain(&self.fork)
    }
}

impl Bm25StatisticsProvider for Corpus {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.searchers().map(|searcher| searcher.total_num_tokens(field)).sum()
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.searchers().map(Searcher::total_num_docs).sum()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.searchers().map(|searcher| searcher.doc_freq(term)).sum()
    }
}
