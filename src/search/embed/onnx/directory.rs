//! A model of one's own, in a directory as Hugging Face lays them out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fastembed::{InitOptionsUserDefined, Pooling, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};
use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3;

use super::{OnnxEmbedder, Prefixes, TOKENS_MAX, guarded, runtime, threads};
use crate::error::{Error, ErrorKind, Result};
use crate::search::embed::ModelId;

/// Opens the model in a directory; nothing is downloaded.
///
/// | file | what for |
/// | --- | --- |
/// | `model.onnx` or `onnx/model.onnx` | the model: inputs `input_ids`, `attention_mask` and perhaps `token_type_ids` |
/// | `model.onnx_data` beside it | weights that did not fit, if there are any |
/// | `tokenizer.json` | how a text becomes tokens |
/// | `special_tokens_map.json` | tokens that are more than text, if it is there |
/// | `1_Pooling/config.json` | how the vectors of tokens become one: the mean, if it is not there, or that of the first |
/// | `sentence_bert_config.json`, `tokenizer_config.json`, `config.json` | how many tokens are read: the least that one of them says, at most 512 |
/// | `config_sentence_transformers.json` | what is put before texts and queries, if it says |
///
/// The name of the model is that of the directory and a hash over everything that a vector depends on.
///
/// # Errors
/// 1. `Unavailable` (`onnx_runtime_missing`, `onnx_runtime_unfit`).
/// 2. `NotFound` (`model_missing`) when a file that must be there is not.
/// 3. `Invalid` (`model_unusable`) when one cannot be used.
pub(crate) fn open_directory(directory: &Path) -> Result<OnnxEmbedder> {
    let files = Files::read(directory)?;
    let environment = runtime::environment()?;
    let id = ModelId::new(format!("onnx:{}@{:016x}", shown_name(directory), files.hash()))?;
    let tokenizer_files = TokenizerFiles {
        tokenizer_file: files.tokenizer,
        config_file: b"{}".to_vec(),
        special_tokens_map_file: files.special_tokens,
        // The token for padding is asked for, but one text at a time is never padded.
        tokenizer_config_file: json!({"model_max_length": files.tokens_max, "pad_token": "[PAD]"})
            .to_string()
            .into(),
    };
    let mut model = UserDefinedEmbeddingModel::new(files.model, tokenizer_files).with_pooling(files.pooling);
    if let Some((name, bytes)) = files.weights {
        model = model.with_external_initializer(name, bytes);
    }
    let options = InitOptionsUserDefined::new()
        .with_environment(environment)
        .with_intra_threads(threads())
        .with_max_length(files.tokens_max);
    let opened = guarded(|| {
        TextEmbedding::try_new_from_user_defined(model, options)
            .map_err(|error| unusable(directory, &error.to_string()))
    })?;
    OnnxEmbedder::new(id, opened, files.prefixes, files.tokens_max)
}

/// What is in the directory.
struct Files {
    model: Vec<u8>,
    weights: Option<(String, Vec<u8>)>,
    tokenizer: Vec<u8>,
    special_tokens: Vec<u8>,
    pooling: Pooling,
    prefixes: Prefixes,
    tokens_max: usize,
}

impl Files {
    fn read(directory: &Path) -> Result<Self> {
        let model_path = ["model.onnx", "onnx/model.onnx"].map(|name| directory.join(name));
        let model_path =
            model_path.iter().find(|path| path.is_file()).ok_or_else(|| missing(directory, "model.onnx"))?;
        let model = read(model_path)?.ok_or_else(|| missing(directory, "model.onnx"))?;
        let mut weights = None;
        for name in ["model.onnx_data", "model.onnx.data"] {
            let found = read(&model_path.with_file_name(name))?;
            weights = weights.or_else(|| Some((name.to_owned(), found?)));
        }
        let tokenizer =
            read(&directory.join("tokenizer.json"))?.ok_or_else(|| missing(directory, "tokenizer.json"))?;
        let special_tokens =
            read(&directory.join("special_tokens_map.json"))?.unwrap_or_else(|| b"{}".to_vec());
        Ok(Self {
            model,
            weights,
            tokenizer,
            special_tokens,
            pooling: pooling(directory)?,
            prefixes: prefixes(directory)?,
            tokens_max: tokens_max(directory)?,
        })
    }

    /// A hash over everything that a vector depends on.
    fn hash(&self) -> u64 {
        let weights = self.weights.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let settings = format!("{:?} {:?} {}", self.pooling, self.prefixes, self.tokens_max);
        let mut hash = Xxh3::new();
        for part in [&self.model[..], weights, &self.tokenizer, &self.special_tokens, settings.as_bytes()] {
            hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        hash.digest()
    }
}

/// The last part of the directory's path, as much of it as a name holds.
fn shown_name(directory: &Path) -> String {
    /// The longest name that is taken from a directory: 64 characters.
    const CHARS_MAX: usize = 64;
    let whole: PathBuf = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let name = whole.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy());
    name.chars().map(|c| if c.is_control() { '_' } else { c }).take(CHARS_MAX).collect()
}

