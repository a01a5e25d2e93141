//! What of an event matched, for people and agents to see.

use std::ops::Range;

use super::document::{Part, parts, text_of};
use super::query::{Clause, FieldValue, Group, KeywordQuery, Prefix, Token};
use super::words::{Manner, Words};
use crate::event::Event;

/// The longest snippet, marks counted: 160 characters.
pub(crate) const SNIPPET_CHARS_MAX: usize = 160;
/// What is shown before the first match, if there is more: 40 characters.
const CONTEXT_CHARS: usize = 40;
/// How much of one value is looked at: its first 64 KiB.
const SCANNED_BYTES_MAX: usize = 64 << 10;
/// The most fields that are named: 16.
const FIELDS_MAX: usize = 16;
/// Stands before and behind a match.
const MARK: &str = "**";
/// Stands where text was left out.
const CUT: char = '…';

/// What of an event matched.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Highlight {
    /// The paths of the values that hold a match, `event_type` or `payload.customer.name`, in the order of the event.
    pub(crate) fields: Vec<String>,
    /// The part of the event with most of the matches, at most [`SNIPPET_CHARS_MAX`] characters, each match between `**`. When nothing
    /// matched (an event may be near in meaning alone), the beginning of its longest text.
    pub(crate) snippet: String,
}

/// Finds the words of a query in an event.
pub(crate) fn highlight(query: &KeywordQuery, event: &Event) -> Highlight {
    let mut wanted = Vec::new();
    add_wanted(&query.root, &mut wanted);
    let mut words = Words::default();
    let text = text_of(event);
    let mut fields: Vec<String> = Vec::new();
    let mut best: Option<(usize, &str, Vec<Range<usize>>)> = None;
    let mut longest = "";
    for part in parts(&text) {
        let scanned = beginning(part.text, SCANNED_BYTES_MAX);
        let (distinct, matches) = matches_in(part, scanned, &wanted, &mut words);
        let is_payload = part.path.starts_with("payload");
        if is_payload && part.in_body && scanned.len() > longest.len() {
            longest = scanned;
        }
        if matches.is_empty() {
            continue;
        }
        if fields.len() < FIELDS_MAX && !fields.iter().any(|field| field == part.path) {
            fields.push(part.path.to_owned());
        }
        // What is said is shown before what it is called: of equal ones the payload.
        let rank = 2 * distinct + usize::from(is_payload);
        if best.as_ref().is_none_or(|(best, ..)| rank > *best) {
            best = Some((rank, scanned, matches));
        }
    }
    let snippet = match best {
        Some((_, text, matches)) => snippet(text, &matches),
        None => snippet(longest, &[]),
    };
    Highlight { fields, snippet }
}

/// One thing that is marked.
struct Wanted<'q> {
    path: Option<&'q str>,
    what: What<'q>,
}

enum What<'q> {
    Term(&'q str),
    Prefix(&'q Prefix),
    /// Its words are marked where all of them are.
    Phrase(&'q [Token]),
    /// Everything at the path.
    Any,
}

fn add_wanted<'q>(group: &'q Group, to: &mut Vec<Wanted<'q>>) {
    for clause in group.must.iter().chain(group.telling()) {
        match clause {
            Clause::Text(text) => add_tokens(None, &text.tokens, to),
            Clause::Phrase(tokens) => to.push(Wanted { path: None, what: What::Phrase(tokens) }),
            Clause::Prefix(prefix) => to.push(Wanted { path: None, what: What::Prefix(prefix) }),
            Clause::Group(group) => add_wanted(group, to),
            Clause::Field(field) => {
                let path = Some(field.path.as_str());
                match &field.value {
                    FieldValue::Text(text) => add_tokens(path, &text.tokens, to),
                    FieldValue::Phrase(tokens) => to.push(Wanted { path, what: What::Phrase(tokens) }),
                    FieldValue::Prefix(prefix) => to.push(Wanted { path, what: What::Prefix(prefix) }),
                    FieldValue::Any => to.push(Wanted { path, what: What::Any }),
                }
                // It may have been found as text.
                if let Some(whole) = field.as_text.tokens.iter().find(|token| !token.finest) {
                    add_tokens(None, std::slice::from_ref(whole), to);
                }
            }
        }
    }
}

fn add_tokens<'q>(path: Option<&'q str>, tokens: &'q [Token], to: &mut Vec<Wanted<'q>>) {
    to.extend(tokens.iter().map(|token| Wanted { path, what: What::Term(&token.term) }));
}

