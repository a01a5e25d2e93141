//! How do events become rows? Chooses the payload paths worth a column, and says what is the same in every row once.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::Object;
use super::budget::{CONCISE_CHARS_MAX, cut};
use crate::event::filter::{Column, Path, Root, Step};
use crate::event::{Event, TimeZone};

/// The most payload paths that become columns without being asked for.
const COLUMNS_MAX: usize = 8;
/// The most paths under `constant`.
const CONSTANTS_MAX: usize = 12;
/// The most different paths looked at in one page.
const PATHS_MAX: usize = 512;
/// How deep a payload is taken apart; what lies deeper is shown as JSON.
const DEPTH_MAX: usize = 4;

/// Who acted, as the metadata claims it: shown without being asked for.
const ACTOR: &str = "metadata.actor";

/// Whether retention has emptied the event: its payload is not known any more.
const EMPTIED: &str = "emptied";

/// How rows are written.
#[derive(Clone, Debug)]
pub(crate) struct RowStyle {
    /// Paths that get a column first: those of the conditions, or all that were asked for.
    pub wanted: Vec<Path>,
    /// Only the wanted paths, because the caller named them.
    pub only_wanted: bool,
    /// The zone of times.
    pub zone: TimeZone,
    /// The most characters of a string; `None` leaves strings to the budget.
    pub chars_max: Option<usize>,
    /// The first character of strings that is shown.
    pub text_offset: usize,
}

impl RowStyle {
    /// Rows without particular wishes.
    pub(crate) fn plain(zone: TimeZone, wanted: Vec<Path>) -> Self {
        Self { wanted, only_wanted: false, zone, chars_max: Some(CONCISE_CHARS_MAX), text_offset: 0 }
    }

    /// The string from `text_offset`, cut at `chars_max`.
    fn string(&self, text: &str) -> String {
        let from = match self.text_offset {
            0 => text,
            offset => text.char_indices().nth(offset).map_or("", |(at, _)| text.get(at..).unwrap_or("")),
        };
        self.chars_max.map_or_else(|| from.to_owned(), |chars_max| cut(from, chars_max))
    }

    /// A value as a cell: strings cut, and lists and objects written as JSON when that is short enough.
    fn cell(&self, value: &Value) -> Value {
        match (value, self.chars_max) {
            (Value::String(text), _) => self.string(text).into(),
            (Value::Array(_) | Value::Object(_), Some(chars_max)) => {
                let text = value.to_string();
                if text.len() <= chars_max { value.clone() } else { cut(&text, chars_max).into() }
            }
            _ => value.clone(),
        }
    }
}

/// Events as rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each an array.
    pub rows: Vec<Value>,
    /// Paths that hold the same value in every row.
    pub constant: Object,
    /// How many further paths vary but got no column.
    pub hidden: usize,
}

/// The events as a table: position, timestamp, `entity_id`, `event_type`, then payload paths.
pub(crate) fn table(events: &[Event], style: &RowStyle) -> Table {
    let mut table = Table::default();
    let mut columns: Vec<Vec<Value>> = Vec::new();
    let mut taken = HashSet::new();
    put_emptied(events, &mut table, &mut columns);
    for path in &style.wanted {
        let name = path.to_string();
        let is_shown_anyway = ["position", "timestamp", "entity_id", "event_type"].contains(&name.as_str());
        if is_shown_anyway || !taken.insert(name.clone()) {
            continue;
        }
        let values: Vec<Value> =
            events.iter().map(|event| style.cell(&value_at(path, event, style.zone))).collect();
        if let Some(value) = same_everywhere(&values) {
            table.constant.insert(name, value);
        } else {
            table.columns.push(name);
            columns.push(values);
        }
    }
    if !style.only_wanted {
        if taken.insert(ACTOR.to_owned()) {
            put_actor(events, style, &mut table, &mut columns);
        }
        let room = COLUMNS_MAX.saturating_sub(columns.len());
        let payloads: Vec<Value> = events.iter().map(payload).collect();
        choose(&payloads, &taken, room, style, &mut table, &mut columns);
    }
    table.rows = rows(events, columns, style.zone);
    let fixed = ["position", "timestamp", "entity_id", "event_type"].map(str::to_owned);
    table.columns.splice(0..0, fixed);
    table
}

/// What an event holds; nothing when retention has emptied it.
fn payload(event: &Event) -> Value {
    if event.emptied { Value::Object(Object::new()) } else { event.payload.to_value() }
}

/// Which events retention has emptied, where there are such: a column, or a constant.
fn put_emptied(events: &[Event], table: &mut Table, columns: &mut Vec<Vec<Value>>) {
    if !events.iter().any(|event| event.emptied) {
        return;
    }
    if events.len() > 1 && events.iter().all(|event| event.emptied) {
        table.constant.insert(EMPTIED.to_owned(), true.into());
        return;
    }
    table.columns.push(EMPTIED.to_owned());
    columns.push(events.iter().map(|event| if event.emptied { true.into() } else { Value::Null }).collect());
}

/// Who acted, where any event says it: a column, or a constant.
fn put_actor(events: &[Event], style: &RowStyle, table: &mut Table, columns: &mut Vec<Vec<Value>>) {
    let path = Path::Json { root: Root::Metadata, steps: vec![Step::Key("actor".to_owned())] };
    let values: Vec<Value> =
        events.iter().map(|event| style.cell(&value_at(&path, event, style.zone))).collect();
    match same_everywhere(&values) {
        Some(Value::Null) => {}
        Some(value) => drop(table.constant.insert(ACTOR.to_owned(), value)),
        None if values.iter().all(Value::is_null) => {}
        None => {
            table.columns.push(ACTOR.to_owned());
            columns.push(values);
        }
    }
}

