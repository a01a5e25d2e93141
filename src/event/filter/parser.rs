//! From the text of a condition to its tree, by recursive descent.
//!
//! ```text
//! item = and {OR and}   and = not {AND not}   not = [NOT] ("(" item ")" | pred)
//! pred = path (=|==|!=|<>|<|<=|>|>=) lit | path [NOT] IN (lit,…) | path [NOT] BETWEEN lit AND lit
//!      | path [NOT] (LIKE|ILIKE|CONTAINS) str | path IS [NOT] NULL
//! path = event column | (payload|metadata){.key|["any key"]|[n]|[*]}     lit = 'str' | "str" | number | true | false
//! ```

use super::ast::{Check, Literal, Node, Operator, Test};
use super::lexer::{Lexeme, Token, lex, unquoted};
use super::mistake::{Fix, Mistake};
use super::number::Number;
use super::path::{Column, Path};
use super::pattern::{Needle, Pattern};
use super::remedy::{
    EXPECTED_LITERAL, after_condition, not_a_literal, not_a_path, not_an_operator, quote_run, square_list,
};
use crate::event::limits::CONDITION_DEPTH_MAX;
use crate::event::{TimeZone, Timestamp};

/// The time and zone in which a condition's times are read.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

/// Reads one condition.
pub(super) fn parse(text: &str, moment: Moment) -> Result<Node, Mistake> {
    let mut parser = Parser { text, at: 0, depth: 0, moment };
    let node = parser.any_of()?;
    let next = parser.peek()?;
    match next.token {
        Token::End => Ok(node),
        _ => Err(after_condition(text, next, false)),
    }
}

const OPERATORS: [(&str, Operator); 8] = [
    ("=", Operator::Equal),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<>", Operator::NotEqual),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
];

