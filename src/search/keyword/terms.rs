//! Ranges of terms in a segment.

use tantivy::InvertedIndexReader;
use tantivy::postings::TermInfo;

/// Calls `visit` with each term from `from` on that is below `to`, until it says `false`; without an end, with `from` alone. An end
/// of `None` inside means: to the last term.
pub(super) fn term_infos(
    index: &InvertedIndexReader,
    from: &[u8],
    to: Option<Option<Vec<u8>>>,
    visit: &mut dyn FnMut(&[u8], &TermInfo) -> tantivy::Result<bool>,
) -> tantivy::Result<()> {
    let Some(end) = to else {
        if let Some(info) = index.terms().get(from)? {
            visit(from, &info)?;
        }
        return Ok(());
    };
    let range = index.terms().range().ge(from);
    let mut stream = match end {
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
pub(super) fn following(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
