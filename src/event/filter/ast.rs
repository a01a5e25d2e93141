//! A condition as a tree, and its canonical text.

use std::fmt;

use super::path::{Path, Step};
use super::pattern::{Needle, Pattern};
use crate::event::Timestamp;

/// A condition or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

/// One comparison of one place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) path: Path,
    pub(super) check: Check,
    /// Where the place's text is found, once the condition is compiled.
    pub(super) slot: usize,
    /// The steps from the first `[*]` on.
    pub(super) tail: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    Compare(Operator, Literal),
    In { not: bool, list: Vec<Literal> },
    Between { not: bool, low: Literal, high: Literal },
    Like { not: bool, pattern: Pattern },
    Contains { not: bool, needle: Needle },
    Null { not: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    /// As it is written: it may be longer than any machine number.
    Number(String),
    Bool(bool),
    /// A text or number compared with a time column.
    Time(Timestamp),
}

impl Node {
    /// Calls `visit` for each test, from left to right.
    pub(super) fn tests<'n>(&'n self, visit: &mut dyn FnMut(&'n Test)) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().for_each(|node| node.tests(visit)),
            Self::Not(node) => node.tests(visit),
            Self::Test(test) => visit(test),
        }
    }

    /// Calls `visit` for each test, from left to right, and lets it change them.
    pub(super) fn tests_mut(&mut self, visit: &mut dyn FnMut(&mut Test)) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter_mut().for_each(|node| node.tests_mut(visit)),
            Self::Not(node) => node.tests_mut(visit),
            Self::Test(test) => visit(test),
        }
    }

    /// Whether a document has to be read for it.
    pub(super) fn reads_json(&self) -> bool {
        let mut reads = false;
        self.tests(&mut |test| reads |= test.path.is_json());
        reads
    }

    /// Puts what is cheap first in every AND and OR: their value does not depend on the order.
    pub(super) fn cheap_first(&mut self) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => {
                nodes.iter_mut().for_each(Self::cheap_first);
                nodes.sort_by_key(Self::reads_json);
            }
            Self::Not(node) => node.cheap_first(),
            Self::Test(_) => {}
        }
    }
}

impl Operator {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, nodes: &[Node], word: &str) -> fmt::Result {
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            write!(f, " {word} ")?;
        }
        match node {
            Node::And(_) | Node::Or(_) => write!(f, "({node})")?,
            _ => write!(f, "{node}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(nodes) => join(f, nodes, "AND"),
            Self::Or(nodes) => join(f, nodes, "OR"),
            Self::Not(node) => write!(f, "NOT ({node})"),
            Self::Test(test) => write!(f, "{} {}", test.path, test.check),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |not: &bool| if *not { "NOT " } else { "" };
        match self {
            Self::Compare(operator, literal) => write!(f, "{} {literal}", operator.symbol()),
            Self::In { not: negated, list } => {
                write!(f, "{}IN (", not(negated))?;
                for (at, literal) in list.iter().enumerate() {
                    write!(f, "{}{literal}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
            Self::Between { not: negated, low, high } => {
                write!(f, "{}BETWEEN {low} AND {high}", not(negated))
            }
            Self::Like { not: negated, pattern } => {
                write!(f, "{}{} {pattern}", not(negated), if pattern.any_case() { "ILIKE" } else { "LIKE" })
            }
            Self::Contains { not: negated, needle } => {
                write!(f, "{}CONTAINS {}", not(negated), quoted(needle.as_str()))
            }
            Self::Null { not: negated } => write!(f, "IS {}NULL", not(negated)),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Number(number) => f.write_str(number),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Time(time) => write!(f, "'{time}'"),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
