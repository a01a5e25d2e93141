//! *What is in the page, and where does the next one begin?* Reads candidates until a limit is met.

use super::walk::Walk;
use super::{Page, Scan, ScanLimits};
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Json};
use crate::store::options::Mode;
use crate::store::snapshot::Snapshot;

/// What the reader of a page is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// These events, and perhaps the same again: decoded pages of segments are kept.
    Some,
    /// All of it, once: the pages that others look up again and again stay where they are.
    Once,
}

/// The most events of a page that somebody looks at, rather than reads everything through: 1,024.
const LOOKED_AT_MAX: usize = 1_024;

/// One page of a scan.
pub(crate) fn page(snapshot: &Snapshot, scan: &Scan, limits: &ScanLimits, reading: Reading) -> Result<Page> {
    let narrowed = scan.filter.narrowed().map(|filter| Scan { filter, ..scan.clone() });
    let scan = narrowed.as_ref().unwrap_or(scan);
    let reading = if limits.events_max > LOOKED_AT_MAX { Reading::Once } else { reading };
    let mut walk = Walk::new(snapshot, scan, reading, limits.events_max)?;
    let mut page = Page::default();
    if walk.is_empty() {
        page.complete = true;
    } else {
        fill(&mut page, &mut walk, snapshot, scan, limits)?;
    }
    page.work = walk.leave(page.scanned_to);
    Ok(page)
}

/// Reads until a limit is met or nothing is left.
fn fill(
    page: &mut Page,
    walk: &mut Walk<'_>,
    snapshot: &Snapshot,
    scan: &Scan,
    limits: &ScanLimits,
) -> Result<()> {
    let started = snapshot.clock().elapsed();
    let mut bytes = 0;
    page.events.reserve(walk.found_ahead.min(limits.events_max));
    while let Some(range) = walk.next()? {
        page.plan = walk.plan.unwrap_or_default();
        let room = limits.events_max.saturating_sub(page.events.len()).min(walk.rows.len());
        page.events.reserve(room);
        walk.prefetch(room);
        for at in 0..walk.rows.len() {
            if page.events.len() >= limits.events_max.max(1) || page.examined >= limits.examined_max.max(1) {
                return Ok(());
            }
            page.examined += 1;
            match walk.read(at, &mut page.events) {
                Ok(true) => match page.events.last() {
                    Some(event) if scan.filter.matches(event) => {
                        bytes += size(event);
                        if bytes > limits.bytes_max && page.events.len() > 1 {
                            page.events.pop();
                            return Ok(());
                        }
                    }
                    _ => drop(page.events.pop()),
                },
                Ok(false) => {}
                Err(error) if error.kind() == ErrorKind::Corrupt && snapshot.mode() == Mode::Read => {
                    page.damaged += 1;
                }
                Err(error) => return Err(error),
            }
            page.scanned_to = walk.rows.get(at).map(|&row| range.index.position_of(row));
        }
        page.scanned_to = walk.decided();
        if snapshot.clock().elapsed().saturating_sub(started) >= limits.time_max {
            page.complete = page.scanned_to == Some(walk.end());
            return Ok(());
        }
    }
    page.complete = true;
    page.scanned_to = Some(walk.end());
    Ok(())
}

fn size(event: &Event) -> usize {
    event.payload.as_str().len() + event.metadata.as_ref().map_or(0, |metadata| Json::as_str(metadata).len())
}
