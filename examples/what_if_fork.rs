//! A what-if on a fork: change prices where nobody sees it, look at what that does, make it real, and find out what happens
//! when the world moved on meanwhile.
//!
//! ```text
//! cargo run --example what_if_fork
//! ```

use std::error::Error;
use std::io::{Write, stdout};

use allsource::Result;
use allsource::event::{EntityId, EventDraft};
use allsource::store::{
    Append, ForkId, NewFork, OnConflict, Options, Promoted, Promotion, Scan, ScanLimits, Store,
};

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path(), Options::default())?;
    let mut out = stdout();
    for (order, total) in [("order-1", 100), ("order-2", 250), ("order-3", 40)] {
        append(&store, order, "order.placed", total)?;
    }

    // Nothing is copied, whatever the store holds.
    let made = store.create_fork(NewFork { purpose: "10 % off".to_owned(), ..NewFork::default() })?;
    let fork = store.fork(&made.id)?;
    for (order, total) in [("order-1", 90), ("order-2", 225), ("order-3", 36)] {
        append(&fork, order, "order.discounted", total)?;
    }
    writeln!(out, "on the fork:")?;
    print(&fork, &mut out)?;
    writeln!(out, "main has {} events, as before", store.snapshot().head())?;

    // Meanwhile somebody cancels an order.
    append(&store, "order-3", "order.cancelled", 0)?;

    let dry = promote(&store, &made.id, OnConflict::Abort, None)?;
    for conflict in &dry.conflicts {
        writeln!(
            out,
            "conflict: {} was at version {} and is at {}",
            conflict.entity_id, conflict.version_at_cut, conflict.version_now
        )?;
    }
    // The others can go: exactly what was looked at, or nothing.
    let dry = promote(&store, &made.id, OnConflict::Skip, None)?;
    let done = promote(&store, &made.id, OnConflict::Skip, Some(dry.diff.clone()))?;
    writeln!(out, "promoted {} events of {} entities", done.events, done.entities)?;
    let again = promote(&store, &made.id, OnConflict::Skip, Some(dry.diff))?;
    writeln!(out, "promoted again: {}", if again.duplicate { "nothing to do" } else { "twice!" })?;
    writeln!(out, "on main:")?;
    print(&store, &mut out)?;

    store.discard_fork(&made.id)?;
    drop(fork);
    store.close()?;
    Ok(())
}

/// Without a difference that was looked at it says what would happen, and changes nothing.
fn promote(store: &Store, fork: &ForkId, on_conflict: OnConflict, seen: Option<String>) -> Result<Promoted> {
    let promotion = Promotion { on_conflict, dry_run: seen.is_none(), diff: seen, ..Promotion::default() };
    store.promote_fork(fork, &promotion)
}

fn append(branch: &Store, order: &str, event_type: &str, total: u64) -> Result<()> {
    let order = EntityId::new(order)?;
    let event = EventDraft::new(order.as_str(), event_type, format!(r#"{{"total": {total}}}"#))?;
    branch.append(Append { events: vec![event], ..Append::default() })?;
    Ok(())
}

fn print(branch: &Store, out: &mut impl Write) -> std::result::Result<(), Box<dyn Error>> {
    for event in branch.snapshot().scan(&Scan::default(), &ScanLimits::default())?.events {
        writeln!(out, "  {:>2} {} {} {}", event.position, event.entity_id, event.event_type, event.payload)?;
    }
    Ok(())
}
