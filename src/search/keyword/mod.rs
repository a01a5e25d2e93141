//! *Which events hold these words?* A full-text index in Tantivy: BM25, phrases, fields, prefixes.
//!
//! Useful for: finding and scoring events by words and identifiers; filtering by type, entity and time. Not for: giving back
//! what an event says (the store does), or knowing when it was indexed (whoever commits says so in the payload).
//!
//! **Invariant:** nothing here is the only copy of anything. An index that is missing, foreign or damaged is made anew from the log.
//!
//! A [`KeywordReader`] looks at one index, or at that of `main` up to a cut and at one in memory behind it ([`corpus`]).
//!
//! [`words`] decides what can be found by which word, [`document`] what of an event is indexed, [`query`] what can be asked.

mod corpus;
mod directory;
mod document;
mod exact;
mod fields;
mod highlight;
mod lookup;
mod memory;
mod mistake;
mod narrow;
mod parse;
mod plan;
mod query;
mod reader;
mod schema;
mod shape;
mod stems;
mod streams;
mod terms;
mod top;
mod words;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use highlight::{Highlight, highlight};
pub(crate) use memory::KeywordMemory;
pub(crate) use narrow::Narrow;
pub(crate) use query::KeywordQuery;
pub(crate) use reader::{KeywordHit, KeywordReader};
pub(crate) use writer::{KeywordIndex, damaged_files, open_to_read};
