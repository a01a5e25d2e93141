//! Finding a few values in a JSON document in one pass, without building the rest of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::Step;

/// The places to look at, as a tree; each has the number of the slot into which its text goes.
#[derive(Clone, Debug)]
pub(crate) struct Extraction {
    nodes: Vec<Node>,
    slots: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    slot: Option<usize>,
    children: Vec<(Step, usize)>,
}

const TOP: usize = 0;

impl Default for Extraction {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], slots: 0 }
    }
}

impl Extraction {
    /// Adds a place (keys and indexes only) and gives its slot.
    pub(crate) fn add(&mut self, steps: &[Step]) -> usize {
        let mut at = TOP;
        for step in steps {
            let known = self.node(at).and_then(|node| node.child(step));
            at = known.unwrap_or_else(|| {
                let new = self.nodes.len();
                self.nodes.push(Node::default());
                if let Some(node) = self.nodes.get_mut(at) {
                    node.children.push((step.clone(), new));
                }
                new
            });
        }
        let next = self.slots;
        let Some(node) = self.nodes.get_mut(at) else { return next };
        let slot = *node.slot.get_or_insert(next);
        self.slots = self.slots.max(slot + 1);
        slot
    }

    /// The text of each slot's value; of a key that stands twice, the last counts, as everywhere in JSON.
    pub(crate) fn extract<'d>(&self, document: &'d str) -> Vec<Option<&'d str>> {
        let mut found = vec![None; self.slots];
        self.read(TOP, document, &mut found);
        found
    }

    fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    fn read<'d>(&self, at: usize, document: &'d str, found: &mut [Option<&'d str>]) {
        let mut reader = serde_json::Deserializer::from_str(document);
        // Stored documents are JSON; should one not be, what was found before the mistake counts.
        let _ = Seek { plan: self, at, found }.deserialize(&mut reader);
    }

    fn forget(&self, at: usize, found: &mut [Option<&str>]) {
        let Some(node) = self.node(at) else { return };
        if let Some(place) = node.slot.and_then(|slot| found.get_mut(slot)) {
            *place = None;
        }
        for (_, child) in &node.children {
            self.forget(*child, found);
        }
    }
}

impl Node {
    fn child(&self, step: &Step) -> Option<usize> {
        self.children.iter().find(|(known, _)| known == step).map(|(_, at)| *at)
    }
}

/// Reads one value: keeps its text if it has a slot, looks inside it if it has children.
struct Seek<'p, 'f, 'd> {
    plan: &'p Extraction,
    at: usize,
    found: &'f mut [Option<&'d str>],
}

impl<'d> DeserializeSeed<'d> for Seek<'_, '_, 'd> {
    type Value = ();

    fn deserialize<D: Deserializer<'d>>(self, reader: D) -> Result<(), D::Error> {
        let Some(node) = self.plan.node(self.at) else { return Ok(()) };
        let Some(place) = node.slot.and_then(|slot| self.found.get_mut(slot)) else {
            return reader.deserialize_any(self);
        };
        let raw: &'d RawValue = serde::Deserialize::deserialize(reader)?;
        *place = Some(raw.get());
        if !node.children.is_empty() && raw.get().starts_with(['{', '[']) {
            // This place is already kept; what lies below it is a reading of its own.
            let mut inner = serde_json::Deserializer::from_str(raw.get());
            let _ = inner.deserialize_any(self);
        }
        Ok(())
    }
}

impl<'d> Visitor<'d> for Seek<'_, '_, 'd> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'d>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(node) = self.plan.node(self.at) else { return Ok(()) };
        while let Some(child) = map.next_key_seed(KeyOf(node))? {
            match child {
                Some(at) => {
                    self.plan.forget(at, self.found);
                    map.next_value_seed(Seek { plan: self.plan, at, found: self.found })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut elements: A) -> Result<(), A::Error> {
        let Some(node) = self.plan.node(self.at) else { return Ok(()) };
        let mut index = 0;
        loop {
            let more = match node.child(&Step::Index(index)) {
                Some(at) => {
                    elements.next_element_seed(Seek { plan: self.plan, at, found: self.found })?.is_some()
                }
                None => elements.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a key and says which child it leads to.
struct KeyOf<'p>(&'p Node);

impl<'d> DeserializeSeed<'d> for KeyOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'d>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let found = self.0.children.iter().find(|(step, _)| matches!(step, Step::Key(known) if known == key));
        Ok(found.map(|(_, at)| *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    #[track_caller]
    fn check(document: &str, paths: &[&[Step]], expected: &[Option<&str>]) {
        let mut plan = Extraction::default();
        for (slot, path) in paths.iter().enumerate() {
            assert_eq!(plan.add(path), slot);
        }
        assert_eq!(plan.extract(document), expected, "{document}");
    }

    #[test]
    fn values_come_as_they_are_written() {
        let document = r#" {"a": {"b": 1.50, "c": [10, {"d": "x\u0041"}]}, "e": null, "n": 5} "#;
        check(
            document,
            &[
                &[key("a"), key("b")],
                &[key("a"), key("c"), Step::Index(1), key("d")],
                &[key("e")],
                &[key("none")],
                &[key("a")],
                &[key("n"), key("m")],
            ],
            &[
                Some("1.50"),
                Some(r#""x\u0041""#),
                Some("null"),
                None,
                Some(r#"{"b": 1.50, "c": [10, {"d": "x\u0041"}]}"#),
                None,
            ],
        );
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        check(
            r#"{"a":{"b":1},"a":5,"c":1,"c":2}"#,
            &[&[key("a"), key("b")], &[key("a")], &[key("c")]],
            &[None, Some("5"), Some("2")],
        );
    }

    #[test]
    fn a_document_need_not_be_an_object() {
        check("[1,[2,3]]", &[&[Step::Index(1), Step::Index(0)], &[]], &[Some("2"), Some("[1,[2,3]]")]);
        check("\"text\"", &[&[key("a")], &[]], &[None, Some("\"text\"")]);
        check("12345678901234567890123", &[&[key("a")], &[]], &[None, Some("12345678901234567890123")]);
    }

    #[test]
    fn a_broken_document_gives_what_stands_before_the_break() {
        check(r#"{"a":1,"b":"#, &[&[key("a")], &[key("b")]], &[Some("1"), None]);
    }
}
