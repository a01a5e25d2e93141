//! How does a payload of an earlier version become one of a later? A list of small operations.
//!
//! **Invariant:** what no operation names keeps its place and its digits; an operation whose place is not there does nothing.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::event::filter::{Path, Root, Step};
use crate::event::quote;

/// The most operations from one version to the next: 64.
const OPERATIONS_MAX: usize = 64;
/// How operations are written, for errors.
const SPELLED: &str = r#"{"rename": ["payload.a", "b"]}, {"move": ["payload.a", "payload.b.c"]}, {"default": ["payload.a", 0]} or {"drop": "payload.a"}"#;

/// One step from a version to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A member gets another name, in its place.
    Rename(Place, String),
    /// A member goes elsewhere; objects on the way are made.
    Move(Place, Place),
    /// A member that is absent gets a value.
    Default(Place, Value),
    /// A member goes.
    Drop(Place),
}

/// A member of a payload: the names on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Vec<String>);

impl Operation {
    /// Reads the operations from one version to the next.
    ///
    /// # Errors
    /// `Invalid` (`bad_upcast`) naming the first that is none.
    pub fn read_all(items: &[Value]) -> Result<Vec<Self>> {
        if items.len() > OPERATIONS_MAX {
            let message =
                format!("upcast has {} operations but at most {OPERATIONS_MAX} are taken", items.len());
            return Err(Error::invalid("bad_upcast", message).with("argument", "upcast"));
        }
        let named = |(at, item): (usize, &Value)| {
            Self::read(item).map_err(|reason| {
                let message = format!("upcast[{at}] {reason}; an operation is {SPELLED}");
                Error::invalid("bad_upcast", message).with("argument", "upcast")
            })
        };
        items.iter().enumerate().map(named).collect()
    }

    fn read(item: &Value) -> Result<Self, String> {
        let members = item.as_object().filter(|members| members.len() == 1);
        let Some((word, given)) = members.and_then(|members| members.iter().next()) else {
            return Err("is no object with one member".to_owned());
        };
        let pair = || match given.as_array().map(Vec::as_slice) {
            Some([first, second]) => Ok((Place::read(first)?, second)),
            _ => Err(format!("{word} takes an array of two")),
        };
        match word.as_str() {
            "rename" => {
                let (from, to) = pair()?;
                let to = to.as_str().ok_or("rename takes the new name as a string")?;
                if !to.contains(['.', '[']) {
                    return Ok(Self::Rename(from, to.to_owned()));
                }
                // A whole path is taken where it only names the last member anew.
                let place = Place::read(&Value::from(to))?;
                let name = place.0.last().filter(|_| place.parent() == from.parent()).cloned();
                let name =
                    name.ok_or_else(|| format!("renames to {}, which lies elsewhere; use move", quote(to)))?;
                Ok(Self::Rename(from, name))
            }
            "move" => pair().and_then(|(from, to)| Ok(Self::Move(from, Place::read(to)?))),
            "default" => pair().map(|(place, value)| Self::Default(place, value.clone())),
            "drop" => Place::read(given).map(Self::Drop),
            other => Err(format!("has {}, which is no operation", quote(other))),
        }
    }

    /// As it is stored and answered.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Rename(from, name) => json!({"rename": [from.to_string(), name]}),
            Self::Move(from, to) => json!({"move": [from.to_string(), to.to_string()]}),
            Self::Default(place, value) => json!({"default": [place.to_string(), value]}),
            Self::Drop(place) => json!({"drop": place.to_string()}),
        }
    }

    fn apply(&self, payload: &mut Value) {
        match self {
            Self::Rename(from, name) => {
                let Some(parent) = payload.as_object_mut().and_then(|root| from.parent_in(root)) else {
                    return;
                };
                let renamed = |(key, value)| {
                    if Some(&key) == from.0.last() { (name.clone(), value) } else { (key, value) }
                };
                if from.0.last().is_some_and(|last| parent.contains_key(last)) && !parent.contains_key(name) {
                    *parent = std::mem::take(parent).into_iter().map(renamed).collect();
                }
            }
            Self::Move(from, to) => {
                let Some(root) = payload.as_object_mut() else { return };
                // What is there already is newer than what would be moved over it.
                if to.get(root).is_some() {
                    return;
                }
                if let Some(value) = from.take(root) {
                    to.put(root, value);
                }
            }
            Self::Default(place, value) => {
                let Some(root) = payload.as_object_mut() else { return };
                if place.get(root).is_none() {
                    place.put(root, value.clone());
                }
            }
            Self::Drop(place) => {
                if let Some(root) = payload.as_object_mut() {
                    place.take(root);
                }
            }
        }
    }
}

/// A payload after all operations of all versions in between, oldest first.
#[must_use]
pub fn upcast<'o>(mut payload: Value, operations: impl IntoIterator<Item = &'o Operation>) -> Value {
    operations.into_iter().for_each(|operation| operation.apply(&mut payload));
    payload
}

