//! The words of a condition.

use super::mistake::{Fix, Mistake};
use super::path::word_at;

/// One word of a condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A keyword, or the first word of a path.
    Word(&'a str),
    /// What stands between quotes, still escaped.
    Text { body: &'a str, quote: char },
    /// A number as it is written.
    Number(&'a str),
    /// An operator, a bracket, a comma, or a character that does not belong here.
    Symbol(&'a str),
    /// There is nothing more.
    End,
}

/// A token and the bytes it stands at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexeme<'a> {
    pub(super) token: Token<'a>,
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'a> Lexeme<'a> {
    /// Its characters in `text`.
    pub(super) fn shown(&self, text: &'a str) -> &'a str {
        text.get(self.at..self.end).unwrap_or_default()
    }

    /// Whether it is this keyword, whatever its capitals.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.token, Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.token == Token::Symbol(symbol)
    }
}

pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '@')
}

/// Symbols of more than one character, the longest first; those that mean nothing here are read whole for the error.
const LONG_SYMBOLS: [&str; 11] = ["===", "!==", "==", "!=", "<>", "<=", ">=", "=~", "!~", "&&", "||"];

/// Pairs of quotes as word processors write them.
const CURLY_QUOTES: [char; 7] = ['‘', '’', '“', '”', '„', '‚', '`'];

/// The token at or after byte `from`.
pub(super) fn lex(text: &str, from: usize) -> Result<Lexeme<'_>, Mistake> {
    let rest = text.get(from..).unwrap_or_default();
    let rest = rest.trim_start();
    let at = text.len() - rest.len();
    let Some(first) = rest.chars().next() else {
        return Ok(Lexeme { token: Token::End, at, end: at });
    };
    let lexeme = |token, length: usize| Lexeme { token, at, end: at + length };
    if let quote @ ('\'' | '"') = first {
        let body = rest.get(1..).unwrap_or_default();
        let Some(length) = body_length(body, quote) else {
            return Err(unterminated(text, at, quote));
        };
        let body = body.get(..length).unwrap_or_default();
        return Ok(lexeme(Token::Text { body, quote }, length + 2));
    }
    if CURLY_QUOTES.contains(&first) {
        return Err(curly(rest, at));
    }
    if first.is_ascii_digit() || (matches!(first, '+' | '-' | '.') && starts_number(rest)) {
        return number(rest, at);
    }
    if is_word_char(first) {
        let word = word_at(rest, 0);
        return Ok(lexeme(Token::Word(word), word.len()));
    }
    let length =
        LONG_SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).map_or(first.len_utf8(), |s| s.len());
    Ok(lexeme(Token::Symbol(rest.get(..length).unwrap_or_default()), length))
}

/// The length of a quoted text's body: up to its closing quote, past doubled and escaped ones.
pub(super) fn body_length(body: &str, quote: char) -> Option<usize> {
    let mut chars = body.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            // Only these are escapes: in 'C:\temp' the backslash stands for itself.
            if chars.peek().is_some_and(|(_, next)| matches!(next, '\\' | '\'' | '"')) {
                chars.next();
            }
        } else if c == quote {
            if chars.peek().is_none_or(|(_, next)| *next != quote) {
                return Some(at);
            }
            chars.next();
        }
    }
    None
}

/// The text that a body stands for: doubled quotes and `\'`, `\"`, `\\` are one character.
pub(super) fn unquoted(body: &str, quote: char) -> String {
    let mut text = String::with_capacity(body.len());
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = (c == quote && chars.peek() == Some(&quote))
            || (c == '\\' && matches!(chars.peek(), Some('\\' | '\'' | '"')));
        text.push(if escapes { chars.next().unwrap_or(c) } else { c });
    }
    text
}

fn starts_number(rest: &str) -> bool {
    let digits = rest.trim_start_matches(['+', '-', '.']);
    rest.len() - digits.len() <= 2 && digits.starts_with(|c: char| c.is_ascii_digit())
}

fn number(rest: &str, at: usize) -> Result<Lexeme<'_>, Mistake> {
    let ends =
        |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '=' | '<' | '>' | '!' | '\'' | '"');
    let run = rest.split(ends).next().unwrap_or_default();
    if is_number(run) {
        return Ok(Lexeme { token: Token::Number(run), at, end: at + run.len() });
    }
    let fix = Fix::replace(at, at + run.len(), format!("'{run}'"));
    Err(Mistake::at(at, run, "a number, or a text in quotes").fixed_by(fix))
}

/// Whether a text is a number of JSON, give or take a plus sign and zeros in front.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && !exponent.is_empty()
        && exponent.len() <= 6
        && digits(exponent)
}

fn unterminated(text: &str, at: usize, quote: char) -> Mistake {
    let found = text.get(at..).unwrap_or_default();
    let mistake = Mistake::at(at, found, format!("a text that ends with {quote}"));
    match found.strip_suffix(quote).filter(|stem| stem.ends_with('\\')) {
        // 'C:\temp\' : its last backslash was meant for itself.
        Some(_) => mistake
            .because(format!(
                "\\{quote} is a quote inside the text; a backslash before the closing quote is \\\\"
            ))
            .fixed_by(Fix::insert(text.len() - 1, "\\")),
        None => mistake.fixed_by(Fix::insert(text.trim_end().len(), quote.to_string())),
    }
}

fn curly(rest: &str, at: usize) -> Mistake {
    let inner = rest.trim_start_matches(CURLY_QUOTES);
    let body = inner.split(CURLY_QUOTES).next().unwrap_or_default();
    let open = rest.len() - inner.len();
    let close = inner.get(body.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let found = rest.get(..open).unwrap_or_default();
    Mistake::at(at, found, "straight quotes: 'text' or \"text\"").fixed_by(Fix::replace(
        at,
        at + open + body.len() + close,
        format!("'{}'", body.replace('\'', "''")),
    ))
}
