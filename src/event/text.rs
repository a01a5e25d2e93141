//! Shared, immutable text: a slice of a caller's string or of a mapped file, cloned without copying.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::limits::JSON_DEPTH_MAX;
use crate::error::{Error, Result};

/// UTF-8 text in shared memory.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// Takes bytes that must be UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, std::str::Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // SAFETY: both constructors hold valid UTF-8 and `Bytes` never changes. A mapped log file is only ever
        // appended to below the published head, so the bytes that were checked are the bytes that are read.
        unsafe { std::str::from_utf8_unchecked(&self.0) }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A JSON document, kept as the bytes that came: key order, spacing and long numbers survive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(Text);

impl Json {
    /// Takes a document of at most `bytes_max` bytes; `what` names it in errors ("payload", "metadata").
    ///
    /// # Errors
    /// `Invalid` when it is too large, too deep or not JSON, with the place of the first mistake.
    pub fn parse(text: impl Into<Text>, what: &str, bytes_max: usize) -> Result<Self> {
        let text = text.into();
        if text.len() > bytes_max {
            let message = format!(
                "{what} is {} bytes but at most {bytes_max} are taken; store the bulk elsewhere and a reference here",
                text.len()
            );
            return Err(Error::invalid("too_large", message)
                .with("bytes", text.len())
                .with("bytes_max", bytes_max));
        }
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) if is_deeper_than(text.as_bytes(), JSON_DEPTH_MAX) => {
                let message = format!(
                    "{what} is nested more than {JSON_DEPTH_MAX} levels deep; store it flatter, or as a string"
                );
                Err(Error::invalid("too_deep", message).with("levels_max", JSON_DEPTH_MAX))
            }
            Ok(_) => match check_escapes(&text) {
                Ok(()) => Ok(Self(text)),
                Err(error) => Err(Error::invalid("not_json", format!("{what} is not JSON: {error}"))),
            },
            Err(error) => Err(Error::invalid("not_json", format!("{what} is not JSON: {error}"))),
        }
    }

    /// Takes a document that is known to be JSON, such as one the store wrote.
    #[must_use]
    pub fn trusted(text: Text) -> Self {
        Self(text)
    }

    /// The document's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the document is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.0.trim_start().starts_with('{')
    }

    /// The document as a tree; what cannot be parsed (never from this store) is `null`.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self(Text::from(value.to_string()))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Finds half a surrogate pair (`"\ud800"`), which stands for no character: skipping over a string lets it pass, and
/// reading it later fails.
fn check_escapes(json: &str) -> serde_json::Result<()> {
    if json.contains('\\') && json.contains("\\u") {
        serde_json::from_str::<serde_json::Value>(json)?;
    }
    Ok(())
}

/// Whether JSON has more than that many levels. Checking that it is JSON at all does not tell: skipping over a value
/// needs no stack, so the parser has no limit there.
pub(crate) fn is_deeper_than(json: &[u8], levels_max: usize) -> bool {
    // Nearly every document ends here: too few brackets to be deep. ('[' | 0x20 is '{'.)
    if json.iter().filter(|byte| *byte | 0x20 == b'{').count() <= levels_max {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > levels_max {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: String, is_taken: bool) {
        let parsed = Json::parse(json, "payload", 1 << 20);
        match &parsed {
            Ok(parsed) => assert!(!parsed.to_value().is_null(), "what is taken can be shown"),
            Err(error) => assert_eq!(error.code(), "too_deep"),
        }
        assert_eq!(parsed.is_ok(), is_taken);
    }

    /// A document of 100,000 levels was stored, and shown as `null` ever after.
    #[test]
    fn json_is_taken_as_deep_as_it_can_be_shown() {
        let arrays = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let objects = |levels| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        for (levels, is_taken) in
            [(1, true), (JSON_DEPTH_MAX, true), (JSON_DEPTH_MAX + 1, false), (100_000, false)]
        {
            check(arrays(levels), is_taken);
            check(objects(levels), is_taken);
        }
        check(format!("[{}]", vec!["[{}]"; 1_000].join(",")), true);
        check(format!(r#"["\"{}", "\\"]"#, "[".repeat(1_000)), true);
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        check(r#"{"a":"\ud83d\ude00"}"#.to_owned(), true);
        let error = Json::parse(r#"{"a":"\ud800"}"#, "payload", 1_000).expect_err("no character");
        assert_eq!(error.code(), "not_json");
    }
}
