//! Turns an in-memory index into its file.
//!
//! **Invariant:** the file is durable, and so is its name, when [`MemoryIndex::write`] returns; a crash before that
//! leaves at most a file with the ending `.new`, which the next attempt replaces.

use std::io;
use std::path::Path;

use super::format::{Header, Layout, SECTIONS, TYPE_BYTES, encode_rows, hash_of};
use super::hashes;
use super::memory::{MemoryIndex, State};
use super::names::Names;
use super::postings::{encode, put_varint};
use super::{bloom, buckets};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp, Version};
use crate::store::disk::Disk;

impl MemoryIndex {
    /// Writes the index, whose last position is `through`, to `path`; of a stretch in row form, which ends at `log_end`
    /// in its log file, also the rows, to the same name with the ending `.rows`.
    ///
    /// Readers go on meanwhile; a push waits.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails, `Internal` when there is nothing to write or damage in between.
    pub(crate) fn write(
        &self,
        through: Position,
        log_end: Option<u64>,
        disk: &dyn Disk,
        path: &Path,
    ) -> Result<()> {
        let first = self.first();
        let (index, rows) = self.with(|state| {
            encode_state(state, first, through, log_end.unwrap_or_default(), Layout::default())
        })?;
        let write = || {
            if log_end.is_some() {
                replace(disk, &path.with_extension("rows"), &rows)?;
            }
            replace(disk, path, &index)?;
            disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
        };
        write().map_err(|error| {
            let message =
                format!("write index file {}; free space or check the disk, then reopen", path.display());
            Error::new(ErrorKind::Unavailable, "index_not_written", message).caused_by(error)
        })
    }
}

/// Writes a file under another name and puts it in the place of that at `path`.
pub(super) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    let file = match disk.create(temporary) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(temporary)?;
            disk.create(temporary)?
        }
        created => created?,
    };
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    disk.rename(temporary, path)
}

/// The bytes of an index file of that layout and of its rows file: the same for the same events, however they were come by.
pub(super) fn encode_state(
    state: &State,
    first: Position,
    last: Position,
    log_end: u64,
    layout: Layout,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let count = (last.get() + 1).saturating_sub(first.get());
    let whole = !state.gaps && count > 0 && count == state.rows.len() as u64;
    let Some(recorded) = state.recorded.filter(|_| whole) else {
        return Err(Error::internal(format!(
            "write the index of positions {first} to {last}: it holds {} positions from there, damaged ones: {}",
            state.rows.len(),
            state.gaps
        )));
    };
    let [entities, streams, stream_postings] = encode_entities(state, layout)?;
    let [types, type_postings] = encode_types(&state.types);
    let ids = hashes::encode(state.ids.iter().copied().collect());
    let calls = hashes::encode(state.calls.iter().copied().collect());
    let times = encode_times(&state.times);
    let header = Header {
        layout,
        first,
        last,
        log_end,
        entities_born: state.births.len() as u64,
        timestamps: state
            .times
            .iter()
            .fold((Timestamp::MAX, Timestamp::MIN), |all, block| (all.0.min(block.0), all.1.max(block.1))),
        recorded,
        places: Default::default(),
    };
    let sections: [Vec<u8>; SECTIONS] =
        [entities, streams, stream_postings, types, type_postings, ids, calls, times];
    Ok((header.encode(sections), encode_rows(first, last, &state.rows)))
}

/// The numbers of the names, in order of the names.
fn sorted(names: &Names) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..names.len() as u32).collect();
    numbers.sort_unstable_by_key(|&number| names.name(number));
    numbers
}

fn encode_entities(state: &State, layout: Layout) -> Result<[Vec<u8>; 3]> {
    let entities = &state.entities;
    let mut sections = EntitySections::new(layout);
    for number in sorted(entities) {
        let first_version = state.first_versions.get(number as usize).copied().unwrap_or_default();
        sections.push(entities.name(number).as_bytes(), first_version, entities.positions(number))?;
    }
    sections.finish()
}

fn encode_types(types: &Names) -> [Vec<u8>; 2] {
    let mut sections = TypeSections::default();
    for number in sorted(types) {
        sections.push(types.name(number), types.positions(number));
    }
    sections.finish()
}

/// The sections about entities, while they are being made.
pub(super) struct EntitySections {
    layout: Layout,
    /// The hash of each name, and where its entry begins.
    entries: Vec<(u64, u32)>,
    streams: fst::MapBuilder<Vec<u8>>,
    postings: Vec<u8>,
}

impl EntitySections {
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, entries: Vec::new(), streams: fst::MapBuilder::memory(), postings: Vec::new() }
    }

    /// Adds an entity; names come in rising order.
    pub(super) fn push(&mut self, name: &[u8], first_version: Version, positions: &[u32]) -> Result<()> {
        self.entries.push((hash_of(name), self.postings.len() as u32));
        self.streams.insert(name, self.postings.len() as u64).map_err(no_map)?;
        if self.layout == Layout::Hashed {
            put_varint(name.len() as u64, &mut self.postings);
            self.postings.extend_from_slice(name);
        }
        put_varint(first_version.get(), &mut self.postings);
        put_varint(positions.len() as u64, &mut self.postings);
        encode(positions, &mut self.postings);
        Ok(())
    }

    /// `entities`, `streams` and `stream_postings`.
    pub(super) fn finish(self) -> Result<[Vec<u8>; 3]> {
        let streams = self.streams.into_inner().map_err(no_map)?;
        let entities = match self.layout {
            Layout::Filtered => bloom::encode(self.entries.into_iter().map(|(hash, _)| hash)),
            Layout::Hashed => buckets::encode(&self.entries),
        };
        Ok([entities, streams, self.postings])
    }
}

fn no_map(error: fst::Error) -> Error {
    Error::internal("build the map of entities").caused_by(error)
}

/// The sections about types, while they are being made.
#[derive(Default)]
pub(super) struct TypeSections {
    /// Per type: offset and length of its name among the names, how many positions, offset of their list.
    places: Vec<[usize; 4]>,
    names: String,
    postings: Vec<u8>,
}

impl TypeSections {
    /// Adds a type; names come in rising order.
    pub(super) fn push(&mut self, name: &str, positions: &[u32]) {
        self.places.push([self.names.len(), name.len(), positions.len(), self.postings.len()]);
        self.names.push_str(name);
        encode(positions, &mut self.postings);
    }

    /// `types` and `type_postings`.
    pub(super) fn finish(self) -> [Vec<u8>; 2] {
        let mut directory = (self.places.len() as u32).to_le_bytes().to_vec();
        let names_at = 4 + self.places.len() * TYPE_BYTES;
        for [name_at, name_len, count, list_at] in self.places {
            for value in [names_at + name_at, name_len, count, list_at] {
                directory.extend_from_slice(&(value as u32).to_le_bytes());
            }
        }
        directory.extend_from_slice(self.names.as_bytes());
        [directory, self.postings]
    }
}

pub(super) fn encode_times(times: &[(Timestamp, Timestamp)]) -> Vec<u8> {
    times
        .iter()
        .flat_map(|block| [block.0, block.1])
        .flat_map(|time| time.as_micros().to_le_bytes())
        .collect()
}
