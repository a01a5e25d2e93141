//! What a condition or a projection points at: an event column, or a place in the payload or metadata.

use std::fmt;

use serde_json::Value;

use super::extract::Extraction;
use super::lexer::is_word_char;
use super::mistake::{Fix, Mistake};
use crate::error::Result;
use crate::event::{Event, nearest};

/// A column that every event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    Position,
    Version,
    Timestamp,
    RecordedAt,
    EventId,
    EntityId,
    EventType,
}

impl Column {
    /// Every column.
    pub(crate) const ALL: [Self; 7] = [
        Self::Position,
        Self::Version,
        Self::Timestamp,
        Self::RecordedAt,
        Self::EventId,
        Self::EntityId,
        Self::EventType,
    ];

    /// Its name in conditions and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::Version => "version",
            Self::Timestamp => "timestamp",
            Self::RecordedAt => "recorded_at",
            Self::EventId => "event_id",
            Self::EntityId => "entity_id",
            Self::EventType => "event_type",
        }
    }

    pub(super) fn value(self, event: &Event) -> Value {
        match self {
            Self::Position => Value::from(event.position.get()),
            Self::Version => Value::from(event.version.get()),
            Self::Timestamp => Value::from(event.timestamp.to_string()),
            Self::RecordedAt => Value::from(event.recorded_at.to_string()),
            Self::EventId => Value::from(event.event_id.to_string()),
            Self::EntityId => Value::from(event.entity_id.as_str()),
            Self::EventType => Value::from(event.event_type.as_str()),
        }
    }
}

/// Which of an event's two documents a path leads into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Root {
    Payload,
    Metadata,
}

impl Root {
    const fn name(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Metadata => "metadata",
        }
    }
}

/// One step down a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// The value of a key, in an object.
    Key(String),
    /// The element at an index, in an array.
    Index(usize),
    /// Every element of an array.
    Any,
}

/// A place in an event; names are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Path {
    Column(Column),
    Json { root: Root, steps: Vec<Step> },
}

impl Path {
    /// Reads a whole text as a path: `timestamp`, `payload.customer.id`, `payload["odd key"][0]`, `metadata.actor`.
    ///
    /// # Errors
    /// `Invalid` (`unknown_column`, `path_syntax`) with the nearest path that would be right.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let read = Self::read(trimmed, 0).and_then(|(path, end)| match trimmed.get(end..) {
            Some("") | None => Ok(path),
            Some(rest) => Err(Self::trailing(trimmed, end, rest)),
        });
        read.map_err(|mistake| mistake.in_path(text))
    }

    /// What follows the path: most often the rest of a key that needs quotes.
    fn trailing(text: &str, end: usize, rest: &str) -> Mistake {
        let mistake = Mistake::at(end, rest, "\".key\", \"[0]\" or the end");
        match text.get(..end).and_then(|read| read.rfind('.')) {
            Some(dot) => {
                let key = Value::from(text.get(dot + 1..).unwrap_or_default());
                mistake.fixed_by(Fix::replace(dot, text.len(), format!("[{key}]")))
            }
            None => mistake,
        }
    }

    /// Reads the path that begins at byte `at` of `text` with a word; gives it and where it ends.
    pub(super) fn read(text: &str, at: usize) -> Result<(Self, usize), Mistake> {
        let name = word_at(text, at);
        let mut end = at + name.len();
        let root = match name {
            "payload" => Root::Payload,
            "metadata" => Root::Metadata,
            _ => match Column::ALL.into_iter().find(|column| column.name() == name) {
                Some(column) if !continues(text, end) => return Ok((Self::Column(column), end)),
                _ => return Err(unknown_column(text, at, name)),
            },
        };
        let mut steps = Vec::new();
        while continues(text, end) {
            let (step, after) = read_step(text, end)?;
            steps.push(step);
            end = after;
        }
        Ok((Self::Json { root, steps }, end))
    }

    /// What an event has there: `None` when nothing, an array of all elements found when the path has `[*]`.
    pub(crate) fn extract(&self, event: &Event) -> Option<Value> {
        let (root, steps) = match self {
            Self::Column(column) => return Some(column.value(event)),
            Self::Json { root, steps } => (*root, steps),
        };
        let document = match root {
            Root::Payload => &event.payload,
            Root::Metadata => event.metadata.as_ref()?,
        };
        let direct = steps.iter().position(|step| *step == Step::Any).unwrap_or(steps.len());
        let (direct, tail) = steps.split_at_checked(direct)?;
        let mut plan = Extraction::default();
        plan.add(direct);
        let found = plan.extract(document.as_str()).into_iter().next()??;
        let value: Value = serde_json::from_str(found).ok()?;
        if tail.is_empty() {
            return Some(value);
        }
        let mut elements = Vec::new();
        each(&value, tail, &mut |element| elements.extend(element.cloned()));
        Some(Value::Array(elements))
    }

    /// Whether it leads into a document, which has to be read for it.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Json { .. })
    }
}

