//! Turns an in-memory index into its file.
//!
//! **Invariant:** the file is durable, and so is its name, when [`MemoryIndex::write`] returns; a crash before that
//! leaves at most a file with the ending `.new`, which the next attempt replaces.

use std::io;
use std::path::Path;

use super::bloom;
use super::format::{Header, SECTIONS, TYPE_BYTES, encode_rows, hash_of};
use super::hashes;
use super::memory::{MemoryIndex, State};
use super::names::Names;
use super::postings::{encode, put_varint};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp};
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
        let (index, rows) =
            self.with(|state| encode_state(state, first, through, log_end.unwrap_or_default()))?;
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

fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
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

fn encode_state(state: &State, first: Position, last: Position, log_end: u64) -> Result<(Vec<u8>, Vec<u8>)> {
    let count = (last.get() + 1).saturating_sub(first.get());
    let whole = !state.gaps && count > 0 && count == state.rows.len() as u64;
    let Some(recorded) = state.recorded.filter(|_| whole) else {
        return Err(Error::internal(format!(
            "write the index of positions {first} to {last}: it holds {} positions from there, damaged ones: {}",
            state.rows.len(),
            state.gaps
        )));
    };
    let (bloom, streams, stream_postings) = encode_entities(state)?;
    let (types, type_postings) = encode_types(&state.types);
    let ids = hashes::encode(state.ids.iter().copied().collect());
    let calls = hashes::encode(state.calls.iter().copied().collect());
    let times = encode_times(&state.times);
    let header = Header {
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
        [bloom, streams, stream_postings, types, type_postings, ids, calls, times];
    Ok((header.encode(sections), encode_rows(first, last, &state.rows)))
}

/// The numbers of the names, in order of the names.
fn sorted(names: &Names) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..names.len() as u32).collect();
    numbers.sort_unstable_by_key(|&number| names.name(number));
    numbers
}

fn encode_entities(state: &State) -> Result<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let failed = |error: fst::Error| Error::internal("build the map of entities").caused_by(error);
    let entities = &state.entities;
    let mut hashes = Vec::with_capacity(entities.len());
    let mut streams = fst::MapBuilder::memory();
    let mut postings = Vec::new();
    for number in sorted(entities) {
        let (name, positions) = (entities.name(number), entities.positions(number));
        hashes.push(hash_of(name.as_bytes()));
        streams.insert(name, postings.len() as u64).map_err(failed)?;
        let first_version = state.first_versions.get(number as usize).copied().unwrap_or_default();
        put_varint(first_version.get(), &mut postings);
        put_varint(positions.len() as u64, &mut postings);
        encode(positions, &mut postings);
    }
    Ok((bloom::encode(&hashes), streams.into_inner().map_err(failed)?, postings))
}

fn encode_types(types: &Names) -> (Vec<u8>, Vec<u8>) {
    let mut directory = (types.len() as u32).to_le_bytes().to_vec();
    let (mut names, mut postings) = (String::new(), Vec::new());
    let names_at = 4 + types.len() * TYPE_BYTES;
    for number in sorted(types) {
        let (name, positions) = (types.name(number), types.positions(number));
        for value in [names_at + names.len(), name.len(), positions.len(), postings.len()] {
            directory.extend_from_slice(&(value as u32).to_le_bytes());
        }
        names.push_str(name);
        encode(positions, &mut postings);
    }
    directory.extend_from_slice(names.as_bytes());
    (directory, postings)
}

fn encode_times(times: &[(Timestamp, Timestamp)]) -> Vec<u8> {
    times
        .iter()
        .flat_map(|block| [block.0, block.1])
        .flat_map(|time| time.as_micros().to_le_bytes())
        .collect()
}
