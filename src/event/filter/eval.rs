//! Whether a condition holds for an event, in SQL's three-valued logic: true, false, or unknown (`None`).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;

use serde_json::Value;

use super::ast::{Check, Literal, Node, Operator, Test};
use super::conditions::Plans;
use super::number::Number;
use super::path::{Column, Path, Root, each};
use super::pattern::Needle;
use crate::event::{Event, Timestamp};

/// True, false or unknown.
type Truth = Option<bool>;

/// An event under test: each of its documents is read at most once, and only when a test needs it.
pub(super) struct Subject<'a> {
    event: &'a Event,
    plans: &'a Plans,
    payload: OnceCell<Vec<Option<&'a str>>>,
    metadata: OnceCell<Vec<Option<&'a str>>>,
}

/// What stands at a place.
enum Operand<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(Number<'a>),
    Bool(bool),
    Time(Timestamp),
    /// An object or an array, and as it is written.
    Nested(&'a Value),
    Written(&'a str),
}

impl<'a> Subject<'a> {
    pub(super) fn new(event: &'a Event, plans: &'a Plans) -> Self {
        Self { event, plans, payload: OnceCell::new(), metadata: OnceCell::new() }
    }

    pub(super) fn holds(&self, node: &Node) -> Truth {
        match node {
            Node::And(nodes) => {
                fold(nodes.iter().map(|node| self.holds(node).map(|truth| !truth))).map(|any| !any)
            }
            Node::Or(nodes) => fold(nodes.iter().map(|node| self.holds(node))),
            Node::Not(node) => self.holds(node).map(|truth| !truth),
            Node::Test(test) => self.passes(test),
        }
    }

    fn passes(&self, test: &Test) -> Truth {
        let root = match &test.path {
            Path::Column(column) => return check(&self.column(*column), &test.check),
            Path::Json { root, .. } => *root,
        };
        let found = self.found(root).get(test.slot).copied().flatten();
        if test.tail.is_empty() {
            return check(&found.map_or(Operand::Null, read), &test.check);
        }
        let Some(found) = found else { return check(&Operand::Null, &test.check) };
        let value: Value = serde_json::from_str(found).unwrap_or_default();
        let mut elements = Vec::new();
        each(&value, &test.tail, &mut |element| elements.push(element));
        if let Check::Null { not } = test.check {
            let any_present = elements.iter().flatten().any(|element| !element.is_null());
            let any_null =
                elements.is_empty() || elements.iter().any(|element| element.is_none_or(Value::is_null));
            return Some(if not { any_present } else { any_null });
        }
        fold(elements.into_iter().map(|element| check(&element.map_or(Operand::Null, borrow), &test.check)))
    }

    fn found(&self, root: Root) -> &[Option<&'a str>] {
        match root {
            Root::Payload => {
                self.payload.get_or_init(|| self.plans.payload.extract(self.event.payload.as_str()))
            }
            Root::Metadata => self.metadata.get_or_init(|| match &self.event.metadata {
                Some(metadata) => self.plans.metadata.extract(metadata.as_str()),
                None => Vec::new(),
            }),
        }
    }

    fn column(&self, column: Column) -> Operand<'a> {
        match column {
            Column::Position => Operand::Number(Number::of(self.event.position.get())),
            Column::Version => Operand::Number(Number::of(self.event.version.get())),
            Column::Timestamp => Operand::Time(self.event.timestamp),
            Column::RecordedAt => Operand::Time(self.event.recorded_at),
            Column::EventId => Operand::Text(Cow::Owned(self.event.event_id.to_string())),
            Column::EntityId => Operand::Text(Cow::Borrowed(self.event.entity_id.as_str())),
            Column::EventType => Operand::Text(Cow::Borrowed(self.event.event_type.as_str())),
        }
    }
}

/// Any true makes it true; else any unknown makes it unknown; else it is false.
fn fold(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut all = Some(false);
    for truth in truths {
        match truth {
            Some(true) => return Some(true),
            None => all = None,
            Some(false) => {}
        }
    }
    all
}

fn read(text: &str) -> Operand<'_> {
    match text.as_bytes().first() {
        Some(b'"') if !text.contains('\\') => {
            Operand::Text(Cow::Borrowed(text.get(1..text.len() - 1).unwrap_or_default()))
        }
        Some(b'"') => {
            serde_json::from_str(text).map_or(Operand::Null, |text| Operand::Text(Cow::Owned(text)))
        }
        Some(b't') => Operand::Bool(true),
        Some(b'f') => Operand::Bool(false),
        Some(b'{' | b'[') => Operand::Written(text),
        _ => Number::parse(text).map_or(Operand::Null, Operand::Number),
    }
}