/// Calls `visit` for each value that `steps` lead to from `value`; with `None` for one that is not there.
///
/// Nothing is visited below an empty array.
pub(super) fn each<'v>(value: &'v Value, steps: &[Step], visit: &mut dyn FnMut(Option<&'v Value>)) {
    let Some((step, rest)) = steps.split_first() else {
        visit(Some(value));
        return;
    };
    let next = match (step, value) {
        (Step::Any, Value::Array(elements)) => {
            for element in elements {
                each(element, rest, visit);
            }
            return;
        }
        (Step::Key(key), Value::Object(object)) => object.get(key),
        (Step::Index(index), Value::Array(elements)) => elements.get(*index),
        _ => None,
    };
    match next {
        Some(next) => each(next, rest, visit),
        None => visit(None),
    }
}

fn continues(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The longest word at byte `at`; a hyphen belongs to it where a letter or digit follows.
pub(super) fn word_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let mut end = 0;
    let mut chars = rest.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let joins = c == '-' && start > 0 && chars.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if !is_word_char(c) && !joins {
            break;
        }
        end = start + c.len_utf8();
    }
    rest.get(..end).unwrap_or_default()
}

fn read_step(text: &str, at: usize) -> Result<(Step, usize), Mistake> {
    let rest = text.get(at + 1..).unwrap_or_default();
    if !text.get(at..).is_some_and(|rest| rest.starts_with('[')) {
        let key = word_at(text, at + 1);
        if !key.is_empty() {
            return Ok((Step::Key(key.to_owned()), at + 1 + key.len()));
        }
        let mistake = Mistake::at(at + 1, shown(rest), "a key, such as payload.status");
        return Err(match rest.chars().next() {
            Some('[' | '.') => mistake.fixed_by(Fix::replace(at, at + 1, "")),
            Some('*') => mistake.fixed_by(Fix::replace(at, at + 2, "[*]")),
            _ => mistake,
        });
    }
    let (step, inside) = match rest.chars().next() {
        Some('*') => (Step::Any, 1),
        Some(quote @ ('"' | '\'')) => {
            let (key, length) = quoted_key(rest, quote).ok_or_else(|| {
                Mistake::at(at + 1, shown(rest), "a key in quotes that ends, such as payload[\"odd key\"]")
            })?;
            (Step::Key(key), length)
        }
        _ => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            match rest.get(..digits).and_then(|digits| digits.parse().ok()) {
                Some(index) => (Step::Index(index), digits),
                None => return Err(bad_index(rest, at + 1)),
            }
        }
    };
    if rest.get(inside..).is_some_and(|rest| rest.starts_with(']')) {
        return Ok((step, at + 1 + inside + 1));
    }
    let found = shown(rest.get(inside..).unwrap_or_default());
    Err(Mistake::at(at + 1 + inside, found, "\"]\"").fixed_by(Fix::insert(at + 1 + inside, "]")))
}

fn bad_index(rest: &str, at: usize) -> Mistake {
    let bare = word_at(rest, 0);
    let mistake = Mistake::at(at, shown(rest), "a key in quotes, an index from 0, or *, inside [ ]");
    match bare {
        "" => mistake,
        bare => mistake.fixed_by(Fix::replace(at, at + bare.len(), Value::from(bare).to_string())),
    }
}

/// The key in quotes at the start of `rest`, and its length with the quotes.
fn quoted_key(rest: &str, quote: char) -> Option<(String, usize)> {
    let body = rest.get(1..)?;
    let length = super::lexer::body_length(body, quote)?;
    Some((super::lexer::unquoted(body.get(..length)?, quote), length + 2))
}

/// The first word or character of a rest, for "found".
fn shown(rest: &str) -> &str {
    match word_at(rest, 0) {
        "" => rest.chars().next().and_then(|c| rest.get(..c.len_utf8())).unwrap_or_default(),
        word => word,
    }
}

