//! What the words of a text are: the one place that decides what can be found by which word.
//!
//! A text is cut into chunks at white space, brackets, quotes, commas and the like. Then:
//!
//! - A chunk of letters is a *word*: lowercase, without accents, stemmed as English. An apostrophe does not split it, and a
//!   possessive `'s` is dropped. In prose, words joined by hyphens or slashes are just these words, so that prose
//!   is analysed as plainly as by any other engine.
//! - Any other chunk is an *identifier*. It is a token whole (lowercase, and not stemmed unless it is letters alone), and its parts are tokens too: first
//!   what stands between `/ \ @ : ? & = #`, then what stands between all other signs, then the humps of `camelCase`
//!   and one border from letters to digits (`user123`). Letters among the parts are words, and stemmed.
//! - A chunk of digits with signs (`12.50`, `192.168.0.1`, `12:30:00`, `2026-01-31`) is one token as it is written. An ISO time
//!   is also found by its date, and a number with hyphens or slashes by its groups of at least three digits.
//! - Chinese characters and Japanese syllables are words by themselves.
//!
//! The finest parts take consecutive places, and what they are parts of takes the place of the first: a phrase is a run of finest
//! parts, so it may begin inside one identifier and end inside another.
//!
//! Nothing is dropped for being long: beyond [`TOKEN_BYTES_MAX`] a token is its beginning and a hash of all of it.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::shape::{Kind, Shape};
use super::stems::Stems;

/// The longest token that is kept as it is: 255 bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 255;
/// What is kept of a longer one, before the 16 digits of its hash: 239 bytes.
const KEPT_BYTES: usize = TOKEN_BYTES_MAX - 16;
/// The most finest parts of one chunk; what follows is found by the whole chunk alone. (Encoded binary data is one chunk.)
const PARTS_MAX: usize = 64;
/// The most humps of one name; what has more is encoded data, and not split at them.
const HUMPS_MAX: usize = 8;
/// The fewest letters before digits that are split off from them: 3. (`user123` is split, `v2` and `9f85ce58` are not.)
const SPLIT_LETTERS_MIN: usize = 3;
/// The fewest digits of a group by which a number with signs is found.
const GROUP_DIGITS_MIN: usize = 3;

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece<'a> {
    /// The term that is indexed.
    pub(super) term: &'a str,
    /// Its place among the words.
    pub(super) place: u32,
    /// Whether it is one of the finest parts, of which phrases are made.
    pub(super) finest: bool,
    /// Its first byte in the text.
    pub(super) from: usize,
    /// The byte behind it.
    pub(super) to: usize,
}

/// How a text was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Manner {
    /// A stored text: prose when there is white space in it.
    Stored,
    /// A query: an identifier made of words is also looked for whole.
    Asked,
}

/// Cuts texts into tokens; keeps its buffers and the stems of words that it has seen.
#[derive(Default)]
pub(super) struct Words {
    stems: Stems,
    buffer: String,
}

type Sink<'s> = dyn FnMut(Piece<'_>) + 's;

impl Words {
    /// Gives every token of `text` to `sink`, with places from `place` on; returns the place behind the last.
    pub(super) fn each(&mut self, text: &str, manner: Manner, place: u32, sink: &mut Sink<'_>) -> u32 {
        let is_prose = manner == Manner::Stored && text.bytes().any(|b| b.is_ascii_whitespace());
        let mut cut = Cut { words: self, text, is_prose, place, parts: 0, sink };
        let mut start = None;
        // Most chunks are small letters alone, and need no second look.
        let mut is_plain = true;
        for (at, c) in text.char_indices() {
            let kind = Kind::of(c);
            if matches!(kind, Kind::Border | Kind::Ideograph)
                && let Some(from) = start.take()
            {
                if is_plain {
                    cut.word(from..at);
                } else {
                    cut.chunk(from..at);
                }
                is_plain = true;
            }
            match kind {
                Kind::Border => {}
                Kind::Ideograph => cut.plain(at..at + c.len_utf8()),
                _ => {
                    is_plain &= kind == Kind::Lower;
                    start = start.or(Some(at));
                }
            }
        }
        if let Some(from) = start {
            cut.chunk(from..text.len());
        }
        cut.place
    }

