//! The terms by which `field:value` is found.
//!
//! Each token of a leaf is indexed a second time behind [`PATH_BYTES`] letters made from the hash of the leaf's whole path
//! (48 bits: paths of one store do not meet by chance). Each path that an event has is a term too, its keys
//! backwards behind [`PATH_MARK`] (`name.customer.payload`), so that the paths that end in `customer.name` are one range of terms.

use xxhash_rust::xxh3::xxh3_64;

/// The letters that stand for a path before a token: 8, of 6 bits each.
pub(super) const PATH_BYTES: usize = 8;
/// What a term that is a path begins with; no token does.
pub(super) const PATH_MARK: char = '\u{1}';
/// The longest path that can be found by its end: 1,000 bytes. Longer ones have to be written whole.
const PATH_BYTES_MAX: usize = 1_000;

const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";

/// The columns that `field:value` knows beside payload and metadata.
pub(super) const EVENT_TYPE: &str = "event_type";
pub(super) const ENTITY_ID: &str = "entity_id";
pub(super) const EVENT_ID: &str = "event_id";

/// Appends the letters that stand for a path.
pub(super) fn push_path(path: &str, to: &mut String) {
    let mut bits = xxh3_64(path.as_bytes());
    for _ in 0..PATH_BYTES {
        let letter = ALPHABET.get(usize::try_from(bits & 63).unwrap_or(0)).copied().unwrap_or(b'0');
        to.push(char::from(letter));
        bits >>= 6;
    }
}

/// The term for a token at a path.
pub(super) fn term_at(path: &str, token: &str) -> String {
    let mut term = String::with_capacity(PATH_BYTES + token.len());
    push_path(path, &mut term);
    term.push_str(token);
    term
}

/// Appends the term that says that an event has this path; nothing when the path is too long.
pub(super) fn push_presence(path: &str, to: &mut String) {
    if path.len() > PATH_BYTES_MAX {
        return;
    }
    to.push(PATH_MARK);
    push_backwards(path, to);
    to.push('.');
}

/// The beginning of the terms of all paths that end so.
pub(super) fn ending_so(path: &str) -> String {
    let mut beginning = String::with_capacity(path.len() + 2);
    push_presence(path, &mut beginning);
    beginning
}

/// The path that a term stands for.
pub(super) fn path_of(term: &str) -> Option<String> {
    let backwards = term.strip_prefix(PATH_MARK)?.strip_suffix('.')?;
    let mut path = String::with_capacity(backwards.len());
    push_backwards(backwards, &mut path);
    Some(path)
}

fn push_backwards(path: &str, to: &mut String) {
    for (at, key) in path.rsplit('.').enumerate() {
        if at > 0 {
            to.push('.');
        }
        to.push_str(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_end() {
        let presence = ending_so("payload.customer.name");
        assert_eq!(path_of(&presence).as_deref(), Some("payload.customer.name"));
        for (end, is_end) in [("name", true), ("customer.name", true), ("r.name", false), ("customer", false)]
        {
            assert_eq!(presence.starts_with(&ending_so(end)), is_end, "{end}");
        }
    }

    #[test]
    fn tokens_of_different_paths_differ() {
        assert_ne!(term_at("payload.a", "x"), term_at("payload.b", "x"));
        assert_eq!(term_at("payload.a", "x").len(), PATH_BYTES + 1);
    }
}
