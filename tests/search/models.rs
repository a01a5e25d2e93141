//! Vectors know their model: those of another are refused, by name and with what to do.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use allsource::Result;
use allsource::indexer::{Indexer, Meaning, Rebuild, SearchQuery};
use allsource::search::embed::{Calibration, Embedder, ModelId};
use allsource::store::{Options, Store};

use super::{PATIENCE, ask, options, tickets};
use serde_json::json;

/// A model of a test: each word has a direction of its own among 64, and a text the sum of its words.
pub(super) struct Bag(ModelId);

impl Bag {
    pub(super) fn named(model: &str) -> Self {
        Self(ModelId::new(model).expect("a name"))
    }
}

impl Embedder for Bag {
    fn model(&self) -> &ModelId {
        &self.0
    }

    fn dimension(&self) -> usize {
        64
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let vector = |text: &&str| {
            let mut vector = vec![0.0_f32; 64];
            for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2) {
                let mut bits = hasher.hash_one(word.to_lowercase());
                for number in &mut vector {
                    *number += if bits & 1 == 1 { 1.0 } else { -1.0 };
                    bits = bits.rotate_right(1);
                }
            }
            let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
            if length > 0.0 {
                for number in &mut vector {
                    *number /= length;
                }
            }
            vector
        };
        Ok(texts.iter().map(vector).collect())
    }

    fn calibration(&self) -> Calibration {
        Calibration::new(0.5, 0.1)
    }

    fn tokens_max(&self) -> usize {
        usize::MAX
    }
}

fn search(indexer: &Indexer, query: &SearchQuery<'_>) -> Result<Vec<u64>> {
    let found = indexer.search(query, PATIENCE)?;
    Ok(found.iter().map(|hit| hit.position.get()).collect())
}

/// A store of this kind answered with the vectors of one model to the query of another.
#[test]
fn another_model_is_refused_and_everything_else_works() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    ask(&engine, "hybrid_search", json!({"keywords": "mark1"}));
    engine.close().expect("closes");

    let store = Store::open(root.path(), Options::default()).expect("a store");
    let indexer = Indexer::start(&store, options("bag/2")).expect("a thread");
    assert!(indexer.catch_up(PATIENCE));
    let words = SearchQuery { keywords: Some("mark1"), ..SearchQuery::default() };
    let meaning = SearchQuery { meaning: Some("the card was declined"), ..SearchQuery::default() };
    assert_eq!(search(&indexer, &words).expect("words are found"), [2]);
    let refused = search(&indexer, &meaning).expect_err("vectors of another model");
    assert_eq!(refused.code(), "other_model");
    for part in ["bag/1", "bag/2", "allsource reindex --vectors"] {
        assert!(refused.message().contains(part), "{refused}");
    }

    indexer.rebuild(Rebuild::Vectors).expect("begun");
    assert!(indexer.catch_up(PATIENCE));
    assert_eq!(search(&indexer, &meaning).expect("embedded anew")[..3], [9, 5, 1]);
    assert!(
        indexer
            .progress()
            .is_some_and(|now| matches!(&now.meaning, Meaning::On(id) if id.as_str() == "bag/2"))
    );
}

#[test]
fn without_a_model_words_are_found_and_vectors_are_made_later() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    engine.close().expect("closes");
    let store = Store::open(root.path(), Options::default()).expect("a store");
    let none = allsource::indexer::SearchOptions { embedder: None, ..options("bag/1") };
    let indexer = Indexer::start(&store, none).expect("a thread");
    assert!(indexer.catch_up(PATIENCE));
    let words = SearchQuery { keywords: Some("mark1"), ..SearchQuery::default() };
    assert_eq!(search(&indexer, &words).expect("words are found"), [2]);
    drop(indexer);
    let indexer = Indexer::start(&store, options("bag/1")).expect("a thread");
    assert!(indexer.catch_up(PATIENCE));
    let meaning = SearchQuery { meaning: Some("the card was declined"), ..SearchQuery::default() };
    assert_eq!(search(&indexer, &meaning).expect("embedded")[..3], [9, 5, 1]);
}

#[test]
fn everything_is_made_anew_on_demand() {
    let root = tempfile::tempdir().expect("a directory");
    let engine = tickets(root.path());
    ask(&engine, "hybrid_search", json!({"keywords": "mark1"}));
    let indexer = engine.indexer().expect("an indexer");
    indexer.rebuild(Rebuild::Everything).expect("begun");
    assert!(indexer.catch_up(PATIENCE));
    for n in 0..12 {
        let word = format!("mark{n}");
        let query = SearchQuery { keywords: Some(&word), ..SearchQuery::default() };
        assert_eq!(search(&indexer, &query).expect("found"), [n + 1]);
    }
}
