//! The filter that every read takes.

use std::fmt;

use serde_json::Value;

use super::{Conditions, NamePattern};
use crate::error::{Error, Result};
use crate::event::{Event, TimeZone, Timestamp};

/// Which events a reader wants; everything given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The entity.
    pub entity_id: Option<NamePattern>,
    /// The event type.
    pub event_type: Option<NamePattern>,
    /// Not before this timestamp.
    pub since: Option<Timestamp>,
    /// Before this timestamp.
    pub until: Option<Timestamp>,
    /// Not after this timestamp: the world's time of a time-travelling read.
    pub as_of: Option<Timestamp>,
    /// What must hold beyond that.
    pub conditions: Conditions,
}

impl Filter {
    /// Whether `event` is wanted.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.entity_id.as_ref().is_none_or(|pattern| pattern.matches(event.entity_id.as_str()))
            && self.event_type.as_ref().is_none_or(|pattern| pattern.matches(event.event_type.as_str()))
            && self.since.is_none_or(|since| event.timestamp >= since)
            && self.until.is_none_or(|until| event.timestamp < until)
            && self.as_of.is_none_or(|as_of| event.timestamp <= as_of)
            && self.conditions.hold(event)
    }

    /// The same filter with what its conditions say of entity, type and time also said outside them, where an index
    /// can use it; `None` when they say nothing of these.
    pub(crate) fn narrowed(&self) -> Option<Self> {
        if self.conditions.is_empty() {
            return None;
        }
        let bounds = self.conditions.bounds();
        let name = |known: &Option<NamePattern>, equal: Option<String>| {
            known.clone().or(equal.map(NamePattern::Exact))
        };
        let narrowed = Self {
            entity_id: name(&self.entity_id, bounds.entity_id),
            event_type: name(&self.event_type, bounds.event_type),
            since: self.since.max(bounds.since),
            until: least(self.until, bounds.until),
            as_of: least(self.as_of, bounds.as_of),
            conditions: self.conditions.clone(),
        };
        (narrowed != *self).then_some(narrowed)
    }
}

fn least(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

impl fmt::Display for Filter {
    /// The canonical text: equal for two filters exactly if they are equal, whatever names they hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("entity_id", self.entity_id.as_ref().map(ToString::to_string)),
            ("event_type", self.event_type.as_ref().map(ToString::to_string)),
            ("since", self.since.as_ref().map(ToString::to_string)),
            ("until", self.until.as_ref().map(ToString::to_string)),
            ("as_of", self.as_of.as_ref().map(ToString::to_string)),
            ("where", (!self.conditions.is_empty()).then(|| self.conditions.to_string())),
        ];
        let mut separator = "";
        for (name, text) in parts {
            if let Some(text) = text {
                write!(f, "{separator}{name}={}", Value::from(text))?;
                separator = " ";
            }
        }
        Ok(())
    }
}

impl Filter {
    /// Reads the canonical text of a filter back.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub(crate) fn from_canonical(mut text: &str) -> Result<Self> {
        let mut filter = Self::default();
        let time = |text: &str| Timestamp::parse(text, Timestamp::MIN, TimeZone::UTC);
        while let Some((name, rest)) = text.trim_start().split_once('=') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let value = values.next().and_then(std::result::Result::ok);
            let value = value.ok_or_else(|| {
                Error::invalid("bad_filter", format!("read {name} of a filter: it is no string"))
            })?;
            text = rest.get(values.byte_offset()..).unwrap_or_default();
            match name {
                "entity_id" => filter.entity_id = Some(NamePattern::parse(&value)),
                "event_type" => filter.event_type = Some(NamePattern::parse(&value)),
                "since" => filter.since = Some(time(&value)?),
                "until" => filter.until = Some(time(&value)?),
                "as_of" => filter.as_of = Some(time(&value)?),
                "where" => filter.conditions = Conditions::parse(&[value], Timestamp::MIN, TimeZone::UTC)?,
                _ => {
                    return Err(Error::invalid(
                        "bad_filter",
                        format!("read a filter: it has no part {name}"),
                    ));
                }
            }
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::filter::tests::order_placed;

    fn filter(condition: &str) -> Filter {
        let conditions =
            Conditions::parse(&[condition], Timestamp::default(), TimeZone::UTC).expect("a condition");
        Filter { entity_id: Some(NamePattern::parse("order-*")), conditions, ..Filter::default() }
    }

    #[test]
    fn everything_given_must_hold() {
        let event = order_placed();
        assert!(Filter::default().matches(&event));
        assert!(filter("payload.amount > 100").matches(&event));
        assert!(!filter("payload.amount > 1e9").matches(&event));
        let until = Filter { until: Some(event.timestamp), ..filter("payload.amount > 100") };
        assert!(!until.matches(&event));
    }

    #[test]
    fn the_canonical_text_does_not_depend_on_spelling() {
        let text = filter("payload.a==1   and not payload['b']  like \"x\"").to_string();
        assert_eq!(text, r#"entity_id="order-*" where="(payload.a = 1 AND NOT (payload.b LIKE 'x'))""#);
        assert_eq!(Filter::default().to_string(), "");
    }

    #[track_caller]
    fn check_narrowed(condition: &str, expected: &str) {
        let filter = Filter { entity_id: None, ..filter(condition) };
        let narrowed = filter.narrowed().map(|narrowed| {
            assert_eq!(narrowed.matches(&order_placed()), filter.matches(&order_placed()));
            Filter { conditions: Conditions::default(), ..narrowed }.to_string()
        });
        assert_eq!(narrowed.unwrap_or_default(), expected);
    }

    #[test]
    fn what_an_index_knows_is_taken_out_of_the_conditions() {
        check_narrowed("entity_id = 'order-7' AND payload.amount > 5", "entity_id=\"order-7\"");
        check_narrowed("(event_type = 'order.*')", "event_type=\"order.*\"".replace('*', "\\\\*").as_str());
        check_narrowed(
            "timestamp > '2011-10-01' AND timestamp < '2011-10-02' AND timestamp < '2011-10-03'",
            "since=\"2011-10-01T00:00:00Z\" until=\"2011-10-02T00:00:00Z\"",
        );
        check_narrowed(
            "timestamp BETWEEN '2011-10-01' AND '2011-10-02'",
            "since=\"2011-10-01T00:00:00Z\" as_of=\"2011-10-02T00:00:00Z\"",
        );
        for condition in [
            "entity_id = 'a' OR event_type = 'b'",
            "NOT (entity_id = 'a')",
            "entity_id <> 'a'",
            "entity_id = 7",
            "timestamp NOT BETWEEN '2011-10-01' AND '2011-10-02'",
            "recorded_at > '2011-10-01'",
        ] {
            check_narrowed(condition, "");
        }
    }
}