fn borrow(value: &Value) -> Operand<'_> {
    match value {
        Value::Null => Operand::Null,
        Value::Bool(value) => Operand::Bool(*value),
        Value::Number(number) => Number::parse(number.as_str()).map_or(Operand::Null, Operand::Number),
        Value::String(text) => Operand::Text(Cow::Borrowed(text)),
        nested => Operand::Nested(nested),
    }
}

fn check(operand: &Operand<'_>, check: &Check) -> Truth {
    if let Check::Null { not } = check {
        return Some(matches!(operand, Operand::Null) != *not);
    }
    if matches!(operand, Operand::Null) {
        return None;
    }
    match check {
        Check::Compare(operator, literal) => compare(operand, *operator, literal),
        Check::In { not, list } => {
            fold(list.iter().map(|literal| compare(operand, Operator::Equal, literal))).map(|any| any != *not)
        }
        Check::Between { not, low, high } => {
            let above = compare(operand, Operator::GreaterOrEqual, low)?;
            let below = compare(operand, Operator::LessOrEqual, high)?;
            Some((above && below) != *not)
        }
        Check::Like { not, pattern } => {
            Some(text(operand).is_some_and(|text| pattern.matches(&text)) != *not)
        }
        Check::Contains { not, needle } => {
            let found = match operand {
                Operand::Nested(value) => is_within(value, needle),
                Operand::Written(json) => is_written_within(json, needle),
                operand => text(operand).is_some_and(|text| needle.is_in(&text)),
            };
            Some(found != *not)
        }
        Check::Null { .. } => None,
    }
}

/// Values of different kinds are unequal, and have no order.
fn compare(operand: &Operand<'_>, operator: Operator, literal: &Literal) -> Truth {
    let order = order(operand, literal);
    match operator {
        Operator::Equal => Some(order == Some(Ordering::Equal)),
        Operator::NotEqual => Some(order != Some(Ordering::Equal)),
        Operator::Less => order.map(Ordering::is_lt),
        Operator::LessOrEqual => order.map(Ordering::is_le),
        Operator::Greater => order.map(Ordering::is_gt),
        Operator::GreaterOrEqual => order.map(Ordering::is_ge),
    }
}

fn order(operand: &Operand<'_>, literal: &Literal) -> Option<Ordering> {
    match (operand, literal) {
        (Operand::Text(text), Literal::Text(wanted)) => Some((**text).cmp(wanted.as_str())),
        (Operand::Bool(value), Literal::Bool(wanted)) => Some(value.cmp(wanted)),
        (Operand::Time(time), Literal::Time(wanted)) => Some(time.cmp(wanted)),
        (Operand::Number(number), Literal::Number(wanted) | Literal::Text(wanted)) => {
            Some(number.compare(Number::parse(wanted)?))
        }
        (Operand::Text(text), Literal::Number(wanted)) => {
            Some(Number::parse(text)?.compare(Number::parse(wanted)?))
        }
        _ => None,
    }
}

/// The text that LIKE and CONTAINS look at.
fn text<'o>(operand: &'o Operand<'_>) -> Option<Cow<'o, str>> {
    match operand {
        Operand::Text(text) => Some(Cow::Borrowed(text)),
        Operand::Number(number) => Some(Cow::Owned(number.to_string())),
        Operand::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Operand::Time(time) => Some(Cow::Owned(time.to_string())),
        Operand::Null | Operand::Nested(_) | Operand::Written(_) => None,
    }
}

/// Whether a text or number anywhere in this JSON holds the needle.
fn is_written_within(json: &str, needle: &Needle) -> bool {
    // Without escapes every text stands there as it is: what the whole does not hold, no part does.
    if !json.contains('\\') && !needle.is_in(json) {
        return false;
    }
    serde_json::from_str(json).is_ok_and(|value| is_within(&value, needle))
}

/// Whether a text or number anywhere inside holds the needle; keys do not count.
fn is_within(value: &Value, needle: &Needle) -> bool {
    match value {
        Value::String(text) => needle.is_in(text),
        Value::Number(number) => needle.is_in(number.as_str()),
        Value::Array(elements) => elements.iter().any(|element| is_within(element, needle)),
        Value::Object(object) => object.values().any(|value| is_within(value, needle)),
        Value::Null | Value::Bool(_) => false,
    }
}
