//! *What is in an older stretch of the log?* One immutable, mapped index file.
//!
//! **Invariant:** opening reads the header only, whatever the size. A section is proved by its checksum when it is
//! first used and checked for bounds ever after: a damaged file gives `Corrupt`, never a panic or a wrong event.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::format::{
    HEADER_BYTES, Header, ROWS_HEADER_BYTES, SECTIONS, Section, TYPE_BYTES, check_rows, rows_are_whole,
    time_at, u32_at,
};
use super::postings::{List, Malformed, Rank, Span};
use super::proof::Proof;
use super::{NameKind, hashes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp};
use crate::store::discard::Discards;
use crate::store::disk::{Disk, DiskFile};
use crate::store::read::Order;

/// An open index file, with its rows while the stretch is in row form.
pub(crate) struct IndexFile {
    path: PathBuf,
    name: String,
    header: Header,
    bytes: Bytes,
    rows: Option<Bytes>,
    proofs: [Proof; SECTIONS],
    rows_proof: Proof,
    streams: OnceLock<fst::Map<Bytes>>,
}

/// Where the list of a name lies: its offset in the postings and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListPlace {
    pub at: usize,
    pub count: u32,
}

impl IndexFile {
    /// Opens the index file at `path`, and the rows file beside it if there is one.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be opened, `Corrupt` when their headers are not what was written.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let rows_path = path.with_extension("rows");
        let rows = match disk.open(&rows_path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(map(&rows_path, opened, ROWS_HEADER_BYTES as u64)?.0),
        };
        let (bytes, file) = map(path, disk.open(path, false), HEADER_BYTES as u64)?;
        let opened = Self::new(path, bytes, rows)?;
        let types = opened.place(Section::Types);
        file.load(types.offset, types.offset + types.len);
        Ok(opened)
    }

    fn new(path: &Path, bytes: Bytes, rows: Option<Bytes>) -> Result<Self> {
        let header = Header::decode(&bytes).map_err(|reason| damaged(path, reason))?;
        if let Some(rows) = &rows {
            check_rows(rows, header.first, header.last)
                .map_err(|reason| damaged(&path.with_extension("rows"), reason))?;
        }
        Ok(Self {
            path: path.to_owned(),
            name: name_of(path),
            header,
            bytes,
            rows,
            proofs: Default::default(),
            rows_proof: Proof::default(),
            streams: OnceLock::new(),
        })
    }

    /// The file's name, without its directory.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn first(&self) -> Position {
        self.header.first
    }

    pub(crate) fn last(&self) -> Position {
        self.header.last
    }

    /// The name of the rows file, without its directory.
    pub(super) fn rows_name(&self) -> String {
        name_of(&self.path.with_extension("rows"))
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole rows file.
    pub(super) fn rows(&self) -> Option<&[u8]> {
        self.rows.as_deref()
    }

    /// What is known of the sections and of the rows: whether each was found right.
    pub(super) fn proofs(&self) -> impl Iterator<Item = Option<bool>> {
        self.proofs.iter().chain([&self.rows_proof]).map(Proof::known)
    }

    /// The offset behind the last position's frame in its log file.
    pub(crate) fn log_end(&self) -> u64 {
        self.header.log_end
    }

    /// When the last position was recorded.
    pub(crate) fn last_recorded_at(&self) -> Timestamp {
        self.header.recorded.1
    }

    /// Removes both files; those who have them open read on.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn remove(&self, discards: &Discards) -> Result<()> {
        self.discard([self.path.clone(), self.path.with_extension("rows")], discards)
    }

    /// Removes the rows file, once the log file that it leads into is gone.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn remove_rows(&self, discards: &Discards) -> Result<()> {
        self.discard([self.path.with_extension("rows")], discards)
    }

    fn discard(&self, paths: impl IntoIterator<Item = PathBuf>, discards: &Discards) -> Result<()> {
        discards.discard(paths).map_err(|error| {
            let message = format!("remove index file {}", self.path.display());
            Error::new(ErrorKind::Unavailable, "index_not_removed", message).caused_by(error)
        })
    }

    /// Whether it leads into a log file.
    pub(crate) fn has_rows(&self) -> bool {
        self.rows.is_some()
    }

    /// The bytes of both files.
    pub(crate) fn size(&self) -> u64 {
        (self.bytes.len() + self.rows.as_ref().map_or(0, Bytes::len)) as u64
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Fails when the rows are not what was written; a single row needs no proof, for its record proves itself.
    pub(super) fn prove_rows(&self) -> Result<()> {
        let is_whole = || self.rows.as_deref().is_none_or(rows_are_whole);
        if self.rows_proof.holds(is_whole) { Ok(()) } else { Err(self.corrupt("rows")) }
    }

    pub(super) fn row(&self, row: u32) -> Option<u32> {
        u32_at(self.rows.as_ref()?, ROWS_HEADER_BYTES + row as usize * 4)
    }

    /// The place of a type's list.
    pub(super) fn event_type(&self, name: &str) -> Result<Option<ListPlace>> {
        let at = self.first_type_from(name)?;
        Ok(self.type_at(at)?.filter(|found| found.0 == name).map(|found| found.1))
    }

    /// Calls `each` with every type that has the prefix, in order of names, until it says no.
    pub(super) fn types(
        &self,
        prefix: &str,
        mut each: impl FnMut(&str, ListPlace) -> Result<bool>,
    ) -> Result<()> {
        let mut at = self.first_type_from(prefix)?;
        while let Some((name, place)) = self.type_at(at)? {
            if !name.starts_with(prefix) || !each(name, place)? {
                break;
            }
            at += 1;
        }
        Ok(())
    }

    /// The number of the first type whose name is not less than `name`.
    fn first_type_from(&self, name: &str) -> Result<u32> {
        let (mut low, mut high) = (0, u32_at(self.section(Section::Types)?, 0).unwrap_or_default());
        while low < high {
            let middle = low.midpoint(high);
            match self.type_at(middle)? {
                Some((found, _)) if found < name => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    fn type_at(&self, number: u32) -> Result<Option<(&str, ListPlace)>> {
        let types = self.section(Section::Types)?;
        if number >= u32_at(types, 0).unwrap_or_default() {
            return Ok(None);
        }
        let read = || {
            let field = |index: usize| u32_at(types, 4 + number as usize * TYPE_BYTES + index * 4);
            let name_at = field(0)? as usize;
            let name = std::str::from_utf8(types.get(name_at..name_at + field(1)? as usize)?).ok()?;
            Some((name, ListPlace { count: field(2)?, at: field(3)? as usize }))
        };
        read().map(Some).ok_or_else(|| self.corrupt(Section::Types.name()))
    }

    pub(super) fn rank(&self, kind: NameKind, place: ListPlace, through: u32) -> Result<Rank> {
        let section = postings_of(kind);
        self.list(section, place)?.rank(through).map_err(|Malformed| self.corrupt(section.name()))
    }

    pub(super) fn chunk(
        &self,
        kind: NameKind,
        place: ListPlace,
        span: Span,
        order: Order,
        max: usize,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let section = postings_of(kind);
        let list = self.list(section, place)?;
        list.chunk(span, order, max, out).map_err(|Malformed| self.corrupt(section.name()))
    }

    fn list(&self, section: Section, place: ListPlace) -> Result<List<'_>> {
        let bytes = self.section(section)?.get(place.at..).ok_or_else(|| self.corrupt(section.name()))?;
        Ok(List::new(bytes, place.count))
    }

    pub(super) fn ids(&self, hash: u64, each: impl FnMut(u32)) -> Result<()> {
        let ids = self.section(Section::Ids)?;
        hashes::look_up(ids, hash, each).map_err(|Malformed| self.corrupt(Section::Ids.name()))
    }

    /// Puts into `out` (emptied first) the index of each given id, given by its hash, that may be here.
    pub(super) fn likely_ids(&self, hashes: &[u64], out: &mut Vec<usize>) -> Result<()> {
        let ids = self.section(Section::Ids)?;
        hashes::likely(ids, hashes, out).map_err(|Malformed| self.corrupt(Section::Ids.name()))
    }

    pub(super) fn calls(&self, hash: u64, each: impl FnMut(u32)) -> Result<()> {
        let calls = self.section(Section::Calls)?;
        hashes::look_up(calls, hash, each).map_err(|Malformed| self.corrupt(Section::Calls.name()))
    }

    /// The smallest and the greatest timestamp of each 1,024 positions.
    pub(super) fn times(&self) -> Result<impl Iterator<Item = (Timestamp, Timestamp)>> {
        let blocks = self.section(Section::Times)?.chunks_exact(16);
        Ok(blocks.filter_map(|block| Some((time_at(block, 0)?, time_at(block, 8)?))))
    }

    /// The map of entities.
    pub(super) fn streams(&self) -> Result<&fst::Map<Bytes>> {
        if let Some(streams) = self.streams.get() {
            return Ok(streams);
        }
        let bytes = self.bytes.slice_ref(self.section(Section::Streams)?);
        let map =
            fst::Map::new(bytes).map_err(|error| self.corrupt(Section::Streams.name()).caused_by(error))?;
        Ok(self.streams.get_or_init(|| map))
    }

    /// A section that was proved, now or before.
    pub(super) fn section(&self, section: Section) -> Result<&[u8]> {
        let bytes = self.raw(section).unwrap_or_default();
        let crc = self.place(section).crc;
        match self.proofs.get(section as usize) {
            Some(proof) if proof.holds(|| crc32c::crc32c(bytes) == crc) => Ok(bytes),
            _ => Err(self.corrupt(section.name())),
        }
    }

    pub(super) fn raw(&self, section: Section) -> Option<&[u8]> {
        let place = self.place(section);
        self.bytes.get(place.offset as usize..(place.offset + place.len) as usize)
    }

    pub(super) fn place(&self, section: Section) -> super::format::Place {
        self.header.places.get(section as usize).copied().unwrap_or_default()
    }

    /// The error for a section that is not what was written.
    pub(super) fn corrupt(&self, section: &str) -> Error {
        let message = format!(
            "read index file {}: its {section} are not what was written; no event is lost: it is built anew in the \
             background, or now by `allsource verify --repair`",
            self.path.display()
        );
        Error::new(ErrorKind::Corrupt, "index_damaged", message)
            .with("file", self.name.clone())
            .with("section", section)
            .with("first_position", self.header.first.get())
            .with("last_position", self.header.last.get())
    }
}

fn postings_of(kind: NameKind) -> Section {
    match kind {
        NameKind::Entity => Section::StreamPostings,
        NameKind::EventType => Section::TypePostings,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Maps a file of which `first_used` bytes are about to be read.
fn map(
    path: &Path,
    opened: io::Result<Arc<dyn DiskFile>>,
    first_used: u64,
) -> Result<(Bytes, Arc<dyn DiskFile>)> {
    let mapped = opened.and_then(|file| {
        file.load(0, first_used);
        Ok((file.map()?, file))
    });
    mapped.map_err(|error| {
        let message = format!("open index file {}", path.display());
        Error::new(ErrorKind::Unavailable, "index_not_opened", message).caused_by(error)
    })
}

fn damaged(path: &Path, reason: &str) -> Error {
    let message = format!("open index file {}: {reason}; run `allsource verify`", path.display());
    Error::new(ErrorKind::Corrupt, "index_damaged", message).with("file", name_of(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{IdSource, SeededIds};
    use crate::event::{EntityId, Event, Filter, NamePattern};
    use crate::store::index::fixture::{Fixture, ID_KEY, Shape};
    use crate::store::index::{HeadCache, RangeIndex};
    use crate::store::read::{Scan, ScanLimits};
    use crate::store::snapshot::Snapshot;
    use crate::store::view::{Range, View};
    use crate::store::{Mode, Options};

    fn sound<T>(answer: Result<T>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                None
            }
        }
    }

    /// Asks everything; each answer is either right or `Corrupt`.
    fn ask(snapshot: &Snapshot, events: &[Event], nth: usize) {
        let event = &events[nth % events.len()];
        let count = |matches: &dyn Fn(&Event) -> bool| events.iter().filter(|event| matches(event)).count();
        if let Some(found) = sound(snapshot.event(event.position)) {
            assert_eq!(found.as_ref(), Some(event));
        }
        if let Some(found) = sound(snapshot.event_by_id(&event.event_id)) {
            assert_eq!(found.as_ref(), Some(event));
        }
        if let Some(head) = sound(snapshot.entity_head(&event.entity_id)) {
            let version = count(&|other| other.entity_id == event.entity_id) as u64;
            assert_eq!(head.map(|head| head.version.get()), Some(version));
        }
        assert_eq!(sound(snapshot.entity_head(&EntityId::new("nobody").expect("a name"))).flatten(), None);
        let filters = [
            Filter { entity_id: Some(NamePattern::Exact(event.entity_id.to_string())), ..Filter::default() },
            Filter {
                event_type: Some(NamePattern::Exact(event.event_type.to_string())),
                ..Filter::default()
            },
            Filter { since: Some(event.timestamp), ..Filter::default() },
        ];
        for filter in filters {
            let expected = count(&|event| filter.matches(event));
            if let Some(page) =
                sound(snapshot.scan(&Scan { filter, ..Scan::default() }, &ScanLimits::default()))
            {
                assert_eq!((page.events.len(), page.complete), (expected, true));
            }
        }
        if let Some(stats) = sound(snapshot.stats()) {
            assert_eq!(stats.event_types.iter().map(|kind| kind.count).sum::<u64>(), events.len() as u64);
        }
        if let Some(position) = sound(snapshot.position_known_at(event.recorded_at)) {
            let last =
                events.iter().rposition(|other| other.recorded_at <= event.recorded_at).expect("an event");
            assert_eq!(position, events[last].position);
        }
    }

    /// Reads everything although an index is damaged: only a damaged row may cost its event, and is counted.
    fn read_around(snapshot: &Snapshot, events: &[Event], nth: usize) {
        let event = &events[nth % events.len()];
        let filter = Filter {
            entity_id: Some(NamePattern::Exact(event.entity_id.to_string())),
            event_type: Some(NamePattern::Exact(event.event_type.to_string())),
            until: Some(event.timestamp),
            ..Filter::default()
        };
        for filter in [Filter::default(), filter] {
            let expected = events.iter().filter(|event| filter.matches(event)).count() as u64;
            let page = snapshot.scan(&Scan { filter, ..Scan::default() }, &ScanLimits::default());
            let page = page.expect("damage is read around");
            assert!(page.complete && page.damaged <= 1);
            let found = page.events.len() as u64;
            assert!(found <= expected && found + page.damaged >= expected, "{found} of {expected}");
        }
    }

    #[test]
    fn a_flipped_byte_anywhere_is_corrupt_and_never_a_wrong_answer() {
        let fixture = Fixture::new(Shape {
            seed: 9,
            frames: 12,
            frame_events_max: 20,
            entities: 10,
            types: 2,
            index_frames: 30,
            log_indexes: 1,
            files: false,
        });
        let range = fixture.view.ranges.first().expect("a stretch");
        let RangeIndex::Memory(memory) = &range.index else { panic!("an index in memory") };
        let path =
            crate::store::index::fixture::write(memory, range.log().expect("a log file"), &fixture.dir);
        let file = IndexFile::open(&crate::store::disk::RealDisk, &path).expect("a file");
        let random = SeededIds::new(5);
        let whole_rows = file.rows.clone().expect("rows");
        for at in 0..file.bytes.len() + whole_rows.len() {
            let (mut bytes, mut rows) = (file.bytes.to_vec(), whole_rows.to_vec());
            let flip = 1 << (random.next_u64() % 8);
            match at.checked_sub(bytes.len()) {
                None => bytes[at] ^= flip,
                Some(at) => rows[at] ^= flip,
            }
            let Some(damaged) = sound(IndexFile::new(&path, bytes.into(), Some(rows.into()))) else {
                continue;
            };
            assert!(damaged.verify().is_err() || (268..272).contains(&at), "byte {at} is not proved");
            let index = RangeIndex::File(Arc::new(damaged));
            let range = Arc::new(Range::of_log(range.log().expect("a log file"), index));
            let head = fixture.events.last().expect("an event").position;
            let heads = Arc::new(HeadCache::new(4));
            let view = Arc::new(View { ranges: vec![range], ..View::default() });
            let snapshot = |mode| {
                let options = Options { mode, ..Options::default() };
                Snapshot::new(
                    Arc::clone(&view),
                    head,
                    1,
                    ID_KEY,
                    Arc::clone(&heads),
                    Arc::clone(&options.clock),
                    options.mode,
                )
            };
            ask(&snapshot(Mode::Write), &fixture.events, at);
            read_around(&snapshot(Mode::Read), &fixture.events, at);
        }
    }
}
