//! What a caller probably meant, where a condition is not one.

use super::lexer::{Lexeme, Token};
use super::mistake::{Fix, Mistake};

const EXPECTED_OPERATOR: &str =
    "=, <>, <, <=, >, >=, IN, BETWEEN, LIKE, ILIKE, CONTAINS, IS NULL, with NOT before the words";
pub(super) const EXPECTED_LITERAL: &str = "'text', a number, true or false";

/// What callers write for an operator of ours.
const OTHER_OPERATORS: [(&str, &str); 17] = [
    ("===", "="),
    ("!==", "<>"),
    (":", "="),
    ("=~", "CONTAINS"),
    ("~", "CONTAINS"),
    ("!~", "NOT CONTAINS"),
    ("!", "IS NOT NULL"),
    ("eq", "="),
    ("equals", "="),
    ("ne", "<>"),
    ("gt", ">"),
    ("gte", ">="),
    ("lt", "<"),
    ("lte", "<="),
    ("has", "CONTAINS"),
    ("includes", "CONTAINS"),
    ("matches", "CONTAINS"),
];

/// Where a test should begin; `begun` says that something stands before.
pub(super) fn not_a_path(text: &str, found: Lexeme<'_>, begun: bool) -> Mistake {
    let mistake = Mistake::at(found.at, found.shown(text), "a path such as payload.status or event_type");
    match found.token {
        Token::Text { .. } | Token::Number(_) => mistake.because("the path comes first, the value last"),
        Token::Symbol("!") => mistake.fixed_by(Fix::replace(found.at, found.end, "NOT ")),
        Token::End if begun => {
            let stem = text.trim_end();
            let kept = stem.rfind(char::is_whitespace).unwrap_or(0);
            mistake.fixed_by(Fix::replace(kept, text.len(), ""))
        }
        _ => mistake,
    }
}

/// Where an operator should stand.
pub(super) fn not_an_operator(text: &str, found: Lexeme<'_>) -> Mistake {
    let mistake = Mistake::at(found.at, found.shown(text), EXPECTED_OPERATOR);
    let shown = found.shown(text);
    let meant = OTHER_OPERATORS.iter().find(|(other, _)| other.eq_ignore_ascii_case(shown));
    match (meant, found.token) {
        (Some((_, meant)), _) => mistake.fixed_by(Fix::replace(found.at, found.end, format!(" {meant} "))),
        (None, Token::End) => mistake.fixed_by(Fix::insert(found.at, " IS NOT NULL")),
        (None, Token::Text { .. } | Token::Number(_)) => mistake.fixed_by(Fix::insert(found.at, "= ")),
        _ => mistake,
    }
}

/// Where a value should stand.
pub(super) fn not_a_literal(text: &str, found: Lexeme<'_>) -> Mistake {
    let mistake = Mistake::at(found.at, found.shown(text), EXPECTED_LITERAL);
    match found.token {
        Token::Word("payload" | "metadata") => {
            mistake.because("a path is compared with a value, not with another path")
        }
        Token::Word(_) => quote_run(text, found, mistake.because("a text stands in quotes")),
        Token::Symbol("=") => mistake.fixed_by(Fix::replace(found.at, found.end, "")),
        _ => mistake,
    }
}

/// Behind a whole condition; `inside` an open bracket or not.
pub(super) fn after_condition(text: &str, found: Lexeme<'_>, inside: bool) -> Mistake {
    let expected = if inside { "\")\", AND or OR" } else { "AND, OR or the end" };
    let mistake = Mistake::at(found.at, found.shown(text), expected);
    let instead = match found.token {
        Token::Symbol("&&" | "&" | ",") => " AND ",
        Token::Symbol("||" | "|") => " OR ",
        Token::Symbol(")" | ";") => "",
        Token::Word(_) => return mistake.fixed_by(Fix::insert(found.at, "AND ")),
        _ => return mistake,
    };
    mistake.fixed_by(Fix::replace(found.at, found.end, instead))
}

/// The list in square brackets, in round ones.
pub(super) fn square_list(text: &str, open: Lexeme<'_>, mistake: Mistake) -> Mistake {
    let rest = text.get(open.end..).unwrap_or_default();
    match rest.split_once(']') {
        Some((list, _)) => {
            mistake.fixed_by(Fix::replace(open.at, open.end + list.len() + 1, format!("({list})")))
        }
        None => mistake,
    }
}

/// Puts quotes around the run of characters at `found`, if it is a word.
pub(super) fn quote_run(text: &str, found: Lexeme<'_>, mistake: Mistake) -> Mistake {
    let rest = text.get(found.at..).unwrap_or_default();
    let ends = |c: char| c.is_whitespace() || matches!(c, ')' | '(' | ',' | '\'' | '"');
    let run = rest.split(ends).next().unwrap_or_default();
    if run.is_empty() {
        return mistake;
    }
    mistake.fixed_by(Fix::replace(found.at, found.at + run.len(), format!("'{run}'")))
}
