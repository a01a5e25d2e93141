//! Stored names inside our own sentences: quoted, short, and unable to hide or reorder anything.

use std::fmt::Write as _;

/// The most characters of a stored name that a sentence of ours repeats.
pub const QUOTED_CHARS_MAX: usize = 64;

/// The name as a JSON string of at most 64 characters, hidden characters escaped; what is cut is counted (`…+12`).
///
/// Whoever stores a name chooses it, and an agent reads our sentences: a name must not be able to end its quotes,
/// start a new line, or turn the reading direction around.
#[must_use]
pub fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len().min(QUOTED_CHARS_MAX) + 2);
    quoted.push('"');
    for c in name.chars().take(QUOTED_CHARS_MAX) {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c => push_visible(&mut quoted, c),
        }
    }
    let cut = name.chars().count().saturating_sub(QUOTED_CHARS_MAX);
    if cut > 0 {
        let _ = write!(quoted, "…+{cut}");
    }
    quoted.push('"');
    quoted
}

/// The text with hidden characters escaped: controls, bidirectional marks, zero-width and tag characters.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        push_visible(&mut shown, c);
    }
    shown
}

fn push_visible(to: &mut String, c: char) {
    if !is_hidden(c) {
        to.push(c);
        return;
    }
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        let _ = write!(to, "\\u{unit:04x}");
    }
}

/// Whether a character draws nothing or changes how its neighbours are drawn (Unicode's default ignorables, its
/// bidirectional controls, and the control characters).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        let quoted = quote(name);
        assert_eq!(quoted, expected);
    }

    #[test]
    fn an_ordinary_name_is_quoted_as_it_is() {
        check("order-7", "\"order-7\"");
        check("Müller 東京", "\"Müller 東京\"");
    }

    #[test]
    fn a_name_cannot_end_its_quotes_or_its_line() {
        check("a\" is gone; now", "\"a\\\" is gone; now\"");
        check("a\\", "\"a\\\\\"");
        check("a\n\u{85}b", "\"a\\u000a\\u0085b\"");
    }

    #[test]
    fn hidden_characters_are_shown() {
        check("a\u{202e}b", "\"a\\u202eb\"");
        check("a\u{200b}\u{feff}b", "\"a\\u200b\\ufeffb\"");
        check("\u{e0041}", "\"\\udb40\\udc41\"");
    }

    #[test]
    fn a_long_name_is_cut_and_counted() {
        check(&"x".repeat(70), &format!("\"{}…+6\"", "x".repeat(64)));
    }
}
