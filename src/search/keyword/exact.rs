//! Scores that are the same to the last bit, whatever the segments.

use tantivy::postings::Postings;
use tantivy::query::{Bm25StatisticsProvider, Bm25Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, SegmentReader, Term};

use super::corpus::Corpus;
use super::plan::Plan;

/// The scores of a query that is nothing but terms: summed in the order of the terms, in double precision. Tantivy's own sums depend on
/// which term it came to last, and so on how events fell into segments.
pub(super) struct Exact {
    terms: Vec<(Term, Bm25Weight)>,
}

impl Exact {
    /// The terms of a plan, if it is nothing but terms.
    pub(super) fn of(plan: &Plan, corpus: &Corpus) -> tantivy::Result<Option<Self>> {
        let Some(flat) = &plan.flat else { return Ok(None) };
        let mut terms = Vec::with_capacity(flat.len());
        for (term, count) in flat {
            if corpus.doc_freq(term)? > 0 {
                let weight = Bm25Weight::for_terms(corpus, std::slice::from_ref(term))?;
                terms.push((term.clone(), weight.boost_by(*count)));
            }
        }
        Ok(Some(Self { terms }))
    }

    /// The scores of documents, which are in order.
    pub(super) fn scores(
        &self,
        segment: &SegmentReader,
        documents: &[DocId],
    ) -> tantivy::Result<Vec<Option<f32>>> {
        let mut sums: Vec<Option<f64>> = vec![None; documents.len()];
        for (term, weight) in &self.terms {
            let index = segment.inverted_index(term.field())?;
            let Some(mut postings) = index.read_postings(term, IndexRecordOption::WithFreqs)? else {
                continue;
            };
            let norms = segment.get_fieldnorms_reader(term.field())?;
            for (document, sum) in documents.iter().zip(&mut sums) {
                if postings.doc() < *document {
                    postings.seek(*document);
                }
                if postings.doc() == *document {
                    let score = weight.score(norms.fieldnorm_id(*document), postings.term_freq());
                    *sum = Some(sum.unwrap_or(0.0) + f64::from(score));
                }
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "scores are single precision; sums are not")]
        Ok(sums.into_iter().map(|sum| sum.map(|sum| sum as f32)).collect())
    }
}
