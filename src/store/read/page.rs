//! *What is in the page, and where does the next one begin?* Reads candidates until a limit is met.

use super::walk::Walk;
use super::{Page, Scan, ScanLimits};
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Json};
use crate::store::options::Mode;
use crate::store::snapshot::Snapshot;

/// One page of a scan.
pub(crate) fn page(snapshot: &Snapshot, scan: &Scan, limits: &ScanLimits) -> Result<Page> {
    let started = snapshot.clock().elapsed();
    let narrowed = scan.filter.narrowed().map(|filter| Scan { filter, ..scan.clone() });
    let scan = narrowed.as_ref().unwrap_or(scan);
    let mut walk = Walk::new(snapshot, scan)?;
    let mut page = Page::default();
    if walk.is_empty() {
        page.complete = true;
        return Ok(page);
    }
    let mut bytes = 0;
    while let Some(range) = walk.next()? {
        page.plan = walk.plan.unwrap_or_default();
        let room = limits.events_max.saturating_sub(page.events.len()).min(walk.rows.len());
        page.events.reserve(room);
        walk.prefetch(room);
        for at in 0..walk.rows.len() {
            if page.events.len() >= limits.events_max.max(1) || page.examined >= limits.examined_max.max(1) {
                return Ok(page);
            }
            page.examined += 1;
            match walk.read(at) {
                Ok(Some(event)) if scan.filter.matches(&event) => {
                    bytes += size(&event);
                    if bytes > limits.bytes_max && !page.events.is_empty() {
                        return Ok(page);
                    }
                    page.events.push(event);
                }
                Ok(_) => {}
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
            return Ok(page);
        }
    }
    page.complete = true;
    page.scanned_to = Some(walk.end());
    Ok(page)
}

fn size(event: &Event) -> usize {
    event.payload.as_str().len() + event.metadata.as_ref().map_or(0, |metadata| Json::as_str(metadata).len())
}
