//! The name of a fork.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;

/// What every fork's id begins with.
const PREFIX: &str = "f-";
/// The characters behind it: 8, each one of 32.
const CHARS: usize = 8;
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Names a fork: `f-` and eight letters or digits, such as `f-k7m2x9qa`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForkId(String);

impl ForkId {
    /// Takes the id of a fork, whether there is one or not.
    ///
    /// # Errors
    /// `NotFound` (`unknown_branch`) when no fork can have that id.
    pub fn parse(text: &str) -> Result<Self> {
        let is_id = text
            .strip_prefix(PREFIX)
            .is_some_and(|rest| rest.len() == CHARS && rest.bytes().all(|byte| ALPHABET.contains(&byte)));
        if is_id { Ok(Self(text.to_owned())) } else { Err(Self::unknown(text)) }
    }

    /// An id made of random bits.
    pub(super) fn random(bits: u64) -> Self {
        let bytes = bits.to_le_bytes();
        let letter = |byte: u8| ALPHABET.get(usize::from(byte & 31)).copied().map_or('a', char::from);
        Self(PREFIX.chars().chain(bytes.into_iter().map(letter)).collect())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The error for a branch that is not there.
    pub(crate) fn unknown(name: &str) -> Error {
        let message =
            format!("find branch {}: there is none of that name; list_forks shows the forks", quote(name));
        Error::new(ErrorKind::NotFound, "unknown_branch", message)
    }
}

impl fmt::Debug for ForkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ForkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_back_as_it_was_given() {
        for bits in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = ForkId::random(bits);
            assert_eq!(ForkId::parse(id.as_str()).expect("an id"), id);
        }
        assert_ne!(ForkId::random(1), ForkId::random(2));
    }

    /// The id becomes the name of a directory.
    #[test]
    fn what_is_no_id_is_no_path_either() {
        for text in ["", "f-", "f-abcdefg", "f-abcdefghi", "f-../../x", "f-abcdefgO", "main", "F-abcdefgh"] {
            assert_eq!(ForkId::parse(text).expect_err(text).code(), "unknown_branch");
        }
    }
}