/// How many different things of a query match in a value, and where, in order and apart.
fn matches_in(
    part: Part<'_>,
    text: &str,
    wanted: &[Wanted<'_>],
    words: &mut Words,
) -> (usize, Vec<Range<usize>>) {
    let here: Vec<&Wanted<'_>> = wanted
        .iter()
        .filter(|wanted| match wanted.path {
            None => part.in_body,
            Some(path) => ends_in(part.path, path),
        })
        .collect();
    if here.is_empty() {
        return (0, Vec::new());
    }
    let mut seen: Vec<Vec<bool>> = here.iter().map(|wanted| vec![false; wanted.what.words()]).collect();
    let mut found: Vec<(usize, Range<usize>)> = Vec::new();
    words.each(text, Manner::Stored, 0, &mut |piece| {
        for (at, (wanted, seen)) in here.iter().zip(&mut seen).enumerate() {
            if let Some(seen) = wanted.what.word(piece.term).and_then(|word| seen.get_mut(word)) {
                *seen = true;
                found.push((at, piece.from..piece.to));
            }
        }
    });
    let is_whole = |at: usize| seen.get(at).is_some_and(|seen| seen.iter().all(|seen| *seen));
    let distinct = (0..here.len()).filter(|at| is_whole(*at)).count();
    let mut matches: Vec<Range<usize>> =
        found.into_iter().filter(|(at, _)| is_whole(*at)).map(|(_, range)| range).collect();
    matches.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(matches.len());
    for range in matches {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    (distinct, apart)
}

impl What<'_> {
    /// How many words it has.
    fn words(&self) -> usize {
        match self {
            Self::Phrase(tokens) => tokens.len(),
            _ => 1,
        }
    }

    /// Which of its words a term is.
    fn word(&self, term: &str) -> Option<usize> {
        match self {
            Self::Term(wanted) => (*wanted == term).then_some(0),
            Self::Prefix(prefix) => {
                let is_stem = prefix.leading.is_empty() && prefix.stem.as_deref() == Some(term);
                (is_stem || term.starts_with(&prefix.beginning)).then_some(0)
            }
            Self::Phrase(tokens) => tokens.iter().position(|token| token.term == term),
            Self::Any => Some(0),
        }
    }
}

fn ends_in(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The part of a text around its matches, marked.
fn snippet(text: &str, matches: &[Range<usize>]) -> String {
    let start = matches.get(densest(matches)).map_or(0, |first| context_before(text, first.start));
    let mut shown = Shown { text: String::new(), chars: 0 };
    if start > 0 {
        shown.push(CUT);
    }
    let mut at = start;
    for range in matches.iter().filter(|range| range.start >= start) {
        let word = text.get(range.clone()).unwrap_or_default();
        if !shown.push_text(text.get(at..range.start).unwrap_or_default()) || !shown.push_marked(word) {
            return shown.cut();
        }
        at = range.end;
    }
    if shown.push_text(text.get(at..).unwrap_or_default()) { shown.text } else { shown.cut() }
}

/// The match from which on most others fit into a snippet.
fn densest(matches: &[Range<usize>]) -> usize {
    let room = SNIPPET_CHARS_MAX - CONTEXT_CHARS;
    let fitting = |first: &Range<usize>| {
        let window = first.start..first.start + room;
        matches.iter().filter(|range| window.contains(&range.start) && range.end <= window.end).count()
    };
    let mut best = (0, 0);
    for (at, range) in matches.iter().enumerate().take(256) {
        let count = fitting(range);
        if count > best.0 {
            best = (count, at);
        }
    }
    best.1
}

/// Where to begin, to show some words before a match.
fn context_before(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let Some((start, _)) = before.char_indices().rev().nth(CONTEXT_CHARS - 1) else { return 0 };
    let context = before.get(start..).unwrap_or_default();
    start + context.find(char::is_whitespace).map_or(0, |space| space + 1)
}

/// A snippet that is being written.
struct Shown {
    text: String,
    chars: usize,
}

impl Shown {
    /// Room is kept for the sign that more follows.
    const ROOM: usize = SNIPPET_CHARS_MAX - 1;

    fn push(&mut self, c: char) {
        // A snippet is one line.
        let c = if c.is_control() { ' ' } else { c };
        if !(c == ' ' && self.text.ends_with(' ')) {
            self.text.push(c);
            self.chars += 1;
        }
    }

    /// Appends as much as there is room for; whether that is all.
    fn push_text(&mut self, text: &str) -> bool {
        for c in text.chars() {
            if self.chars >= Self::ROOM {
                return false;
            }
            self.push(c);
        }
        true
    }

    /// Appends a match, cut to what there is room for; whether it was written whole.
    fn push_marked(&mut self, word: &str) -> bool {
        let room = Self::ROOM.saturating_sub(self.chars + 2 * MARK.len());
        if room == 0 {
            return false;
        }
        let fits = word.chars().count() <= room;
        self.text.push_str(MARK);
        self.text.extend(word.chars().take(room).map(|c| if c.is_control() { ' ' } else { c }));
        self.text.push_str(MARK);
        self.chars += 2 * MARK.len() + word.chars().count().min(room);
        fits
    }

    fn cut(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text.push(CUT);
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    #[track_caller]
    fn check(keywords: &str, payload: &str, fields: &[&str], snippet: &str) {
        let event = event(1, "order-7", "order.placed", payload);
        let found = highlight(&KeywordQuery::parse(keywords).expect("keywords"), &event);
        assert_eq!(found.fields, fields, "{keywords}");
        assert_eq!(found.snippet, snippet, "{keywords}");
        assert!(found.snippet.chars().count() <= SNIPPET_CHARS_MAX);
    }

    #[test]
    fn a_match_deep_in_the_payload_is_shown() {
        let payload = r#"{"customer":{"note":"Please deliver\nthe parcel behind the shed"},"n":3}"#;
        check(
            "delivered parcel",
            payload,
            &["payload.customer.note"],
            "Please **deliver** the **parcel** behind the shed",
        );
        check(
            "note:shed",
            payload,
            &["payload.customer.note"],
            "Please deliver the parcel behind the **shed**",
        );
        check("customer:shed", payload, &[], "Please deliver the parcel behind the shed");
        check("place", payload, &["event_type"], "order.**placed**");
        check("order.placed", payload, &["event_type", "entity_id"], "**order.placed**");
    }

    #[test]
    fn a_phrase_is_marked_where_all_of_it_is() {
        check(
            r#""red shoes""#,
            r#"{"a":"red hat","b":"two red shoes"}"#,
            &["payload.b"],
            "two **red** **shoes**",
        );
        check("sho*", r#"{"b":"two red shoes"}"#, &["payload.b"], "two red **shoes**");
    }

    #[test]
    fn a_long_text_is_cut_around_its_matches() {
        let payload =
            format!(r#"{{"text":"{}needle in the hay {}"}}"#, "straw ".repeat(100), "straw ".repeat(100));
        let event = event(1, "e", "t", &payload);
        let found = highlight(&KeywordQuery::parse("needle hay").expect("keywords"), &event);
        assert!(found.snippet.starts_with("…straw"), "{}", found.snippet);
        assert!(found.snippet.contains("**needle** in the **hay** straw"), "{}", found.snippet);
        assert!(found.snippet.ends_with('…'), "{}", found.snippet);
        assert!((SNIPPET_CHARS_MAX - 2..=SNIPPET_CHARS_MAX).contains(&found.snippet.chars().count()));
    }

    #[test]
    fn a_word_without_an_end_fits_too() {
        let hash = "ab1".repeat(100);
        let event = event(1, "e", "t", &format!(r#"{{"hash":"{hash}"}}"#));
        let found = highlight(&KeywordQuery::parse(&hash).expect("keywords"), &event);
        assert!(found.snippet.starts_with("**ab1ab1"), "{}", found.snippet);
        assert!(found.snippet.chars().count() <= SNIPPET_CHARS_MAX);
    }

    #[test]
    fn words_of_a_question_are_marked_like_keywords() {
        let event = event(1, "e", "t", r#"{"text":"the invoice was overdue"}"#);
        let query = KeywordQuery::of_words("Which invoices are overdue?").expect("words");
        assert_eq!(highlight(&query, &event).snippet, "the **invoice** was **overdue**");
    }
}
