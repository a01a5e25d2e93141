//! Which events a reader wants: entity, type and time, and conditions on columns and payload paths.

use super::{Event, Timestamp};

/// A name, or every name that begins with a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NamePattern {
    /// Exactly this name.
    Exact(String),
    /// Every name that begins so.
    Prefix(String),
}

impl NamePattern {
    /// Reads `order.placed`, `order.*` (prefix) or `a\*` (a literal trailing star).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if let Some(stem) = text.strip_suffix("\\*") {
            return Self::Exact(format!("{stem}*"));
        }
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

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
    }
}
