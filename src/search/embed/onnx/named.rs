//! Models that fastembed knows by name, downloaded on first use.

use std::env;
use std::path::{Path, PathBuf};

use fastembed::{EmbeddingModel, ModelInfo, TextEmbedding, TextInitOptions};

use super::{OnnxEmbedder, Prefixes, TOKENS_MAX, guarded, runtime, threads};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{nearest, quote};
use crate::search::embed::ModelId;

/// Says where models are kept; without it they are in the user's cache directory, in `allsource/models`.
const MODELS_VARIABLE: &str = "ALLSOURCE_MODELS";
/// The most names that an error offers: 5.
const NAMES_OFFERED_MAX: usize = 5;

/// The name of a model as fastembed writes it; capitals do not matter.
///
/// # Errors
/// `Invalid` (`unknown_model`), with the names most like it.
pub(crate) fn known_name(name: &str) -> Result<String> {
    Ok(name_of(&find(name)?))
}

/// Opens a model by name, and downloads it if it is not there yet.
///
/// # Errors
/// 1. `Invalid` (`unknown_model`) for a name that fastembed does not know.
/// 2. `Unavailable` (`onnx_runtime_missing`, `onnx_runtime_unfit`).
/// 3. `NotFound` (`model_missing`) when files are not there and cannot be downloaded.
/// 4. `Invalid` (`model_unusable`) when the files cannot be read.
pub(crate) fn open_named(name: &str) -> Result<OnnxEmbedder> {
    let info = find(name)?;
    let directory = models_directory()?;
    let environment = runtime::environment()?;
    tracing::info!(model = name, directory = %directory.display(), "opening an embedding model; what is missing is downloaded");
    let options = TextInitOptions::new(info.model.clone())
        .with_environment(environment)
        .with_cache_dir(directory.clone())
        .with_intra_threads(threads())
        .with_max_length(TOKENS_MAX)
        .with_show_download_progress(false);
    let model =
        guarded(|| TextEmbedding::try_new(options).map_err(|error| refused(&info, &directory, &error)))?;
    let id = ModelId::trusted(format!("fastembed:{}", name_of(&info)));
    OnnxEmbedder::new(id, model, prefixes_of(&info), TOKENS_MAX)
}

fn name_of(info: &ModelInfo<EmbeddingModel>) -> String {
    format!("{:?}", info.model)
}

fn find(name: &str) -> Result<ModelInfo<EmbeddingModel>> {
    let models = TextEmbedding::list_supported_models();
    if let Some(found) = models.iter().find(|info| name_of(info).eq_ignore_ascii_case(name)) {
        return Ok(found.clone());
    }
    let mut names: Vec<String> = models.iter().map(name_of).collect();
    names.sort_unstable();
    let alike = nearest(name, names.iter().map(String::as_str), NAMES_OFFERED_MAX);
    let offer = if alike.is_empty() {
        format!("there are {}", names.join(", "))
    } else {
        format!("the most similar of {} names are {}", names.len(), alike.join(", "))
    };
    let message = format!("use the embedder fastembed:{}: fastembed has no such model; {offer}", quote(name));
    Err(Error::invalid("unknown_model", message).with("names", names))
}