/// The pooling that the directory asks for.
fn pooling(directory: &Path) -> Result<Pooling> {
    let Some(config) = read_json(&directory.join("1_Pooling/config.json"))? else { return Ok(Pooling::Mean) };
    let asked = config.as_object().into_iter().flatten();
    let modes: Vec<&str> = asked
        .filter(|(_, is_on)| **is_on == Value::Bool(true))
        .filter_map(|(name, _)| name.strip_prefix("pooling_mode_"))
        .collect();
    match modes[..] {
        [] | ["mean_tokens"] => Ok(Pooling::Mean),
        ["cls_token"] => Ok(Pooling::Cls),
        _ => Err(unusable(
            directory,
            &format!("it pools by {}, but only mean_tokens and cls_token are known", modes.join(" and ")),
        )),
    }
}

/// What the directory wants put before texts and queries.
fn prefixes(directory: &Path) -> Result<Prefixes> {
    let config = read_json(&directory.join("config_sentence_transformers.json"))?.unwrap_or_default();
    let prompts = config.get("prompts");
    let prompt = |names: &[&str]| {
        let found = names.iter().find_map(|name| prompts?.get(name)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    Ok(Prefixes { text: prompt(&["document", "passage"]), query: prompt(&["query"]) })
}

/// How many tokens of a text the model reads.
fn tokens_max(directory: &Path) -> Result<usize> {
    let mut least = TOKENS_MAX;
    for (file, key) in [
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
        ("config.json", "max_position_embeddings"),
    ] {
        let config = read_json(&directory.join(file))?.unwrap_or_default();
        // Some say 10^30 for "no limit".
        let said = config.get(key).and_then(Value::as_u64).and_then(|said| usize::try_from(said).ok());
        least = said.filter(|said| *said > 0).map_or(least, |said| least.min(said));
    }
    Ok(least)
}

fn read_json(path: &Path) -> Result<Option<Value>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| unusable(path, &error.to_string()))
}

/// The bytes of a file, if it is there.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

fn missing(directory: &Path, file: &str) -> Error {
    let message = format!(
        "open the embedding model in {}: there is no {file}; a model needs model.onnx and tokenizer.json, as a Hugging \
         Face repository with an ONNX file has them",
        directory.display()
    );
    Error::new(ErrorKind::NotFound, "model_missing", message).with("file", file)
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::invalid("model_unusable", format!("open the embedding model in {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::place;
    use super::*;

    /// A directory with these files, and the settings and the hash that come of them.
    #[track_caller]
    fn read_with(files: &[(&str, &str)]) -> (Files, u64) {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("1_Pooling")).expect("made");
        for (name, text) in [("model.onnx", "model"), ("tokenizer.json", "{}")].iter().chain(files) {
            place(directory.path(), name, text);
        }
        let files = Files::read(directory.path()).expect("readable");
        let hash = files.hash();
        (files, hash)
    }

    #[test]
    fn settings_come_from_the_files_that_are_there() {
        let (files, _) = read_with(&[]);
        assert_eq!((files.pooling, files.tokens_max), (Pooling::Mean, 512));
        assert_eq!(files.prefixes, Prefixes::default());
        let (files, _) = read_with(&[
            ("1_Pooling/config.json", r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#),
            ("sentence_bert_config.json", r#"{"max_seq_length":256}"#),
            ("tokenizer_config.json", r#"{"model_max_length":1000000000000000019884624838656}"#),
            ("config.json", r#"{"max_position_embeddings":512}"#),
            ("config_sentence_transformers.json", r#"{"prompts":{"query":"query: ","passage":"passage: "}}"#),
        ]);
        assert_eq!((files.pooling, files.tokens_max), (Pooling::Cls, 256));
        assert_eq!((files.prefixes.text.as_str(), files.prefixes.query.as_str()), ("passage: ", "query: "));
    }

    #[test]
    fn whatever_changes_the_vectors_changes_the_name() {
        let mut hashes = vec![read_with(&[]).1];
        for file in [
            ("model.onnx", "another"),
            ("model.onnx_data", "weights"),
            ("tokenizer.json", "{ }"),
            ("special_tokens_map.json", "{ }"),
            ("1_Pooling/config.json", r#"{"pooling_mode_cls_token":true}"#),
            ("sentence_bert_config.json", r#"{"max_seq_length":256}"#),
            ("config_sentence_transformers.json", r#"{"prompts":{"query":"query: "}}"#),
        ] {
            hashes.push(read_with(&[file]).1);
        }
        assert_eq!(read_with(&[]).1, hashes[0]);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 8);
    }
}
