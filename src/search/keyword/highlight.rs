//! Placeholder until the keyword part brings its own.
use super::KeywordQuery;
use crate::event::Event;
/// What matched.
pub(crate) struct Highlight {
    pub(crate) fields: Vec<String>,
    pub(crate) snippet: String,
}
/// Marks.
pub(crate) fn highlight(_: Option<&KeywordQuery>, _: &Event) -> Highlight {
    Highlight { fields: Vec::new(), snippet: String::new() }
}
