//! *What does one stretch of positions hold?* One set of questions to an index in memory and to one in a file.
//!
//! **Invariant:** both kinds give the same answers about the same events.

use std::sync::Arc;

use super::file::{IndexFile, ListPlace};
use super::format::hash_of;
use super::memory::MemoryIndex;
use super::postings::{Rank, Span};
use crate::error::Result;
use crate::event::{Position, Timestamp, Version};
use crate::store::read::Order;

/// An entity to look up, hashed once for any number of indexes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntityKey<'a> {
    pub name: &'a str,
    pub hash: u64,
}

impl<'a> EntityKey<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        Self { name, hash: hash_of(name.as_bytes()) }
    }
}

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    Entity,
    EventType,
}

/// The index of one stretch of positions.
#[derive(Clone)]
pub(crate) enum RangeIndex {
    /// The newest stretch, which still grows.
    Memory(Arc<MemoryIndex>),
    /// An older one.
    File(Arc<IndexFile>),
}

/// The rows of one name in one index.
#[derive(Clone)]
pub(crate) struct Postings {
    kind: NameKind,
    place: PostingsPlace,
    /// How many rows, those beyond a reader's head included.
    pub count: u32,
    /// Of an entity: the version of its first event in this index.
    pub first_version: Version,
}

#[derive(Clone)]
enum PostingsPlace {
    Memory(Arc<MemoryIndex>, u32),
    File(Arc<IndexFile>, ListPlace),
}

impl RangeIndex {
    pub(crate) fn first(&self) -> Position {
        match self {
            Self::Memory(index) => index.first(),
            Self::File(file) => file.first(),
        }
    }

    /// The last position; the one before the first when the index is empty.
    pub(crate) fn last(&self) -> Position {
        match self {
            Self::Memory(index) => index.last(),
            Self::File(file) => file.last(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Memory(index) => index.is_empty(),
            Self::File(_) => false,
        }
    }

    /// Whether it lies in a file.
    pub(crate) fn is_saved(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// The row of a position that is not before the first.
    pub(crate) fn row_of(&self, position: Position) -> u32 {
        u32::try_from(position.get().saturating_sub(self.first().get())).unwrap_or(u32::MAX)
    }

    /// The position of a row.
    pub(crate) fn position_of(&self, row: u32) -> Position {
        Position::new(self.first().get() + u64::from(row))
    }

    /// The offset of a row's record in the log file; 0 when its bytes are damaged, `None` beyond the end.
    pub(crate) fn offset(&self, row: u32) -> Option<u32> {
        match self {
            Self::Memory(index) => index.row(row),
            Self::File(file) => file.row(row),
        }
    }

    /// Appends the offsets of at most 256 `rows` to `out`.
    pub(crate) fn offsets(&self, rows: &[u32], out: &mut Vec<u32>) {
        match self {
            Self::Memory(index) => index.offsets(rows, out),
            Self::File(file) => out.extend(rows.iter().map(|&row| file.row(row).unwrap_or_default())),
        }
    }

    /// Whether some rows are damaged, so that versions cannot be counted.
    pub(crate) fn has_gaps(&self) -> bool {
        match self {
            Self::Memory(index) => index.has_gaps(),
            Self::File(_) => false,
        }
    }

    /// Whether a row is known to be damaged.
    pub(crate) fn is_damaged(&self, row: u32) -> bool {
        match self {
            Self::Memory(index) => index.row(row) == Some(0),
            Self::File(_) => false,
        }
    }

    /// How many rows at or before `cut` are damaged.
    pub(crate) fn damaged(&self, cut: u32) -> u64 {
        match self {
            Self::Memory(index) if index.has_gaps() => index.with(|state| {
                state.rows.iter().take((cut as usize).saturating_add(1)).filter(|&&row| row == 0).count()
                    as u64
            }),
            _ => 0,
        }
    }

    /// Says so when it was the index, not the log, that led to a damaged record.
    pub(crate) fn prove_rows(&self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file) => file.prove_rows(),
        }
    }

