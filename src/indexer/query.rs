//! Searching from a program: positions with scores, best first.

use std::time::Duration;

use super::Meaning;
use super::thread::Indexer;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Filter, Position};
use crate::search::embed::text_of_query;
use crate::search::{DEPTH, Fusion, KeywordQuery, Narrow, Ranked, Wanted};

/// What is searched for; at least keywords or a meaning.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery<'a> {
    /// Words, with `"phrases"`, `prefix*`, `path:value`, `AND`, `OR` and `NOT`.
    pub keywords: Option<&'a str>,
    /// What it is about, in plain words.
    pub meaning: Option<&'a str>,
    /// Which events; by entity, type and time alone, which the indexes know.
    pub filter: Filter,
    /// Only events up to this position.
    pub through: Option<Position>,
    /// How words and meaning become one ranking.
    pub fusion: Fusion,
}

impl Indexer {
    /// The best events of what is indexed, at most 200 from each index; read them with
    /// [`Snapshot::event`](crate::store::Snapshot::event). Waits up to `timeout` until the indexes are open, but not until
    /// the newest events are in them: for that see [`catch_up`](Self::catch_up).
    ///
    /// ```
    /// use std::time::Duration;
    /// use allsource::event::EventDraft;
    /// use allsource::indexer::{Indexer, SearchOptions, SearchQuery};
    /// use allsource::store::{Append, Options, Store};
    ///
    /// # fn main() -> allsource::Result<()> {
    /// # let dir = tempfile::tempdir().map_err(|e| allsource::Error::internal(e.to_string()))?;
    /// let store = Store::open(dir.path(), Options::default())?;
    /// let draft = EventDraft::new("order-7", "order.cancelled", r#"{"reason": "customer wants the money back"}"#)?;
    /// store.append(Append { events: vec![draft], ..Append::default() })?;
    ///
    /// let indexer = Indexer::start(&store, SearchOptions::default())?;
    /// indexer.catch_up(Duration::from_secs(60));
    /// let query = SearchQuery { meaning: Some("a refund"), ..SearchQuery::default() };
    /// let found = indexer.search(&query, Duration::from_secs(5))?;
    /// assert_eq!(found.first().map(|hit| hit.position.get()), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` when neither keywords nor a meaning is given, when the keywords have a mistake (`bad_keywords`), and when the
    /// filter has conditions, which no index knows; `Conflict` (`other_model`) when the events were embedded by another
    /// model; `Unavailable` when the indexes are not open.
    pub fn search(&self, query: &SearchQuery<'_>, timeout: Duration) -> Result<Vec<Ranked>> {
        if !query.filter.conditions.is_empty() {
            let message = "search with conditions: the indexes know entities, types and times alone; read the events that \
                           are found and decide on each";
            return Err(Error::invalid("unknown_to_indexes", message));
        }
        if query.keywords.is_none() && query.meaning.is_none() {
            let message = "search: neither keywords nor a meaning is given; give at least one";
            return Err(Error::invalid("missing_argument", message));
        }
        let published = self.wait_for(Position::ZERO, timeout)?;
        let keywords = query.keywords.map(KeywordQuery::parse).transpose()?;
        let options = self.options();
        let meaning = match (query.meaning, &published.meaning, &options.embedder) {
            (None, _, _) => None,
            (Some(text), Meaning::On(_), Some(embedder)) => Some(embedder.embed_query(&text_of_query(text))?),
            (Some(_), meaning, _) => {
                let message = format!("search by meaning: {}", meaning.refusal());
                return Err(Error::new(ErrorKind::Conflict, "other_model", message));
            }
        };
        let ranking = published.reader.rank(&Wanted {
            keywords: keywords.as_ref(),
            meaning: meaning.as_deref(),
            cosine_min: options.embedder.as_ref().map_or(0.0, |embedder| embedder.calibration().background()),
            narrow: &Narrow::of(&query.filter, query.through),
            allowed: None,
            depth: DEPTH,
            fusion: query.fusion,
            path: options.vector_index,
        })?;
        Ok(ranking.hits)
    }
}
