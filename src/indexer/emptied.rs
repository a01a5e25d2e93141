//! Reaching into the indexes when retention has emptied events: what they said must not be found any more.

use serde_json::Value;

use super::tail::Tail;
use crate::error::Result;
use crate::event::{Event, Filter, NamePattern, Position};
use crate::search::PositionSet;
use crate::store::{RETENTION_APPLIED, Scan, ScanLimits, Snapshot};

/// The events looked at in one step.
const STEP: usize = 4_096;

impl Tail<'_> {
    /// Once retention is done with emptying, indexes those events anew as they are now: without payload and metadata. False
    /// while it is not done.
    pub(super) fn sweep(&mut self) -> Result<bool> {
        if self.store.is_emptying() {
            return Ok(false);
        }
        let known = self.keyword.reader()?.emptied()?;
        let indexed = self.store.snapshot().up_to(Position::new(self.checkpoint.keyword_through));
        for event_type in emptied_types(&indexed)? {
            let filter = Filter { event_type: Some(event_type), ..Filter::default() };
            each_page(&indexed, &filter, |mut events| {
                events.retain(|event| event.emptied && !known.contains(event.position));
                self.index_anew(&events)
            })?;
        }
        self.checkpoint.emptied = false;
        self.commit()?;
        Ok(true)
    }

    fn index_anew(&mut self, events: &[Event]) -> Result<()> {
        let positions: PositionSet = events.iter().map(|event| event.position).collect();
        self.keyword.remove_all(&positions)?;
        for event in events {
            self.keyword.add(event)?;
        }
        self.vectoring.forget(&positions)
    }
}

/// The types that retention has ever emptied, as its records name them.
fn emptied_types(indexed: &Snapshot) -> Result<Vec<NamePattern>> {
    let event_type = Some(NamePattern::Exact(RETENTION_APPLIED.to_owned()));
    let mut patterns: Vec<NamePattern> = Vec::new();
    each_page(indexed, &Filter { event_type, ..Filter::default() }, |records| {
        for record in records {
            let policy = record.payload.to_value();
            let named = policy.pointer("/policy/event_type").and_then(Value::as_str).map(NamePattern::parse);
            patterns.extend(named.filter(|named| !patterns.contains(named)));
        }
        Ok(())
    })?;
    Ok(patterns)
}

fn each_page(
    snapshot: &Snapshot,
    filter: &Filter,
    mut visit: impl FnMut(Vec<Event>) -> Result<()>,
) -> Result<()> {
    let mut after = Position::ZERO;
    loop {
        let scan = Scan { filter: filter.clone(), after, ..Scan::default() };
        let page = snapshot.scan(&scan, &ScanLimits { events_max: STEP, ..ScanLimits::default() })?;
        visit(page.events)?;
        match page.scanned_to {
            Some(to) if !page.complete => after = to,
            _ => return Ok(()),
        }
    }
}
