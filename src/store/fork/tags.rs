//! Names for positions: a checkpoint to which a reader can go back on any branch.

use std::collections::BTreeMap;

use super::ForkId;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, nearest, quote};
use crate::store::open::Store;

/// The most tags of a branch: 256.
const TAGS_MAX: usize = 256;
/// The longest name of a tag, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A position that was given a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// The position.
    pub position: Position,
}

impl Store {
    /// Gives a position of this branch a name, durably; a name that is taken moves.
    ///
    /// Limits: 256 tags a branch; letters, digits, `-`, `_` and `.`, at most 64 bytes, not digits alone.
    ///
    /// # Errors
    /// `Invalid` when the name is none or the branch does not reach the position, `Exhausted` (`too_many_tags`).
    pub fn tag(&self, name: &str, position: Option<Position>) -> Result<Tag> {
        let head = self.branch.head();
        let position = position.unwrap_or(head);
        check_name(name)?;
        if position > head {
            let message =
                format!("tag position {position}: the branch ends at {head}; give a position up to that");
            return Err(Error::invalid("position_beyond_head", message).with("head_position", head.get()));
        }
        if position > self.branch.durable() {
            self.branch.sync_now();
        }
        let tags = self.tags();
        if tags.len() >= TAGS_MAX && !tags.contains_key(name) {
            let message = format!(
                "tag position {position}: the branch has {TAGS_MAX} tags, the most there can be; remove one"
            );
            return Err(Error::new(ErrorKind::Exhausted, "too_many_tags", message));
        }
        self.change_tags(|tags| {
            tags.insert(name.to_owned(), position.get());
        })?;
        Ok(Tag { name: name.to_owned(), position })
    }

    /// Takes a name away from its position.
    ///
    /// # Errors
    /// `NotFound` (`unknown_tag`), with the nearest names.
    pub fn untag(&self, name: &str) -> Result<()> {
        self.tagged(name)?;
        self.change_tags(|tags| {
            tags.remove(name);
        })
    }

    /// The position of that name on this branch.
    ///
    /// # Errors
    /// `NotFound` (`unknown_tag`), with the nearest names.
    pub fn tagged(&self, name: &str) -> Result<Position> {
        let tags = self.tags();
        tags.get(name).copied().ok_or_else(|| {
            let near = nearest(name, tags.keys().map(String::as_str), 3);
            let near: Vec<String> = near.into_iter().map(quote).collect();
            let remedy = if near.is_empty() {
                "it has no such tag".to_owned()
            } else {
                format!("nearest: {}", near.join(", "))
            };
            let message = format!("find tag {} on branch {}: {remedy}", quote(name), self.branch_name());
            Error::new(ErrorKind::NotFound, "unknown_tag", message)
        })
    }

    /// The positions of this branch that have a name.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, Position> {
        let manifest = self.branch.manifest.lock();
        manifest.tags.iter().map(|(name, &position)| (name.clone(), Position::new(position))).collect()
    }

    /// The name of this branch: `main`, or a fork's id.
    #[must_use]
    pub fn branch_name(&self) -> String {
        self.branch.manifest.lock().branch.clone()
    }

    fn change_tags(&self, change: impl FnOnce(&mut BTreeMap<String, u64>)) -> Result<()> {
        self.branch.check_writable()?;
        match ForkId::parse(&self.branch_name()) {
            Ok(id) => {
                let mut state = self.forks().usable(&id)?;
                self.forks().change(&mut state, &id, |manifest| change(&mut manifest.tags))
            }
            Err(_) => self.branch.change_manifest(|manifest| change(&mut manifest.tags)),
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_word)
        && !name.bytes().all(|byte| byte.is_ascii_digit());
    if is_name {
        return Ok(());
    }
    let message = format!(
        "{} is no tag: give 1 to {NAME_BYTES_MAX} letters, digits, -, _ or ., not digits alone",
        quote(name)
    );
    Err(Error::invalid("bad_tag", message))
}
