//! How deep may a statement be? Reading and planning go down with it, and some of it takes twice as long with each level.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Statement as Ast, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, Result};

/// How many operators follow each other without parentheses, each of which is one level for those who plan it: 100.
const CHAIN_MAX: usize = 100;
/// How many calls stand one inside the other: 12. The time to plan them doubles with each.
const CALLS_MAX: usize = 12;
/// How many SELECTs a statement joins by UNION, EXCEPT and INTERSECT: 50.
const SET_OPERATIONS_MAX: usize = 50;
const SET_OPERATIONS: [Keyword; 3] = [Keyword::UNION, Keyword::EXCEPT, Keyword::INTERSECT];
/// Words before a parenthesis that is no call.
const STRUCTURE: [Keyword; 32] = [
    Keyword::SELECT,
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::IN,
    Keyword::EXISTS,
    Keyword::AS,
    Keyword::ON,
    Keyword::WHEN,
    Keyword::THEN,
    Keyword::ELSE,
    Keyword::CASE,
    Keyword::UNION,
    Keyword::ALL,
    Keyword::ANY,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
    Keyword::VALUES,
    Keyword::BY,
    Keyword::OVER,
    Keyword::JOIN,
    Keyword::HAVING,
    Keyword::LIKE,
    Keyword::BETWEEN,
    Keyword::FILTER,
    Keyword::USING,
    Keyword::WITH,
    Keyword::LATERAL,
    Keyword::DISTINCT,
    Keyword::GROUP,
];

/// Looks at the words of a statement before it is read: the parser's own time doubles with each call inside a call, and what
/// it makes of a chain of set operations nests as deep as the chain is long.
///
/// # Errors
/// `Invalid` (`sql_too_deep`).
pub(super) fn check_words(sql: &str) -> Result<()> {
    // What cannot be divided into words is for the parser to refuse.
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().unwrap_or_default();
    let (mut operations, mut calls, mut calls_max) = (0_usize, 0_usize, 0_usize);
    let mut open: Vec<bool> = Vec::new();
    let mut before: Option<&Token> = None;
    for token in tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))) {
        match token {
            Token::Word(word) if SET_OPERATIONS.contains(&word.keyword) => operations += 1,
            Token::LParen => {
                let is_call = matches!(before, Some(Token::Word(word)) if !STRUCTURE.contains(&word.keyword));
                open.push(is_call);
                calls += usize::from(is_call);
                calls_max = calls_max.max(calls);
            }
            Token::RParen => calls -= usize::from(open.pop().unwrap_or_default()),
            _ => {}
        }
        before = Some(token);
    }
    if operations > SET_OPERATIONS_MAX {
        let message = format!(
            "read the statement: it joins SELECTs by {operations} set operations and {SET_OPERATIONS_MAX} are taken; use VALUES, or one SELECT with IN"
        );
        return Err(Error::invalid("sql_too_deep", message));
    }
    if calls_max > CALLS_MAX { Err(too_deep()) } else { Ok(()) }
}

fn too_deep() -> Error {
    let message = format!(
        "read the statement: more than {CHAIN_MAX} operators or {CALLS_MAX} calls stand one inside the other; use IN (…) instead of many ORs, and WITH to name parts"
    );
    Error::invalid("sql_too_deep", message)
}

/// Looks at how deep a statement nests that was read.
///
/// # Errors
/// `Invalid` (`sql_too_deep`).
pub(super) fn check_depth(statement: &Ast) -> Result<()> {
    #[derive(Default)]
    struct Depth {
        all: usize,
        calls: usize,
    }
    impl Visitor for Depth {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.all += 1;
            self.calls += usize::from(is_call(expr));
            let is_deep = self.all > CHAIN_MAX || self.calls > CALLS_MAX;
            if is_deep { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.all -= 1;
            self.calls -= usize::from(is_call(expr));
            ControlFlow::Continue(())
        }
    }
    if statement.visit(&mut Depth::default()).is_break() { Err(too_deep()) } else { Ok(()) }
}

fn is_call(expr: &Expr) -> bool {
    !matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Nested(_)
            | Expr::BinaryOp { .. }
            | Expr::UnaryOp { .. }
            | Expr::Cast { .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
    )
}

#[cfg(test)]
mod tests {
    use super::super::statement::parse;
    use super::*;

    #[test]
    fn what_is_too_deep_is_refused_before_it_is_planned() {
        #[track_caller]
        fn refused(sql: &str) {
            assert_eq!(parse(sql).expect_err("a refusal").code(), "sql_too_deep", "{sql}");
        }
        let nested = |calls: usize| format!("SELECT {}1{}", "abs(".repeat(calls), ")".repeat(calls));
        refused(&nested(CALLS_MAX + 1));
        assert!(parse(&nested(CALLS_MAX)).is_ok());
        refused(&format!("SELECT 1{}", " + 1".repeat(CHAIN_MAX)));
        refused(&format!("SELECT 1{}", " UNION SELECT 1".repeat(SET_OPERATIONS_MAX + 1)));
        refused(&format!("SELECT {}1{}", "(".repeat(60), ")".repeat(60)));
    }
}
