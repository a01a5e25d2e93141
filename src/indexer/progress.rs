//! How far is the index, and is it well?

use crate::error::Error;
use crate::event::{Position, quote};
use crate::search::VectorStats;
use crate::search::embed::ModelId;

/// Whether events can be searched by meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// They can.
    On(ModelId),
    /// They were embedded by another model: `allsource reindex` embeds them anew.
    OtherModel {
        /// The model of the vectors.
        indexed: String,
        /// The model that was asked for.
        wanted: ModelId,
    },
    /// The store was opened without an embedder.
    Off,
}

impl Meaning {
    /// Why events are not searched by meaning, and what to do.
    pub(crate) fn refusal(&self) -> String {
        match self {
            Self::On(model) => format!("{model} is at work"),
            Self::OtherModel { indexed, wanted } => format!(
                "the events were embedded by the model {} but this process uses {}; run `allsource reindex --vectors \
                 --embedder …` to embed them anew, or start with the embedder of before. Keywords work all the same",
                quote(indexed),
                quote(wanted.as_str())
            ),
            Self::Off => {
                "the store was opened without an embedder; start with --embedder builtin. Keywords work all \
                          the same"
                    .to_owned()
            }
        }
    }
}

/// How far the indexes are.
#[derive(Debug)]
pub struct Progress {
    /// The last durable position of the store.
    pub head: Position,
    /// Everything up to here is found by words, and by meaning where that is on.
    pub indexed_through: Position,
    /// Everything up to here is found by words.
    pub keyword_through: Position,
    /// Whether events can be searched by meaning.
    pub meaning: Meaning,
    /// The vectors.
    pub vectors: Option<VectorStats>,
    /// Why indexing stands still, if it does; it is tried again.
    pub failure: Option<Error>,
}

impl Progress {
    /// How many durable events cannot be found yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.head.get().saturating_sub(self.indexed_through.get())
    }
}