    /// Whether a text is one of the numbers with signs, which are not split.
    pub(super) fn is_number(text: &str) -> bool {
        is_number(text)
    }

    /// The text in lowercase and without accents.
    pub(super) fn folded(&mut self, text: &str) -> String {
        self.buffer.clear();
        self.stems.fold(text, &mut self.buffer);
        self.buffer.clone()
    }
}

/// One text that is being cut.
struct Cut<'c, 's> {
    words: &'c mut Words,
    text: &'c str,
    is_prose: bool,
    place: u32,
    /// Finest parts of the present chunk.
    parts: usize,
    sink: &'c mut Sink<'s>,
}

impl Cut<'_, '_> {
    fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Cuts what stands between two borders.
    fn chunk(&mut self, range: Range<usize>) {
        let range = self.trimmed(range);
        if range.is_empty() {
            return;
        }
        let chunk = self.text.get(range.clone()).unwrap_or_default();
        let shape = Shape::of(chunk);
        if shape.is_word() {
            self.word(range);
        } else if shape.digits && !shape.letters && !shape.joints && !shape.signs {
            self.plain(range);
        } else if is_number(chunk) {
            self.number(range);
        } else {
            self.parts = 0;
            let omits_whole = self.is_prose && shape.is_joined_words();
            self.identifier(range, shape, omits_whole);
        }
    }

    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let text = self.slice(&range);
        let is_sign = |c| Kind::of(c).is_sign();
        let start = range.start + (text.len() - text.trim_start_matches(is_sign).len());
        let end = range.start + text.trim_end_matches(is_sign).len();
        start..end.max(start)
    }

    /// A word of a language: stemmed.
    fn word(&mut self, range: Range<usize>) {
        self.stemmed(range, true);
        self.place += 1;
        self.parts += 1;
    }

    /// The stem of a word, at the present place.
    fn stemmed(&mut self, range: Range<usize>, finest: bool) {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let mut buffer = std::mem::take(&mut self.words.buffer);
        buffer.clear();
        let term = self.words.stems.stem(text, &mut buffer);
        emit(self.sink, term, self.place, finest, range);
        self.words.buffer = buffer;
    }

    /// A token as it is written, at the present place.
    fn raw(&mut self, range: Range<usize>, finest: bool) {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let mut buffer = std::mem::take(&mut self.words.buffer);
        buffer.clear();
        self.words.stems.fold(text, &mut buffer);
        emit(self.sink, &buffer, self.place, finest, range);
        self.words.buffer = buffer;
    }

    /// A token as it is written, that has a place of its own.
    fn plain(&mut self, range: Range<usize>) {
        self.raw(range, true);
        self.place += 1;
        self.parts += 1;
    }

    fn number(&mut self, range: Range<usize>) {
        self.raw(range.clone(), true);
        let text = self.text.get(range.clone()).unwrap_or_default();
        if is_iso_time(text) {
            self.raw(range.start..range.start + ISO_DATE_BYTES, false);
        } else if text.contains(['-', '/']) && !text.contains(['.', ':']) {
            self.groups(range);
        }
        self.place += 1;
    }

    fn groups(&mut self, range: Range<usize>) {
        let mut start = range.start;
        for group in self.text.get(range).unwrap_or_default().split(['-', '/', '+', ',']) {
            if group.len() >= GROUP_DIGITS_MIN {
                self.raw(start..start + group.len(), false);
            }
            start += group.len() + 1;
        }
    }

    fn identifier(&mut self, range: Range<usize>, shape: Shape, omits_whole: bool) {
        if !(shape.signs || shape.joints || shape.apostrophes) {
            self.name(range);
            return;
        }
        if !omits_whole {
            self.raw(range.clone(), false);
        }
        let has_slash = shape.signs;
        let is_strong = move |c| Kind::of(c).is_strong() || (has_slash && c == '/');
        self.each_between(range.clone(), is_strong, &mut |cut, part| {
            let shape = Shape::of(cut.slice(&part));
            let is_compound = shape.signs || shape.joints || shape.apostrophes;
            if is_compound && part != range && !shape.is_joined_words() {
                cut.raw(part.clone(), false);
            }
            cut.each_between(part, |c| Kind::of(c).is_sign(), &mut |cut, part| cut.name(part));
        });
    }

    /// Calls `visit` with what stands between characters of a kind, without the signs at its ends.
    fn each_between(
        &mut self,
        range: Range<usize>,
        separates: impl Fn(char) -> bool,
        visit: &mut dyn FnMut(&mut Self, Range<usize>),
    ) {
        let mut start = range.start;
        let text = self.text;
        for part in text.get(range).unwrap_or_default().split(separates) {
            let inner = self.trimmed(start..start + part.len());
            if !inner.is_empty() && self.parts < PARTS_MAX {
                visit(self, inner);
            }
            let end = start + part.len();
            start = end + text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
    }

    /// What holds no signs: a word, digits, or a name with humps.
    fn name(&mut self, range: Range<usize>) {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let shape = Shape::of(text);
        if shape.is_word() {
            self.word(range);
            return;
        }
        let Some(borders) = borders(text) else {
            self.plain(range);
            return;
        };
        if shape.digits {
            self.raw(range.clone(), false);
        } else {
            // Whoever asks for `orderplaced` asks for a word.
            self.stemmed(range.clone(), false);
        }
        let mut start = range.start;
        for end in borders.into_iter().map(|at| range.start + at).chain([range.end]) {
            let part = start..end;
            if Shape::of(self.slice(&part)).is_word() {
                self.word(part);
            } else {
                self.plain(part);
            }
            start = end;
        }
    }
}