impl Place {
    /// Reads `payload.a.b`; `payload.` may be left out.
    fn read(given: &Value) -> Result<Self, String> {
        let text = given.as_str().ok_or("takes paths as strings")?;
        let is_whole = text.strip_prefix("payload").is_some_and(|rest| rest.starts_with(['.', '[']));
        let whole = if is_whole { text.to_owned() } else { format!("payload.{text}") };
        let path = Path::parse(&whole).map_err(|error| error.message().to_owned())?;
        let Path::Json { root: Root::Payload, steps } = path else {
            return Err(format!("{} is no payload path", quote(text)));
        };
        let key = |step| match step {
            Step::Key(key) => Ok(key),
            _ => Err(format!("{} goes through an array, which no operation does", quote(text))),
        };
        let keys = steps.into_iter().map(key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err("names the whole payload".to_owned()) } else { Ok(Self(keys)) }
    }

    fn parent(&self) -> Option<&[String]> {
        self.0.split_last().map(|(_, parent)| parent)
    }

    fn parent_in<'m>(&self, root: &'m mut Map<String, Value>) -> Option<&'m mut Map<String, Value>> {
        self.parent()?.iter().try_fold(root, |members, key| members.get_mut(key)?.as_object_mut())
    }

    fn get<'m>(&self, root: &'m Map<String, Value>) -> Option<&'m Value> {
        let (last, parent) = self.0.split_last()?;
        parent.iter().try_fold(root, |members, key| members.get(key)?.as_object())?.get(last)
    }

    fn take(&self, root: &mut Map<String, Value>) -> Option<Value> {
        let last = self.0.last()?;
        self.parent_in(root)?.shift_remove(last)
    }

    /// Puts a value there; what stands in the way and is no object stays.
    fn put(&self, root: &mut Map<String, Value>, value: Value) {
        let Some((last, parent)) = self.0.split_last() else { return };
        let mut members = root;
        for key in parent {
            let inner = members.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
            let Some(inner) = inner.as_object_mut() else { return };
            members = inner;
        }
        members.insert(last.clone(), value);
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = self.0.iter().cloned().map(Step::Key).collect();
        std::fmt::Display::fmt(&Path::Json { root: Root::Payload, steps }, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(operations: &Value, payload: &str, expected: &str) {
        let items = operations.as_array().expect("a list");
        let operations = Operation::read_all(items).expect("operations");
        let again: Vec<Value> = operations.iter().map(Operation::to_value).collect();
        assert_eq!(Operation::read_all(&again).expect("as stored"), operations);
        let payload = serde_json::from_str(payload).expect("JSON");
        assert_eq!(upcast(payload, &operations).to_string(), expected);
    }

    #[track_caller]
    fn refused(operation: &Value, said: &str) {
        let error = Operation::read_all(std::slice::from_ref(operation)).expect_err("no operation");
        assert_eq!(error.code(), "bad_upcast");
        assert!(error.message().contains(said), "{error}");
    }

    #[test]
    fn operations_apply_in_order_and_keep_places_and_digits() {
        check(
            &json!([{"rename": ["amount", "total"]}]),
            r#"{"amount":1.50,"b":2}"#,
            r#"{"total":1.50,"b":2}"#,
        );
        check(&json!([{"rename": ["payload.a.b", "payload.a.c"]}]), r#"{"a":{"b":1}}"#, r#"{"a":{"c":1}}"#);
        check(
            &json!([{"move": ["city", "address.city"]}]),
            r#"{"city":"Bonn"}"#,
            r#"{"address":{"city":"Bonn"}}"#,
        );
        check(
            &json!([{"default": ["currency", "EUR"]}]),
            r#"{"n":12345678901234567890123}"#,
            r#"{"n":12345678901234567890123,"currency":"EUR"}"#,
        );
        check(&json!([{"drop": "b"}, {"default": ["b", 0]}]), r#"{"b":7}"#, r#"{"b":0}"#);
        check(&json!([{"rename": ["payload[\"a b\"]", "c"]}]), r#"{"a b":1}"#, r#"{"c":1}"#);
    }

    #[test]
    fn what_is_not_there_or_in_the_way_stays() {
        check(&json!([{"rename": ["a", "b"]}, {"drop": "x.y"}]), r#"{"b":1,"x":2}"#, r#"{"b":1,"x":2}"#);
        check(&json!([{"move": ["a", "b.c"]}]), r#"{"a":1,"b":{"c":2}}"#, r#"{"a":1,"b":{"c":2}}"#);
        check(&json!([{"default": ["a.b", 1]}]), r#"{"a":"text"}"#, r#"{"a":"text"}"#);
        check(&json!([{"drop": "a"}]), "[1]", "[1]");
    }

    #[test]
    fn what_is_no_operation_is_refused_with_how_one_is_written() {
        refused(&json!({"remove": "a"}), "\"remove\"");
        refused(&json!({"drop": "a", "default": ["a", 1]}), "one member");
        refused(&json!({"move": ["a"]}), "an array of two");
        refused(&json!({"drop": "items[0].a"}), "array");
        refused(&json!({"rename": ["payload.a.b", "payload.c"]}), "use move");
    }
}
