//! *Where does an entity stand?* The newest stretch first, then the cache, then older stretches.

use super::{Head, Snapshot};
use crate::error::Result;
use crate::event::{Position, Version};
use crate::store::index::{CachedHead, EntityKey, RangeIndex};
use crate::store::view::Range;

/// The last event of an entity at or before the head.
pub(super) fn entity_head(snapshot: &Snapshot, name: &str) -> Result<Option<Head>> {
    let entity = EntityKey::new(name);
    let (mut known, mut files_asked) = (None, 0);
    for range in snapshot.ranges().iter().rev() {
        if let RangeIndex::File(file) = &range.index {
            let usable = |known: &CachedHead| known.head.position <= snapshot.head;
            let known = known.get_or_insert_with(|| snapshot.heads.get(name).filter(usable));
            if let Some(known) = known.filter(|known| file.last() <= known.through) {
                keep(snapshot, name, known.head, files_asked);
                return Ok(Some(known.head));
            }
            files_asked += 1;
        }
        if let Some(head) = head_in(range, entity, snapshot.head)? {
            keep(snapshot, name, head, files_asked);
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn keep(snapshot: &Snapshot, name: &str, head: Head, files_asked: usize) {
    if files_asked > 0 {
        snapshot.heads.keep(name, CachedHead { head, through: snapshot.head });
    }
}

fn head_in(range: &Range, entity: EntityKey<'_>, cut: Position) -> Result<Option<Head>> {
    let index = &range.index;
    let Some(postings) = index.entity(entity)? else { return Ok(None) };
    let rank = postings.rank(index.row_of(cut))?;
    let Some(row) = rank.last else { return Ok(None) };
    let position = index.position_of(row);
    let version = if index.has_gaps() {
        range.event(row)?.version
    } else {
        Version::new(postings.first_version.get() + u64::from(rank.count)).previous()
    };
    Ok(Some(Head { version, position }))
}