fn rows(events: &[Event], columns: Vec<Vec<Value>>, zone: TimeZone) -> Vec<Value> {
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    events
        .iter()
        .map(|event| {
            let mut row = vec![
                event.position.get().into(),
                event.timestamp.in_zone(zone).to_string().into(),
                event.entity_id.as_str().into(),
                event.event_type.as_str().into(),
            ];
            row.extend(columns.iter_mut().map(|column| column.next().unwrap_or_default()));
            Value::Array(row)
        })
        .collect()
}

/// The one value of a column that has several rows and only one value.
fn same_everywhere(values: &[Value]) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    (!rest.is_empty() && rest.iter().all(|value| value == first)).then(|| first.clone())
}

#[derive(Default)]
struct Seen {
    order: usize,
    present: usize,
    distinct: HashSet<u64>,
}

/// Fills the columns that are left with the paths that vary most in these payloads.
fn choose(
    payloads: &[Value],
    taken: &HashSet<String>,
    room: usize,
    style: &RowStyle,
    table: &mut Table,
    columns: &mut Vec<Vec<Value>>,
) {
    let found: Vec<Vec<(String, &Value)>> =
        payloads.iter().map(|payload| leaves("payload", payload)).collect();
    let mut seen: HashMap<&str, Seen> = HashMap::new();
    for (path, value) in found.iter().flatten().filter(|(path, _)| !taken.contains(path)) {
        let order = seen.len();
        if order >= PATHS_MAX && !seen.contains_key(path.as_str()) {
            continue;
        }
        let entry = seen.entry(path).or_insert_with(|| Seen { order, ..Seen::default() });
        entry.present += 1;
        entry.distinct.insert(xxh3_64(value.to_string().as_bytes()));
    }
    let mut seen: Vec<(&str, Seen)> = seen.into_iter().collect();
    seen.sort_by_key(|(_, one)| one.order);
    let is_constant =
        |one: &Seen| payloads.len() > 1 && one.present == payloads.len() && one.distinct.len() == 1;
    let cells: Vec<HashMap<&str, &Value>> = found
        .iter()
        .map(|leaves| leaves.iter().map(|(path, value)| (path.as_str(), *value)).collect())
        .collect();
    for (path, _) in seen.iter().filter(|(_, one)| is_constant(one)).take(CONSTANTS_MAX) {
        if let Some(value) = cells.first().and_then(|cells| cells.get(path)) {
            table.constant.insert((*path).to_owned(), style.cell(value));
        }
    }
    let mut varying: Vec<(&str, Seen)> = seen.into_iter().filter(|(_, one)| !is_constant(one)).collect();
    varying.sort_by(|(_, a), (_, b)| b.distinct.len().cmp(&a.distinct.len()).then(a.order.cmp(&b.order)));
    table.hidden = varying.len().saturating_sub(room);
    varying.truncate(room);
    varying.sort_by_key(|(_, one)| one.order);
    for (path, _) in varying {
        table.columns.push(path.to_owned());
        let column = cells.iter().map(|cells| cells.get(path).map_or(Value::Null, |value| style.cell(value)));
        columns.push(column.collect());
    }
}

/// The leaves of a document by path, in its order; `root` begins every path.
pub(crate) fn leaves<'a>(root: &str, document: &'a Value) -> Vec<(String, &'a Value)> {
    let mut found = Vec::new();
    collect_leaves(root.to_owned(), document, DEPTH_MAX, &mut found);
    found
}

fn collect_leaves<'a>(path: String, value: &'a Value, depth: usize, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) if depth > 0 && !members.is_empty() => {
            for (key, member) in members {
                collect_leaves(format!("{path}{}", segment(key)), member, depth - 1, found);
            }
        }
        Value::Object(members) if members.is_empty() => {}
        _ => found.push((path, value)),
    }
}

/// A path's value in an event; times in the reader's zone.
fn value_at(path: &Path, event: &Event, zone: TimeZone) -> Value {
    match path {
        Path::Column(Column::Timestamp) => event.timestamp.in_zone(zone).to_string().into(),
        Path::Column(Column::RecordedAt) => event.recorded_at.in_zone(zone).to_string().into(),
        other => other.extract(event).unwrap_or_default(),
    }
}

/// One step of a path as conditions write it: `.key` or `["any key"]`.
pub(crate) fn segment(key: &str) -> String {
    let mut letters = key.chars();
    let starts_well = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if starts_well && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        format!(".{key}")
    } else {
        format!("[{}]", Value::from(key))
    }
}

/// Which event it is: the members with which every event as an object begins.
pub(crate) fn identity(event: &Event) -> Object {
    let mut object = Object::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("position", event.position.get().into());
    put("version", event.version.get().into());
    put("event_id", event.event_id.to_string().into());
    put("entity_id", event.entity_id.as_str().into());
    put("event_type", event.event_type.as_str().into());
    object
}

/// The event as an object with everything in it, or with the wanted paths under `fields`.
pub(crate) fn whole(event: &Event, style: &RowStyle) -> Value {
    let zone = style.zone;
    let mut object = identity(event);
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("timestamp", event.timestamp.in_zone(zone).to_string().into());
    if style.only_wanted {
        let fields: Object = style
            .wanted
            .iter()
            .map(|path| (path.to_string(), style.cell(&value_at(path, event, zone))))
            .collect();
        put("fields", Value::Object(fields));
    } else {
        put("recorded_at", event.recorded_at.in_zone(zone).to_string().into());
        put("payload", event.payload.to_value());
        if let Some(metadata) = &event.metadata {
            put("metadata", metadata.to_value());
        }
    }
    if event.emptied {
        put(EMPTIED, true.into());
    }
    Value::Object(object)
}
