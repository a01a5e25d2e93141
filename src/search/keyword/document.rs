//! What is indexed of an event.
//!
//! In `body`, the one field that is scored: event type, entity id, event id (unless it is a `UUIDv7`: those are generated, and
//! say nothing), and every text and number of payload and metadata. Keys are not in there: they repeat in every event of a type
//! and would say nothing either, and flags even less; both are found by `field:value`. Metadata's `$client` is left out: the server stamps
//! it on every event.

use std::fmt::Write as _;

use super::fields::{ENTITY_ID, EVENT_ID, EVENT_TYPE};
use crate::event::{Event, EventId};
use crate::search::leaves::{Leaf, each_leaf};

/// The path at which an event that retention has emptied says so.
pub(super) const EMPTIED: &str = "emptied";
/// What it says.
pub(super) const EMPTIED_TERM: &str = "true";
/// The member of metadata that the server stamps on events.
const CLIENT: &str = "$client";
/// Begins a leaf; then come its path, a separator and its text.
const LEAF: char = '\u{1e}';
/// Separates a path from a text that is in `body` too.
const TEXT: char = '\u{1f}';
/// Separates a path from a text that is found by its path alone.
const ASIDE: char = '\u{1d}';

/// One indexed value of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part<'a> {
    /// `event_type`, `payload.customer.name` …
    pub(super) path: &'a str,
    /// Its text.
    pub(super) text: &'a str,
    /// Whether it is found without its path.
    pub(super) in_body: bool,
}

/// Everything that is indexed of an event, as one text that [`parts`] reads.
pub(super) fn text_of(event: &Event) -> String {
    let metadata = event.metadata.as_ref().map_or("", |json| json.as_str());
    let bytes = 2 * (event.payload.as_str().len() + metadata.len()) + 128;
    let mut text = String::with_capacity(bytes);
    push(&mut text, EVENT_TYPE, TEXT, event.event_type.as_str());
    push(&mut text, ENTITY_ID, TEXT, event.entity_id.as_str());
    if !is_generated(&event.event_id) {
        push(&mut text, EVENT_ID, TEXT, &event.event_id.to_string());
    }
    if event.emptied {
        push(&mut text, EMPTIED, ASIDE, EMPTIED_TERM);
    }
    push_leaves(&mut text, "payload", event.payload.as_str());
    push_leaves(&mut text, "metadata", metadata);
    text
}

/// The values in a text that [`text_of`] made.
pub(super) fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split(LEAF).filter_map(|leaf| {
        let (path, rest) = leaf.split_at_checked(leaf.find([TEXT, ASIDE])?)?;
        let in_body = rest.starts_with(TEXT);
        Some(Part { path, text: rest.get(1..)?, in_body })
    })
}

fn push_leaves(text: &mut String, root: &str, document: &str) {
    if document.is_empty() {
        return;
    }
    each_leaf(document, &mut |path, leaf| {
        if root == "metadata" && is_within(path, CLIENT) {
            return;
        }
        text.push(LEAF);
        text.push_str(root);
        if !path.is_empty() {
            text.push('.');
            push_clean(text, path);
        }
        match leaf {
            Leaf::Text(value) => {
                text.push(TEXT);
                push_clean(text, value);
            }
            Leaf::Number(number) => {
                text.push(TEXT);
                text.push_str(number);
            }
            Leaf::Flag(flag) => {
                text.push(ASIDE);
                let _ = write!(text, "{flag}");
            }
        }
    });
}

fn is_within(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn push(text: &mut String, path: &str, separator: char, value: &str) {
    text.push(LEAF);
    text.push_str(path);
    text.push(separator);
    push_clean(text, value);
}

/// Appends a text without the characters that separate.
fn push_clean(text: &mut String, value: &str) {
    if value.bytes().all(|b| !(0x1d..=0x1f).contains(&b)) {
        text.push_str(value);
    } else {
        text.extend(value.chars().map(|c| if ('\u{1d}'..='\u{1f}').contains(&c) { ' ' } else { c }));
    }
}

fn is_generated(id: &EventId) -> bool {
    const VERSION_SHIFT: u32 = 76;
    id.as_u128().is_some_and(|bits| (bits >> VERSION_SHIFT) & 0xf == 7)
}
