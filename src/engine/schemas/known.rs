//! The registries of branches, folded as far as they were asked for, and compiled schemas.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::Engine;
use crate::error::Result;
use crate::event::{Event, Filter, NamePattern, Position};
use crate::schema::{CONFIGURED, Checker, REGISTERED, Registry, Version};
use crate::store::{Scan, ScanLimits, Snapshot};

/// The most branches whose registry is kept: 256.
const BRANCHES_MAX: usize = 256;
/// The most compiled schemas that are kept: 256.
const COMPILED_MAX: usize = 256;

/// What is kept of schemas, shared by all views of a store.
#[derive(Default)]
pub(crate) struct Schemas {
    /// By the key of the branch.
    known: Mutex<HashMap<u64, Known>>,
    /// By the hash of the schema's text; `None`: it cannot be compiled, which only an imported one can be.
    compiled: Mutex<HashMap<u64, Option<Arc<Checker>>>>,
}

/// The registry of a branch as of a position.
#[derive(Clone, Default)]
struct Known {
    epoch: u64,
    through: Position,
    registry: Arc<Registry>,
}

impl Engine {
    /// The registry as of a snapshot of this branch.
    ///
    /// What was folded before is folded on from there: an append looks at what came since the last, by the index of types.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn schemas(&self, snapshot: &Snapshot) -> Result<Arc<Registry>> {
        let (epoch, head) = (snapshot.epoch(), snapshot.head());
        // Not by its name: that stands in the manifest, whose lock is held while it is written.
        let key = snapshot.branch_key();
        let mut known = self.schemas.known.lock();
        if known.len() >= BRANCHES_MAX && !known.contains_key(&key) {
            known.clear();
        }
        let entry = known.entry(key).or_default();
        if entry.epoch != epoch {
            *entry = Known { epoch, ..Known::default() };
        }
        if entry.through > head {
            // The past: folded by itself, so that the present is not forgotten.
            let mut past = Registry::default();
            fold(&mut past, &events_between(snapshot, Position::ZERO)?);
            return Ok(Arc::new(past));
        }
        if entry.through < head {
            let events = events_between(snapshot, entry.through)?;
            if !events.is_empty() {
                fold(Arc::make_mut(&mut entry.registry), &events);
            }
            entry.through = head;
        }
        Ok(Arc::clone(&entry.registry))
    }

    /// A registered schema, compiled; `None` when it cannot be.
    pub(crate) fn checker(&self, version: &Version) -> Option<Arc<Checker>> {
        let mut compiled = self.schemas.compiled.lock();
        if compiled.len() >= COMPILED_MAX && !compiled.contains_key(&version.hash) {
            compiled.clear();
        }
        let compile = || match Checker::compile(&version.schema.to_string()) {
            Ok(checker) => Some(Arc::new(checker)),
            Err(error) => {
                tracing::warn!("a registered schema cannot be used and checks nothing: {error}");
                None
            }
        };
        compiled.entry(version.hash).or_insert_with(compile).clone()
    }
}

fn fold(registry: &mut Registry, events: &[Event]) {
    for event in events {
        registry.apply(event);
    }
}

/// What was said of schemas behind a position, in order.
fn events_between(snapshot: &Snapshot, after: Position) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for event_type in [REGISTERED, CONFIGURED] {
        // The usual answer to an append; a damaged index does not tell, and the scan reads around it.
        if snapshot.has_after(event_type, after).is_ok_and(|is_there| !is_there) {
            continue;
        }
        let event_type = Some(NamePattern::Exact(event_type.to_owned()));
        let mut scan = Scan { filter: Filter { event_type, ..Filter::default() }, after, ..Scan::default() };
        loop {
            let page = snapshot.scan(&scan, &ScanLimits::default())?;
            events.extend(page.events);
            match page.scanned_to {
                Some(scanned_to) if !page.complete => scan.after = scanned_to,
                _ => break,
            }
        }
    }
    events.sort_by_key(|event| event.position);
    Ok(events)
}