/// Other names under which callers look for a column or for the payload.
const ALIASES: [(&str, &str); 16] = [
    ("type", "event_type"),
    ("event", "event_type"),
    ("id", "event_id"),
    ("entity", "entity_id"),
    ("stream", "entity_id"),
    ("stream_id", "entity_id"),
    ("aggregate_id", "entity_id"),
    ("time", "timestamp"),
    ("date", "timestamp"),
    ("ts", "timestamp"),
    ("created_at", "timestamp"),
    ("stored_at", "recorded_at"),
    ("seq", "position"),
    ("offset", "position"),
    ("data", "payload"),
    ("meta", "metadata"),
];

fn unknown_column(text: &str, at: usize, name: &str) -> Mistake {
    let end = at + name.len();
    if Column::ALL.iter().any(|column| column.name() == name) {
        let mistake = Mistake::at(end, shown(text.get(end..).unwrap_or_default()), "an operator");
        return mistake.because(format!("the column {name} has no fields; payload and metadata have"));
    }
    let roots = ["payload", "metadata"];
    let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, name)| *name);
    let dotted = continues(text, end);
    let names = Column::ALL.iter().map(|column| column.name()).filter(|_| !dotted).chain(roots);
    let near =
        alias.filter(|alias| !dotted || roots.contains(alias)).or_else(|| nearest(name, names, 1).pop());
    let columns = Column::ALL.map(Column::name).join(", ");
    let expected = format!("payload.…, metadata.… or one of {columns}");
    let mistake = Mistake::at(at, name, expected).coded("unknown_column");
    match near {
        Some(near) if dotted || roots.contains(&near) => mistake
            .because(format!("the documents are called payload and metadata; {near} is nearest"))
            .fixed_by(Fix::replace(at, end, near)),
        Some(near) => mistake
            .because(format!("the nearest column is {near}; a field of the payload is payload.{name}"))
            .fixed_by(Fix::replace(at, end, near)),
        None => mistake
            .because(format!("a field of the payload is written payload.{name}"))
            .fixed_by(Fix::insert(at, "payload.")),
    }
}

impl fmt::Display for Path {
    /// The shortest text that reads as this path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => f.write_str(column.name()),
            Self::Json { root, steps } => {
                f.write_str(root.name())?;
                steps.iter().try_for_each(|step| fmt::Display::fmt(step, f))
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("[*]"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) if !key.is_empty() && word_at(key, 0).len() == key.len() => write!(f, ".{key}"),
            Self::Key(key) => write!(f, "[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::filter::tests::order_placed;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        let path = Path::parse(text).expect(text);
        assert_eq!(path.extract(&order_placed()), (!expected.is_null()).then_some(expected), "{text}");
    }

    #[track_caller]
    fn reads_as(text: &str, expected: &str) {
        assert_eq!(Path::parse(text).expect(text).to_string(), expected);
    }

    #[track_caller]
    fn refused(text: &str, code: &str, expected: &str) {
        let error = Path::parse(text).expect_err(text);
        assert_eq!(error.code(), code);
        assert!(error.message().contains(expected), "{error}");
    }

    #[test]
    fn a_path_finds_what_is_there() {
        check("position", json!(7));
        check("event_type", json!("order.placed"));
        check("payload.status", json!("Open"));
        check("payload.customer.name", json!("Müller"));
        check("payload.items[1].sku", json!("B-2"));
        check("payload.items[*].sku", json!(["A-1", "B-2"]));
        check("payload[\"odd key\"]", json!(true));
        check("metadata.actor", json!("agent-1"));
        check("payload.nothing.here", Value::Null);
        check("payload.items[9]", Value::Null);
        check("payload.empty[*]", json!([]));
    }

    #[test]
    fn a_path_is_written_as_short_as_it_reads() {
        reads_as(" payload.a-b.@c[\"d\"]['e f'][0][*] ", "payload.a-b.@c.d[\"e f\"][0][*]");
        reads_as("metadata.$client", "metadata.$client");
        reads_as(r#"payload["say \"hi\""]"#, r#"payload["say \"hi\""]"#);
        reads_as("payload", "payload");
    }

    #[test]
    fn a_wrong_path_is_answered_with_a_right_one() {
        refused("status", "unknown_column", "payload.status");
        refused("data.status", "unknown_column", "write payload.status");
        refused("eventtype", "unknown_column", "write event_type");
        refused("payload.", "path_syntax", "expected a key");
        refused("payload[key]", "path_syntax", "payload[\"key\"]");
        refused("payload.items[0", "path_syntax", "payload.items[0]");
        refused("payload.odd key", "path_syntax", "write payload[\"odd key\"]");
        refused("timestamp.year", "path_syntax", "has no fields");
    }
}