const KEYWORDS: [&str; 12] =
    ["and", "or", "not", "in", "between", "like", "ilike", "contains", "is", "null", "true", "false"];

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    moment: Moment,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Result<Lexeme<'t>, Mistake> {
        lex(self.text, self.at)
    }

    fn next(&mut self) -> Result<Lexeme<'t>, Mistake> {
        let lexeme = self.peek()?;
        self.at = lexeme.end;
        Ok(lexeme)
    }

    /// Takes the next token if it is this keyword.
    fn eat_word(&mut self, word: &str) -> Result<bool, Mistake> {
        let next = self.peek()?;
        if next.is_word(word) {
            self.at = next.end;
        }
        Ok(next.is_word(word))
    }

    /// `item`: one or more joined by OR.
    fn any_of(&mut self) -> Result<Node, Mistake> {
        let first = self.all_of()?;
        let mut nodes = vec![first];
        while self.eat_word("or")? {
            nodes.push(self.all_of()?);
        }
        Ok(joined(nodes, Node::Or))
    }

    /// `and`: one or more joined by AND.
    fn all_of(&mut self) -> Result<Node, Mistake> {
        let first = self.negation()?;
        let mut nodes = vec![first];
        while self.eat_word("and")? {
            nodes.push(self.negation()?);
        }
        Ok(joined(nodes, Node::And))
    }

    /// `not`: a test or brackets, with or without NOT.
    fn negation(&mut self) -> Result<Node, Mistake> {
        let start = self.peek()?;
        if start.is_word("not") {
            self.at = start.end;
            return self.deeper(start, |parser| Ok(Node::Not(Box::new(parser.negation()?))));
        }
        if !start.is_symbol("(") {
            return self.test().map(Node::Test);
        }
        self.at = start.end;
        self.deeper(start, |parser| {
            let inside = parser.any_of()?;
            let close = parser.peek()?;
            if close.is_symbol(")") {
                parser.at = close.end;
                return Ok(inside);
            }
            match close.token {
                Token::End => {
                    let mistake = Mistake::at(close.at, "", "\")\" for the open bracket, AND or OR");
                    Err(mistake.fixed_by(Fix::insert(close.at, ")")))
                }
                _ => Err(after_condition(parser.text, close, true)),
            }
        })
    }

    fn deeper(
        &mut self,
        start: Lexeme<'t>,
        read: impl FnOnce(&mut Self) -> Result<Node, Mistake>,
    ) -> Result<Node, Mistake> {
        self.depth += 1;
        if self.depth > CONDITION_DEPTH_MAX {
            let expected = format!("at most {CONDITION_DEPTH_MAX} brackets and NOTs inside each other");
            let mistake = Mistake::at(start.at, start.shown(self.text), expected).coded("where_too_deep");
            return Err(mistake.because("conditions in separate where items are joined by AND"));
        }
        let node = read(self);
        self.depth -= 1;
        node
    }

    /// `pred`: a path and what is asked of it.
    fn test(&mut self) -> Result<Test, Mistake> {
        let start = self.peek()?;
        let path = match start.token {
            Token::Word(word) if !is_keyword(word) => {
                let (path, end) = Path::read(self.text, start.at)?;
                self.at = end;
                path
            }
            _ => return Err(not_a_path(self.text, start, self.at > 0)),
        };
        let check = self.check(&path)?;
        Ok(Test { path, check, slot: 0, tail: Vec::new() })
    }

    fn check(&mut self, path: &Path) -> Result<Check, Mistake> {
        let operator = self.next()?;
        if let Token::Symbol(symbol) = operator.token
            && let Some((_, meant)) = OPERATORS.iter().find(|(known, _)| *known == symbol)
        {
            return self.comparison(path, *meant, operator);
        }
        if operator.is_word("is") {
            let not = self.eat_word("not")?;
            let null = self.next()?;
            if null.is_word("null") {
                return Ok(Check::Null { not });
            }
            let mistake = Mistake::at(null.at, null.shown(self.text), "NULL");
            let sign = if not { "<>" } else { "=" };
            return Err(mistake.fixed_by(Fix::replace(operator.at, null.at, format!("{sign} "))));
        }
        let not = operator.is_word("not");
        let word = if not { self.next()? } else { operator };
        if word.is_word("in") {
            return Ok(Check::In { not, list: self.list(path)? });
        }
        if word.is_word("between") {
            let low = self.literal(path)?;
            let and = self.next()?;
            if !and.is_word("and") {
                let mistake = Mistake::at(
                    and.at,
                    and.shown(self.text),
                    "AND and the upper end, such as BETWEEN 1 AND 5",
                );
                return Err(if and.is_symbol(",") {
                    mistake.fixed_by(Fix::replace(and.at, and.end, " AND"))
                } else {
                    mistake
                });
            }
            let high = self.literal(path)?;
            return Ok(Check::Between { not, low, high });
        }
        if word.is_word("contains") {
            let (body, quote) = self.searched(word)?;
            return Ok(Check::Contains { not, needle: Needle::new(&unquoted(body, quote)) });
        }
        if word.is_word("like") || word.is_word("ilike") {
            let (body, quote) = self.searched(word)?;
            return Ok(Check::Like { not, pattern: Pattern::new(body, quote, word.is_word("ilike")) });
        }
        Err(not_an_operator(self.text, word))
    }

    fn comparison(&mut self, path: &Path, meant: Operator, operator: Lexeme<'t>) -> Result<Check, Mistake> {
        let value = self.peek()?;
        if value.is_word("null") {
            let remedy = if meant == Operator::NotEqual { "IS NOT NULL" } else { "IS NULL" };
            let mistake = Mistake::at(value.at, value.shown(self.text), EXPECTED_LITERAL);
            return Err(mistake
                .because("nothing equals NULL; ask IS NULL or IS NOT NULL")
                .fixed_by(Fix::replace(operator.at, value.end, remedy)));
        }
        Ok(Check::Compare(meant, self.literal(path)?))
    }

    /// `(lit,…)`
    fn list(&mut self, path: &Path) -> Result<Vec<Literal>, Mistake> {
        let open = self.peek()?;
        if !open.is_symbol("(") {
            let mistake =
                Mistake::at(open.at, open.shown(self.text), "\"(\" and a list, such as IN ('a', 'b')");
            return Err(match open.token {
                Token::Text { .. } | Token::Number(_) => {
                    mistake.fixed_by(Fix::replace(open.at, open.end, format!("({})", open.shown(self.text))))
                }
                Token::Symbol("[") => square_list(self.text, open, mistake),
                _ => mistake,
            });
        }
        self.at = open.end;
        let mut list = Vec::new();
        loop {
            list.push(self.literal(path)?);
            let next = self.next()?;
            if next.is_symbol(")") {
                return Ok(list);
            }
            if !next.is_symbol(",") {
                let mistake = Mistake::at(next.at, next.shown(self.text), "\",\" or \")\"");
                return Err(match next.token {
                    Token::End => mistake.fixed_by(Fix::insert(next.at, ")")),
                    _ => mistake.fixed_by(Fix::insert(next.at, ", ")),
                });
            }
        }
    }

    fn literal(&mut self, path: &Path) -> Result<Literal, Mistake> {
        let value = self.peek()?;
        let literal = match value.token {
            Token::Text { body, quote } => Literal::Text(unquoted(body, quote)),
            Token::Number(number) => Literal::Number(number.to_owned()),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Bool(false),
            _ => return Err(not_a_literal(self.text, value)),
        };
        self.at = value.end;
        match path {
            Path::Column(column) => self.for_column(*column, literal, value),
            Path::Json { .. } => Ok(literal),
        }
    }

    /// The literal as the column's own type.
    fn for_column(&self, column: Column, literal: Literal, value: Lexeme<'t>) -> Result<Literal, Mistake> {
        let wrong = |expected: &str| {
            let expected = format!("{expected} for the column {}", column.name());
            Mistake::at(value.at, value.shown(self.text), expected).coded("where_value")
        };
        match (column, literal) {
            (Column::Timestamp | Column::RecordedAt, Literal::Text(text)) => {
                let time = Timestamp::parse(&text, self.moment.now, self.moment.zone);
                time.map(Literal::Time).map_err(|_| {
                    wrong("a time such as '2011-10-02', '2011-10-01T00:38:44+02:00', 'now' or 'now-7d'")
                        .fixed_by(Fix::replace(value.at, value.end, "'now-7d'"))
                })
            }
            (Column::Timestamp | Column::RecordedAt, _) => {
                Err(wrong("a time in quotes such as '2011-10-02' or 'now-7d'")
                    .fixed_by(Fix::replace(value.at, value.end, "'now-7d'")))
            }
            (Column::Position | Column::Version, Literal::Text(text)) if Number::parse(&text).is_none() => {
                Err(wrong("a number").fixed_by(Fix::replace(value.at, value.end, "1")))
            }
            (_, Literal::Bool(_)) => Err(wrong("a text or a number").fixed_by(Fix::replace(
                value.at,
                value.end,
                format!("'{}'", value.shown(self.text)),
            ))),
            (_, literal) => Ok(literal),
        }
    }

    /// The quoted text behind LIKE, ILIKE or CONTAINS, still escaped.
    fn searched(&mut self, operator: Lexeme<'t>) -> Result<(&'t str, char), Mistake> {
        let value = self.peek()?;
        let Token::Text { body, quote } = value.token else {
            let expected = format!("a text in quotes after {}", operator.shown(self.text));
            let mistake = Mistake::at(value.at, value.shown(self.text), expected);
            return Err(quote_run(self.text, value, mistake));
        };
        self.at = value.end;
        Ok((body, quote))
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn joined(mut nodes: Vec<Node>, join: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            join(nodes)
        }
    }
}