fn emit(sink: &mut Sink<'_>, term: &str, place: u32, finest: bool, range: Range<usize>) {
    if term.is_empty() {
        return;
    }
    let (from, to) = (range.start, range.end);
    if term.len() <= TOKEN_BYTES_MAX {
        sink(Piece { term, place, finest, from, to });
        return;
    }
    let mut end = KEPT_BYTES;
    while !term.is_char_boundary(end) {
        end -= 1;
    }
    let cut = format!("{}{:016x}", term.get(..end).unwrap_or_default(), xxh3_64(term.as_bytes()));
    sink(Piece { term: &cut, place, finest, from, to });
}

/// Where a name is split, if anywhere.
fn borders(name: &str) -> Option<Vec<usize>> {
    let kinds = || name.char_indices().map(|(at, c)| (at, Kind::of(c)));
    let mut humps = Vec::new();
    let mut numbers = Vec::new();
    let mut changes = 0;
    let (mut before, mut last) = (Kind::Weak, Kind::Weak);
    let mut last_at = 0;
    for (at, kind) in kinds() {
        if kind == Kind::Upper && last == Kind::Lower {
            humps.push(at);
        } else if kind == Kind::Lower && last == Kind::Upper && before == Kind::Upper {
            humps.push(last_at);
        }
        if at > 0 && (kind == Kind::Digit) != (last == Kind::Digit) {
            changes += 1;
            if kind == Kind::Digit {
                numbers.push(at);
            }
        }
        (before, last, last_at) = (last, kind, at);
    }
    let letters = numbers.first().map_or(0, |at| name.get(..*at).map_or(0, |t| t.chars().count()));
    if changes == 1 && letters >= SPLIT_LETTERS_MIN {
        humps.extend(numbers);
        humps.sort_unstable();
    }
    (!humps.is_empty() && humps.len() <= HUMPS_MAX).then_some(humps)
}

/// The bytes of an ISO date: `2026-01-31`.
const ISO_DATE_BYTES: usize = 10;

fn is_iso_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > ISO_DATE_BYTES
        && bytes.iter().take(ISO_DATE_BYTES).enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
        && bytes.get(ISO_DATE_BYTES).is_some_and(|b| matches!(b, b'T' | b't'))
}

