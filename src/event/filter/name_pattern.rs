//! One name, or all names with a prefix.

use std::fmt;

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
        self.matches_bytes(name.as_bytes())
    }

    /// The same for the bytes of a name that were not proved to be text yet.
    pub(crate) fn matches_bytes(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => name == exact.as_bytes(),
            Self::Prefix(prefix) => name.starts_with(prefix.as_bytes()),
        }
    }
}

impl fmt::Display for NamePattern {
    /// The text that reads as this pattern.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Exact(exact) => match exact.strip_suffix('*') {
                Some(stem) => write!(f, "{stem}\\*"),
                None => f.write_str(exact),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, yes: &str, no: &str) {
        let pattern = NamePattern::parse(text);
        assert!(pattern.matches(yes), "{text} {yes}");
        assert!(!pattern.matches(no), "{text} {no}");
        assert_eq!(pattern.to_string(), text);
    }

    #[test]
    fn one_trailing_star_is_a_prefix() {
        check("order.placed", "order.placed", "order.placed2");
        check("order.*", "order.placed", "orders");
        check("a\\*", "a*", "ab");
        check("*a", "*a", "ba");
    }
}
