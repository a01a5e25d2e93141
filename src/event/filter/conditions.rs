//! The conditions of a filter, compiled so that an event is read once for all of them.

use std::fmt;
use std::sync::Arc;

use super::ast::{Check, Literal, Node, Operator};
use super::eval::Subject;
use super::extract::Extraction;
use super::mistake::Mistake;
use super::parser::{Moment, parse};
use super::path::{Column, Path, Root, Step};
use crate::error::{Error, Result};
use crate::event::limits::{CONDITION_CHARS_MAX, CONDITIONS_MAX};
use crate::event::{Event, TimeZone, Timestamp};

/// Conditions on columns and on places in payload and metadata; all of them must hold.
///
/// Cloning is cheap. Two are equal when their canonical texts are.
#[derive(Clone, Debug, Default)]
pub struct Conditions(Option<Arc<Compiled>>);

#[derive(Debug)]
struct Compiled {
    items: Vec<Node>,
    plans: Plans,
    canonical: String,
}

/// Where to look in the two documents.
#[derive(Debug, Default)]
pub(super) struct Plans {
    pub(super) payload: Extraction,
    pub(super) metadata: Extraction,
}

/// What conditions say that an index can use: it must hold for every match, and more may have to.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) entity_id: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) as_of: Option<Timestamp>,
}

impl Bounds {
    /// Takes what must hold for `node` to be true.
    fn take(&mut self, node: &Node) {
        let test = match node {
            Node::And(nodes) => return nodes.iter().for_each(|node| self.take(node)),
            Node::Or(_) | Node::Not(_) => return,
            Node::Test(test) => test,
        };
        let earlier =
            |known: Option<Timestamp>, time: Timestamp| Some(known.map_or(time, |known| known.min(time)));
        match (&test.path, &test.check) {
            (Path::Column(Column::EntityId), Check::Compare(Operator::Equal, Literal::Text(name))) => {
                self.entity_id = Some(name.clone());
            }
            (Path::Column(Column::EventType), Check::Compare(Operator::Equal, Literal::Text(name))) => {
                self.event_type = Some(name.clone());
            }
            (Path::Column(Column::Timestamp), Check::Compare(operator, Literal::Time(time))) => {
                match operator {
                    Operator::Greater | Operator::GreaterOrEqual => self.since = self.since.max(Some(*time)),
                    Operator::Less => self.until = earlier(self.until, *time),
                    Operator::LessOrEqual => self.as_of = earlier(self.as_of, *time),
                    Operator::Equal => {
                        self.since = self.since.max(Some(*time));
                        self.as_of = earlier(self.as_of, *time);
                    }
                    Operator::NotEqual => {}
                }
            }
            (
                Path::Column(Column::Timestamp),
                Check::Between { not: false, low: Literal::Time(low), high: Literal::Time(high) },
            ) => {
                self.since = self.since.max(Some(*low));
                self.as_of = earlier(self.as_of, *high);
            }
            _ => {}
        }
    }
}

/// How often a mistake is corrected before the example gives up.
const FIXES_MAX: usize = 4;

impl Conditions {
    /// Reads conditions: at most 16, each of at most 2,000 characters and 32 levels of brackets and NOT.
    ///
    /// Times that are compared with `timestamp` and `recorded_at` are read at `now` in `zone`.
    ///
    /// # Errors
    /// `Invalid` (`where_syntax`, `unknown_column`, `where_value`, `where_too_deep`, `too_many_conditions`,
    /// `condition_too_long`), naming the item, the character, what is there, what should be, and an example.
    pub fn parse<S: AsRef<str>>(items: &[S], now: Timestamp, zone: TimeZone) -> Result<Self> {
        if items.len() > CONDITIONS_MAX {
            let message = format!(
                "read where: {} conditions, but at most {CONDITIONS_MAX} are taken; join some with AND in one item",
                items.len()
            );
            return Err(Error::invalid("too_many_conditions", message).with("conditions", items.len()));
        }
        let moment = Moment { now, zone };
        let mut nodes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            nodes.push(parse_item(index, item.as_ref(), moment)?);
        }
        Ok(Self::compile(nodes))
    }

    fn compile(mut nodes: Vec<Node>) -> Self {
        if nodes.is_empty() {
            return Self::default();
        }
        let canonical = nodes.iter().map(|node| format!("({node})")).collect::<Vec<_>>().join(" AND ");
        let mut plans = Plans::default();
        for node in &mut nodes {
            node.cheap_first();
            node.tests_mut(&mut |test| {
                let Path::Json { root, steps } = &test.path else { return };
                let direct = steps.iter().take_while(|step| **step != Step::Any).count();
                test.tail = steps.get(direct..).unwrap_or_default().to_vec();
                let plan = match root {
                    Root::Payload => &mut plans.payload,
                    Root::Metadata => &mut plans.metadata,
                };
                test.slot = plan.add(steps.get(..direct).unwrap_or_default());
            });
        }
        nodes.sort_by_key(Node::reads_json);
        Self(Some(Arc::new(Compiled { items: nodes, plans, canonical })))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether all hold for `event`: what is unknown (a comparison with something absent) does not hold.
    #[must_use]
    pub fn hold(&self, event: &Event) -> bool {
        let Some(compiled) = &self.0 else { return true };
        let subject = Subject::new(event, &compiled.plans);
        compiled.items.iter().all(|item| subject.holds(item) == Some(true))
    }

    /// What they say that an index can use.
    pub(super) fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        self.0.iter().flat_map(|compiled| &compiled.items).for_each(|item| bounds.take(item));
        bounds
    }

    /// The places that the conditions name, each once.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        for item in self.0.iter().flat_map(|compiled| &compiled.items) {
            item.tests(&mut |test| {
                if !paths.contains(&&test.path) {
                    paths.push(&test.path);
                }
            });
        }
        paths
    }
}

impl PartialEq for Conditions {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for Conditions {
    /// One condition that means the same as all of them, the same text whatever the spacing and spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("", |compiled| compiled.canonical.as_str()))
    }
}

fn parse_item(index: usize, text: &str, moment: Moment) -> Result<Node> {
    let chars = text.chars().count();
    if chars > CONDITION_CHARS_MAX {
        let message = format!(
            "read where[{index}]: {chars} characters, but at most {CONDITION_CHARS_MAX} are taken; spread it over several \
             items, which are joined by AND"
        );
        return Err(Error::invalid("condition_too_long", message)
            .with("item", index)
            .with("characters", chars));
    }
    parse(text, moment).map_err(|mistake| {
        let example = corrected(text, &mistake, moment);
        let example = example.as_deref().unwrap_or("payload.status = 'open' AND event_type LIKE 'order.%'");
        mistake.in_item(index, text, example)
    })
}

/// The text with its mistakes corrected one after the other, if that leads to a condition.
fn corrected(text: &str, mistake: &Mistake, moment: Moment) -> Option<String> {
    let mut fixed = mistake.fix.as_ref()?.apply(text)?;
    for _ in 0..FIXES_MAX {
        match parse(&fixed, moment) {
            Ok(_) => return Some(fixed.trim().to_owned()),
            Err(next) => fixed = next.fix?.apply(&fixed)?,
        }
    }
    None
}
