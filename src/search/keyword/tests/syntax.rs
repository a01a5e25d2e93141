//! Mistakes in keywords.

use super::super::query::{KEYWORDS_CHARS_MAX, KEYWORDS_TERMS_MAX};
use super::*;

/// The message ends in the corrected text, which is read without an error.
#[track_caller]
fn refused(keywords: &str, character: u64, reason: &str, example: &str) {
    let error = KeywordQuery::parse(keywords).expect_err("a mistake");
    assert_eq!(error.code(), "bad_keywords");
    assert!(error.message().contains(reason), "{error}");
    assert_eq!(
        error.details().get("character").and_then(serde_json::Value::as_u64),
        Some(character),
        "{error}"
    );
    assert_eq!(error.details().get("example").and_then(serde_json::Value::as_str), Some(example), "{error}");
    KeywordQuery::parse(example).expect("the example");
}

const EXAMPLE: &str = r#"payment AND (declined OR failed) -test name:ann "out of stock" order-1*"#;

#[test]
fn a_mistake_is_named_with_its_place_and_corrected() {
    refused("red \"shoes", 5, "found a quote, expected another quote behind the phrase", "red \"shoes\"");
    refused("name:\"ann lee", 6, "found a quote", "name:\"ann lee\"");
    refused("(red OR blue", 1, "found \"(\", expected a \")\" behind it", "(red OR blue)");
    refused("red) shoes", 4, "found \")\", expected a \"(\" before it", "red shoes");
    refused("AND shoes", 1, "found \"AND\", expected a word before it", "shoes");
    refused("red AND", 5, "found \"AND\", expected a word behind it", "red");
    refused("red OR OR blue", 5, "found \"OR\", expected a word behind it", "red OR blue");
    refused("shoes NOT", 7, "found \"NOT\", expected a word behind it", "shoes");
    refused("age:>5", 5, "comparisons belong into where", "age:5");
}

#[test]
fn nothing_to_look_for_is_a_mistake() {
    refused("", 1, "found no word", EXAMPLE);
    refused(" ... ", 1, "found no word", EXAMPLE);
    refused("-test", 1, "found only exclusions", "failed -test");
    refused("NOT test", 1, "found only exclusions", "failed NOT test");
    refused("red AND (-blue)", 9, "found parentheses without it", EXAMPLE);
}

#[test]
fn too_much_is_refused_with_both_numbers() {
    let long = "x".repeat(KEYWORDS_CHARS_MAX + 1);
    let error = KeywordQuery::parse(&long).expect_err("too long");
    assert!(error.message().contains("1001 characters but at most 1000"), "{error}");
    let many: Vec<String> = (0..=KEYWORDS_TERMS_MAX).map(|n| format!("w{n}")).collect();
    let error = KeywordQuery::parse(&many.join(" ")).expect_err("too many");
    assert!(error.message().contains("65 terms"), "{error}");
    let deep = format!("{}a{}", "(".repeat(17), ")".repeat(17));
    KeywordQuery::parse(&deep).expect_err("too deep");
}

#[test]
fn a_text_of_words_is_never_refused() {
    assert_eq!(KeywordQuery::of_words(" ... "), None);
    let text = "red AND (\"shoes ".repeat(1_000);
    assert!(KeywordQuery::of_words(&text).is_some());
}
