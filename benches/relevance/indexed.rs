//! A collection as events in a store of its own, and rankings of it.

use std::time::Duration;

use allsource::event::EventDraft;
use allsource::indexer::{Indexer, SearchOptions, SearchQuery};
use allsource::search::Fusion;
use allsource::search::embed::EmbedderChoice;
use allsource::store::{Append, Options, Store};
use serde_json::json;

use crate::collection::{Collection, Document};

/// Events appended at once.
const BATCH: usize = 1_000;
/// How long indexing may take: an hour, for slow models.
const INDEXING_MAX: Duration = Duration::from_hours(1);

/// How documents are ranked.
#[derive(Clone, Copy)]
pub enum Way {
    /// By words alone.
    Keyword,
    /// By meaning alone.
    Meaning,
    /// By both.
    Hybrid(Fusion),
}

/// A query as it is sent.
pub struct Asked<'t> {
    /// As it was written, for its meaning.
    pub text: &'t str,
    /// Its words.
    pub keywords: String,
    /// It had more words than a search takes, and lost its last.
    pub is_shortened: bool,
}

/// A store that holds a collection, indexed.
pub struct Indexed {
    indexer: Indexer,
    /// Last, so that it is removed when nothing uses it any more.
    _dir: tempfile::TempDir,
}

impl Indexed {
    /// Appends each document as an event, so that the n-th has position n, and waits until all can be found.
    pub fn over(collection: &Collection, embedder: &EmbedderChoice) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for a bench");
        let store = Store::open(dir.path(), Options::default()).expect("a healthy disk");
        for documents in collection.documents.chunks(BATCH) {
            let events = documents.iter().map(draft).collect();
            store.append(Append { events, ..Append::default() }).expect("a healthy disk");
        }
        let embedder = embedder.open().expect("an embedder that can be opened");
        let indexer = Indexer::start(&store, SearchOptions { embedder, ..SearchOptions::default() });
        let indexer = indexer.expect("a thread for indexing");
        assert!(indexer.catch_up(INDEXING_MAX), "indexed: {:?}", indexer.progress());
        Self { indexer, _dir: dir }
    }

    /// The documents that a search finds, the best first.
    pub fn ranking(&self, asked: &Asked<'_>, way: Way) -> Vec<usize> {
        let (words, meaning) = (Some(asked.keywords.as_str()), Some(asked.text));
        let query = match way {
            Way::Keyword => SearchQuery { keywords: words, ..SearchQuery::default() },
            Way::Meaning => SearchQuery { meaning, ..SearchQuery::default() },
            Way::Hybrid(fusion) => SearchQuery { keywords: words, meaning, fusion, ..SearchQuery::default() },
        };
        let hits = self.indexer.search(&query, Duration::ZERO).expect("a query that can be answered");
        let place = |position: u64| usize::try_from(position - 1).expect("a small collection");
        hits.iter().map(|hit| place(hit.position.get())).collect()
    }

    /// Writes a text as keywords: without signs that would be syntax, and with as many words as a search takes.
    pub fn asked<'t>(&self, text: &'t str) -> Asked<'t> {
        let pieces = text.split(|c: char| c.is_whitespace() || "\"()[]{}*+:".contains(c));
        let is_word =
            |word: &&str| word.contains(char::is_alphanumeric) && !["AND", "OR", "NOT"].contains(word);
        let words: Vec<&str> = pieces.filter(is_word).map(|word| word.trim_start_matches('-')).collect();
        let mut taken = words.len();
        loop {
            let keywords = words.iter().take(taken).copied().collect::<Vec<_>>().join(" ");
            let query = SearchQuery { keywords: Some(&keywords), ..SearchQuery::default() };
            match self.indexer.search(&query, Duration::ZERO) {
                Ok(_) => return Asked { text, keywords, is_shortened: taken < words.len() },
                Err(error) => assert!(error.details().contains_key("terms"), "failed to {error}"),
            }
            taken -= 1;
        }
    }
}

/// The document as an event. Names that are one token each, which no text holds, leave its words as they are.
fn draft(document: &Document) -> EventDraft {
    let payload = if document.title.is_empty() {
        json!({"text": document.text})
    } else {
        json!({"title": document.title, "text": document.text})
    };
    let entity = format!("d{}", document.id);
    EventDraft::new(&entity, "d", payload.to_string()).expect("a valid draft")
}