    /// The rows of an entity.
    pub(crate) fn entity(&self, entity: EntityKey<'_>) -> Result<Option<Postings>> {
        Ok(match self {
            Self::Memory(index) => index.entity(entity).map(|(number, first_version, count)| Postings {
                kind: NameKind::Entity,
                place: PostingsPlace::Memory(Arc::clone(index), number),
                count,
                first_version,
            }),
            Self::File(file) => file.entity(entity)?.map(|(place, first_version)| Postings {
                kind: NameKind::Entity,
                place: PostingsPlace::File(Arc::clone(file), place),
                count: place.count,
                first_version,
            }),
        })
    }

    /// Puts into `out` (emptied first) the index of each entity, given by its hash, that may be here. Asking for many
    /// at once costs a fraction of asking for one after the other.
    pub(crate) fn likely_entities(&self, hashes: &[u64], out: &mut Vec<usize>) -> Result<()> {
        match self {
            Self::Memory(index) => index.likely_entities(hashes, out),
            Self::File(file) => file.likely_entities(hashes, out)?,
        }
        Ok(())
    }

    /// The same for given ids.
    pub(crate) fn likely_ids(&self, hashes: &[u64], out: &mut Vec<usize>) -> Result<()> {
        match self {
            Self::Memory(index) => index.likely_ids(hashes, out),
            Self::File(file) => file.likely_ids(hashes, out)?,
        }
        Ok(())
    }

    /// The rows of an entity or a type.
    pub(crate) fn named(&self, kind: NameKind, name: &str) -> Result<Option<Postings>> {
        match kind {
            NameKind::Entity => self.entity(EntityKey::new(name)),
            NameKind::EventType => self.event_type(name),
        }
    }

    /// The rows of an event type.
    pub(crate) fn event_type(&self, name: &str) -> Result<Option<Postings>> {
        let (kind, first_version) = (NameKind::EventType, Version::ZERO);
        Ok(match self {
            Self::Memory(index) => index.event_type(name).map(|(number, count)| Postings {
                kind,
                place: PostingsPlace::Memory(Arc::clone(index), number),
                count,
                first_version,
            }),
            Self::File(file) => file.event_type(name)?.map(|place| Postings {
                kind,
                place: PostingsPlace::File(Arc::clone(file), place),
                count: place.count,
                first_version,
            }),
        })
    }

    /// The rows of every name that has `prefix`; `None` when these are more than `names_max` names.
    pub(crate) fn with_prefix(
        &self,
        kind: NameKind,
        prefix: &str,
        names_max: usize,
    ) -> Result<Option<Vec<Postings>>> {
        let mut found = Vec::new();
        let mut each = |place, count, first_version| {
            found.push(Postings { kind, place, count, first_version });
            found.len() <= names_max
        };
        match (self, kind) {
            (Self::Memory(index), _) => index.names(kind, prefix, |number, _, rows| {
                let place = PostingsPlace::Memory(Arc::clone(index), number);
                each(place, rows.len() as u32, Version::ZERO)
            }),
            (Self::File(file), NameKind::Entity) => file.entities(prefix, |_, place, first_version| {
                Ok(each(PostingsPlace::File(Arc::clone(file), place), place.count, first_version))
            })?,
            (Self::File(file), NameKind::EventType) => file.types(prefix, |_, place| {
                Ok(each(PostingsPlace::File(Arc::clone(file), place), place.count, Version::ZERO))
            })?,
        }
        Ok((found.len() <= names_max).then_some(found))
    }

    /// The first `max` entity ids, in order, that have `prefix` and an event at or before
    /// row `cut`.
    pub(crate) fn entity_ids(&self, prefix: &str, cut: u32, max: usize) -> Result<Vec<String>> {
        let mut names = Vec::new();
        match self {
            Self::Memory(index) => {
                index.names(NameKind::Entity, prefix, |_, name, rows| {
                    if rows.first().is_some_and(|&row| row <= cut) {
                        names.push(name.to_owned());
                    }
                    true
                });
                names.sort_unstable();
                names.truncate(max);
            }
            Self::File(file) => {
                let whole = cut >= self.row_of(self.last());
                file.entities(prefix, |name, place, _| {
                    if names.len() >= max {
                        return Ok(false);
                    }
                    if whole || file.rank(NameKind::Entity, place, cut)?.count > 0 {
                        names.push(name.to_owned());
                    }
                    Ok(true)
                })?;
            }
        }
        Ok(names)
    }

