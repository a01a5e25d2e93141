//! Both indexes as one commit left them, searched together; on a fork also what it added.

use std::panic::resume_unwind;
use std::thread;

use super::fusion::{Bounds, Fusion, Ranked, join, rank};
use super::{
    KeywordHit, KeywordQuery, KeywordReader, Narrow, PositionSet, VectorFound, VectorPath, VectorReader,
    VectorStats,
};
use crate::error::Result;
use crate::event::Position;

/// How many events each index gives to be ranked, whatever the limit of the caller. Because each of them then gets the score that
/// the other index has for it, 50 find what all would at the top; these are for who reads on.
pub(crate) const DEPTH: usize = 200;
/// From this many events on both indexes are searched at the same time: 50,000. A thread costs more than a small search.
const PARALLEL_EVENTS_MIN: u64 = 50_000;

/// Both indexes as one commit left them.
#[derive(Clone)]
pub(crate) struct SearchReader {
    keyword: KeywordReader,
    vectors: Option<VectorReader>,
}

/// What is looked for.
pub(crate) struct Wanted<'a> {
    /// Words.
    pub keywords: Option<&'a KeywordQuery>,
    /// A meaning.
    pub meaning: Option<&'a [f32]>,
    /// The cosine that counts 0 for the model.
    pub cosine_min: f32,
    /// Which events, as far as the indexes know it.
    pub narrow: &'a Narrow,
    /// Only these, where more was asked of events than the indexes know.
    pub allowed: Option<&'a PositionSet>,
    /// How many events each index gives.
    pub depth: usize,
    /// How they become one ranking.
    pub fusion: Fusion,
    /// How vectors are searched.
    pub path: VectorPath,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Ranking {
    /// The best first.
    pub hits: Vec<Ranked>,
    /// Whether an index may know more events than it gave.
    pub is_cut: bool,
    /// How the vectors were searched.
    pub vectors: Option<VectorFound>,
}

impl SearchReader {
    pub(crate) fn new(keyword: KeywordReader, vectors: Option<VectorReader>) -> Self {
        Self { keyword, vectors }
    }

    pub(crate) fn keyword(&self) -> &KeywordReader {
        &self.keyword
    }

    pub(crate) fn vectors(&self) -> Option<&VectorReader> {
        self.vectors.as_ref()
    }

    pub(crate) fn vector_stats(&self) -> Option<VectorStats> {
        self.vectors.as_ref().map(VectorReader::stats)
    }

    /// The best of what both indexes know, each with both of its scores.
    ///
    /// # Errors
    /// `Corrupt` when an index cannot be read.
    pub(crate) fn rank(&self, wanted: &Wanted<'_>) -> Result<Ranking> {
        let (keyword, vectors) = self.search_both(wanted)?;
        let near = vectors.as_ref().map_or(&[][..], |found| found.hits.as_slice());
        let is_cut = keyword.len() >= wanted.depth || near.len() >= wanted.depth;
        let mut hits = join(&keyword, near);
        self.complete(&mut hits, wanted)?;
        self.score(&mut hits, wanted)?;
        Ok(Ranking { hits, is_cut, vectors })
    }

    /// What each index finds; of a large store at the same time.
    fn search_both(&self, wanted: &Wanted<'_>) -> Result<(Vec<KeywordHit>, Option<VectorFound>)> {
        let is_both = wanted.keywords.is_some() && wanted.meaning.is_some();
        if !is_both || self.keyword.events() < PARALLEL_EVENTS_MIN {
            return Ok((self.matching(wanted)?, self.nearest(wanted)?));
        }
        thread::scope(|scope| {
            let nearest = scope.spawn(|| self.nearest(wanted));
            let matching = self.matching(wanted);
            let nearest = nearest.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok((matching?, nearest?))
        })
    }

    fn matching(&self, wanted: &Wanted<'_>) -> Result<Vec<KeywordHit>> {
        match (wanted.keywords, wanted.allowed) {
            (None, _) => Ok(Vec::new()),
            (Some(query), None) => self.keyword.search(query, wanted.narrow, wanted.depth),
            (Some(query), Some(allowed)) => self.keyword.search_within(query, allowed, wanted.depth),
        }
    }

    /// These events with their scores, in the order in which they are given.
    ///
    /// # Errors
    /// `Corrupt` when an index cannot be read.
    pub(crate) fn score_of(&self, positions: &[Position], wanted: &Wanted<'_>) -> Result<Vec<Ranked>> {
        let mut hits: Vec<Ranked> = positions.iter().copied().map(Ranked::at).collect();
        self.complete(&mut hits, wanted)?;
        self.score(&mut hits, wanted)?;
        let place = |position| positions.iter().position(|known| *known == position);
        hits.sort_by_key(|hit| place(hit.position));
        Ok(hits)
    }

    fn score(&self, hits: &mut [Ranked], wanted: &Wanted<'_>) -> Result<()> {
        let fusion = match (wanted.keywords, wanted.meaning) {
            (Some(_), None) => Fusion::Convex(0.0),
            (None, _) => Fusion::Convex(1.0),
            (Some(_), Some(_)) => wanted.fusion,
        };
        let bm25_max = wanted.keywords.map_or(Ok(0.0), |query| self.keyword.score_bound(query))?;
        rank(hits, fusion, Bounds { bm25_max, cosine_min: wanted.cosine_min });
        Ok(())
    }

    fn nearest(&self, wanted: &Wanted<'_>) -> Result<Option<VectorFound>> {
        let (Some(meaning), Some(vectors)) = (wanted.meaning, &self.vectors) else { return Ok(None) };
        let through = wanted.narrow.through;
        let left = match wanted.allowed {
            Some(_) => None,
            None if *wanted.narrow == (Narrow { through, ..Narrow::default() }) => None,
            None => Some(self.keyword.positions(wanted.narrow)?),
        };
        let allowed = wanted.allowed.or(left.as_ref());
        if allowed.is_some_and(PositionSet::is_empty) {
            return Ok(Some(VectorFound { path: "none", ..VectorFound::default() }));
        }
        Ok(Some(vectors.nearest(meaning, allowed, through, wanted.depth, wanted.path)))
    }

    /// Gives the events that only one index brought the score of the other, where it has one.
    fn complete(&self, hits: &mut [Ranked], wanted: &Wanted<'_>) -> Result<()> {
        if let (Some(meaning), Some(vectors)) = (wanted.meaning, &self.vectors) {
            let lacking: Vec<&mut Ranked> = hits.iter_mut().filter(|hit| hit.cosine.is_none()).collect();
            let positions: Vec<Position> = lacking.iter().map(|hit| hit.position).collect();
            for (hit, cosine) in lacking.into_iter().zip(vectors.cosines(meaning, &positions)) {
                hit.cosine = cosine;
            }
        }
        if let Some(query) = wanted.keywords {
            let lacking: Vec<&mut Ranked> = hits.iter_mut().filter(|hit| hit.bm25.is_none()).collect();
            let positions: Vec<Position> = lacking.iter().map(|hit| hit.position).collect();
            for (hit, bm25) in lacking.into_iter().zip(self.keyword.scores(query, &positions)?) {
                hit.bm25 = bm25;
            }
        }
        Ok(())
    }
}
