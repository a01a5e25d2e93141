//! The model that is part of the program.

use std::sync::OnceLock;

use model2vec_rs::model::StaticModel;

use super::{Calibration, Embedder, ModelId};
use crate::error::{Error, Result};

/// A table of word pieces compiled into the program: the vector of a text is the weighted mean of those of its word pieces.
///
/// - English; word order and negation are lost. `model/README.md` says where it comes from and how good it is.
/// - The first 512 word pieces of a text count, and no more than its first 512 × 7 characters.
/// - A word of more than 39 characters (a hash, a blob) is passed over.
/// - Loaded once in a process, on first use: about 30 ms and 15 MB.
#[derive(Clone, Debug)]
pub struct BuiltIn(ModelId);

impl BuiltIn {
    /// Its name. Another table, tokenizer or way of pooling is another name.
    pub const MODEL_ID: &'static str = "allsource-static-256/1";
    /// How many numbers its vectors have.
    pub const DIMENSION: usize = 256;
    /// How many word pieces of a text count.
    pub const TOKENS_MAX: usize = 512;

    /// The model's table, loaded if it is not yet.
    fn loaded() -> Result<&'static StaticModel> {
        static LOADED: OnceLock<Result<StaticModel>> = OnceLock::new();
        LOADED.get_or_init(load).as_ref().map_err(Error::copy)
    }
}

impl Default for BuiltIn {
    /// The model; it is loaded when it is first used.
    fn default() -> Self {
        Self(ModelId::trusted(Self::MODEL_ID.to_owned()))
    }
}

impl Embedder for BuiltIn {
    fn model(&self) -> &ModelId {
        &self.0
    }

    fn dimension(&self) -> usize {
        Self::DIMENSION
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        // One by one on this thread: the batch call spreads over all cores, which belong to those who append.
        let model = Self::loaded()?;
        Ok(texts.iter().map(|text| model.encode_single(text)).collect())
    }

    fn calibration(&self) -> Calibration {
        Calibration::BUILT_IN
    }

    fn tokens_max(&self) -> usize {
        Self::TOKENS_MAX
    }
}

static TABLE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/model/model.safetensors"));
static TOKENIZER: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/model/tokenizer.json"));

static CONFIG: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/model/config.json"));

fn load() -> Result<StaticModel> {
    let broken = |why: String| Error::internal(format!("load the embedding model of this program: {why}"));
    let model = StaticModel::from_bytes(TOKENIZER, TABLE, CONFIG, Some(true))
        .map_err(|error| broken(format!("{error:#}")))?;
    if model.dim() == BuiltIn::DIMENSION {
        return Ok(model);
    }
    Err(broken(format!("it has {} dimensions instead of {}", model.dim(), BuiltIn::DIMENSION)))
}

#[cfg(test)]
mod tests {
    use std::fmt::{self, Write};

    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let vectors = BuiltIn::default().embed(&[a, b]).expect("vectors");
        vectors[0].iter().zip(&vectors[1]).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn texts_of_one_meaning_are_close() {
        let near = cosine("the customer was charged twice", "duplicate payment on the card");
        let far = cosine("the customer was charged twice", "heavy rain is expected in the north");
        assert!(near > far + 0.3, "{near} and {far}");
    }

    #[test]
    fn a_vector_has_length_one_or_none() {
        let model = BuiltIn::default();
        let long = "word ".repeat(100_000);
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let vectors = model
            .embed(&["a text", &long, "Überraschung", "", " ", hash, "[CLS] [MASK]", "\u{0}"])
            .expect("vectors");
        let lengths: Vec<f32> =
            vectors.iter().map(|vector| vector.iter().map(|x| x * x).sum::<f32>().sqrt()).collect();
        for (at, length) in lengths.iter().enumerate() {
            let expected = if at < 3 { 1.0 } else { 0.0 };
            assert!((length - expected).abs() < 1e-5, "{at}: {length}");
        }
        assert!(vectors.iter().all(|vector| vector.len() == model.dimension()));
    }

    #[test]
    fn a_vector_depends_on_its_text_alone() {
        let model = BuiltIn::default();
        let texts = ["order placed", "a much longer text about the weather in spring", "", "refund"];
        let together = model.embed(&texts).expect("vectors");
        for (text, vector) in texts.iter().zip(&together) {
            assert_eq!(&model.embed_query(text).expect("a vector"), vector);
        }
    }

    #[test]
    fn the_first_512_word_pieces_count() {
        let model = BuiltIn::default();
        let counted = "red ".repeat(BuiltIn::TOKENS_MAX);
        let vectors = model.embed(&[&counted, &format!("{counted}green")]).expect("vectors");
        assert_eq!(vectors[0], vectors[1]);
    }

    /// The vectors of a table must not change under its name: stores hold them.
    #[test]
    fn the_vectors_are_those_of_its_name() {
        let vector = BuiltIn::default().embed_query("card declined").expect("a vector");
        let expected = [0.050_623_95, -0.377_954_8, 0.025_743_19, -0.136_159_6];
        for (found, expected) in vector.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        let size = TABLE.len() + TOKENIZER.len() + CONFIG.len();
        let hash =
            [TABLE, TOKENIZER, CONFIG].map(xxhash_rust::xxh3::xxh3_64).into_iter().fold(0, |a, b| a ^ b);
        assert_eq!(
            (size, format!("{hash:016x}").as_str()),
            (8_398_837, "f8f575d05ba7a3a4"),
            "a new table needs a new name"
        );
    }

    /// `serde_json` keeps numbers as they are written in this program, which has broken readers of JSON before; the other
    /// way of reading words is correct too, but ten times slower.
    #[test]
    fn words_are_read_the_fast_way() {
        struct Start(String);
        impl Write for Start {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.push_str(text);
                if self.0.len() < 200 { Ok(()) } else { Err(fmt::Error) }
            }
        }
        let mut start = Start(String::new());
        let _ = write!(start, "{:?}", BuiltIn::default().model);
        assert!(start.0.contains("WordPiece(FastWordPiece"), "{}", start.0);
    }
}
