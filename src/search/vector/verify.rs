//! Whether the files are what was written.
//!
//! A file's checksum tells that it is damaged. Where, tell the records: a vector's length and its sketch follow from its
//! codes, and a row names the row before it that has the same vector.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::checkpoint::{Length, SetLengths, VectorCheckpoint};
use super::file::map;
use super::format::{LAST_BYTES, NONE, NORM_BYTES, ROW_BYTES, Row, Shape, count, u32_at};
use super::gone::gone_path;
use super::quantise::{inverse_norm, sketch};
use super::set::stem;
use crate::event::Position;
use crate::store::disk::Disk;

/// Bytes that are not what was written. The remedy is to build the search index anew.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VectorDamage {
    /// The file, relative to the directory of vectors.
    pub(crate) file: String,
    /// The byte at which it begins, or 0 where nothing tells.
    pub(crate) offset: u64,
    /// The first position whose vector it concerns.
    pub(crate) first: Position,
    /// The last position whose vector it concerns.
    pub(crate) last: Position,
    /// What is wrong.
    pub(crate) reason: String,
}

/// Reads every file that a checkpoint names and compares it with its checksum. Graphs are left out: a damaged one is
/// noticed before it is used, and built anew.
pub(crate) fn verify(disk: &dyn Disk, dir: &Path, checkpoint: &VectorCheckpoint) -> Vec<VectorDamage> {
    let shape = Shape::new(checkpoint.dimension);
    checkpoint.sets.iter().flat_map(|lengths| Proof::of(disk, dir, shape, lengths).damage()).collect()
}

/// A file, and whether it is what was written.
struct File {
    path: PathBuf,
    bytes: Bytes,
    wrong: Option<String>,
}

impl File {
    fn read(disk: &dyn Disk, path: PathBuf, length: Length) -> Self {
        match map(disk, &path, length) {
            Err(error) => Self { path, bytes: Bytes::new(), wrong: Some(error.to_string()) },
            Ok(bytes) => {
                let crc = crc32c::crc32c(&bytes);
                let reason = || format!("its checksum is {crc:08x}, it was written with {:08x}", length.crc);
                Self { path, wrong: (crc != length.crc).then(reason), bytes }
            }
        }
    }
}

/// The files of one set.
struct Proof {
    shape: Shape,
    first: Position,
    vectors: File,
    sketches: File,
    rows: File,
    last: Option<File>,
    /// Those of which no byte tells more than that it is damaged.
    others: Vec<File>,
}

impl Proof {
    fn of(disk: &dyn Disk, dir: &Path, shape: Shape, lengths: &SetLengths) -> Self {
        let stem = stem(dir, lengths.number, lengths.first);
        let file = |ending: &str, length| File::read(disk, stem.with_extension(ending), length);
        let gone = lengths.gone.map(|(number, length)| File::read(disk, gone_path(&stem, number), length));
        Self {
            shape,
            first: Position::new(lengths.first),
            vectors: file("vectors", lengths.vectors),
            sketches: file("sketches", lengths.sketches),
            rows: file("rows", lengths.rows),
            last: lengths.last.map(|length| file("last", length)),
            others: gone.into_iter().chain([file("texts", lengths.texts)]).collect(),
        }
    }

    fn damage(&self) -> Vec<VectorDamage> {
        let mut found = Vec::new();
        let row = self.wrong_row();
        let whole = (0, self.row_count().saturating_sub(1));
        let of_ordinal = |ordinal: Option<u32>| ordinal.map_or(whole, |ordinal| self.rows_of(ordinal));
        let ordinal = self.wrong_ordinal();
        let (vector, sketch) = (self.shape.vector_bytes(), self.shape.sketch_bytes());
        found.extend(told(self, &self.vectors, ordinal, vector, of_ordinal(ordinal)));
        found.extend(told(self, &self.sketches, ordinal, sketch, of_ordinal(ordinal)));
        found.extend(told(self, &self.rows, row, ROW_BYTES, row.map_or(whole, |row| (row, row))));
        if let Some(last) = &self.last {
            let ordinal = self.wrong_last(last);
            found.extend(told(self, last, ordinal, LAST_BYTES, of_ordinal(ordinal)));
        }
        found.extend(self.others.iter().filter_map(|file| told(self, file, None, 1, whole)));
        found
    }

    fn row_count(&self) -> u32 {
        count(self.rows.bytes.len() / ROW_BYTES)
    }

    fn row_records(&self) -> impl Iterator<Item = (u32, Row)> + '_ {
        (0..).zip(self.rows.bytes.as_chunks::<ROW_BYTES>().0).map(|(row, record)| (row, Row::decode(*record)))
    }

    /// The first and the last row of an ordinal.
    fn rows_of(&self, ordinal: u32) -> (u32, u32) {
        let mut rows = self.row_records().filter(|(_, row)| row.ordinal == ordinal).map(|(row, _)| row);
        let first = rows.next().unwrap_or(0);
        (first, rows.last().unwrap_or(first))
    }

    /// The first vector whose length or sketch does not follow from its codes.
    fn wrong_ordinal(&self) -> Option<u32> {
        let vectors = self.vectors.bytes.chunks_exact(self.shape.vector_bytes());
        let sketches = self.sketches.bytes.chunks_exact(self.shape.sketch_bytes());
        let right = |vector: &[u8], stored: &[u8]| {
            let (norm, codes) = vector.split_at_checked(NORM_BYTES)?;
            let same_norm = norm == inverse_norm(codes).to_le_bytes();
            let words = sketch(codes).flat_map(u64::to_le_bytes);
            Some(same_norm && words.eq(stored.iter().copied()))
        };
        let wrong = vectors.zip(sketches).position(|(vector, sketch)| right(vector, sketch) != Some(true));
        wrong.map(count)
    }

    /// The last row of each ordinal, or the first row that does not name the one before it.
    fn last_rows(&self) -> Result<Vec<u32>, u32> {
        let ordinals = self.vectors.bytes.len() / self.shape.vector_bytes();
        let mut last = vec![NONE; ordinals];
        for (number, row) in self.row_records() {
            let before = last.get_mut(row.ordinal as usize);
            let expected = before.as_ref().map_or(NONE, |before| **before);
            if row.previous != expected || (before.is_none() && row.ordinal != NONE) {
                return Err(number);
            }
            if let Some(before) = before {
                *before = number;
            }
        }
        Ok(last)
    }

    fn wrong_row(&self) -> Option<u32> {
        self.last_rows().err()
    }

    fn wrong_last(&self, file: &File) -> Option<u32> {
        let rows = self.last_rows().ok()?;
        let wrong =
            rows.iter().enumerate().position(|(ordinal, row)| u32_at(&file.bytes, ordinal) != Some(*row));
        wrong.map(count)
    }
}

/// What is said of a file: from which record on it is wrong, if that is known, and the rows that this concerns.
fn told(
    set: &Proof,
    file: &File,
    record: Option<u32>,
    record_bytes: usize,
    (first, last): (u32, u32),
) -> Option<VectorDamage> {
    let reason = file.wrong.clone()?;
    let position = |row: u32| Position::new(set.first.get() + u64::from(row));
    let name = file.path.file_name().unwrap_or(file.path.as_os_str());
    Some(VectorDamage {
        file: name.to_string_lossy().into_owned(),
        offset: u64::from(record.unwrap_or(0)) * record_bytes as u64,
        first: position(first),
        last: position(last),
        reason,
    })
}
