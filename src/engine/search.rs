//! The search path above the indexes: from words and a meaning to ranked events.

use std::sync::Arc;

use super::Engine;
use super::query::View;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Position, quote};
use crate::indexer::{Meaning, Published};
use crate::search::embed::{Calibration, Embedder, text_of, text_of_query};
use crate::search::{DEPTH, Fusion, KeywordQuery, Narrow, PositionSet, Ranked, VectorFound, Wanted};

/// The most events that one search ranks.
pub(crate) const RANKED_MAX: usize = 200;
/// The most events that are read to see whether they meet conditions that no index knows.
const READ_MAX: usize = 10_000;

/// What is sought.
pub(crate) struct Sought {
    /// Words.
    pub keywords: Option<KeywordQuery>,
    /// A meaning, as a vector.
    pub meaning: Option<Vec<f32>>,
    /// The event that it is to be like, which is not sought itself.
    pub like: Option<Position>,
    /// The least calibrated score of a hit, where only the meaning counts.
    pub threshold: f32,
    /// How words and meaning become one ranking.
    pub fusion: Fusion,
    /// How many events are wanted whole.
    pub limit: usize,
}

/// An event that was found.
#[derive(Debug)]
pub(crate) struct Hit {
    /// The event.
    pub event: Event,
    /// Its scores and ranks.
    pub ranked: Ranked,
    /// What it is ranked by, from 0 to 1: the fused score, or for a meaning alone the calibrated one.
    pub score: f32,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct FoundRanked {
    /// The best first.
    pub hits: Vec<Hit>,
    /// The events that come behind them, of 200 in all.
    pub behind: Vec<Position>,
    /// How many events match the words and the filter, where only those were asked for and an index knows it.
    pub matched: Option<u64>,
    /// Ranked events that were left out because they lie below the threshold; the nearest of them.
    pub nearest: Option<Hit>,
    /// Whether a hit has the words, or is close in meaning.
    pub is_close: bool,
    /// How many events were read to decide on conditions.
    pub examined: u64,
    /// Whether reading went on to the end of what could match.
    pub complete: bool,
    /// How the vectors were searched.
    pub vectors: Option<VectorFound>,
}

impl Engine {
    /// The vector of a text that is sought.
    ///
    /// # Errors
    /// `Conflict` (`other_model`) when the events were embedded by another model, `Denied` (`no_embedder`) when there is
    /// none, and `Invalid` (`no_known_word`) when the text holds no word that the model knows.
    pub(crate) fn meaning_of(&self, text: &str, published: &Published) -> Result<Vec<f32>> {
        let embedder = self.embedder_for(published)?;
        let vector = embedder.embed_query(&text_of_query(text))?;
        if vector.iter().all(|number| *number == 0.0) {
            let message = format!(
                "search by the meaning of {}: it holds no word that the model {} knows; ids and hashes are found with keywords",
                quote(text),
                embedder.model()
            );
            return Err(Error::invalid("no_known_word", message));
        }
        Ok(vector)
    }

    /// The vector of a stored event.
    ///
    /// # Errors
    /// Those of [`meaning_of`](Self::meaning_of), where `no_known_word` says so of the event.
    pub(crate) fn meaning_of_event(&self, event: &Event, published: &Published) -> Result<Vec<f32>> {
        let embedder = self.embedder_for(published)?;
        let stored = published.reader.vectors().and_then(|vectors| vectors.vector(event.position));
        let vector = match stored {
            Some(vector) => vector,
            // Not indexed yet.
            None => embedder.embed(&[&text_of(event)])?.pop().unwrap_or_default(),
        };
        if vector.iter().all(|number| *number == 0.0) {
            let message = format!(
                "search for events like position {}: it holds no word that the model {} knows; choose another, or \
                 search by keywords",
                event.position,
                embedder.model()
            );
            return Err(Error::invalid("no_known_word", message));
        }
        Ok(vector)
    }

    fn embedder_for(&self, published: &Published) -> Result<&Arc<dyn Embedder>> {
        match (&published.meaning, &self.search.embedder) {
            (Meaning::On(_), Some(embedder)) => Ok(embedder),
            (meaning, _) => {
                let (kind, code) = match meaning {
                    Meaning::OtherModel { .. } => (ErrorKind::Conflict, "other_model"),
                    Meaning::On(_) | Meaning::Off => (ErrorKind::Denied, "no_embedder"),
                };
                Err(Error::new(kind, code, format!("search by meaning: {}", meaning.refusal())))
            }
        }
    }

