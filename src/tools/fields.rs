//! Which payload and metadata paths are there? Looks at the newest events of the most frequent types.

use std::collections::HashMap;

use serde_json::Value;

use super::Object;
use super::table::leaves;
use crate::engine::{Stretch, Tally, View, Wish};
use crate::error::Result;
use crate::event::{Event, Json, NamePattern, Position, Timestamp};
use crate::store::{Order, Snapshot};

/// The types looked at, most frequent first.
const TYPES_MAX: usize = 24;
/// The newest events looked at of each type.
const EVENTS_PER_TYPE: usize = 4;
/// The most paths that are kept.
const PATHS_MAX: usize = 2_000;

/// The paths in the payloads and metadata of everything there is, most common first.
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written.
pub(crate) fn every_field(snapshot: &Snapshot) -> Result<Vec<(String, String)>> {
    let types = snapshot.stats()?.event_types.into_iter().map(|one| (one.event_type, one.count)).collect();
    let view = Wish::default().over(snapshot.clone(), Timestamp::default())?;
    fields(&view, &Tally { types, ..Tally::default() })
}

/// The paths in the payloads and metadata of a view, most common first, each with the JSON types seen there (`number|null`).
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written.
pub(crate) fn fields(view: &View, counted: &Tally) -> Result<Vec<(String, String)>> {
    let mut seen: HashMap<String, (usize, usize, Vec<&'static str>)> = HashMap::new();
    for (event_type, _) in counted.types.iter().take(TYPES_MAX) {
        let mut one = view.clone();
        one.filter.event_type = Some(NamePattern::Exact(event_type.as_str().to_owned()));
        let newest = Stretch {
            order: Order::Descending,
            after: Position::ZERO,
            before: None,
            events_max: EVENTS_PER_TYPE,
        };
        for event in one.find(&newest)?.events {
            let (payload, metadata) = (event.payload.to_value(), told_metadata(&event));
            for (path, value) in leaves("payload", &payload).into_iter().chain(leaves("metadata", &metadata))
            {
                let order = seen.len();
                if order >= PATHS_MAX && !seen.contains_key(&path) {
                    continue;
                }
                let (_, times, kinds) = seen.entry(path).or_insert((order, 0, Vec::new()));
                *times += 1;
                if !kinds.contains(&kind(value)) {
                    kinds.push(kind(value));
                }
            }
        }
    }
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_by(|(_, a), (_, b)| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(seen.into_iter().map(|(path, (_, _, kinds))| (path, kinds.join("|"))).collect())
}

/// The metadata that callers gave: without the server's own stamp.
fn told_metadata(event: &Event) -> Value {
    let mut metadata = event.metadata.as_ref().map(Json::to_value).unwrap_or_default();
    match metadata.as_object_mut() {
        Some(members) => drop(members.shift_remove("$client")),
        None => metadata = Value::Object(Object::new()),
    }
    metadata
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
