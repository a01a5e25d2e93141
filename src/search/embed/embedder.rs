//! What an embedding model is to the rest of the program.

use std::fmt;

use super::Calibration;
use crate::error::{Error, Result};
use crate::event::limits::NAME_BYTES_MAX;

/// Turns texts into vectors.
///
/// A program that embeds this crate may bring its own. What it must hold: the same text gives the same vector for as
/// long as the [`model`](Self::model) says the same name.
pub trait Embedder: Send + Sync {
    /// Which model this is; stored with the vectors, and compared when they are searched.
    fn model(&self) -> &ModelId;

    /// How many numbers a vector has.
    fn dimension(&self) -> usize;

    /// One vector for each text, in order, scaled to length 1; all zero where the text holds no word that the model
    /// knows. A vector depends on its text alone, never on its neighbours in the call.
    ///
    /// # Errors
    /// `Unavailable` when the model cannot run.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>>;

    /// The vector of a query: what some models want put before a question is put there.
    ///
    /// # Errors
    /// Those of [`embed`](Self::embed).
    fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let vector = self.embed(&[text])?.pop();
        vector.ok_or_else(|| Error::internal(format!("{} gave no vector for a query", self.model())))
    }

    /// What a cosine between a query and an event means to this model.
    fn calibration(&self) -> Calibration;

    /// How many tokens of a text count; what follows them is cut off.
    fn tokens_max(&self) -> usize;
}

/// The name of a model and of everything else that its vectors depend on, such as `allsource-static-256/1` or
/// `onnx:my-model@0123456789abcdef`. Vectors of two names are never compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId(String);

impl ModelId {
    /// Takes a name of 1 to 256 bytes without control characters.
    ///
    /// # Errors
    /// `Invalid` for another name.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control) {
            return Ok(Self(name));
        }
        let message = format!(
            "name an embedding model with {} bytes: 1 to {NAME_BYTES_MAX} without control characters are taken",
            name.len()
        );
        Err(Error::invalid("bad_model_id", message))
    }

    /// A name that is known to be one.
    pub(super) fn trusted(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Scales a vector to length 1; one without a length becomes all zero.
#[cfg(any(test, feature = "fastembed"))]
pub(super) fn scale_to_one(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let scale = if length.is_finite() && length > 0.0 { 1.0 / length } else { 0.0 };
    for x in vector {
        *x = if scale > 0.0 { *x * scale } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_a_name_that_can_be_shown() {
        assert_eq!(ModelId::new("mine/1").expect("a name").to_string(), "mine/1");
        for bad in ["", "a\nb", &"x".repeat(257)] {
            assert_eq!(ModelId::new(bad).expect_err("refused").code(), "bad_model_id");
        }
    }

    #[test]
    fn what_has_no_length_stays_without_one() {
        let mut vector = [3.0, 4.0];
        scale_to_one(&mut vector);
        assert!((vector[0] - 0.6).abs() < 1e-6 && (vector[1] - 0.8).abs() < 1e-6, "{vector:?}");
        for mut vector in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]] {
            scale_to_one(&mut vector);
            assert!(vector.iter().all(|x| *x == 0.0), "{vector:?}");
        }
    }
}