    /// The best events of a view.
    ///
    /// Types, entities, times and positions are applied inside the indexes. Other conditions are decided first where at
    /// most 10,000 events remain, else on ranked events, of which at most 10,000 are read.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn search(&self, sought: &Sought, view: &View, published: &Published) -> Result<FoundRanked> {
        let narrow = narrow(view);
        let mut found = FoundRanked { complete: true, ..FoundRanked::default() };
        let allowed = if view.filter.conditions.is_empty() {
            None
        } else {
            decided(view, &published.reader.keyword().positions(&narrow)?, &mut found)?
        };
        let decides_late = !view.filter.conditions.is_empty() && allowed.is_none();
        let wanted = Wanted {
            keywords: sought.keywords.as_ref(),
            meaning: sought.meaning.as_deref(),
            cosine_min: self.calibration().map_or(0.0, |calibration| calibration.background()),
            narrow: &narrow,
            allowed: allowed.as_ref(),
            depth: if decides_late { READ_MAX } else { DEPTH },
            fusion: sought.fusion,
            path: self.search.vector_index,
        };
        let ranking = published.reader.rank(&wanted)?;
        found.vectors = ranking.vectors;
        found.matched = match (&sought.keywords, &sought.meaning, &allowed) {
            (Some(query), None, None) if !decides_late => {
                Some(published.reader.keyword().count(query, &narrow)?)
            }
            _ => None,
        };
        self.read(&ranking.hits, sought, view, &mut found)?;
        if decides_late && ranking.is_cut && found.hits.len() + found.behind.len() < RANKED_MAX {
            found.complete = false;
        }
        Ok(found)
    }

    /// The events of a ranking that was cut off by a page, with their scores as they are now.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn search_again(
        &self,
        positions: &[Position],
        sought: &Sought,
        view: &View,
        published: &Published,
    ) -> Result<FoundRanked> {
        let wanted = Wanted {
            keywords: sought.keywords.as_ref(),
            meaning: sought.meaning.as_deref(),
            cosine_min: self.calibration().map_or(0.0, |calibration| calibration.background()),
            narrow: &Narrow::default(),
            allowed: None,
            depth: 0,
            fusion: sought.fusion,
            path: self.search.vector_index,
        };
        let ranked = published.reader.score_of(positions, &wanted)?;
        let mut found = FoundRanked { complete: true, is_close: true, ..FoundRanked::default() };
        for ranked in ranked.iter().copied().take(sought.limit) {
            if let Some(event) = view.snapshot.event(ranked.position)? {
                found.hits.push(Hit { event, ranked, score: self.score(&ranked, sought) });
            }
        }
        found.behind = positions.iter().skip(sought.limit).copied().collect();
        Ok(found)
    }

    /// Reads ranked events until there are enough, and leaves out those that do not meet the filter or the threshold.
    fn read(&self, ranked: &[Ranked], sought: &Sought, view: &View, found: &mut FoundRanked) -> Result<()> {
        let by_meaning_alone = sought.keywords.is_none();
        let close = self.calibration().map_or(1.0, |calibration| calibration.threshold());
        // What the indexes have decided need not be read to be named.
        let is_decided = view.filter.conditions.is_empty();
        for ranked in ranked {
            if found.hits.len() + found.behind.len() >= RANKED_MAX {
                break;
            }
            if sought.like == Some(ranked.position) {
                continue;
            }
            let score = self.score(ranked, sought);
            let is_too_far = by_meaning_alone && score < sought.threshold;
            if is_too_far && found.nearest.is_some() {
                break;
            }
            let is_wanted = found.hits.len() < sought.limit;
            if !is_wanted && is_decided && !is_too_far {
                found.behind.push(ranked.position);
                continue;
            }
            let Some(event) = view.snapshot.event(ranked.position)? else { continue };
            found.examined += 1;
            if !view.filter.matches(&event) {
                continue;
            }
            if !is_wanted && !is_too_far {
                found.behind.push(ranked.position);
                continue;
            }
            let hit = Hit { event, ranked: *ranked, score };
            if is_too_far {
                found.nearest = Some(hit);
                continue;
            }
            found.is_close |=
                hit.ranked.bm25.is_some() || hit.ranked.cosine.is_some_and(|cosine| cosine >= close);
            found.hits.push(hit);
        }
        Ok(())
    }

    fn score(&self, ranked: &Ranked, sought: &Sought) -> f32 {
        match (&sought.keywords, ranked.cosine, self.calibration()) {
            (None, Some(cosine), Some(calibration)) => calibration.score(cosine),
            _ => ranked.score,
        }
    }

    /// The model of this process; `None` without an embedder.
    pub(crate) fn model(&self) -> Option<&str> {
        self.search.embedder.as_ref().map(|embedder| embedder.model().as_str())
    }

    /// What cosines mean to the present model.
    pub(crate) fn calibration(&self) -> Option<Calibration> {
        self.search.embedder.as_ref().map(|embedder| embedder.calibration())
    }
}

/// What the indexes can decide of a view. It is bounded always: an index may know newer events than the view.
fn narrow(view: &View) -> Narrow {
    let filter = view.filter.narrowed();
    Narrow::of(filter.as_ref().unwrap_or(&view.filter), Some(view.snapshot.head()))
}

/// Of the events that the indexes leave those that meet the conditions too; `None` when there are too many to read.
fn decided(view: &View, left: &PositionSet, found: &mut FoundRanked) -> Result<Option<PositionSet>> {
    if left.len() > READ_MAX as u64 {
        return Ok(None);
    }
    let mut allowed = PositionSet::default();
    for position in left.iter() {
        found.examined += 1;
        if view.snapshot.event(position)?.is_some_and(|event| view.filter.matches(&event)) {
            allowed.insert(position);
        }
    }
    Ok(Some(allowed))
}
