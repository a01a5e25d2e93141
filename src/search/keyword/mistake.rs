//! What is wrong with a text of keywords, where, and how it would be right.

use std::ops::Range;

use crate::error::Error;
use crate::event::{quote, visible};

/// What an error shows when nothing can be corrected.
const EXAMPLE: &str = "payment AND (declined OR failed) -test name:ann \"out of stock\" order-1*";

/// The first mistake in a text of keywords.
#[derive(Debug)]
pub(super) struct Mistake {
    at: usize,
    found: String,
    expected: String,
    fix: Option<(Range<usize>, &'static str)>,
}

impl Mistake {
    /// At byte `at` stands `found` where `expected` was.
    pub(super) fn at(at: usize, found: &str, expected: &str) -> Self {
        Self { at, found: found.to_owned(), expected: expected.to_owned(), fix: None }
    }

    /// It would be right without these bytes.
    pub(super) fn removing(mut self, from: usize, to: usize) -> Self {
        self.fix = Some((from..to, ""));
        self
    }

    /// It would be right with this text at `at`.
    pub(super) fn inserting(mut self, at: usize, text: &'static str) -> Self {
        self.fix = Some((at..at, text));
        self
    }

    /// The error for `text`; it shows the corrected text when that is right now, and else an example.
    pub(super) fn into_error(self, text: &str, is_right: impl Fn(&str) -> bool) -> Error {
        let corrected = self.corrected(text).filter(|corrected| is_right(corrected));
        let example = corrected.as_deref().unwrap_or(EXAMPLE);
        let character = text.get(..self.at).map_or(0, |before| before.chars().count()) + 1;
        let message = format!(
            "read the keywords {} at character {character}: found {}, expected {}; write {}",
            quote(text),
            self.found,
            self.expected,
            visible(example),
        );
        Error::invalid("bad_keywords", message)
            .with("character", character)
            .with("expected", self.expected)
            .with("example", example)
    }

    fn corrected(&self, text: &str) -> Option<String> {
        let (range, with) = self.fix.as_ref()?;
        let corrected = format!("{}{with}{}", text.get(..range.start)?, text.get(range.end..)?);
        Some(corrected.trim().to_owned())
    }
}