    /// Calls `each` with every type and how many of its rows are at or before `cut`.
    pub(crate) fn type_counts(&self, cut: u32, mut each: impl FnMut(&str, u32)) -> Result<()> {
        match self {
            Self::Memory(index) => index.names(NameKind::EventType, "", |_, name, rows| {
                each(name, rows.partition_point(|&row| row <= cut) as u32);
                true
            }),
            Self::File(file) => {
                let whole = cut >= self.row_of(self.last());
                file.types("", |name, place| {
                    let count =
                        if whole { place.count } else { file.rank(NameKind::EventType, place, cut)?.count };
                    each(name, count);
                    Ok(true)
                })?;
            }
        }
        Ok(())
    }

    /// How many entities have their version 1 at or before row `cut`.
    pub(crate) fn entities_born(&self, cut: u32) -> Result<u64> {
        match self {
            Self::Memory(index) => {
                Ok(index.with(|state| state.births.partition_point(|&row| row <= cut) as u64))
            }
            Self::File(file) if cut >= self.row_of(self.last()) => Ok(file.header().entities_born),
            Self::File(file) => {
                let mut born = 0;
                file.entities("", |_, place, first_version| {
                    let here = first_version == Version::ZERO.next()
                        && file.rank(NameKind::Entity, place, cut)?.count > 0;
                    born += u64::from(here);
                    Ok(true)
                })?;
                Ok(born)
            }
        }
    }

    /// The smallest and the greatest timestamp of each 1,024 rows; rows beyond a reader's head may be counted in.
    pub(crate) fn times(&self) -> Result<Vec<(Timestamp, Timestamp)>> {
        match self {
            Self::Memory(index) => Ok(index.with(|state| state.times.clone())),
            Self::File(file) => Ok(file.times()?.collect()),
        }
    }

    /// The smallest and the greatest timestamp of all rows, where that is known without a look at them.
    pub(crate) fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Memory(_) => None,
            Self::File(file) => Some(file.header().timestamps),
        }
    }

    /// When the first and the last row were recorded; `None` when the index is empty.
    pub(crate) fn recorded(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Memory(index) => index.with(|state| state.recorded),
            Self::File(file) => Some(file.header().recorded),
        }
    }

    /// The rows at which the event with a given id may stand.
    pub(crate) fn ids(&self, hash: u64) -> Result<Vec<u32>> {
        let mut rows = Vec::new();
        match self {
            Self::Memory(index) => index.ids(hash, |row| rows.push(row)),
            Self::File(file) => file.ids(hash, |row| rows.push(row))?,
        }
        Ok(rows)
    }

    /// The rows at which the frame with an idempotency key may begin.
    pub(crate) fn calls(&self, hash: u64) -> Result<Vec<u32>> {
        let mut rows = Vec::new();
        match self {
            Self::Memory(index) => index.calls(hash, |row| rows.push(row)),
            Self::File(file) => file.calls(hash, |row| rows.push(row))?,
        }
        Ok(rows)
    }
}

impl Postings {
    /// How many rows are at or before `through`, and the last of them.
    pub(crate) fn rank(&self, through: u32) -> Result<Rank> {
        match &self.place {
            PostingsPlace::Memory(index, number) => Ok(index.rank(self.kind, *number, through)),
            PostingsPlace::File(file, place) => file.rank(self.kind, *place, through),
        }
    }

