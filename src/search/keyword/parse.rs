//! Reading keywords: as people type them, and with syntax where it can be nothing else.

use super::mistake::Mistake;
use super::query::{Clause, FieldClause, FieldValue, Group, KEYWORDS_DEPTH_MAX, Prefix, Text};
use super::words::Words;
use crate::error::Result;

type Parsed<T> = std::result::Result<T, Mistake>;

/// Reads one text of keywords.
pub(super) struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    words: Words,
}

/// A clause, and whether it is asked for, required or excluded.
struct Signed {
    clause: Clause,
    sign: Sign,
}

#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Should,
    Must,
    MustNot,
}

impl<'t> Parser<'t> {
    /// A parser at the beginning of a text.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, depth: 0, words: Words::default() }
    }

    /// The tree of the whole text.
    ///
    /// # Errors
    /// `Invalid`, with the place, the reason and a corrected text.
    pub(super) fn parse(self) -> Result<Group> {
        let text = self.text;
        self.tree().map_err(|mistake| mistake.into_error(text, |text| Parser::new(text).tree().is_ok()))
    }

    fn tree(mut self) -> Parsed<Group> {
        let group = self.group(None)?;
        if self.at < self.text.len() {
            return Err(Mistake::at(self.at, "\")\"", "a \"(\" before it").removing(self.at, self.at + 1));
        }
        if group.only_excludes() {
            let mistake = if group.must_not.is_empty() {
                Mistake::at(0, "no word", "a word, a number or an identifier to look for")
            } else {
                let expected = "something to look for beside what is excluded";
                Mistake::at(0, "only exclusions", expected).inserting(0, "failed ")
            };
            return Err(mistake);
        }
        Ok(group)
    }

    /// Clauses up to the end or a parenthesis; plain ones stand beside each other as alternatives.
    fn group(&mut self, field: Option<&str>) -> Parsed<Group> {
        let mut group = Group::default();
        let mut has_operand = false;
        loop {
            self.skip_space();
            if self.at_end_of_group() {
                return Ok(group);
            }
            let operator = self.at;
            if self.keyword("OR") {
                self.needs_operand(operator, "OR", has_operand)?;
            }
            let Some(signed) = self.conjunction(field)? else { continue };
            has_operand = true;
            match signed.sign {
                Sign::Should => group.should.push(signed.clause),
                Sign::Must => group.must.push(signed.clause),
                Sign::MustNot => group.must_not.push(signed.clause),
            }
        }
    }

    /// Clauses joined by `AND`.
    fn conjunction(&mut self, field: Option<&str>) -> Parsed<Option<Signed>> {
        let operator = self.at;
        if self.keyword("AND") {
            self.needs_operand(operator, "AND", false)?;
        }
        let start = self.at;
        let Some(first) = self.signed(field)? else { return Ok(None) };
        let mut all = vec![first];
        loop {
            let before = self.at;
            self.skip_space();
            let operator = self.at;
            if !self.keyword("AND") {
                self.at = before;
                break;
            }
            self.needs_operand(operator, "AND", true)?;
            if let Some(next) = self.signed(field)? {
                all.push(next);
            }
        }
        if all.len() == 1 {
            return Ok(all.pop());
        }
        let mut group = Group::default();
        for signed in all {
            if signed.sign == Sign::MustNot { &mut group.must_not } else { &mut group.must }
                .push(signed.clause);
        }
        if group.only_excludes() {
            return Err(Mistake::at(
                start,
                "only exclusions",
                "something to look for beside what is excluded",
            )
            .inserting(start, "failed AND "));
        }
        Ok(Some(Signed { clause: Clause::Group(group), sign: Sign::Should }))
    }

    /// An operator was read at `from`: something must stand on both sides of it.
    fn needs_operand(&mut self, from: usize, name: &str, has_operand: bool) -> Parsed<()> {
        let found = format!("\"{name}\"");
        let behind = self.at;
        self.skip_space();
        if !has_operand {
            return Err(Mistake::at(from, &found, "a word before it").removing(from, self.at));
        }
        let at = self.at;
        let again = self.keyword("AND") || self.keyword("OR");
        self.at = at;
        if self.at_end_of_group() || again {
            let space = self.text.get(..from).map_or(from, |before| before.trim_end().len());
            return Err(Mistake::at(from, &found, "a word behind it").removing(space, behind));
        }
        Ok(())
    }

    /// One clause with what stands before it.
    fn signed(&mut self, field: Option<&str>) -> Parsed<Option<Signed>> {
        let start = self.at;
        let sign = if self.keyword("NOT") {
            let found = "\"NOT\"";
            self.skip_space();
            if self.at_end_of_group() {
                let from = self.text.get(..start).map_or(start, |before| before.trim_end().len());
                return Err(Mistake::at(start, found, "a word behind it").removing(from, self.at));
            }
            Sign::MustNot
        } else if self.is_sign('-') {
            self.at += 1;
            Sign::MustNot
        } else if self.is_sign('+') {
            self.at += 1;
            Sign::Must
        } else {
            Sign::Should
        };
        let clause = self.primary(field)?;
        Ok(clause.map(|clause| Signed { clause, sign }))
    }

    /// Whether a sign stands before a word, a phrase or a parenthesis. Before a digit or another sign it is text (`-1`, `--all`).
    fn is_sign(&self, sign: char) -> bool {
        let rest = self.rest();
        rest.strip_prefix(sign)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|next| next.is_alphabetic() || matches!(next, '"' | '(' | '_'))
    }

    fn primary(&mut self, field: Option<&str>) -> Parsed<Option<Clause>> {
        match self.rest().chars().next() {
            Some('(') => self.parentheses(field).map(Some),
            Some('"') => {
                let quoted = self.quoted()?;
                let tokens = Text::of(quoted, &mut self.words).into_phrase();
                if tokens.is_empty() {
                    return Ok(None);
                }
                Ok(Some(match field {
                    None => Clause::Phrase(tokens),
                    Some(path) => self.in_field(path, FieldValue::Phrase(tokens), quoted, ""),
                }))
            }
            _ => self.word(field),
        }
    }

    fn parentheses(&mut self, field: Option<&str>) -> Parsed<Clause> {
        let open = self.at;
        self.at += 1;
        self.depth += 1;
        if self.depth > KEYWORDS_DEPTH_MAX {
            let expected = format!("at most {KEYWORDS_DEPTH_MAX} parentheses inside each other");
            return Err(Mistake::at(open, "\"(\"", &expected).removing(open, open + 1));
        }
        let group = self.group(field)?;
        if !self.rest().starts_with(')') {
            return Err(Mistake::at(open, "\"(\"", "a \")\" behind it").inserting(self.text.len(), ")"));
        }
        self.at += 1;
        self.depth -= 1;
        if group.only_excludes() {
            let expected = "something to look for between the parentheses";
            return Err(Mistake::at(open, "parentheses without it", expected));
        }
        Ok(Clause::Group(group))
    }

    /// The text between quotes; the parser stands on the first.
    fn quoted(&mut self) -> Parsed<&'t str> {
        let open = self.at;
        let inner = self.text.get(open + 1..).unwrap_or_default();
        let Some(length) = inner.find('"') else {
            let end = self.text.trim_end().len();
            return Err(Mistake::at(open, "a quote", "another quote behind the phrase").inserting(end, "\""));
        };
        self.at = open + 1 + length + 1;
        Ok(inner.get(..length).unwrap_or_default())
    }

    /// What stands up to the next white space, or the parenthesis that ends the group.
    fn word(&mut self, field: Option<&str>) -> Parsed<Option<Clause>> {
        let start = self.at;
        let word = self.word_text();
        if field.is_none()
            && let Some((path, value)) = split_field(word)
        {
            self.at = start + (word.len() - value.len());
            return self.field(start, path, value);
        }
        let Some(value) = self.value(word) else { return Ok(None) };
        Ok(match (field, value) {
            (Some(path), value) => Some(self.in_field(path, value, word, word)),
            (None, FieldValue::Text(text)) => Some(Clause::Text(text)),
            (None, FieldValue::Prefix(prefix)) => Some(Clause::Prefix(prefix)),
            (None, _) => None,
        })
    }

    /// A field clause whose value begins where the parser stands.
    fn field(&mut self, start: usize, path: &str, value: &str) -> Parsed<Option<Clause>> {
        let path = without_brackets(path);
        match value.chars().next() {
            Some('"') => {
                let quoted = self.quoted()?;
                let tokens = Text::of(quoted, &mut self.words).into_phrase();
                if tokens.is_empty() {
                    return Ok(None);
                }
                let written = self.text.get(start..self.at).unwrap_or_default();
                Ok(Some(self.in_field(&path, FieldValue::Phrase(tokens), quoted, written)))
            }
            Some('(') => self.parentheses(Some(&path)).map(Some),
            Some('<' | '>') => {
                let expected =
                    format!("a word; comparisons belong into where, as in where: [\"{path} {value}\"]");
                let end = self.at + value.len() - value.trim_start_matches(['<', '>', '=']).len();
                Err(Mistake::at(self.at, "a comparison", &expected).removing(self.at, end))
            }
            _ => {
                self.at += value.len();
                let written = self.text.get(start..self.at).unwrap_or_default();
                Ok(self.value(value).map(|parsed| self.in_field(&path, parsed, value, written)))
            }
        }
    }

    fn in_field(&mut self, path: &str, value: FieldValue, raw: &str, written: &str) -> Clause {
        let as_text = Text::of(written, &mut self.words);
        let raw = if matches!(value, FieldValue::Prefix(_)) { raw.trim_end_matches('*') } else { raw };
        Clause::Field(FieldClause { path: path.to_owned(), value, raw: raw.to_owned(), as_text })
    }

    /// What a word asks for.
    fn value(&mut self, word: &str) -> Option<FieldValue> {
        if word == "*" {
            return Some(FieldValue::Any);
        }
        if let Some(beginning) = word.strip_suffix('*')
            && !beginning.ends_with('*')
        {
            let beginning = beginning.trim_start_matches(|c: char| !c.is_alphanumeric());
            if beginning.is_empty() {
                return None;
            }
            return Some(FieldValue::Prefix(Prefix::of(beginning, &mut self.words)));
        }
        let text = Text::of(word, &mut self.words);
        (!text.tokens.is_empty()).then_some(FieldValue::Text(text))
    }

    fn word_text(&mut self) -> &'t str {
        let start = self.at;
        let mut open = 0_usize;
        let mut has_text = false;
        for (at, c) in self.rest().char_indices() {
            match c {
                c if c.is_whitespace() => {
                    return self.take(start + at);
                }
                '(' => open += 1,
                // Nothing but signs before it: a face, not a mistake.
                ')' if open == 0 && (has_text || at == 0 || self.depth > 0) => return self.take(start + at),
                ')' => open = open.saturating_sub(1),
                c => has_text |= c.is_alphanumeric(),
            }
        }
        self.take(self.text.len())
    }

    fn take(&mut self, end: usize) -> &'t str {
        let taken = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        taken
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn at_end_of_group(&self) -> bool {
        self.rest().is_empty() || self.rest().starts_with(')')
    }

    /// Takes an operator that stands alone.
    fn keyword(&mut self, name: &str) -> bool {
        let Some(behind) = self.rest().strip_prefix(name) else { return false };
        if behind.chars().next().is_some_and(|next| !next.is_whitespace() && !matches!(next, '(' | ')' | '"'))
        {
            return false;
        }
        self.at += name.len();
        true
    }
}

/// `path:value`, when a word is that: the path begins with a letter, and what follows the colon is not part of a URL, of a
/// Windows path or of a `::`.
fn split_field(word: &str) -> Option<(&str, &str)> {
    let (path, value) = word.split_once(':')?;
    let begins = path.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '$' | '@'));
    let is_path = begins
        && !path.ends_with('.')
        && path
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '@' | '.' | '-' | '[' | ']' | '*'));
    let is_value = !value.is_empty() && !value.starts_with("//") && !value.starts_with(['\\', ':']);
    (is_path && is_value).then_some((path, value))
}

/// `items[0].name` and `items[*].name` are `items.name`: the elements of an array have its path.
fn without_brackets(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}
