//! Reading a collection in the form of BEIR (Thakur and others, 2021).

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;

/// A collection; documents are known by their place in it.
pub struct Collection {
    /// In the order of the file.
    pub documents: Vec<Document>,
    /// The queries with at least one relevant document.
    pub queries: Vec<Query>,
}

/// One document.
#[derive(Deserialize)]
pub struct Document {
    /// Its id in the collection.
    #[serde(rename = "_id")]
    pub id: String,
    /// Its title; many have none.
    #[serde(default)]
    pub title: String,
    /// Its text.
    #[serde(default)]
    pub text: String,
}

/// One query.
pub struct Query {
    /// What is asked.
    pub text: String,
    /// How relevant documents are, by their place; others are not.
    pub judged: HashMap<usize, u32>,
}

#[derive(Deserialize)]
struct AskedLine {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

impl Collection {
    /// Reads the three files of a directory.
    pub fn read(dir: &Path) -> Self {
        let documents: Vec<Document> = lines(dir, "corpus.jsonl").map(|line| parsed(&line)).collect();
        let places: HashMap<&str, usize> =
            documents.iter().enumerate().map(|(place, document)| (document.id.as_str(), place)).collect();
        let mut judged: BTreeMap<String, HashMap<usize, u32>> = BTreeMap::new();
        for line in lines(dir, "qrels.tsv") {
            let mut columns = line.split('\t');
            let mut column = || columns.next().expect("query-id, corpus-id and score").trim();
            let (query, document, score) = (column(), column(), column());
            // A header has no number there; negative scores are not relevant either.
            let Ok(score @ 1..) = score.parse::<i64>() else { continue };
            let Some(place) = places.get(document) else { continue };
            let relevance = u32::try_from(score).expect("a small score");
            judged.entry(query.to_owned()).or_default().insert(*place, relevance);
        }
        let queries = lines(dir, "queries.jsonl").map(|line| parsed::<AskedLine>(&line));
        let queries: Vec<Query> = queries
            .filter_map(|asked| Some(Query { text: asked.text, judged: judged.remove(&asked.id)? }))
            .collect();
        assert!(judged.is_empty(), "every judged query is among the queries");
        Self { documents, queries }
    }
}

fn parsed<'l, T: Deserialize<'l>>(line: &'l str) -> T {
    serde_json::from_str(line).expect("a line with the members of BEIR")
}

/// The lines of a file that may be compressed, without empty ones.
fn lines(dir: &Path, name: &str) -> impl Iterator<Item = String> {
    let plain = File::open(dir.join(name)).map(|file| Box::new(file) as Box<dyn Read>);
    let reader = plain.or_else(|_| {
        let file = File::open(dir.join(format!("{name}.gz")))?;
        Ok::<_, std::io::Error>(Box::new(GzDecoder::new(file)))
    });
    let reader = reader
        .unwrap_or_else(|error| panic!("failed to open {name} or {name}.gz in {}: {error}", dir.display()));
    BufReader::new(reader).lines().map(|line| line.expect("text")).filter(|line| !line.trim().is_empty())
}
