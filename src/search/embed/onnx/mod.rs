//! *How do models from outside run?* Transformers in ONNX files, over fastembed and ONNX Runtime.
//!
//! Useful for: a model that fastembed knows by name ([`open_named`]), a model of one's own in a directory
//! ([`open_directory`]). Not for: the built-in model, which needs none of this.
//!
//! **Invariant:** one text is one run. Texts of a batch are padded to the longest of them, and some models see the padding:
//! then a vector would depend on its neighbours.
//!
//! These are the only files in this program that are read past [`Disk`](crate::store::disk::Disk): they lie outside of any
//! store, and are only read.

mod directory;
mod named;
mod runtime;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::available_parallelism;

use fastembed::TextEmbedding;
use parking_lot::Mutex;

use super::embedder::scale_to_one;
use super::{Calibration, Embedder, ModelId};
use crate::error::{Error, ErrorKind, Result};

pub(super) use directory::open_directory;
pub(super) use named::{known_name, open_named};

/// The most tokens of a text that any of these models is given: 512. Their cost grows with the square of it.
const TOKENS_MAX: usize = 512;

/// A transformer that ONNX Runtime runs.
pub(super) struct OnnxEmbedder {
    id: ModelId,
    /// A run changes buffers inside.
    model: Mutex<TextEmbedding>,
    prefixes: Prefixes,
    tokens_max: usize,
    dimension: usize,
    calibration: Calibration,
}

/// What a model wants put before a text and before a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Prefixes {
    text: String,
    query: String,
}

impl OnnxEmbedder {
    /// Takes a loaded model; runs it for a few texts to learn its dimension and its calibration.
    fn new(id: ModelId, model: TextEmbedding, prefixes: Prefixes, tokens_max: usize) -> Result<Self> {
        let calibration = Calibration::new(0.5, 0.1);
        let mut embedder =
            Self { id, model: Mutex::new(model), prefixes, tokens_max, dimension: 0, calibration };
        embedder.dimension = embedder.run("", "a word")?.len();
        embedder.calibration = Calibration::measured(&embedder)?;
        Ok(embedder)
    }

    fn run(&self, prefix: &str, text: &str) -> Result<Vec<f32>> {
        if !text.contains(char::is_alphanumeric) {
            return Ok(vec![0.0; self.dimension]);
        }
        let text = format!("{prefix}{text}");
        let vectors = guarded(|| {
            self.model.lock().embed([text.as_str()], Some(1)).map_err(|error| self.failed(error))
        })?;
        let Some(mut vector) = vectors.into_iter().next() else {
            return Err(self.failed("it gave no vector"));
        };
        scale_to_one(&mut vector);
        Ok(vector)
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let message = format!("embed a text with {}: the model does not run", self.id);
        Error::new(ErrorKind::Unavailable, "model_failed", message).caused_by(error)
    }
}

impl Embedder for OnnxEmbedder {
    fn model(&self) -> &ModelId {
        &self.id
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        texts.iter().map(|text| self.run(&self.prefixes.text, text)).collect()
    }

    fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        self.run(&self.prefixes.query, text)
    }

    fn calibration(&self) -> Calibration {
        self.calibration
    }

    fn tokens_max(&self) -> usize {
        self.tokens_max
    }
}

/// How many threads one run uses: half of the cores, at least one. The other half is for those who append and read.
fn threads() -> usize {
    available_parallelism().map_or(1, |cores| cores.get() / 2).max(1)
}

/// Runs what calls into ONNX Runtime; a panic in there becomes an error. The last resort: what is known to panic is
/// looked at first.
fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why");
        let message = format!(
            "run ONNX Runtime: it gave up ({said}); install one that fits with `pip install onnxruntime`, or use \
             --embedder builtin"
        );
        Err(Error::new(ErrorKind::Unavailable, "onnx_runtime_unfit", message))
    })
}

#[cfg(test)]
mod tests;
