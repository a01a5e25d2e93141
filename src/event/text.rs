//! Immutable text that is cheap to clone: short text in the value, longer text a slice of a caller's string or of a
//! mapped file.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::limits::JSON_DEPTH_MAX;
use crate::error::{Error, Result};

/// The longest text that a [`Text`] holds itself: 38 bytes, so that a written UUID fits.
const INLINE_BYTES_MAX: usize = 38;

/// UTF-8 text that is cheap to clone.
///
/// Up to 38 bytes lie in the value itself: a name counts no references and keeps no file mapped. Longer text is a slice
/// of memory that it shares.
#[derive(Clone)]
pub struct Text(Place);

#[derive(Clone)]
enum Place {
    Inline { len: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Shared(Bytes),
}

impl Text {
    /// Takes bytes that must be UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, std::str::Utf8Error> {
        let text = std::str::from_utf8(&bytes)?;
        Ok(Self::inline(text).unwrap_or(Self(Place::Shared(bytes))))
    }

    /// Takes the bytes of `memory` in `range`, which must be UTF-8; `None` when they are not, or not all there.
    pub(crate) fn within(memory: &Bytes, range: Range<usize>) -> Option<Self> {
        let text = std::str::from_utf8(memory.get(range)?).ok()?;
        Some(Self::part_of(memory, text))
    }

    /// Takes `text`, which lies in `memory`.
    pub(crate) fn part_of(memory: &Bytes, text: &str) -> Self {
        Self::inline(text).unwrap_or_else(|| Self(Place::Shared(memory.slice_ref(text.as_bytes()))))
    }

    /// The text in the value itself; `None` when it is too long.
    fn inline(text: &str) -> Option<Self> {
        let mut bytes = [0; INLINE_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(Place::Inline { len: u8::try_from(text.len()).ok()?, bytes }))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = match &self.0 {
            Place::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Place::Shared(bytes) => bytes,
        };
        // SAFETY: every constructor holds valid UTF-8 that never changes. A mapped file is only ever appended to below
        // the published head, so the bytes that were checked are the bytes that are read.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Place::Inline { len: 0, bytes: [0; INLINE_BYTES_MAX] })
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::inline(&text).unwrap_or_else(|| Self(Place::Shared(Bytes::from(text))))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let shared = || Self(Place::Shared(Bytes::copy_from_slice(text.as_bytes())));
        Self::inline(text).unwrap_or_else(shared)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
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
    fn text_is_the_same_wherever_it_lies() {
        for len in [0, 1, INLINE_BYTES_MAX - 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 300] {
            let plain: String = "aü😀z".chars().cycle().take(len).collect();
            let memory = Bytes::from(format!("<{plain}>"));
            let texts = [
                Text::from(plain.as_str()),
                Text::from(plain.clone()),
                Text::from_utf8(Bytes::from(plain.clone())).expect("UTF-8"),
                Text::within(&memory, 1..1 + plain.len()).expect("UTF-8"),
                Text(Place::Shared(Bytes::from(plain.clone()))),
            ];
            for text in &texts {
                assert_eq!((text.as_str(), text), (plain.as_str(), &texts[0]));
                assert_eq!(text.cmp(&texts[4]), Ordering::Equal);
            }
        }
    }

    #[test]
    fn short_text_keeps_no_memory_alive() {
        let memory = Bytes::from(vec![b'x'; 100]);
        let name = Text::within(&memory, 0..INLINE_BYTES_MAX).expect("UTF-8");
        assert!(memory.is_unique(), "{name} is held in itself");
        let _long = Text::within(&memory, 0..INLINE_BYTES_MAX + 1).expect("UTF-8");
        assert!(!memory.is_unique());
    }

    #[test]
    fn what_is_not_text_or_not_there_is_refused() {
        let memory = Bytes::from_static(b"a\xffb");
        assert!(Text::within(&memory, 0..3).is_none() && Text::from_utf8(memory.clone()).is_err());
        assert!(Text::within(&memory, 2..4).is_none());
        assert_eq!(Text::within(&memory, 2..3).as_deref(), Some("b"));
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        check(r#"{"a":"\ud83d\ude00"}"#.to_owned(), true);
        let error = Json::parse(r#"{"a":"\ud800"}"#, "payload", 1_000).expect_err("no character");
        assert_eq!(error.code(), "not_json");
    }
}
