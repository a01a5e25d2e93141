//! Whose schema is it? An event type, or every type with a prefix.

use std::fmt;

use crate::error::{Error, Result};
use crate::event::{EventType, NamePattern, quote};

/// The longest subject: 239 bytes, so that the entity of its events is a name.
pub const SUBJECT_BYTES_MAX: usize = 239;
/// What the types and entities of the store's own events begin with.
const OWN: &str = "allsource.";

/// An event type, or a prefix with one trailing star (`order.*`; `\*` is a literal star).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(NamePattern);

impl Subject {
    /// Reads a subject.
    ///
    /// # Errors
    /// `Invalid` (`bad_subject`) when it is empty, too long, holds control characters, or names the store's own events.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |why: String| Err(Error::invalid("bad_subject", why).with("argument", "subject"));
        if text.len() > SUBJECT_BYTES_MAX {
            return refused(format!(
                "subject is {} bytes but at most {SUBJECT_BYTES_MAX} are taken; give an event type, or a prefix with a trailing *",
                text.len()
            ));
        }
        if let Err(error) = EventType::new(text) {
            return refused(format!("subject: {}", error.message()));
        }
        if text.starts_with(OWN) {
            return refused(format!(
                "subject {} names events that the store writes itself; give a type of your own",
                quote(text)
            ));
        }
        Ok(Self(NamePattern::parse(text)))
    }

    /// Whether events of this type are meant; those that the store writes itself never are.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        self.0.matches(event_type) && !event_type.starts_with(OWN)
    }

    /// The types that are meant, as a reader selects them.
    #[must_use]
    pub fn pattern(&self) -> &NamePattern {
        &self.0
    }

    /// What decides between subjects that mean the same type: an exact name first, then the longest prefix.
    #[must_use]
    pub fn rank(&self) -> usize {
        match &self.0 {
            NamePattern::Exact(_) => usize::MAX,
            NamePattern::Prefix(prefix) => prefix.len(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(subject: &str, yes: &str, no: &str) {
        let subject = Subject::parse(subject).expect("a subject");
        assert!(subject.matches(yes) && !subject.matches(no), "{subject}");
    }

    #[test]
    fn a_subject_is_a_type_or_a_prefix() {
        check("order.placed", "order.placed", "order.placed.again");
        check("order.*", "order.paid", "orders");
        check("*", "W_Completeren aanvraag", "allsource.schema.registered");
        check("a\\*", "a*", "ab");
    }

    #[test]
    fn an_exact_name_beats_a_prefix_and_a_long_prefix_a_short_one() {
        let rank = |text| Subject::parse(text).expect("a subject").rank();
        assert!(rank("a") > rank("order.placed.*") && rank("order.placed.*") > rank("order.*"));
    }

    #[test]
    fn unusable_subjects_are_refused() {
        for text in ["", "a\nb", "allsource.schema.registered", &"x".repeat(240)] {
            assert_eq!(Subject::parse(text).expect_err("no subject").code(), "bad_subject");
        }
    }
}
