//! What is asked: the tree that a text of keywords means.

use super::parse::Parser;
use super::shape::Shape;
use super::words::{Manner, Words};
use crate::error::{Error, Result};

/// The longest text of keywords: 1,000 characters.
pub(crate) const KEYWORDS_CHARS_MAX: usize = 1_000;
/// The most terms in one query, the parts of identifiers counted: 64.
pub(crate) const KEYWORDS_TERMS_MAX: usize = 64;
/// The deepest nesting of parentheses: 16.
pub(crate) const KEYWORDS_DEPTH_MAX: usize = 16;
/// The most different terms that one `abc*` may stand for: 1,000.
pub(crate) const PREFIX_TERMS_MAX: usize = 1_000;
/// The most paths that one `field:` may stand for: 64.
pub(crate) const FIELD_PATHS_MAX: usize = 64;

/// Words that stand in almost every English text, and those with which people ask: to BM25 these are rare, and so weighty, where
/// events hold no questions. A query looks for them only where it has no other, or in a phrase.
const COMMON: [&str; 73] = [
    "a", "am", "an", "and", "are", "as", "at", "be", "been", "being", "but", "by", "can", "could", "did",
    "do", "does", "for", "from", "had", "has", "have", "how", "i", "i'd", "i'll", "i'm", "i've", "if", "in",
    "into", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our", "should", "so", "such",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "was", "we",
    "were", "what", "what's", "when", "where", "which", "who", "whom", "whose", "why", "will", "with",
    "would", "you", "your",
];

/// A query for [`KeywordReader`](super::KeywordReader).
///
/// | written | finds events with |
/// | --- | --- |
/// | `payment failed` | any of the words, those with more and rarer ones first |
/// | `payment AND failed`, `+payment failed` | both; the first for certain |
/// | `payment NOT test`, `payment -test` | the first without the second |
/// | `(card OR iban) AND failed` | what the parentheses say |
/// | `"card was declined"` | these words in a row |
/// | `decl*` | words that begin so |
/// | `payload.customer.name:ann`, `name:ann` | the word in that field, or in a field whose path ends so |
/// | `name:"ann lee"`, `name:an*`, `name:(ann bob)`, `name:*` | the same with phrases, beginnings, alternatives; any value |
///
/// Everything else is text: a path, a time or an identifier may be written as it is. `AND`, `OR` and `NOT` are capitals; `AND` binds
/// more tightly. A `field:` that no event has is text too, so `user:42` finds the id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeywordQuery {
    pub(super) root: Group,
}

/// Clauses that belong together. At least one of `must` and `should` is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Group {
    /// What an event must match.
    pub(super) must: Vec<Clause>,
    /// What it should match: one of these when nothing is a must.
    pub(super) should: Vec<Clause>,
    /// What it must not match.
    pub(super) must_not: Vec<Clause>,
}

/// One thing to match.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Clause {
    /// What was written in one piece.
    Text(Text),
    /// Terms that begin so.
    Prefix(Prefix),
    /// Words in a row.
    Phrase(Vec<Token>),
    /// Something in a field.
    Field(FieldClause),
    /// More clauses.
    Group(Group),
}

/// The tokens of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text {
    pub(super) tokens: Vec<Token>,
    /// Whether it is one of the words that say nothing.
    pub(super) is_common: bool,
    /// Whether it is written as nobody writes a word: `user-123`, `order.placed`, `OrderPlaced`, a path. Then it is meant as a whole.
    pub(super) is_identifier: bool,
}

/// One term.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) term: String,
    pub(super) place: u32,
    pub(super) finest: bool,
}

/// The beginning of a term.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Prefix {
    /// In lowercase.
    pub(super) beginning: String,
    /// The parts before the last, which are whole.
    pub(super) leading: Vec<Token>,
    /// The last part as it is written, in lowercase.
    pub(super) last: String,
    /// Its stem, when it may be a whole word: `placed*` is to find `placed` too, which is indexed as `place`.
    pub(super) stem: Option<String>,
}

/// Something in a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldClause {
    pub(super) path: String,
    pub(super) value: FieldValue,
    /// The value as it was written, without a star behind it.
    pub(super) raw: String,
    /// The clause as text, for when there is no such field.
    pub(super) as_text: Text,
}

/// What is looked for in a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldValue {
    Text(Text),
    Prefix(Prefix),
    Phrase(Vec<Token>),
    /// Any value.
    Any,
}

