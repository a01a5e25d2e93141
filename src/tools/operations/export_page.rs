//! `export_page`: the next stretch of whole events, oldest first.

use std::time::Duration;

use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine, Wish};
use crate::error::Result;
use crate::event::{Event, Position};
use crate::store::{Order, Scan, ScanLimits};
use crate::tools::Object;
use crate::tools::table::identity;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "export_page", run };

/// The payload bytes of a page when nothing else is asked for: 8 MiB; at most twice that.
const BYTES_DEFAULT: u64 = 8 << 20;
/// The most events in a page.
const EVENTS_MAX: usize = 50_000;
/// The longest one page takes: 2 s.
const TIME_MAX: Duration = Duration::from_secs(2);

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let number = |name: &str| arguments.get(name).and_then(Value::as_u64);
    let conditions = arguments.get("where").and_then(Value::as_array);
    let wish = Wish {
        entity_id: text("entity_id"),
        event_type: text("event_type"),
        since: text("since"),
        until: text("until"),
        conditions: conditions.into_iter().flatten().filter_map(Value::as_str).collect(),
        as_of: text("as_of"),
        known_at: text("known_at"),
        as_of_position: number("as_of_position"),
        time_zone: text("time_zone"),
    };
    let view = wish.over(engine.store().snapshot(), engine.clock().now())?;
    let after = Position::new(number("after_position").unwrap_or(0));
    let bytes = number("bytes_max").unwrap_or(BYTES_DEFAULT).min(2 * BYTES_DEFAULT);
    let limits = ScanLimits {
        events_max: EVENTS_MAX,
        bytes_max: usize::try_from(bytes).unwrap_or(usize::MAX),
        time_max: TIME_MAX,
        ..ScanLimits::default()
    };
    let scan = Scan { filter: view.filter.clone(), order: Order::Ascending, after, before: None };
    let page = view.snapshot.scan(&scan, &limits)?;
    let mut result = Object::new();
    result.insert("events".to_owned(), page.events.iter().map(whole).collect());
    if !page.complete {
        let next = page.scanned_to.unwrap_or(after);
        result.insert("next_position".to_owned(), next.get().into());
    }
    result.insert("head_position".to_owned(), view.snapshot.head().get().into());
    if page.damaged > 0 {
        result.insert("damaged".to_owned(), page.damaged.into());
    }
    Ok(result)
}

fn whole(event: &Event) -> Value {
    let mut object = identity(event);
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("timestamp", event.timestamp.to_string().into());
    put("recorded_at", event.recorded_at.to_string().into());
    put("payload", event.payload.as_str().into());
    if let Some(metadata) = &event.metadata {
        put("metadata", metadata.as_str().into());
    }
    if event.emptied {
        put("emptied", true.into());
    }
    Value::Object(object)
}
