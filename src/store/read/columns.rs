//! *What stands in these columns?* The same walk as for a page of events, of which only the columns that are wanted are
//! read, value by value.
//!
//! **Invariant:** every candidate is given, whole or not at all; unlike a page of events, whether it matches is for the
//! reader to decide.

use super::page::Reading;
use super::walk::Walk;
use super::{Page, Scan, ScanLimits};
use crate::error::{ErrorKind, Result};
use crate::store::options::Mode;
use crate::store::segment::Column;
use crate::store::snapshot::Snapshot;

/// Takes the values of columns: of each row one for each wanted column, in any order of columns, in the order of rows
/// within a column.
pub(crate) trait ColumnSink {
    /// The number of the next row: of its position, version or a time in microseconds.
    fn number(&mut self, column: Column, value: i64);

    /// The text of the next row; `None` where there is none, or retention has emptied it.
    fn text(&mut self, column: Column, value: Option<&str>);

    /// How many bytes of text it holds by now.
    fn bytes(&self) -> usize;
}

/// Gives the wanted columns of the candidates of a scan, oldest first, until a limit is met; the page that comes back has no
/// events, and says where the next one begins. What a segment gives from the same pages is given together, so a page may hold
/// up to 255 events more than `events_max`, and the bytes of these more than `bytes_max`.
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written and the mode is [`Mode::Write`].
pub(crate) fn columns(
    snapshot: &Snapshot,
    scan: &Scan,
    limits: &ScanLimits,
    wanted: &[Column],
    sink: &mut impl ColumnSink,
) -> Result<Page> {
    let mut walk = Walk::new(snapshot, scan, Reading::Once, limits.events_max)?;
    let mut page = Page::default();
    if walk.is_empty() {
        page.complete = true;
    } else {
        fill(&mut page, &mut walk, snapshot, limits, wanted, sink)?;
    }
    page.work = walk.leave(page.scanned_to);
    Ok(page)
}

/// How a scan would go about it: which candidates there are, and in how many stretches, without reading one.
///
/// # Errors
/// `Corrupt` when an index is not what was written and the mode is [`Mode::Write`].
pub(crate) fn reach(snapshot: &Snapshot, scan: &Scan) -> Result<Page> {
    let mut walk = Walk::new(snapshot, scan, Reading::Once, 0)?;
    let mut page = Page { complete: true, ..Page::default() };
    if !walk.is_empty() {
        while walk.next()?.is_some() {
            page.plan = walk.plan.unwrap_or_default();
            page.examined += u64::try_from(walk.rows.len()).unwrap_or_default();
        }
    }
    page.work = walk.leave(None);
    Ok(page)
}

fn fill(
    page: &mut Page,
    walk: &mut Walk<'_>,
    snapshot: &Snapshot,
    limits: &ScanLimits,
    wanted: &[Column],
    sink: &mut impl ColumnSink,
) -> Result<()> {
    let events_max = u64::try_from(limits.events_max.max(1)).unwrap_or(u64::MAX);
    while let Some(range) = walk.next()? {
        page.plan = walk.plan.unwrap_or_default();
        walk.prefetch(walk.rows.len());
        let mut at = 0;
        while at < walk.rows.len() {
            let is_full = page.examined >= events_max || sink.bytes() >= limits.bytes_max;
            if is_full && page.examined > 0 {
                return Ok(());
            }
            match walk.give(at, wanted, sink) {
                Ok(given) => {
                    at += given.max(1);
                    page.examined += u64::try_from(given).unwrap_or_default();
                }
                Err(error) if error.kind() == ErrorKind::Corrupt && snapshot.mode() == Mode::Read => {
                    at += 1;
                    page.damaged += 1;
                }
                Err(error) => return Err(error),
            }
            page.scanned_to = walk.rows.get(at - 1).map(|&row| range.index.position_of(row));
        }
        page.scanned_to = walk.decided();
    }
    page.complete = true;
    page.scanned_to = Some(walk.end());
    Ok(())
}
