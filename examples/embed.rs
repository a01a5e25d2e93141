//! Embeds the store in a program: append with expectations, read an entity, travel in time, follow the log.
//!
//! ```text
//! cargo run --example embed
//! ```

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::time::Duration;

use allsource::event::{EntityId, EventDraft, Expected, Filter, NamePattern, Position, Version};
use allsource::store::{Append, Options, Scan, ScanLimits, Store};
use allsource::{ErrorKind, Result};

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path(), Options::default())?;

    place_order(&store)?;
    match pay(&store, Version::new(1)) {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            writeln!(stdout(), "as it should be: {error}")?;
            let current = error.details().get("current_version").and_then(serde_json::Value::as_u64);
            pay(&store, Version::new(current.unwrap_or_default()))?;
        }
        other => other?,
    }
    print_order(&store, stdout())?;
    follow(&store, stdout())?;
    store.close()?;
    reopen(dir.path(), stdout())
}

/// Two events in one batch: both are stored or neither, and only if the order is new.
fn place_order(store: &Store) -> Result<()> {
    let order = EntityId::new("order-7")?;
    store.append(Append {
        events: vec![
            EventDraft::new("order-7", "order.placed", r#"{"total": 120, "customer": "c-1"}"#)?,
            EventDraft::new("order-7", "order.packed", r#"{"boxes": 2}"#)?
                .with_metadata(r#"{"actor": "warehouse"}"#)?,
        ],
        expected: vec![(order, Expected::New)],
        ..Append::default()
    })?;
    Ok(())
}

/// Goes in only while the order stands where the caller last saw it.
fn pay(store: &Store, seen: Version) -> Result<()> {
    store.append(Append {
        events: vec![EventDraft::new("order-7", "order.paid", r#"{"method": "card"}"#)?],
        expected: vec![(EntityId::new("order-7")?, Expected::Exactly(seen))],
        ..Append::default()
    })?;
    Ok(())
}

fn print_order(store: &Store, mut out: impl Write) -> std::result::Result<(), Box<dyn Error>> {
    let filter = Filter { entity_id: Some(NamePattern::Exact("order-7".to_owned())), ..Filter::default() };
    let page = store.snapshot().scan(&Scan { filter, ..Scan::default() }, &ScanLimits::default())?;
    for event in &page.events {
        writeln!(out, "{} v{} {} {}", event.position, event.version, event.event_type, event.payload)?;
    }
    // What the store knew before the payment was recorded.
    let paid = page.events.last().ok_or("the order has events")?;
    let before = store.snapshot().up_to(paid.position.previous());
    let head = before.entity_head(&paid.entity_id)?.ok_or("the order was there before")?;
    writeln!(out, "before that it stood at version {}", head.version)?;
    Ok(())
}

/// A projection or an indexer pulls durable events in order, each once, and goes on from the position it kept.
fn follow(store: &Store, mut out: impl Write) -> std::result::Result<(), Box<dyn Error>> {
    let mut feed = store.feed(Position::ZERO);
    while feed.position() < feed.head() {
        let page = feed.pull(100)?;
        writeln!(out, "pulled {} events, now at position {}", page.events.len(), feed.position())?;
    }
    let more = feed.wait(Duration::ZERO);
    writeln!(out, "more to come at once: {more}")?;
    Ok(())
}

fn reopen(dir: &Path, mut out: impl Write) -> std::result::Result<(), Box<dyn Error>> {
    let store = Store::open(dir, Options::default())?;
    writeln!(out, "after reopening: {} events", store.snapshot().stats()?.events)?;
    Ok(())
}
