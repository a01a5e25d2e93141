//! Ranges of terms in a segment.

use tantivy::InvertedIndexReader;
use tantivy::postings::TermInfo;

/// Calls `visit` with each term that begins with `prefix`, in order, until it says `false`.
pub(super) fn each_beginning(
    index: &InvertedIndexReader,
    prefix: &[u8],
    visit: &mut dyn FnMut(&[u8], &TermInfo) -> tantivy::Result<bool>,
) -> tantivy::Result<()> {
    let range = index.terms().range().ge(prefix);
    let mut stream = match following(prefix) {
        Some(end) => range.lt(end).into_stream()?,
        None => range.into_stream()?,
    };
    while stream.advance() {
        if !visit(stream.key(), stream.value())? {
            break;
        }
    }
    Ok(())
}

/// The least text that is greater than every text beginning with `prefix`; `None` when there is none.
fn following(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
