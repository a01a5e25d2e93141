//! The set being filled.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::checkpoint::{Length, SetLengths};
use super::file::{AppendFile, write_whole};
use super::format::{
    LAST_BYTES, NONE, ROW_BYTES, Row, Shape, TEXT_BYTES, TextHash, count, decode_text, encode_text,
};
use super::gone::GoneRows;
use super::options::VectorOptions;
use super::quantise::Quantised;
use super::set::{Last, SetView, stem};
use crate::error::Result;
use crate::event::Position;
use crate::store::disk::Disk;

/// How many events a set holds for each vector that it may hold: 4.
pub(super) const ROWS_PER_VECTOR: usize = 4;

/// The set that events are added to.
pub(super) struct Filling {
    number: u64,
    first: Position,
    stem: PathBuf,
    shape: Shape,
    vectors: AppendFile,
    sketches: AppendFile,
    texts: AppendFile,
    rows: AppendFile,
    /// The numbers of the records of `texts`, by hash.
    known_texts: HashTable<u32>,
    /// Ordinals, by the hash of their record: different texts can have the same vector.
    known_vectors: HashTable<u32>,
    /// The last row of each ordinal. Readers share it until the next row comes.
    last: Arc<Vec<u32>>,
    /// Rows that were emptied.
    pub(super) gone: GoneRows,
}

