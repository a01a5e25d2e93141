//! Texts searched for: the patterns of LIKE and ILIKE, and the words of CONTAINS.

use std::borrow::Cow;
use std::fmt;

/// A pattern in which `%` is any text and `_` any one character.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    any_case: bool,
    /// What stands between the `%`: the first must begin the text, the last must end it.
    segments: Vec<Segment>,
}

/// Characters in a row; `None` is any one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Segment {
    chars: Vec<Option<char>>,
    /// The characters as a text, where there is no `_`: searching for it is fast.
    literal: Option<String>,
}

impl Pattern {
    /// Compiles what stands between quotes: `\%`, `\_` and `\\` are the characters themselves.
    pub(super) fn new(body: &str, quote: char, any_case: bool) -> Self {
        let mut segments = vec![Segment::default()];
        let mut chars = body.chars().peekable();
        while let Some(c) = chars.next() {
            let escapes = (c == quote && chars.peek() == Some(&quote))
                || (c == '\\' && matches!(chars.peek(), Some('\\' | '\'' | '"' | '%' | '_')));
            let wanted = match c {
                _ if escapes => Some(chars.next().unwrap_or(c)),
                '%' => {
                    segments.push(Segment::default());
                    continue;
                }
                '_' => None,
                c => Some(c),
            };
            if let Some(last) = segments.last_mut() {
                last.push(wanted, any_case);
            }
        }
        for segment in &mut segments {
            segment.literal = segment.chars.iter().copied().collect();
        }
        Self { any_case, segments }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        if self.any_case { self.matches_exactly(&text.to_lowercase()) } else { self.matches_exactly(text) }
    }

    fn matches_exactly(&self, text: &str) -> bool {
        let Some((first, rest)) = self.segments.split_first() else { return text.is_empty() };
        let Some(mut text) = first.strip_from(text) else { return false };
        let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
        for segment in middle {
            match segment.find_in(text) {
                Some(after) => text = after,
                None => return false,
            }
        }
        last.ends(text)
    }

    pub(super) fn any_case(&self) -> bool {
        self.any_case
    }
}

impl fmt::Display for Pattern {
    /// In quotes, as it would be written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for (at, segment) in self.segments.iter().enumerate() {
            if at > 0 {
                f.write_str("%")?;
            }
            for wanted in &segment.chars {
                match wanted {
                    None => f.write_str("_")?,
                    Some('\'') => f.write_str("''")?,
                    Some(c @ ('%' | '_' | '\\')) => write!(f, "\\{c}")?,
                    Some(c) => write!(f, "{c}")?,
                }
            }
        }
        f.write_str("'")
    }
}

impl Segment {
    fn push(&mut self, wanted: Option<char>, any_case: bool) {
        match wanted {
            Some(c) if any_case => self.chars.extend(c.to_lowercase().map(Some)),
            wanted => self.chars.push(wanted),
        }
    }

    /// What follows this segment in a text that begins with it.
    fn strip_from<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut rest = text.chars();
        for wanted in &self.chars {
            let found = rest.next()?;
            if wanted.is_some_and(|wanted| wanted != found) {
                return None;
            }
        }
        Some(rest.as_str())
    }

    /// What follows the first place where this segment stands.
    fn find_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        if let Some(literal) = &self.literal {
            return text.get(text.find(literal.as_str())? + literal.len()..);
        }
        text.char_indices().find_map(|(at, _)| self.strip_from(text.get(at..)?))
    }

    fn ends(&self, text: &str) -> bool {
        let Some(before) = self.chars.len().checked_sub(1) else { return true };
        let start = text.char_indices().rev().nth(before);
        start.and_then(|(at, _)| self.strip_from(text.get(at..)?)).is_some()
    }
}

/// A text to be found anywhere, whatever its capitals.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Needle(String);

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        if !text.is_ascii() {
            return lowercase(text).contains(&self.0);
        }
        let needle = self.0.as_bytes();
        match needle.first() {
            None => true,
            Some(first) => {
                let starts = text.as_bytes().windows(needle.len());
                starts.into_iter().any(|window| {
                    window.first().is_some_and(|byte| byte.eq_ignore_ascii_case(first))
                        && window.eq_ignore_ascii_case(needle)
                })
            }
        }
    }
}

fn lowercase(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let pattern = Pattern::new(pattern, '\'', false);
        for text in yes {
            assert!(pattern.matches(text), "{pattern} {text}");
        }
        for text in no {
            assert!(!pattern.matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn percent_is_any_text_and_underscore_any_character() {
        check("order.%", &["order.", "order.placed"], &["order", "my order.placed"]);
        check("%placed", &["placed", "order.placed"], &["placed."]);
        check("a%b%c", &["abc", "a-b-b-c"], &["ab", "acb", "abcd"]);
        check("%a_c%", &["xabcx", "aüc"], &["ac", "abbc"]);
        check("a%a", &["aa", "aba"], &["a"]);
        check("%", &["", "x"], &[]);
        check("", &[""], &["x"]);
        check("_", &["ü"], &["", "ab"]);
        check("%_", &["a", "ab"], &[""]);
    }

    #[test]
    fn a_backslash_takes_the_meaning_from_the_next_character() {
        check(r"100\%", &["100%"], &["100x", r"100\x"]);
        check(r"a\_b", &["a_b"], &["axb"]);
        check(r"C:\Windows\\%", &[r"C:\Windows\x"], &[r"C:\Windowsx"]);
        check("it''s", &["it's"], &["its"]);
    }

    #[test]
    fn ilike_ignores_case_beyond_ascii() {
        let pattern = Pattern::new("mÜl%", '\'', true);
        assert!(pattern.matches("MüLLER"));
        assert_eq!(pattern.to_string(), "'mül%'");
    }

    #[test]
    fn a_needle_ignores_case_beyond_ascii() {
        assert!(Needle::new("ÜBER").is_in("das ist über"));
        assert!(Needle::new("iso").is_in("an ISO day"));
        assert!(!Needle::new("ü").is_in("u"));
        assert!(Needle::new("").is_in(""));
        assert!(!Needle::new("longer").is_in("long"));
    }
}
