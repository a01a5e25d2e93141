//! *What is this about, as a vector?* Texts become vectors, so that events are found by meaning.
//!
//! Useful for: what of an event is embedded ([`text_of`]), the model that is part of the program, models from outside,
//! and what a cosine means ([`Calibration`]). Not for: keeping or comparing vectors (`vector`), or deciding which events
//! are embedded when (the indexer).
//!
//! **Invariant:** a vector depends on its text and on the [`ModelId`] alone, never on the other texts of the call. There is
//! no fallback from one model to another.
//!
//! | embedder | what it is | vectors |
//! | --- | --- | --- |
//! | `builtin` | a table of word pieces in the program, English; more than 100,000 texts a second | 256 |
//! | `fastembed:NAME` | a model that fastembed knows, downloaded on first use | 384 to 1024 |
//! | `onnx:DIR` | a model of your own in a directory; needs no network | its own |
//! | `none` | no search by meaning | – |
//!
//! The two in the middle need a program built with `--features fastembed`, and ONNX Runtime installed.

mod builtin;
mod calibration;
mod choice;
mod embedder;
mod event_text;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(feature = "fastembed")]
mod onnx;
mod words;

pub use builtin::BuiltIn;
pub use calibration::Calibration;
pub use choice::{EMBEDDER_HELP, EmbedderChoice};
pub use embedder::{Embedder, ModelId};
pub use event_text::{TEXT_BYTES_MAX, text_into, text_of, text_of_query};
