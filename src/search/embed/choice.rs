//! Which embedder a person or a program chose.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::{BuiltIn, Embedder};
use crate::error::{Error, Result};

/// What `--embedder` takes, for the help of a command.
pub const EMBEDDER_HELP: &str = "\
The model that turns texts into vectors: `builtin` (part of the program), `none` (no search by meaning), \
`fastembed:NAME` (such as fastembed:BGESmallENV15; downloaded on first use to ALLSOURCE_MODELS, or else to \
allsource/models in the user's cache directory) or `onnx:DIR` (a directory with model.onnx and tokenizer.json; needs no \
network). The last two need a program built with `cargo install --path . --features fastembed`, and ONNX Runtime: \
`pip install onnxruntime`, and ORT_DYLIB_PATH set to its libonnxruntime";

/// An embedder by name, as `--embedder` takes it.
///
/// ```
/// use allsource::search::embed::EmbedderChoice;
///
/// let choice: EmbedderChoice = "builtin".parse()?;
/// let embedder = choice.open()?.expect("an embedder");
/// assert_eq!(embedder.embed_query("a refund")?.len(), embedder.dimension());
/// # Ok::<(), allsource::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmbedderChoice {
    /// The model that is part of the program.
    #[default]
    BuiltIn,
    /// A model that fastembed knows, by fastembed's name for it.
    Fastembed(String),
    /// A directory with `model.onnx` and `tokenizer.json`.
    Onnx(PathBuf),
    /// None: events are not found by meaning.
    None,
}

impl EmbedderChoice {
    /// Loads the model; `None` when none is wanted. Takes from 30 ms to seconds, and for a model from outside the first
    /// time a download.
    ///
    /// # Errors
    /// 1. `Invalid` (`embedder_not_built`) when this program was built without the feature that it needs.
    /// 2. `Invalid` (`unknown_model`) for a name that fastembed does not know.
    /// 3. `NotFound` (`model_missing`) when files of the model are not there and cannot be downloaded.
    /// 4. `Unavailable` (`onnx_runtime_missing`, `onnx_runtime_unfit`) when ONNX Runtime is not there, or too old.
    /// 5. `Invalid` (`model_unusable`) when the model's files cannot be read.
    pub fn open(&self) -> Result<Option<Arc<dyn Embedder>>> {
        match self {
            Self::BuiltIn => Ok(Some(Arc::new(BuiltIn::default()))),
            Self::None => Ok(None),
            #[cfg(feature = "fastembed")]
            Self::Fastembed(name) => Ok(Some(Arc::new(super::onnx::open_named(name)?))),
            #[cfg(feature = "fastembed")]
            Self::Onnx(directory) => Ok(Some(Arc::new(super::onnx::open_directory(directory)?))),
            #[cfg(not(feature = "fastembed"))]
            Self::Fastembed(_) | Self::Onnx(_) => Err(not_built(self)),
        }
    }
}

impl fmt::Display for EmbedderChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("builtin"),
            Self::Fastembed(name) => write!(f, "fastembed:{name}"),
            Self::Onnx(directory) => write!(f, "onnx:{}", directory.display()),
            Self::None => f.write_str("none"),
        }
    }
}

impl FromStr for EmbedderChoice {
    type Err = Error;

    /// # Errors
    /// `Invalid` for another word, for a model that fastembed does not know, and for a choice that this program was built
    /// without.
    fn from_str(text: &str) -> Result<Self> {
        let choice = match text.split_once(':') {
            None if text == "builtin" => Self::BuiltIn,
            None if text == "none" => Self::None,
            Some(("fastembed", name)) if !name.is_empty() => Self::Fastembed(name.to_owned()),
            Some(("onnx", directory)) if !directory.is_empty() => Self::Onnx(directory.into()),
            _ => {
                let message = format!(
                    "choose the embedder {}: write builtin, none, fastembed:NAME (such as fastembed:BGESmallENV15) or \
                     onnx:DIR",
                    crate::event::quote(text)
                );
                return Err(Error::invalid("bad_embedder", message));
            }
        };
        choice.check()
    }
}

#[cfg(feature = "fastembed")]
impl EmbedderChoice {
    /// Says at once what could not be opened later.
    fn check(self) -> Result<Self> {
        match &self {
            Self::Fastembed(name) => Ok(Self::Fastembed(super::onnx::known_name(name)?)),
            _ => Ok(self),
        }
    }
}

#[cfg(not(feature = "fastembed"))]
impl EmbedderChoice {
    /// Says at once what could not be opened later.
    fn check(self) -> Result<Self> {
        match &self {
            Self::Fastembed(_) | Self::Onnx(_) => Err(not_built(&self)),
            Self::BuiltIn | Self::None => Ok(self),
        }
    }
}

#[cfg(not(feature = "fastembed"))]
fn not_built(choice: &EmbedderChoice) -> Error {
    let message = format!(
        "use the embedder {choice}: this program was built without models from outside; build it with `cargo install \
         --path . --features fastembed`, or use builtin"
    );
    Error::invalid("embedder_not_built", message).with("embedder", choice.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for text in ["builtin", "none"] {
            assert_eq!(text.parse::<EmbedderChoice>().expect("a choice").to_string(), text);
        }
        assert_eq!(EmbedderChoice::default(), EmbedderChoice::BuiltIn);
    }

    #[test]
    fn another_word_is_refused_with_those_there_are() {
        for text in ["", "Builtin", "bge", "fastembed", "fastembed:", "onnx:", "openai:ada"] {
            let error = text.parse::<EmbedderChoice>().expect_err(text);
            assert_eq!(error.code(), "bad_embedder");
            assert!(error.message().contains("builtin, none, fastembed:NAME"), "{error}");
        }
    }

    #[test]
    fn none_opens_nothing() {
        assert!(EmbedderChoice::None.open().expect("nothing").is_none());
    }

    #[cfg(not(feature = "fastembed"))]
    #[test]
    fn what_was_not_built_says_how_it_is_built() {
        for text in ["fastembed:BGESmallENV15", "onnx:some/where"] {
            let error = text.parse::<EmbedderChoice>().expect_err(text);
            assert_eq!(error.code(), "embedder_not_built");
            assert!(error.message().contains("--features fastembed"), "{error}");
        }
        let choice = EmbedderChoice::Onnx("some/where".into());
        assert_eq!(
            choice.open().err().map(|error| error.code().to_owned()).as_deref(),
            Some("embedder_not_built")
        );
    }
}
