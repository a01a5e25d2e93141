//! What is wrong with a text, where, and how it would be right.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::Error;
use crate::event::quote;

/// The first mistake in a condition or a path.
#[derive(Debug)]
pub(super) struct Mistake {
    /// The byte at which it begins.
    pub(super) at: usize,
    pub(super) fix: Option<Box<Fix>>,
    code: Option<&'static str>,
    found: String,
    expected: Cow<'static, str>,
    reason: Option<String>,
}

/// A change that would probably make the text right.
#[derive(Debug)]
pub(super) struct Fix {
    from: usize,
    to: usize,
    text: String,
}

impl Fix {
    pub(super) fn replace(from: usize, to: usize, text: impl Into<String>) -> Self {
        Self { from, to, text: text.into() }
    }

    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self::replace(at, at, text)
    }

    /// The text with the change made.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        Some(format!("{}{}{}", text.get(..self.from)?, self.text, text.get(self.to..)?))
    }
}

impl Mistake {
    /// At byte `at` stands `found` (empty: the end) where `expected` was.
    pub(super) fn at(at: usize, found: &str, expected: impl Into<Cow<'static, str>>) -> Self {
        let found = if found.is_empty() { "the end".to_owned() } else { quote(found) };
        Self { at, fix: None, code: None, found, expected: expected.into(), reason: None }
    }

    pub(super) fn coded(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub(super) fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix = Some(Box::new(fix));
        self
    }

    /// The error for the item at `index`; `example` is a right one, if possible what was meant.
    pub(super) fn in_item(self, index: usize, text: &str, example: &str) -> Error {
        let subject = format!("where[{index}]");
        self.into_error(&subject, text, example, "where_syntax").with("item", index)
    }

    /// The error for a path that stands alone.
    pub(super) fn in_path(self, text: &str) -> Error {
        let trimmed = text.trim();
        let fixed = self.fix.as_ref().and_then(|fix| fix.apply(trimmed));
        let example = fixed.unwrap_or_else(|| "payload.customer[\"full name\"]".to_owned());
        self.into_error(&format!("path {}", quote(text)), trimmed, &example, "path_syntax")
    }

    fn into_error(self, subject: &str, text: &str, example: &str, code: &'static str) -> Error {
        let character = text.get(..self.at).map_or(0, |before| before.chars().count()) + 1;
        let mut message = format!(
            "read {subject} at character {character}: found {}, expected {}",
            self.found, self.expected
        );
        if let Some(reason) = &self.reason {
            let _ = write!(message, "; {reason}");
        }
        let _ = write!(message, "; write {example}");
        Error::invalid(self.code.unwrap_or(code), message)
            .with("character", character)
            .with("expected", self.expected.into_owned())
            .with("example", example)
    }
}