impl Filling {
    /// Begins a set at a position.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &Path,
        shape: Shape,
        vectors_max: usize,
        number: u64,
        first: Position,
    ) -> Result<Self> {
        let stem = stem(dir, number, first.get());
        let sizes = Sizes::of(shape, vectors_max);
        let file = |ending: &str, max| AppendFile::create(disk, &stem.with_extension(ending), max);
        Ok(Self {
            number,
            first,
            shape,
            vectors: file("vectors", sizes.vectors)?,
            sketches: file("sketches", sizes.sketches)?,
            texts: file("texts", sizes.texts)?,
            rows: file("rows", sizes.rows)?,
            known_texts: HashTable::new(),
            known_vectors: HashTable::new(),
            last: Arc::default(),
            gone: GoneRows::default(),
            stem,
        })
    }

    /// Goes on with a set where a checkpoint left it.
    pub(super) fn open(
        options: &VectorOptions,
        dir: &Path,
        shape: Shape,
        lengths: &SetLengths,
    ) -> Result<Self> {
        let disk = options.disk.as_ref();
        let stem = stem(dir, lengths.number, lengths.first);
        let sizes = Sizes::of(shape, options.set_vectors_max);
        let file = |ending: &str, length: Length, max| {
            AppendFile::open(disk, &stem.with_extension(ending), length, max, options.writable)
        };
        let mut opened = Self {
            number: lengths.number,
            first: Position::new(lengths.first),
            shape,
            vectors: file("vectors", lengths.vectors, sizes.vectors)?,
            sketches: file("sketches", lengths.sketches, sizes.sketches)?,
            texts: file("texts", lengths.texts, sizes.texts)?,
            rows: file("rows", lengths.rows, sizes.rows)?,
            known_texts: HashTable::new(),
            known_vectors: HashTable::new(),
            last: Arc::default(),
            gone: GoneRows::open(disk, &stem, lengths.gone)?,
            stem,
        };
        opened.remember();
        Ok(opened)
    }

    /// Builds the tables from the files.
    fn remember(&mut self) {
        for number in 0..count(self.texts.bytes().len() / TEXT_BYTES) {
            if let Some((text, _)) = text_at(&self.texts, number) {
                self.remember_text(text, number);
            }
        }
        let ordinals = count(self.vectors.bytes().len() / self.shape.vector_bytes());
        for ordinal in 0..ordinals {
            self.remember_vector(ordinal);
        }
        let mut last = vec![NONE; ordinals as usize];
        for (number, record) in self.rows.bytes().as_chunks::<ROW_BYTES>().0.iter().enumerate() {
            if let Some(last) = last.get_mut(Row::decode(*record).ordinal as usize) {
                *last = count(number);
            }
        }
        self.last = Arc::new(last);
    }

    fn remember_text(&mut self, text: TextHash, number: u32) {
        let texts = &self.texts;
        let hash = |number: &u32| text_at(texts, *number).map_or(0, |(text, _)| text.short());
        self.known_texts.insert_unique(text.short(), number, hash);
    }

    fn remember_vector(&mut self, ordinal: u32) {
        let (vectors, bytes) = (&self.vectors, self.shape.vector_bytes());
        let hash = |ordinal: &u32| xxh3_64(vectors.get(*ordinal as usize * bytes, bytes).unwrap_or_default());
        self.known_vectors.insert_unique(hash(&ordinal), ordinal, hash);
    }

    /// The position after its last row.
    pub(super) fn next(&self) -> Position {
        Position::new(self.first.get() + u64::from(self.row_count()))
    }

    /// How many events it covers.
    pub(super) fn row_count(&self) -> u32 {
        count(usize::try_from(self.rows.length().bytes).unwrap_or(usize::MAX) / ROW_BYTES)
    }

    /// The row of a position, if it is in this set.
    pub(super) fn row_of(&self, position: Position) -> Option<u32> {
        let row = position.get().checked_sub(self.first.get())?;
        u32::try_from(row).ok().filter(|row| *row < self.row_count())
    }

    /// Whether it holds what a set may hold.
    pub(super) fn is_full(&self, vectors_max: usize) -> bool {
        self.last.len() >= vectors_max || self.row_count() as usize >= vectors_max * ROWS_PER_VECTOR
    }

    /// The ordinal of a text that was embedded, or [`NONE`] where its vector was zero.
    pub(super) fn known(&self, text: TextHash) -> Option<u32> {
        let same = |number: &u32| text_at(&self.texts, *number).is_some_and(|(known, _)| known == text);
        let number = self.known_texts.find(text.short(), same)?;
        text_at(&self.texts, *number).map(|(_, ordinal)| ordinal)
    }

    /// Takes in what a text's vector is; gives its ordinal.
    pub(super) fn learn(&mut self, text: TextHash, vector: Option<&Quantised>) -> Result<u32> {
        let ordinal = match vector {
            Some(vector) => self.ordinal_of(vector)?,
            None => NONE,
        };
        let number = count(usize::try_from(self.texts.length().bytes).unwrap_or(usize::MAX) / TEXT_BYTES);
        self.texts.append(&encode_text(text, ordinal))?;
        self.remember_text(text, number);
        Ok(ordinal)
    }

    /// The ordinal of a vector, a new one if none equals it.
    fn ordinal_of(&mut self, vector: &Quantised) -> Result<u32> {
        let bytes = self.shape.vector_bytes();
        let same = |ordinal: &u32| {
            self.vectors.get(*ordinal as usize * bytes, bytes).is_some_and(|known| known == vector.vector)
        };
        if let Some(ordinal) = self.known_vectors.find(xxh3_64(&vector.vector), same) {
            return Ok(*ordinal);
        }
        let ordinal = count(self.last.len());
        self.vectors.append(&vector.vector)?;
        self.sketches.append(&vector.sketch)?;
        self.remember_vector(ordinal);
        Arc::make_mut(&mut self.last).push(NONE);
        Ok(ordinal)
    }

    /// Adds the row of the next event.
    pub(super) fn add_row(&mut self, ordinal: u32) -> Result<()> {
        let number = self.row_count();
        let row = match self.last.get(ordinal as usize) {
            Some(previous) => Row { ordinal, previous: *previous },
            None => Row::EMPTY,
        };
        self.rows.append(&row.encode())?;
        if row.ordinal != NONE
            && let Some(last) = Arc::make_mut(&mut self.last).get_mut(ordinal as usize)
        {
            *last = number;
        }
        Ok(())
    }

    /// Makes everything durable; gives a file that nothing needs any more.
    pub(super) fn flush(&mut self, disk: &dyn Disk) -> Result<Option<PathBuf>> {
        for file in [&mut self.vectors, &mut self.sketches, &mut self.texts, &mut self.rows] {
            file.sync()?;
        }
        self.gone.flush(disk, &self.stem)
    }

    /// How much of it counts.
    pub(super) fn lengths(&self) -> SetLengths {
        SetLengths {
            number: self.number,
            first: self.first.get(),
            vectors: self.vectors.length(),
            sketches: self.sketches.length(),
            texts: self.texts.length(),
            rows: self.rows.length(),
            last: None,
            gone: self.gone.file(),
        }
    }

    /// What is flushed of it.
    pub(super) fn view(&self) -> SetView {
        let rows = self.rows.bytes();
        SetView {
            stem: self.stem.clone(),
            first: self.first,
            shape: self.shape,
            vectors: self.vectors.bytes(),
            sketches: self.sketches.bytes(),
            gone: self.gone.view(&rows, count(self.last.len())),
            rows,
            last: Last::Memory(Arc::clone(&self.last)),
            sealed: None,
            graph: Arc::default(),
        }
    }

    /// Writes what a sealed set has besides.
    pub(super) fn seal(&self, disk: &dyn Disk) -> Result<Length> {
        let mut bytes = Vec::with_capacity(self.last.len() * LAST_BYTES);
        bytes.extend(self.last.iter().flat_map(|row| row.to_le_bytes()));
        write_whole(disk, &self.stem.with_extension("last"), &bytes)
    }
}

/// What the files of a full set come to, unless a flush comes late.
struct Sizes {
    vectors: u64,
    sketches: u64,
    texts: u64,
    rows: u64,
}

impl Sizes {
    fn of(shape: Shape, vectors_max: usize) -> Self {
        let bytes = |records: usize, record: usize| (records as u64).saturating_mul(record as u64);
        let rows = vectors_max.saturating_mul(ROWS_PER_VECTOR);
        Self {
            vectors: bytes(vectors_max, shape.vector_bytes()),
            sketches: bytes(vectors_max, shape.sketch_bytes()),
            texts: bytes(rows, TEXT_BYTES),
            rows: bytes(rows, ROW_BYTES),
        }
    }
}

fn text_at(texts: &AppendFile, number: u32) -> Option<(TextHash, u32)> {
    decode_text(texts.get(number as usize * TEXT_BYTES, TEXT_BYTES)?)
}
