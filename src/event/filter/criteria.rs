//! The filter that every read takes.

use std::fmt;

use serde_json::Value;

use super::{Conditions, NamePattern};
use crate::event::{Event, Timestamp};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TimeZone;
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
}
