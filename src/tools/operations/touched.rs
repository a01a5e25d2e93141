//! `touched`: what the commits behind a position touched, and whether a query was asked meanwhile; for who tells of changes.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::Result;
use crate::event::Position;
use crate::store::{Scan, ScanLimits};
use crate::tools::Object;

/// The longest wait: 5 s; who watches asks again.
const WAIT_MS_MAX: u64 = 5_000;
/// How often it is looked whether anything has come and anybody still waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The most events whose names are told one by one; of more it is said that everything may have changed.
const EVENTS_MAX: usize = 1_000;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "touched", run };

fn run(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    let number = |name: &str| arguments.get(name).and_then(Value::as_u64);
    let asked_before = arguments.get("asked_at").and_then(Value::as_i64);
    let after = number("after_position").map(Position::new);
    let mut left = Duration::from_millis(number("wait_ms").unwrap_or(0).min(WAIT_MS_MAX));
    let (head, asked_at) = loop {
        let head = engine.store().snapshot().head();
        let asked_at = engine.queries().last_asked(engine.clock().now());
        let is_news = after.is_none_or(|after| after != head) || asked_before != Some(asked_at);
        if is_news || left.is_zero() || caller.cancel.is_cancelled() || engine.waits_no_longer() {
            break (head, asked_at);
        }
        let slice = left.min(LOOK_EVERY);
        engine.store().wait_beyond(head, slice);
        left = left.saturating_sub(slice);
    };
    let mut touched = Object::new();
    touched.insert("head_position".to_owned(), head.get().into());
    touched.insert("asked_at".to_owned(), asked_at.into());
    if let Some(after) = after.filter(|after| *after != head) {
        put_names(engine, after, head, &mut touched)?;
    }
    Ok(touched)
}

/// The entities and the types of the events behind a position, or that it is too much to say.
fn put_names(engine: &Engine, after: Position, head: Position, touched: &mut Object) -> Result<()> {
    let limits = ScanLimits { events_max: EVENTS_MAX, ..ScanLimits::default() };
    let snapshot = engine.store().snapshot().up_to(head);
    let page = snapshot.scan(&Scan { after, ..Scan::default() }, &limits)?;
    // Behind the head there is nothing when a crash took positions away.
    if !page.complete || page.damaged > 0 || after > head {
        touched.insert("everything".to_owned(), true.into());
        return Ok(());
    }
    let entities: BTreeSet<&str> = page.events.iter().map(|event| event.entity_id.as_str()).collect();
    let types: BTreeSet<&str> = page.events.iter().map(|event| event.event_type.as_str()).collect();
    touched.insert("entities".to_owned(), entities.into_iter().collect());
    touched.insert("types".to_owned(), types.into_iter().collect());
    Ok(())
}
