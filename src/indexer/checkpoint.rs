//! How far are the indexes? One JSON document inside the commit of the keyword index.

use serde::{Deserialize, Serialize};

use crate::event::Position;
use crate::search::VectorCheckpoint;

/// The version of everything that an event becomes in the indexes: its words, the text that is embedded, the files. An index
/// of another version is built anew.
const VERSION: u32 = 1;

/// How far the indexes are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    version: u32,
    /// The store that was indexed, in hexadecimal.
    store: String,
    /// The last position whose words are in the index.
    pub keyword_through: u64,
    /// The vectors, unless events were never embedded.
    pub vectors: Option<VectorCheckpoint>,
    /// Retention has emptied events since it was last looked for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emptied: bool,
}

impl Checkpoint {
    /// The beginning of an index over that store.
    pub(super) fn beginning(store: u64) -> Self {
        let store = format!("{store:016x}");
        Self { version: VERSION, store, keyword_through: 0, vectors: None, emptied: false }
    }

    /// Reads what a commit holds.
    pub(super) fn parse(payload: &str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// As a commit holds it.
    pub(super) fn to_payload(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Why an index with this checkpoint cannot be gone on with, if so.
    pub(super) fn refusal(&self, store: u64, durable: Position) -> Option<&'static str> {
        let here = Self::beginning(store);
        if self.version != here.version {
            Some("it was made by another version of the program")
        } else if self.store != here.store {
            Some("it was made of another store")
        } else if self.keyword_through > durable.get() {
            Some("it is ahead of the store")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_as_it_was() {
        let checkpoint = Checkpoint { keyword_through: 7, emptied: true, ..Checkpoint::beginning(0xabc) };
        assert_eq!(Checkpoint::parse(&checkpoint.to_payload()), Some(checkpoint));
        assert_eq!(Checkpoint::parse("{}"), None);
    }

    #[test]
    fn an_index_of_another_store_or_time_is_refused() {
        let checkpoint = Checkpoint { keyword_through: 7, ..Checkpoint::beginning(1) };
        assert_eq!(checkpoint.refusal(1, Position::new(7)), None);
        assert!(checkpoint.refusal(2, Position::new(7)).is_some_and(|why| why.contains("another store")));
        assert!(checkpoint.refusal(1, Position::new(6)).is_some_and(|why| why.contains("ahead")));
        let old = Checkpoint { version: VERSION + 1, ..checkpoint };
        assert!(old.refusal(1, Position::new(7)).is_some_and(|why| why.contains("version")));
    }
}
