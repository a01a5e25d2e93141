//! With a model (`scripts/make_onnx_model.py`) when `ALLSOURCE_TEST_ONNX_DIR` says where one is; what is said without one
//! always.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::{Embedder, EmbedderChoice};
use super::*;

/// The directory of a model, when this run has one.
fn model_directory() -> Option<PathBuf> {
    env::var_os("ALLSOURCE_TEST_ONNX_DIR").map(PathBuf::from)
}

/// Puts a file of a model into a directory.
#[expect(clippy::disallowed_methods, reason = "the files of a model lie outside of any store")]
pub(super) fn place(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).expect("written");
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The texts that the script embedded, with the vectors that numpy gave.
fn reference(directory: &Path) -> Vec<(String, Vec<f32>)> {
    let json = fs::read_to_string(directory.join("reference.json")).expect("reference.json");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let texts: Vec<String> = serde_json::from_value(json["texts"].clone()).expect("texts");
    let vectors: Vec<Vec<f32>> = serde_json::from_value(json["vectors"].clone()).expect("vectors");
    texts.into_iter().zip(vectors).collect()
}

#[test]
fn a_model_gives_the_vectors_of_its_reference_each_by_itself() {
    let Some(directory) = model_directory() else { return };
    let choice: EmbedderChoice = format!("onnx:{}", directory.display()).parse().expect("a choice");
    let embedder = choice.open().expect("the model").expect("an embedder");
    let reference = reference(&directory);
    let texts: Vec<&str> = reference.iter().map(|(text, _)| text.as_str()).collect();
    let together = embedder.embed(&texts).expect("vectors");
    for ((text, expected), found) in reference.iter().zip(&together) {
        assert!(cosine(expected, found) > 0.9999, "{text:.40}: {}", cosine(expected, found));
        // Bit for bit: neither the other texts nor the order of the calls may show.
        assert_eq!(&embedder.embed(&[text]).expect("a vector").remove(0), found, "{text:.40}");
        assert_eq!(&embedder.embed_query(text).expect("a vector"), found, "{text:.40}");
    }
    let reversed: Vec<&str> = texts.iter().rev().copied().collect();
    let mut back = embedder.embed(&reversed).expect("vectors");
    back.reverse();
    assert_eq!(back, together);
    assert_eq!((embedder.dimension(), embedder.tokens_max()), (384, 256));
    let name = directory.file_name().expect("a name").to_string_lossy();
    assert!(embedder.model().as_str().starts_with(&format!("onnx:{name}@")), "{}", embedder.model());
    let nothing = embedder.embed(&["", " \n", "!?"]).expect("vectors");
    assert!(nothing.iter().all(|vector| vector.len() == 384 && vector.iter().all(|x| *x == 0.0)));
    let calibration = embedder.calibration();
    assert!((0.2..0.5).contains(&calibration.threshold()), "{calibration:?}");
}

#[test]
fn a_directory_without_a_model_says_what_belongs_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = |file: &str| {
        let error = open_directory(directory.path()).err().expect("not there");
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "model_missing"));
        assert!(error.message().contains(&format!("there is no {file};")), "{error}");
    };
    check("model.onnx");
    place(directory.path(), "model.onnx", "no model");
    check("tokenizer.json");
}

#[test]
fn files_that_are_no_model_are_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in [("model.onnx", "no model"), ("tokenizer.json", "{}")] {
        place(directory.path(), name, text);
    }
    let error = open_directory(directory.path()).err().expect("no model");
    let expected = match model_directory() {
        Some(_) => ["model_unusable"; 3],
        // This run may have a runtime or none.
        None => ["model_unusable", "onnx_runtime_missing", "onnx_runtime_unfit"],
    };
    assert!(expected.contains(&error.code()), "{error}");
    fs::create_dir(directory.path().join("1_Pooling")).expect("made");
    let config = r#"{"pooling_mode_max_tokens":true,"pooling_mode_cls_token":false}"#;
    place(directory.path(), "1_Pooling/config.json", config);
    let error = open_directory(directory.path()).err().expect("pooled otherwise");
    assert!(error.message().contains("pools by max_tokens"), "{error}");
}

#[test]
fn a_panic_inside_is_an_error() {
    let error = guarded(|| -> Result<()> { panic!("as ort does") }).expect_err("a panic");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "onnx_runtime_unfit"));
    assert!(error.message().contains("(as ort does)"), "{error}");
}

/// Multilingual models come with scores of word pieces as fractions, and `serde_json` keeps numbers as they are written in
/// this program, which has broken readers of JSON before.
#[cfg(unix)]
#[test]
fn a_tokenizer_with_scores_is_read() {
    let Some(model) = model_directory() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("model.onnx");
    std::os::unix::fs::symlink(model.canonicalize().expect("a path").join("model.onnx"), target)
        .expect("linked");
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [
            {"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
        "normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "post_processor": null, "decoder": null,
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
            "vocab": [["<unk>", 0.0], ["▁order", -1.25], ["▁pay", -2.5], ["ment", -3e-1], ["▁", -7]]},
    });
    place(directory.path(), "tokenizer.json", &tokenizer.to_string());
    let embedder = open_directory(directory.path()).expect("a model");
    let vectors = embedder.embed(&["order", "payment", "order payment"]).expect("vectors");
    assert!(cosine(&vectors[0], &vectors[1]) < 0.99 && cosine(&vectors[1], &vectors[2]) < 0.9999);
}
