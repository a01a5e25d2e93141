//! The members of a JSON object as raw text, so that numbers, key order and spacing reach the store untouched.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One member of an object: its name, and its value as JSON text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) raw: Cow<'a, str>,
}

impl<'a> Member<'a> {
    /// A member whose value is JSON text already.
    pub(super) fn raw(name: &'a str, raw: impl Into<Cow<'a, str>>) -> Self {
        Self { name: Cow::Borrowed(name), raw: raw.into() }
    }
}

/// Takes an object apart; the error says what the text is instead, or where its first mistake is.
pub(super) fn take_apart(text: &str) -> Result<Vec<Member<'_>>, String> {
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(Members(members)) => Ok(members),
        Err(error) if error.is_data() => Err(format!("is {}, not a JSON object", kind_of(text))),
        Err(error) => Err(format!("is not JSON: {error}")),
    }
}

/// What a JSON text is, in words.
pub(super) fn kind_of(raw: &str) -> &'static str {
    match raw.trim_start().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Appends `text` as a JSON string.
pub(super) fn push_string(json: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// Appends `members` as a JSON object.
pub(super) fn push_object<'m>(json: &mut String, members: impl Iterator<Item = (&'m str, &'m str)>) {
    json.push('{');
    for (at, (name, raw)) in members.enumerate() {
        if at > 0 {
            json.push(',');
        }
        push_string(json, name);
        json.push(':');
        json.push_str(raw);
    }
    json.push('}');
}

struct Members<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some((Name(name), raw)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            members.push(Member { name, raw: Cow::Borrowed(raw.get()) });
        }
        Ok(Members(members))
    }
}

/// A member's name, borrowed from the text unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_were_written() {
        let text = r#"{"z": 12345678901234567890123 ,"a":1.50,"n\"q":{"b" : [1, 2]}}"#;
        let members = take_apart(text).expect("an object");
        let raw: Vec<_> = members.iter().map(|m| (m.name.as_ref(), m.raw.as_ref())).collect();
        assert_eq!(raw, [("z", "12345678901234567890123"), ("a", "1.50"), ("n\"q", r#"{"b" : [1, 2]}"#)]);
        let mut json = String::new();
        push_object(&mut json, raw.into_iter());
        assert_eq!(json, r#"{"z":12345678901234567890123,"a":1.50,"n\"q":{"b" : [1, 2]}}"#);
    }

    #[test]
    fn what_is_not_an_object_is_named() {
        assert_eq!(take_apart("[1]"), Err("is an array, not a JSON object".to_owned()));
        assert_eq!(take_apart("\"x\""), Err("is a text, not a JSON object".to_owned()));
        let error = take_apart("{\"a\":").expect_err("a torn line");
        assert!(error.starts_with("is not JSON: EOF while parsing"), "{error}");
    }
}