/// Where models are kept. fastembed follows `HF_HOME` before anything else.
fn models_directory() -> Result<PathBuf> {
    let set = |variable| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(directory) = set("HF_HOME").or_else(|| set(MODELS_VARIABLE)) {
        return Ok(directory);
    }
    let home = || env::home_dir().filter(|home| home.is_absolute());
    let cache = if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else if cfg!(windows) {
        set("LOCALAPPDATA")
    } else {
        set("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
    };
    cache.map(|cache| cache.join("allsource").join("models")).ok_or_else(|| {
        let message = format!(
            "keep embedding models: there is no cache directory; set {MODELS_VARIABLE} to a directory"
        );
        Error::new(ErrorKind::NotFound, "model_missing", message)
    })
}

fn refused(info: &ModelInfo<EmbeddingModel>, directory: &Path, error: &fastembed::Error) -> Error {
    let repository = &info.model_code;
    let is_missing = matches!(error, fastembed::Error::ModelRetrieval { .. } | fastembed::Error::Other(_));
    let (kind, code, what) = if is_missing {
        (ErrorKind::NotFound, "model_missing", "are not there and cannot be downloaded")
    } else {
        (ErrorKind::Invalid, "model_unusable", "cannot be used")
    };
    let file = &info.model_file;
    let causes = causes(error);
    let message = format!(
        "open the embedding model {}: the files of the Hugging Face repository {repository} {what} ({causes}); looked in {} (set \
         {MODELS_VARIABLE} for another directory). Without a network, copy that directory from a machine where the \
         model was opened, or put {file} of the repository as model.onnx into a directory with its tokenizer.json, \
         config.json and 1_Pooling/config.json and use --embedder onnx:DIR",
        name_of(info),
        directory.display()
    );
    Error::new(kind, code, message)
        .with("repository", repository.as_str())
        .with("directory", directory.display().to_string())
}

/// An error with all that caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_said = cause.to_string();
        if !said.contains(&cause_said) {
            said = format!("{said}: {cause_said}");
        }
        next = cause.source();
    }
    said
}

/// What the makers of a model say to put before texts and queries.
fn prefixes_of(info: &ModelInfo<EmbeddingModel>) -> Prefixes {
    /// BGE of version 1.5 and its relatives, English.
    const SEARCHING: &str = "Represent this sentence for searching relevant passages: ";
    let code = info.model_code.to_ascii_lowercase();
    let is = |part: &str| code.contains(part);
    let (text, query) = if is("-e5-") {
        ("passage: ", "query: ")
    } else if is("nomic-embed") || is("modernbert-embed") {
        ("search_document: ", "search_query: ")
    } else if is("embeddinggemma") {
        ("title: none | text: ", "task: search result | query: ")
    } else if is("bge-") && is("-zh-") {
        ("", "为这个句子生成表示以用于检索相关文章：")
    } else if (is("bge-") && is("-en-")) || is("mxbai-embed") || is("arctic-embed") {
        ("", SEARCHING)
    } else {
        ("", "")
    };
    Prefixes { text: text.to_owned(), query: query.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_whatever_its_capitals() {
        assert_eq!(known_name("bgesmallenv15").expect("a name"), "BGESmallENV15");
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_like_it() {
        let error = known_name("BGESmallEN").expect_err("unknown");
        assert_eq!(error.code(), "unknown_model");
        assert!(error.message().contains("BGESmallENV15"), "{error}");
        let error = known_name("?").expect_err("unknown");
        assert!(error.message().contains("there are AllMiniLML12V2"), "{error}");
    }

    #[test]
    fn a_model_gets_the_prefixes_that_it_was_trained_with() {
        for (name, text, query) in [
            ("AllMiniLML6V2", "", ""),
            ("BGEM3", "", ""),
            ("BGESmallENV15", "", "Represent this sentence"),
            ("BGEBaseENV15Q", "", "Represent this sentence"),
            ("BGESmallZHV15", "", "为"),
            ("MultilingualE5Large", "passage: ", "query: "),
            ("NomicEmbedTextV15", "search_document: ", "search_query: "),
            ("SnowflakeArcticEmbedS", "", "Represent this sentence"),
        ] {
            let prefixes = prefixes_of(&find(name).expect(name));
            assert_eq!(prefixes.text, text, "{name}");
            assert!(
                prefixes.query.starts_with(query) && (query.is_empty() == prefixes.query.is_empty()),
                "{name}"
            );
        }
    }

    #[test]
    fn what_cannot_be_downloaded_says_where_to_put_it() {
        let info = find("BGESmallENV15").expect("a model");
        let source = std::io::Error::other("no route to host").into();
        let error = fastembed::Error::ModelRetrieval { file: "model.onnx".to_owned(), source };
        let error = refused(&info, Path::new("cache/models"), &error);
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "model_missing"));
        for part in
            ["Xenova/bge-small-en-v1.5", "no route to host", "cache/models", "ALLSOURCE_MODELS", "onnx:DIR"]
        {
            assert!(error.message().contains(part), "{part}: {error}");
        }
    }
}