impl KeywordQuery {
    /// Reads a text of keywords.
    ///
    /// # Errors
    /// `Invalid` (`bad_keywords`): it is empty, too long, or has a mistake of syntax; the message says where, and shows it
    /// corrected.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let characters = text.chars().count();
        if characters > KEYWORDS_CHARS_MAX {
            let message = format!(
                "read the keywords: they have {characters} characters but at most {KEYWORDS_CHARS_MAX} are taken; \
                 keep the rarest words"
            );
            return Err(Error::invalid("bad_keywords", message).with("characters", characters));
        }
        let root = Parser::new(text).parse()?;
        let terms = root.terms();
        if terms > KEYWORDS_TERMS_MAX {
            let message = format!(
                "read the keywords: they have {terms} terms, parts of identifiers counted, but at most \
                 {KEYWORDS_TERMS_MAX} are taken; keep the rarest words"
            );
            return Err(Error::invalid("bad_keywords", message).with("terms", terms));
        }
        Ok(Self { root })
    }

    /// A query for the words of a text, without any syntax; `None` when there is no word in it. Of a long text the first
    /// [`KEYWORDS_TERMS_MAX`] terms count.
    pub(crate) fn of_words(text: &str) -> Option<Self> {
        let mut words = Words::default();
        let mut should = Vec::new();
        let mut terms = 0;
        for word in text.split_whitespace() {
            let text = Text::of(word, &mut words);
            if text.tokens.is_empty() {
                continue;
            }
            // Common words count only when there is nothing else.
            terms += if text.is_common { 0 } else { text.tokens.len() };
            if terms > KEYWORDS_TERMS_MAX || should.len() >= KEYWORDS_CHARS_MAX {
                break;
            }
            should.push(Clause::Text(text));
        }
        (!should.is_empty()).then(|| Self { root: Group { should, ..Group::default() } })
    }
}

impl KeywordQuery {
    /// The fields that are asked for, as they were written.
    pub(super) fn field_paths(&self) -> Vec<&str> {
        let mut paths = Vec::new();
        self.root.add_field_paths(&mut paths);
        paths
    }
}

impl Group {
    fn add_field_paths<'g>(&'g self, to: &mut Vec<&'g str>) {
        for clause in self.clauses() {
            match clause {
                Clause::Field(field) => to.push(&field.path),
                Clause::Group(group) => group.add_field_paths(to),
                _ => {}
            }
        }
    }

    fn terms(&self) -> usize {
        self.clauses().map(Clause::terms).sum()
    }

    /// All clauses, also those that must not match.
    fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.must.iter().chain(&self.should).chain(&self.must_not)
    }

    /// Whether it asks for nothing that an event could have.
    pub(super) fn only_excludes(&self) -> bool {
        self.must.is_empty() && self.should.is_empty()
    }

    /// What may match without being common; everything when it is all common.
    pub(super) fn telling(&self) -> impl Iterator<Item = &Clause> {
        let is_common = |clause: &Clause| matches!(clause, Clause::Text(text) if text.is_common);
        let all_common = self.must.is_empty() && self.should.iter().all(is_common);
        self.should.iter().filter(move |clause| all_common || !is_common(clause))
    }

    /// The texts, when there is nothing else, not even a must.
    pub(super) fn as_plain_texts<'g>(&'g self, to: &mut Vec<&'g Text>) -> bool {
        self.must.is_empty()
            && self.must_not.is_empty()
            && self.telling().all(|clause| match clause {
                Clause::Text(text) if !text.is_identifier => {
                    to.push(text);
                    true
                }
                Clause::Group(group) => group.as_plain_texts(to),
                _ => false,
            })
    }
}

impl Clause {
    fn terms(&self) -> usize {
        match self {
            Self::Text(text) => text.tokens.len(),
            Self::Phrase(tokens) => tokens.len(),
            Self::Group(group) => group.terms(),
            Self::Prefix(prefix) => prefix.leading.len() + 1,
            Self::Field(field) => match &field.value {
                FieldValue::Text(text) => text.tokens.len(),
                FieldValue::Phrase(tokens) => tokens.len(),
                FieldValue::Prefix(prefix) => prefix.leading.len() + 1,
                FieldValue::Any => 1,
            },
        }
    }
}

impl Prefix {
    /// The beginning of a word or an identifier.
    pub(super) fn of(written: &str, words: &mut Words) -> Self {
        let beginning = words.folded(written);
        let mut leading = Text::of(written, words).into_phrase();
        let is_cut = !beginning.ends_with(|c: char| !c.is_alphanumeric());
        if Words::is_number(&beginning) || (is_cut && leading.len() < 2) {
            let stem = leading.pop().map(|token| token.term);
            return Self { last: beginning.clone(), leading: Vec::new(), stem, beginning };
        }
        let last = if is_cut { leading.pop() } else { None };
        let start = beginning.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
        // Of a hump or a number behind letters, the stem is the best that is known.
        let written = beginning.get(start..).filter(|last| !last.is_empty()).map(str::to_owned);
        let stem = last.map(|token| token.term);
        Self { last: written.unwrap_or_default(), leading, stem, beginning }
    }
}

impl Text {
    /// The tokens of what was written in one piece.
    pub(super) fn of(text: &str, words: &mut Words) -> Self {
        let mut tokens = Vec::new();
        words.each(text, Manner::Asked, 0, &mut |piece| {
            tokens.push(Token { term: piece.term.to_owned(), place: piece.place, finest: piece.finest });
        });
        let plain = text.trim_matches(|c: char| !c.is_alphanumeric());
        let is_common = tokens.len() == 1 && COMMON.iter().any(|common| common.eq_ignore_ascii_case(plain));
        let shape = Shape::of(plain);
        let is_identifier = tokens.len() > 1 && !shape.is_word() && !shape.is_joined_words();
        Self { tokens, is_common, is_identifier }
    }

    /// The words of a phrase.
    pub(super) fn into_phrase(self) -> Vec<Token> {
        self.tokens.into_iter().filter(|token| token.finest).collect()
    }
}
