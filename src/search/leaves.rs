//! Walking through a JSON document: every text, number and flag in it with the path that leads there.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The key under which the parser hands out a number as it is written.
const NUMBER: &str = "$serde_json::private::Number";

/// A value that holds no others; `null` is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf<'a> {
    /// A string, unescaped.
    Text(&'a str),
    /// A number as it is written.
    Number(&'a str),
    /// True or false.
    Flag(bool),
}

/// Calls `visit` with each leaf of a stored document in the order of the text. The path is the keys with dots between;
/// the elements of an array have the path of the array. A document that is itself a leaf has the empty path.
pub(crate) fn each_leaf(document: &str, visit: &mut dyn FnMut(&str, Leaf<'_>)) {
    let mut reader = serde_json::Deserializer::from_str(document);
    let mut path = String::new();
    // Stored documents are JSON; should one not be, what stands before the mistake counts.
    let _ = Walk { path: &mut path, visit }.deserialize(&mut reader);
}

struct Walk<'w> {
    path: &'w mut String,
    visit: &'w mut dyn FnMut(&str, Leaf<'_>),
}

impl Walk<'_> {
    fn inner(&mut self) -> Walk<'_> {
        Walk { path: self.path, visit: self.visit }
    }
}

impl<'d> DeserializeSeed<'d> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'d>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'d> Visitor<'d> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'d>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            if key == NUMBER {
                let number: String = map.next_value()?;
                (self.visit)(self.path, Leaf::Number(&number));
                continue;
            }
            let parent = self.path.len();
            if parent > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            map.next_value_seed(self.inner())?;
            self.path.truncate(parent);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'d>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.visit)(self.path, Leaf::Text(text));
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        (self.visit)(self.path, Leaf::Flag(flag));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        (self.visit)(self.path, Leaf::Number(&number.to_string()));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        (self.visit)(self.path, Leaf::Number(&number.to_string()));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        (self.visit)(self.path, Leaf::Number(&number.to_string()));
        Ok(())
    }
}

/// Reads a key, without a copy where nothing in it is escaped.
struct Key;

impl<'d> DeserializeSeed<'d> for Key {
    type Value = Cow<'d, str>;

    fn deserialize<D: Deserializer<'d>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'d> Visitor<'d> for Key {
    type Value = Cow<'d, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'d str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, expected: &[&str]) {
        let mut found = Vec::new();
        each_leaf(document, &mut |path, leaf| {
            let value = match leaf {
                Leaf::Text(text) => format!("'{text}'"),
                Leaf::Number(number) => number.to_owned(),
                Leaf::Flag(flag) => flag.to_string(),
            };
            found.push(format!("{path}={value}"));
        });
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn every_leaf_comes_with_its_path() {
        check(
            r#"{"a":{"b":"x","c":[1,{"d":true}]},"e":null,"f\"":"q\n","n":12345678901234567890123}"#,
            &["a.b='x'", "a.c=1", "a.c.d=true", "f\"='q\n'", "n=12345678901234567890123"],
        );
    }

    #[test]
    fn a_document_need_not_be_an_object() {
        check("\"text\"", &["='text'"]);
        check("[1.50,[\"a\"]]", &["=1.50", "='a'"]);
        check("null", &[]);
    }

    #[test]
    fn a_broken_document_gives_what_stands_before_the_break() {
        check(r#"{"a":1,"b":"#, &["a=1"]);
    }
}
