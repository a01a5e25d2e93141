//! The values at a few places of an event, read in one pass over each document that they lie in.

use std::borrow::Cow;

use super::conditions::Plans;
use super::path::{Column, Path, Root, Step};
use crate::error::{Error, Result};
use crate::event::{Event, quote};

/// Paths, compiled.
#[derive(Debug, Default)]
pub(crate) struct Places {
    plans: Plans,
    places: Vec<Place>,
}

#[derive(Debug)]
enum Place {
    Column(Column),
    Json(Root, usize),
}

impl Places {
    /// Compiles paths.
    ///
    /// # Errors
    /// `Invalid` (`many_values`) for a path with `[*]`: it leads to many values, and one is wanted.
    pub(crate) fn new(paths: &[&Path]) -> Result<Self> {
        let mut compiled = Self::default();
        for path in paths {
            let place = match path {
                Path::Column(column) => Place::Column(*column),
                Path::Json { steps, .. } if steps.contains(&Step::Any) => {
                    let message = format!(
                        "read {}: [*] leads to many values and one is wanted; name an element, such as [0]",
                        quote(&path.to_string())
                    );
                    return Err(Error::invalid("many_values", message));
                }
                Path::Json { root: Root::Payload, steps } => {
                    Place::Json(Root::Payload, compiled.plans.payload.add(steps))
                }
                Path::Json { root: Root::Metadata, steps } => {
                    Place::Json(Root::Metadata, compiled.plans.metadata.add(steps))
                }
            };
            compiled.places.push(place);
        }
        Ok(compiled)
    }

    /// What an event has at each place; `None` for nothing and for `null`. A document in which no place lies is not
    /// looked at.
    pub(crate) fn read<'e>(&self, event: &'e Event) -> Vec<Option<Spot<'e>>> {
        let lies_in =
            |root: Root| self.places.iter().any(|place| matches!(place, Place::Json(of, _) if *of == root));
        let read = |root: Root| match root {
            Root::Payload if lies_in(root) => self.plans.payload.extract(event.payload.as_str()),
            Root::Metadata if lies_in(root) => {
                event.metadata.as_ref().map_or(Vec::new(), |json| self.plans.metadata.extract(json.as_str()))
            }
            _ => Vec::new(),
        };
        let (payload, metadata) = (read(Root::Payload), read(Root::Metadata));
        let spot = |place: &Place| {
            let (found, slot) = match place {
                Place::Column(column) => return Some(column_of(*column, event)),
                Place::Json(Root::Payload, slot) => (&payload, slot),
                Place::Json(Root::Metadata, slot) => (&metadata, slot),
            };
            found.get(*slot).copied().flatten().and_then(Spot::of_json)
        };
        self.places.iter().map(spot).collect()
    }
}

/// A value found: a text as it reads, anything else as its JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spot<'e>(Cow<'e, str>);

impl<'e> Spot<'e> {
    fn of_json(json: &'e str) -> Option<Self> {
        let json = json.trim();
        if json == "null" {
            return None;
        }
        let Some(inside) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Some(Self(Cow::Borrowed(json)));
        };
        if !inside.contains('\\') {
            return Some(Self(Cow::Borrowed(inside)));
        }
        serde_json::from_str(json).ok().map(|text: String| Self(Cow::Owned(text)))
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The number that it is, or that its text is written as; no infinity.
    pub(crate) fn number(&self) -> Option<f64> {
        let text = self.0.trim();
        // Words that Rust reads as floats are none here.
        let is_digits = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
        text.parse().ok().filter(|number: &f64| is_digits && number.is_finite())
    }
}

fn column_of(column: Column, event: &Event) -> Spot<'_> {
    Spot(match column {
        Column::EntityId => Cow::Borrowed(event.entity_id.as_str()),
        Column::EventType => Cow::Borrowed(event.event_type.as_str()),
        other => match other.value(event) {
            serde_json::Value::String(text) => Cow::Owned(text),
            value => Cow::Owned(value.to_string()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::filter::tests::order_placed;

    #[test]
    fn places_are_read_as_texts_and_numbers() {
        let paths = [
            "entity_id",
            "position",
            "payload.status",
            "payload.nothing",
            "metadata.actor",
            "payload.items[1].sku",
        ];
        let paths: Vec<Path> = paths.into_iter().map(|text| Path::parse(text).expect(text)).collect();
        let event = order_placed();
        let found = Places::new(&paths.iter().collect::<Vec<_>>()).expect("one value each").read(&event);
        let texts: Vec<Option<&str>> = found.iter().map(|spot| spot.as_ref().map(Spot::text)).collect();
        let entity = event.entity_id.as_str();
        assert_eq!(texts, [Some(entity), Some("7"), Some("Open"), None, Some("agent-1"), Some("B-2")]);
        assert_eq!(found[1].as_ref().and_then(Spot::number), Some(7.0));
    }

    #[test]
    fn a_number_is_one_however_it_is_written() {
        let number = |json: &str| Spot::of_json(json).and_then(|spot| spot.number());
        assert_eq!(number("1.5e3"), Some(1_500.0));
        assert_eq!(number(" \"-2\" "), Some(-2.0));
        for json in ["\"NaN\"", "\"inf\"", "true", "[1]", "1e999", "\"\"", "null"] {
            assert_eq!(number(json), None, "{json}");
        }
        assert_eq!(Spot::of_json("\"a\\u0041\"").expect("a text").text(), "aA");
    }

    #[test]
    fn one_value_is_wanted() {
        let path = Path::parse("payload.items[*].sku").expect("a path");
        assert_eq!(Places::new(&[&path]).expect_err("many").code(), "many_values");
    }
}
