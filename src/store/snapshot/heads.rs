//! *Where does an entity stand?* The newest stretch first, then the cache, then older stretches.

use super::{Head, Snapshot};
use crate::error::Result;
use crate::event::{Position, Version};
use crate::store::index::{CachedHead, EntityKey, Postings};
use crate::store::view::Range;

/// Up to how many entities are looked up in the cache: 16. A larger batch asks the files, which costs it less each, and
/// pushes nothing out.
const CACHED_MAX: usize = 16;

/// The last event of an entity at or before the head, with the entity's rows in the stretch that holds it when that
/// was asked for them.
pub(super) fn newest_of(
    snapshot: &Snapshot,
    entity: EntityKey<'_>,
) -> Result<Option<(Head, Option<Postings>)>> {
    let mut lookup = Lookup::new(entity);
    for range in snapshot.ranges().iter().rev() {
        if let Some(head) = lookup.cached(snapshot, range) {
            return Ok(Some((head, None)));
        }
        if let Some((head, postings)) = lookup.ask(snapshot, range)? {
            return Ok(Some((head, Some(postings))));
        }
    }
    Ok(None)
}

/// The same for many entities, in their order. Each stretch is asked for all that are not found yet: a batch of new
/// entities asks every filter there is, and these answers must not wait for memory one after the other.
pub(super) fn entity_heads(snapshot: &Snapshot, names: &[&str]) -> Result<Vec<Option<Head>>> {
    let mut lookups: Vec<_> = names.iter().map(|name| Lookup::new(EntityKey::new(name))).collect();
    let (mut open, mut hashes, mut likely) = ((0..names.len()).collect::<Vec<_>>(), Vec::new(), Vec::new());
    let mut heads = vec![None; names.len()];
    for range in snapshot.ranges().iter().rev() {
        for &at in open.iter().filter(|_| names.len() <= CACHED_MAX) {
            if let (Some(lookup), Some(place)) = (lookups.get_mut(at), heads.get_mut(at)) {
                *place = lookup.cached(snapshot, range);
            }
        }
        open.retain(|&at| heads.get(at).is_some_and(Option::is_none));
        hashes.clear();
        hashes.extend(open.iter().filter_map(|&at| lookups.get(at)).map(|lookup| lookup.entity.hash));
        range.index.likely_entities(&hashes, &mut likely)?;
        for &at in likely.iter().filter_map(|&index| open.get(index)) {
            if let (Some(lookup), Some(place)) = (lookups.get(at), heads.get_mut(at)) {
                *place = lookup.ask(snapshot, range)?.map(|(head, _)| head);
            }
        }
        open.retain(|&at| heads.get(at).is_some_and(Option::is_none));
    }
    Ok(heads)
}

/// The search for one entity, from the newest stretch to the oldest.
struct Lookup<'a> {
    entity: EntityKey<'a>,
    /// What the cache knows, if it was asked.
    known: Option<CachedHead>,
    files_met: usize,
}

impl<'a> Lookup<'a> {
    fn new(entity: EntityKey<'a>) -> Self {
        Self { entity, known: None, files_met: 0 }
    }

    /// The head, when the cache tells that nothing from this stretch down has a later one.
    fn cached(&mut self, snapshot: &Snapshot, range: &Range) -> Option<Head> {
        if !range.index.is_saved() {
            return None;
        }
        let usable = |known: &CachedHead| known.head.position <= snapshot.on_main();
        if self.files_met == 0 {
            self.known = snapshot.heads.get(self.entity.name).filter(usable);
        }
        let head = self.known.filter(|known| range.last() <= known.through).map(|known| known.head);
        match head {
            Some(head) => self.keep(snapshot, head),
            None => self.files_met += 1,
        }
        head
    }

    fn ask(&self, snapshot: &Snapshot, range: &Range) -> Result<Option<(Head, Postings)>> {
        let found = head_in(range, self.entity, snapshot.head)?;
        if let Some((head, _)) = &found {
            self.keep(snapshot, *head);
        }
        Ok(found)
    }

    fn keep(&self, snapshot: &Snapshot, head: Head) {
        if self.files_met > 0 {
            snapshot.heads.keep(self.entity.name, CachedHead { head, through: snapshot.on_main() });
        }
    }
}

fn head_in(range: &Range, entity: EntityKey<'_>, cut: Position) -> Result<Option<(Head, Postings)>> {
    let index = &range.index;
    let Some(postings) = index.entity(entity)? else { return Ok(None) };
    let rank = postings.rank(range.row_up_to(cut))?;
    let Some(row) = rank.last else { return Ok(None) };
    let position = index.position_of(row);
    let version = if index.has_gaps() {
        range.event(row)?.version
    } else {
        Version::new(postings.first_version.get() + u64::from(rank.count)).previous()
    };
    Ok(Some((Head { version, position }, postings)))
}
