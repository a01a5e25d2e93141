//! The names in an event: entity ids, event types, event ids, idempotency keys.
//!
//! All follow one rule: 1 to 256 bytes of UTF-8 without control characters. Real logs hold spaces, capitals,
//! slashes and umlauts, so all of these are taken as they come.

use std::fmt;

use uuid::Uuid;

use super::limits::NAME_BYTES_MAX;
use super::text::Text;
use crate::error::{Error, Result};

fn check(what: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(
            "empty_name",
            format!("{what} is empty; give 1 to {NAME_BYTES_MAX} bytes"),
        ));
    }
    if text.len() > NAME_BYTES_MAX {
        let message = format!(
            "{what} is {} bytes but at most {NAME_BYTES_MAX} are taken; shorten or hash it",
            text.len()
        );
        return Err(Error::invalid("name_too_long", message));
    }
    if let Some((at, found)) = text.char_indices().find(|(_, c)| c.is_control()) {
        let message = format!(
            "{what} has the control character U+{:04X} at byte {at}; remove it or write it visibly",
            u32::from(found)
        );
        return Err(Error::invalid("control_character", message).with("byte", at));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            /// Checks and takes a name: 1 to 256 bytes of UTF-8 without control characters.
            ///
            /// # Errors
            /// `Invalid`, with the length or the character at fault.
            pub fn new(text: impl Into<Text>) -> Result<Self> {
                let text = text.into();
                check($what, &text)?;
                Ok(Self(text))
            }

            /// Takes a name that was checked before it was stored.
            pub(crate) fn trusted(text: Text) -> Self {
                Self(text)
            }

            /// The name's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

name!(
    /// Names the stream that an event belongs to.
    EntityId,
    "entity_id"
);
name!(
    /// Names what happened.
    EventType,
    "event_type"
);
name!(
    /// Names one append, so that sending it twice stores it once.
    IdempotencyKey,
    "idempotency_key"
);

/// Names one event, once in a branch: a `UUIDv7` that the store made, or whatever the caller gave.
///
/// A canonical UUID is held as its 16 bytes, so that an id reads the same whoever made it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Id);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Id {
    Uuid(Uuid),
    Text(Text),
}

impl EventId {
    /// Checks and takes an id: 1 to 256 bytes of UTF-8 without control characters.
    ///
    /// # Errors
    /// `Invalid`, with the length or the character at fault.
    pub fn new(text: impl Into<Text>) -> Result<Self> {
        let text = text.into();
        check("event_id", &text)?;
        Ok(Self::trusted(text))
    }

    /// Takes an id that was checked before it was stored.
    pub(crate) fn trusted(text: Text) -> Self {
        let mut canonical = Uuid::encode_buffer();
        match Uuid::try_parse(&text) {
            Ok(uuid) if &*uuid.hyphenated().encode_lower(&mut canonical) == text.as_str() => {
                Self(Id::Uuid(uuid))
            }
            _ => Self(Id::Text(text)),
        }
    }

    /// The id with these 128 bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Id::Uuid(Uuid::from_u128(bits)))
    }

    /// The id's 128 bits, when it is a UUID.
    #[must_use]
    pub fn as_u128(&self) -> Option<u128> {
        match &self.0 {
            Id::Uuid(uuid) => Some(uuid.as_u128()),
            Id::Text(_) => None,
        }
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Uuid(uuid) => fmt::Display::fmt(uuid, f),
            Id::Text(text) => fmt::Display::fmt(text, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, code: &str) {
        let error = EntityId::new(text).expect_err("the name must be refused");
        assert_eq!(error.code(), code, "{error}");
    }

    #[test]
    fn real_names_are_taken_as_they_come() {
        for name in [
            "A_SUBMITTED",
            "W_Completeren aanvraag",
            "org/repo",
            "Müller",
            "{9f85ce58-5a6a}",
            &"x".repeat(256),
        ] {
            assert_eq!(EntityId::new(name).expect("a real name").as_str(), name);
        }
    }

    #[test]
    fn unusable_names_are_refused_with_the_reason() {
        refused("", "empty_name");
        refused(&"x".repeat(257), "name_too_long");
        refused("a\0b", "control_character");
        refused("line\nbreak", "control_character");
    }

    #[test]
    fn an_event_id_reads_as_it_was_given() {
        for id in [
            "2598740042",
            "018f4e2a-0000-7000-8000-000000000001",
            "018F4E2A-0000-7000-8000-000000000001",
            "018f4e2a000070008000000000000001",
        ] {
            assert_eq!(EventId::new(id).expect("an id").to_string(), id);
        }
        let bits = 0x018f_4e2a_0000_7000_8000_0000_0000_0001;
        assert_eq!(
            EventId::from_u128(bits),
            EventId::new("018f4e2a-0000-7000-8000-000000000001").expect("an id")
        );
    }
}