    /// Puts into `out` (emptied first) at most `max` rows of `span`, those that come first in `order`.
    pub(crate) fn chunk(&self, span: Span, order: Order, max: usize, out: &mut Vec<u32>) -> Result<()> {
        match &self.place {
            PostingsPlace::Memory(index, number) => {
                index.chunk(self.kind, *number, span, order, max, out);
                Ok(())
            }
            PostingsPlace::File(file, place) => file.chunk(self.kind, *place, span, order, max, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventId};
    use crate::store::disk::RealDisk;
    use crate::store::index::fixture::{Fixture, Shape, write};
    use crate::store::index::{IndexFile, hash_of_id};

    /// Everything that an index can be asked, as comparable text.
    fn answers(index: &RangeIndex, events: &[Event]) -> Vec<String> {
        let mut all =
            vec![format!("{:?} {:?}", index.first(), index.last()), format!("{:?}", index.recorded())];
        let last = index.row_of(index.last());
        let times: Vec<_> = index.times().expect("times");
        all.push(format!("{times:?}"));
        for cut in [0, last / 2, last, u32::MAX] {
            let mut types = Vec::new();
            index.type_counts(cut, |name, count| types.push((name.to_owned(), count))).expect("types");
            types.sort();
            all.push(format!("{types:?} {:?}", index.entities_born(cut)));
            all.push(format!("{:?}", index.entity_ids("order-", cut, 7)));
        }
        for row in 0..=last + 1 {
            all.push(format!("{:?}", index.offset(row)));
        }
        for event in events {
            let mut postings = index.entity(EntityKey::new(event.entity_id.as_str())).expect("entity");
            all.push(lists(postings.as_ref(), last));
            postings = index.event_type(event.event_type.as_str()).expect("type");
            all.push(lists(postings.as_ref(), last));
            let mut rows = index.ids(hash_of_id(&event.event_id)).expect("ids");
            rows.retain(|&row| index.position_of(row) == event.position);
            all.push(format!("{rows:?}"));
        }
        all.push(format!("{:?}", index.ids(hash_of_id(&EventId::from_u128(1))).expect("ids")));
        for prefix in ["", "order-", "order-1", "nobody"] {
            let found = index.with_prefix(NameKind::Entity, prefix, 64).expect("entities");
            let mut lists: Vec<_> =
                found.unwrap_or_default().into_iter().map(|list| lists(Some(&list), last)).collect();
            lists.sort();
            all.push(format!("{lists:?}"));
        }
        all
    }

    fn lists(postings: Option<&Postings>, last: u32) -> String {
        let Some(postings) = postings else { return "none".to_owned() };
        let mut rows = Vec::new();
        let mut parts = vec![format!("{}", postings.count)];
        for order in [Order::Ascending, Order::Descending] {
            postings.chunk(Span { low: last / 3, high: last }, order, 256, &mut rows).expect("a list");
            parts.push(format!("{rows:?}"));
        }
        parts.push(format!("{:?}", postings.rank(last / 2)));
        parts.join(" ")
    }

    #[track_caller]
    fn check(shape: Shape) {
        let fixture = Fixture::new(Shape { files: false, ..shape });
        let range = fixture.view.ranges.first().expect("a stretch");
        let RangeIndex::Memory(memory) = &range.index else { panic!("an index in memory") };
        let file = IndexFile::open(&RealDisk, &write(memory, range.log().expect("a log file"), &fixture.dir))
            .expect("a file");
        assert_eq!(file.verify(), Ok(()));
        let file = RangeIndex::File(Arc::new(file));
        let (memory, file) = (answers(&range.index, &fixture.events), answers(&file, &fixture.events));
        for (at, (memory, file)) in memory.iter().zip(&file).enumerate() {
            assert_eq!(memory, file, "answer {at}");
        }
    }

    #[test]
    fn a_file_answers_as_the_memory_from_which_it_was_written() {
        let shape = Shape {
            seed: 1,
            frames: 60,
            frame_events_max: 40,
            entities: 50,
            types: 3,
            index_frames: 60,
            log_indexes: 1,
            files: false,
        };
        check(shape);
        check(Shape { seed: 2, frames: 1, frame_events_max: 1, ..shape });
        check(Shape { seed: 3, entities: 1, types: 1, ..shape });
        check(Shape { seed: 4, entities: 5_000, types: 400, ..shape });
    }
}
