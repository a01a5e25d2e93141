//! An embedder for tests that needs no model.

use super::embedder::scale_to_one;
use super::{Calibration, Embedder, ModelId};
use crate::error::Result;

/// Adds up one of 16 directions for each word: texts that share words are close, and nothing else is.
#[derive(Debug)]
pub(crate) struct WordHashes {
    id: ModelId,
}

impl WordHashes {
    /// How many numbers a vector has.
    pub(crate) const DIMENSION: usize = 16;

    /// The embedder under its usual name.
    pub(crate) fn new() -> Self {
        Self::named("fixture/1")
    }

    /// The embedder under another name, as if it were another model.
    pub(crate) fn named(name: &str) -> Self {
        Self { id: ModelId::new(name).expect("a name") }
    }
}

impl Embedder for WordHashes {
    fn model(&self) -> &ModelId {
        &self.id
    }

    fn dimension(&self) -> usize {
        Self::DIMENSION
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| vector_of(text)).collect())
    }

    fn calibration(&self) -> Calibration {
        Calibration::new(0.5, 0.1)
    }

    fn tokens_max(&self) -> usize {
        usize::MAX
    }
}

fn vector_of(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; WordHashes::DIMENSION];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = xxhash_rust::xxh3::xxh3_64(word.to_lowercase().as_bytes());
        // Two places a word: 120 words lie in directions of their own.
        vector[(hash % 16) as usize] += 1.0;
        vector[(hash / 16 % 16) as usize] += 0.5;
    }
    scale_to_one(&mut vector);
    vector
}

#[test]
fn texts_that_share_words_are_close() {
    let vectors = WordHashes::new().embed(&["order placed", "Placed: order", "refund", ""]).expect("vectors");
    assert_eq!(vectors[0], vectors[1]);
    assert_ne!(vectors[0], vectors[2]);
    assert!(vectors[3].iter().all(|x| *x == 0.0));
}
