//! Making one index file of several that serve one segment, name by name: what is in memory at a time is the file that
//! is being made, not what it is made of.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fst::Streamer;

use super::build::{EntitySections, TypeSections, encode_times, replace};
use super::file::{IndexFile, ListPlace};
use super::format::{Header, Layout, SECTIONS, TIME_BLOCK, hash_of, hash_of_id};
use super::postings::Span;
use super::{NameKind, hashes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp};
use crate::store::disk::Disk;
use crate::store::log::generated_position;
use crate::store::read::Order;
use crate::store::segment::Segment;

/// How many rows are read between two questions whether to go on.
const ROWS_PER_QUESTION: u32 = 4_096;
/// All rows of a file.
const EVERY: Span = Span { low: 0, high: u32::MAX };

/// Writes to `path` one index of what `files` index: all of the positions of `segment`, in order and without a gap.
///
/// Names come from the files; ids, keys and times, of which they hold hashes and blocks alone, from the segment.
///
/// # Errors
/// `Corrupt` when a file or the segment is not what was written, `Unavailable` when the disk fails, `Closed` when
/// `goes_on` said no; nothing has changed then.
pub(crate) fn merge_files(
    files: &[Arc<IndexFile>],
    segment: &Segment,
    disk: &dyn Disk,
    path: &Path,
    goes_on: &dyn Fn() -> bool,
) -> Result<()> {
    let merge = Merge { files, segment, goes_on };
    let bytes = merge.encode()?;
    let written =
        replace(disk, path, &bytes).and_then(|()| disk.sync_dir(path.parent().unwrap_or(Path::new("."))));
    written.map_err(|error| {
        let message = format!("write index file {}; free space or check the disk", path.display());
        Error::new(ErrorKind::Unavailable, "index_not_written", message).caused_by(error)
    })
}

struct Merge<'a> {
    files: &'a [Arc<IndexFile>],
    segment: &'a Segment,
    goes_on: &'a dyn Fn() -> bool,
}

impl Merge<'_> {
    fn encode(&self) -> Result<Vec<u8>> {
        let (Some(first), Some(last)) = (self.files.first(), self.files.last()) else {
            return Err(Error::internal("merge no index files"));
        };
        let [entities, streams, stream_postings] = self.entities()?;
        let [types, type_postings] = self.types()?;
        let (ids, times) = self.ids_and_times()?;
        let headers = || self.files.iter().map(|file| file.header());
        let header = Header {
            layout: Layout::default(),
            first: first.first(),
            last: last.last(),
            log_end: 0,
            entities_born: headers().map(|header| header.entities_born).sum(),
            timestamps: headers().fold((Timestamp::MAX, Timestamp::MIN), |all, header| {
                (all.0.min(header.timestamps.0), all.1.max(header.timestamps.1))
            }),
            recorded: (first.header().recorded.0, last.header().recorded.1),
            places: Default::default(),
        };
        let sections: [Vec<u8>; SECTIONS] =
            [entities, streams, stream_postings, types, type_postings, ids, self.calls()?, times];
        Ok(header.encode(sections))
    }

    fn entities(&self) -> Result<[Vec<u8>; 3]> {
        let mut sections = EntitySections::new(Layout::default());
        let maps = self.files.iter().map(|file| file.streams()).collect::<Result<Vec<_>>>()?;
        let mut names = maps.into_iter().collect::<fst::map::OpBuilder<'_>>().union();
        let (mut rows, mut passed) = (Vec::new(), 0_u32);
        while let Some((name, places)) = names.next() {
            passed = passed.wrapping_add(1);
            if passed.is_multiple_of(ROWS_PER_QUESTION) {
                self.ask()?;
            }
            let mut places = places.to_vec();
            places.sort_unstable_by_key(|place| place.index);
            let mut first_version = None;
            rows.clear();
            for place in places {
                let Some(file) = self.files.get(place.index) else { continue };
                let (list, version) = file.entity_at(place.value)?;
                first_version.get_or_insert(version);
                self.add(file, NameKind::Entity, list, &mut rows)?;
            }
            sections.push(name, first_version.unwrap_or_default(), &rows)?;
        }
        sections.finish()
    }

    fn types(&self) -> Result<[Vec<u8>; 2]> {
        let mut lists: BTreeMap<String, Vec<(&IndexFile, ListPlace)>> = BTreeMap::new();
        for file in self.files {
            file.types("", |name, place| {
                lists.entry(name.to_owned()).or_default().push((file, place));
                Ok(true)
            })?;
        }
        let (mut sections, mut rows) = (TypeSections::default(), Vec::new());
        for (name, places) in lists {
            rows.clear();
            for (file, place) in places {
                self.ask()?;
                self.add(file, NameKind::EventType, place, &mut rows)?;
            }
            sections.push(&name, &rows);
        }
        Ok(sections.finish())
    }

    /// Adds the rows of a list, counted from the first position of the segment.
    fn add(&self, file: &IndexFile, kind: NameKind, place: ListPlace, rows: &mut Vec<u32>) -> Result<()> {
        let mut own = Vec::new();
        file.chunk(kind, place, EVERY, Order::Ascending, place.count as usize, &mut own)?;
        let before = self.segment.row_of(file.first());
        rows.extend(own.into_iter().map(|row| before.saturating_add(row)));
        Ok(())
    }

    fn ids_and_times(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut cursor = self.segment.replay();
        let (mut ids, mut times) = (Vec::new(), Vec::new());
        for row in 0..self.segment.rows() {
            if row.is_multiple_of(ROWS_PER_QUESTION) {
                self.ask()?;
            }
            let timestamp = cursor.timestamp(row)?;
            if row.is_multiple_of(TIME_BLOCK) {
                times.push((timestamp, timestamp));
            }
            if let Some(block) = times.last_mut() {
                *block = (block.0.min(timestamp), block.1.max(timestamp));
            }
            if let Some(event_id) = cursor.stored_id(row)? {
                let position = self.segment.position_of(row);
                if generated_position(&event_id, self.segment.id_key()) != Some(position) {
                    ids.push((hash_of_id(&event_id), row));
                }
            }
        }
        Ok((hashes::encode(ids), encode_times(&times)))
    }

    fn calls(&self) -> Result<Vec<u8>> {
        let mut calls = Vec::new();
        self.segment.each_key(|row, key| calls.push((hash_of(key.as_bytes()), row)))?;
        Ok(hashes::encode(calls))
    }

    fn ask(&self) -> Result<()> {
        if (self.goes_on)() {
            return Ok(());
        }
        let (first, last): (Position, Position) = (self.segment.first(), self.segment.last());
        let message = format!("merge the indexes of positions {first} to {last}: the store is being closed");
        Err(Error::new(ErrorKind::Closed, "closed", message))
    }
}