/// Whether a chunk is digits with signs among them, or an ISO time.
fn is_number(text: &str) -> bool {
    let is_sign = |b: &u8| matches!(b, b'.' | b':' | b'-' | b'/' | b'+' | b',');
    text.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && (text.bytes().all(|b| b.is_ascii_digit() || is_sign(&b))
            || is_iso_time(text)
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || is_sign(&b) || matches!(b, b'T' | b't' | b'Z' | b'z')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens as `term@place`, with `!` behind those that are not finest.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut found = Vec::new();
        Words::default().each(text, Manner::Stored, 0, &mut |piece| {
            found.push(format!("{}@{}{}", piece.term, piece.place, if piece.finest { "" } else { "!" }));
        });
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn prose_is_words_and_nothing_else() {
        check("The customer's orders weren't shipped.", "the@0 custom@1 order@2 werent@3 ship@4");
        check(
            "a well-known and/or relation (two-dimensional)",
            "a@0 well@1 known@2 and@3 or@4 relat@5 two@6 dimension@7",
        );
        check("Über naïve cafés", "uber@0 naiv@1 cafe@2");
        check("", "");
        check(" -- ... !", "");
    }

    #[test]
    fn an_identifier_is_found_whole_and_in_parts() {
        check("user-123", "user-123@0! user@0 123@1");
        check("order.placed", "order.placed@0! order@0 place@1");
        check("OrderPlaced", "orderplac@0! order@0 place@1");
        check("order_placed", "order_placed@0! order@0 place@1");
        check("order-placed", "order-placed@0! order@0 place@1");
        check("HTTPServer2", "httpserver2@0! http@0 server@1 2@2");
        check("user123", "user123@0! user@0 123@1");
        check("v2", "v2@0");
        check(
            "ann.lee@mail.example",
            "ann.lee@mail.example@0! ann.lee@0! ann@0 lee@1 mail.example@2! mail@2 exampl@3",
        );
    }

    #[test]
    fn a_path_is_found_by_its_components() {
        check(
            r"C:\Windows\System32\cmd.exe",
            r"c:\windows\system32\cmd.exe@0! c@0 window@1 system32@2! system@2 32@3 cmd.exe@4! cmd@4 exe@5",
        );
        check(
            "https://a.example/x_y?id=7",
            "https://a.example/x_y?id=7@0! https@0 a.example@1! a@1 exampl@2 x_y@3! x@3 y@4 id@5 7@6",
        );
    }

    #[test]
    fn a_hash_and_a_uuid_are_not_torn_at_every_digit() {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        check(hash, &format!("{hash}@0"));
        check(
            "9f85ce58-5a6a-4b1e-8c3d-0123456789ab",
            "9f85ce58-5a6a-4b1e-8c3d-0123456789ab@0! 9f85ce58@0 5a6a@1 4b1e@2 8c3d@3 0123456789ab@4",
        );
    }

    #[test]
    fn a_number_is_one_token_as_it_is_written() {
        check("12.50 192.168.0.1 12:30:00", "12.50@0 192.168.0.1@1 12:30:00@2");
        check("2026-01-31T12:30:00.5Z", "2026-01-31t12:30:00.5z@0 2026-01-31@0!");
        check("2024-0017-3", "2024-0017-3@0 2024@0! 0017@0!");
    }

    #[test]
    fn every_ideograph_is_a_word() {
        check("東京タワー ok", "東@0 京@1 タ@2 ワ@3 ー@4 ok@5");
    }

    #[test]
    fn a_long_token_is_cut_but_stays_itself() {
        let (one, two) = ("x".repeat(300), "x".repeat(301));
        let token = |text: &str| {
            let mut found = Vec::new();
            Words::default().each(text, Manner::Stored, 0, &mut |piece| found.push(piece.term.to_owned()));
            found
        };
        assert_eq!(token(&one).len(), 1);
        assert_eq!(token(&one)[0].len(), TOKEN_BYTES_MAX);
        assert_ne!(token(&one), token(&two));
    }

    #[test]
    fn a_piece_knows_where_it_stands() {
        let text = "see Order.Placed";
        Words::default().each(text, Manner::Stored, 0, &mut |piece| {
            if piece.term == "place" {
                assert_eq!(&text[piece.from..piece.to], "Placed");
            }
        });
    }

    #[test]
    fn encoded_data_has_few_parts() {
        let mut parts = 0;
        Words::default().each(&"aB3+/".repeat(10_000), Manner::Stored, 0, &mut |_| parts += 1);
        assert!(parts < 4 * PARTS_MAX, "{parts}");
    }
}
