//! An open segment: where its pages lie, and the proof that they are what was written.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use zstd::bulk::Decompressor;

use super::cache::{PageCache, PageKey};
use super::calls::find;
use super::column::{COLUMNS, Column};
use super::cursor::Cursor;
use super::format::{BLOCK_BYTES, Chunk, Header, PagePlace, SECTIONS, Section, u32_at};
use super::name::{SegmentEntry, SegmentName};
use super::page::{Page, decode, dictionary};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{IdempotencyKey, Position};
use crate::store::disk::Disk;
use crate::store::log::Attrs;
use crate::store::view::CallFrame;

/// An open segment: two mapped files, of which nothing is in memory but what is being read.
pub(crate) struct Segment {
    name: SegmentName,
    entry: SegmentEntry,
    header: Header,
    parquet: Bytes,
    envelope: Bytes,
    proofs: [OnceLock<bool>; SECTIONS],
    cache: Arc<PageCache>,
    /// What it is called in the cache.
    number: u64,
}

/// Where a page lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Its number among all pages of the segment.
    pub page: u32,
    pub first_row: u32,
    /// The row behind its last.
    pub end_row: u32,
    pub offset: u64,
    /// The offset behind it.
    pub end: u64,
    /// The group of rows it belongs to.
    pub group: u32,
    /// Where the pages of its column in that group begin, with a dictionary if there is one.
    pub chunk: Chunk,
}

impl Segment {
    /// Opens the segment that `entry` describes; this reads the first bytes of its envelope and nothing else.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be opened, `Corrupt` (`segment_damaged`) when one is missing or not as long as it was
    /// written, or the envelope's header is not what was written.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        entry: &SegmentEntry,
        cache: Arc<PageCache>,
    ) -> Result<Self> {
        let name = entry.name();
        let parquet = map(disk, dir, &name.file_name(), entry.parquet_bytes)?;
        let envelope = map(disk, dir, &name.envelope_name(), entry.envelope_bytes)?;
        let refused = |reason: &str| {
            let message =
                format!("open segment envelope {}: {reason}; run `allsource verify`", name.envelope_name());
            damage(message, &name.envelope_name(), 0, (name.first, name.last))
        };
        let header = Header::decode(&envelope).map_err(refused)?;
        let described = (header.first, header.last, header.generation, header.parquet_bytes);
        if described != (name.first, name.last, name.generation, entry.parquet_bytes) {
            return Err(refused("it is about another segment"));
        }
        let number = cache.next_segment();
        Ok(Self { name, entry: *entry, header, parquet, envelope, proofs: Default::default(), cache, number })
    }

    pub(crate) fn name(&self) -> SegmentName {
        self.name
    }

    pub(crate) fn entry(&self) -> &SegmentEntry {
        &self.entry
    }

    pub(crate) fn first(&self) -> Position {
        self.name.first
    }

    pub(crate) fn last(&self) -> Position {
        self.name.last
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u32 {
        u32::try_from(self.name.rows()).unwrap_or(u32::MAX)
    }

    /// The position of a row.
    pub(crate) fn position_of(&self, row: u32) -> Position {
        Position::new(self.name.first.get() + u64::from(row))
    }

    /// A reader that keeps the pages it has just read, so that neighbouring rows cost little.
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self, true)
    }

    /// The same for reading all of it once: it leaves the shared pages alone.
    pub(crate) fn replay(&self) -> Cursor<'_> {
        Cursor::new(self, false)
    }

    /// The frame that holds a row, and what it says of the call that made it.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn frame_of(&self, row: u32) -> Result<CallFrame> {
        let mut cursor = self.cursor();
        let recorded_at = cursor.recorded_at(row)?;
        let first = cursor.first_recorded_at(recorded_at, 0, row)?;
        let last = cursor.first_recorded_after(recorded_at, row, self.rows())? - 1;
        let calls = self.section(Section::Calls)?;
        let said = find(calls, &self.cache, row).ok_or_else(|| self.bad_envelope(Section::Calls))?;
        let attrs = if said.row == first { said.attrs } else { Attrs::default() };
        Ok(CallFrame { first: self.position_of(first), last: self.position_of(last), recorded_at, attrs })
    }

    /// The idempotency key of the frame that holds a row, and the frame's first position.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn call_of(&self, row: u32) -> Result<Option<(IdempotencyKey, Position)>> {
        let frame = self.frame_of(row)?;
        Ok(frame.attrs.key.map(|key| (IdempotencyKey::trusted(key.into()), frame.first)))
    }

    /// Shows every idempotency key in it, with the first row of its frame; rows rise.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn each_key(&self, mut each: impl FnMut(u32, &str)) -> Result<()> {
        let shown = super::calls::each(self.section(Section::Calls)?, &self.cache, |row, attrs| {
            if let Some(key) = &attrs.key {
                each(row, key);
            }
        });
        shown.ok_or_else(|| self.bad_envelope(Section::Calls))
    }

    /// What generated event ids XOR their position with.
    pub(crate) fn id_key(&self) -> u64 {
        self.header.id_key
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn parquet(&self) -> &Bytes {
        &self.parquet
    }

    pub(super) fn envelope(&self) -> &Bytes {
        &self.envelope
    }

    pub(super) fn cache(&self) -> &Arc<PageCache> {
        &self.cache
    }

    /// A section of the envelope, proved when it is first used.
    pub(super) fn section(&self, section: Section) -> Result<&[u8]> {
        let at = section as usize;
        let place = self.header.places.get(at).copied().unwrap_or_default();
        let (from, to) = (place.offset as usize, place.offset.saturating_add(place.len) as usize);
        let bytes = self.envelope.get(from..to).unwrap_or_default();
        let sound = self
            .proofs
            .get(at)
            .is_some_and(|proof| *proof.get_or_init(|| crc32c::crc32c(bytes) == place.crc));
        if sound { Ok(bytes) } else { Err(self.bad_envelope(section)) }
    }

    /// The chunk of a column in a group of rows.
    pub(super) fn chunk(&self, group: u32, column: Column) -> Result<Chunk> {
        let index = group as usize * COLUMNS + column.index();
        Chunk::decode(self.section(Section::Chunks)?, index).ok_or_else(|| self.bad_envelope(Section::Chunks))
    }

    /// The page that holds a row of a column.
    pub(super) fn find(&self, column: Column, row: u32) -> Result<Found> {
        let bad = || self.bad_envelope(Section::Pages);
        let group = row / self.header.group_rows;
        let chunk = self.chunk(group, column)?;
        let pages = self.section(Section::Pages)?;
        let place = |page| PagePlace::decode(pages, page).ok_or_else(bad);
        let behind = chunk.first_page.checked_add(chunk.pages).ok_or_else(bad)?;
        let (mut low, mut high) = (chunk.first_page, behind);
        while low < high {
            let middle = low.midpoint(high);
            if place(middle)?.first_row <= row { low = middle + 1 } else { high = middle }
        }
        let page = low.checked_sub(1).filter(|page| *page >= chunk.first_page).ok_or_else(bad)?;
        let PagePlace { offset, first_row } = place(page)?;
        let (end, end_row) = if low < behind {
            let next = place(low)?;
            (next.offset, next.first_row)
        } else {
            (chunk.end, self.group_end(group))
        };
        if row >= self.rows() || offset >= end || end_row <= row {
            return Err(bad());
        }
        Ok(Found { page, first_row, end_row, offset, end, group, chunk })
    }

    /// The row behind the last of a group.
    fn group_end(&self, group: u32) -> u32 {
        group.saturating_add(1).saturating_mul(self.header.group_rows).min(self.rows())
    }

    /// Decodes a page, or takes it from the cache; says whether it was there.
    pub(super) fn page(
        &self,
        column: Column,
        found: &Found,
        zstd: &mut Decompressor<'static>,
        keeps: bool,
    ) -> Result<(Arc<Page>, bool)> {
        let key = self.key(column, found.page);
        let left = || if keeps { None } else { self.cache.take_half_read(key) };
        if let Some(page) = self.cache.get(key).or_else(left) {
            return Ok((page, true));
        }
        let dictionary = self.dictionary(column, found, zstd)?;
        let bytes = self.proved(found.offset, found.end)?;
        let rows = (found.end_row - found.first_row) as usize;
        let page = decode(column, rows, bytes, dictionary.as_ref(), zstd);
        let page = Arc::new(page.ok_or_else(|| self.damaged(found.offset, self.positions(found)))?);
        if keeps {
            self.cache.put(key, &page);
        }
        Ok((page, false))
    }

    /// Leaves a decoded page to whoever goes on reading everything in it.
    pub(super) fn leave(&self, column: Column, number: u32, page: &Arc<Page>) {
        self.cache.put_half_read(self.key(column, number), page);
    }

    fn key(&self, column: Column, page: u32) -> PageKey {
        PageKey { segment: self.number, column: column.index() as u8, page }
    }

    /// The dictionary of a page's column in its group of rows, where there is one.
    fn dictionary(
        &self,
        column: Column,
        found: &Found,
        zstd: &mut Decompressor<'static>,
    ) -> Result<Option<Arc<Page>>> {
        let pages = self.section(Section::Pages)?;
        let first = PagePlace::decode(pages, found.chunk.first_page);
        let end = first.map_or(0, |place| place.offset);
        if end <= found.chunk.start {
            return Ok(None);
        }
        let key = self.key(column, u32::MAX - found.group);
        if let Some(page) = self.cache.get(key) {
            return Ok(Some(page));
        }
        let bytes = self.proved(found.chunk.start, end)?;
        let page = dictionary(bytes, zstd).map(Arc::new).ok_or_else(|| {
            let rows = (found.group.saturating_mul(self.header.group_rows), self.group_end(found.group) - 1);
            self.damaged(found.chunk.start, (self.position_of(rows.0), self.position_of(rows.1)))
        })?;
        // A dictionary is small and serves every page of its column: it is kept even by those who read all of it once.
        self.cache.put(key, &page);
        Ok(Some(page))
    }

    /// The bytes of the Parquet file from `from` to `to`, whose blocks were all seen to be what was written.
    fn proved(&self, from: u64, to: u64) -> Result<&[u8]> {
        let blocks = self.section(Section::Blocks)?;
        let (from, to) = (from as usize, to as usize);
        let bytes = self.parquet.get(from..to).ok_or_else(|| self.bad_envelope(Section::Pages))?;
        for block in from / BLOCK_BYTES..to.div_ceil(BLOCK_BYTES) {
            if !self.block_is_sound(blocks, block) {
                let offset = (block * BLOCK_BYTES) as u64;
                return Err(self.damaged(offset, self.positions_of_block(block)?.unwrap_or_default()));
            }
        }
        Ok(bytes)
    }

    /// Whether a block of the Parquet file is what was written.
    pub(super) fn block_is_sound(&self, blocks: &[u8], block: usize) -> bool {
        let from = block * BLOCK_BYTES;
        let bytes = self.parquet.get(from..(from + BLOCK_BYTES).min(self.parquet.len()));
        bytes.is_some_and(|bytes| u32_at(blocks, block * 4) == Some(crc32c::crc32c(bytes)))
    }

    fn positions(&self, found: &Found) -> (Position, Position) {
        (self.position_of(found.first_row), self.position_of(found.end_row.saturating_sub(1)))
    }

    /// The first and the last position with a page in a block of the Parquet file; `None` when the block holds no page.
    pub(super) fn positions_of_block(&self, block: usize) -> Result<Option<(Position, Position)>> {
        let (from, to) = ((block * BLOCK_BYTES) as u64, ((block + 1) * BLOCK_BYTES) as u64);
        let pages = self.section(Section::Pages)?;
        let mut touched: Option<(u32, u32)> = None;
        for group in 0..self.rows().div_ceil(self.header.group_rows) {
            for column in Column::ALL {
                let chunk = self.chunk(group, column)?;
                if chunk.start >= to || chunk.end <= from {
                    continue;
                }
                let group_end = self.group_end(group);
                let place = |page: u32| {
                    PagePlace::decode(pages, page).filter(|_| page < chunk.first_page + chunk.pages)
                };
                let in_dictionary = place(chunk.first_page).is_none_or(|first| from < first.offset);
                let mut low = if in_dictionary { group * self.header.group_rows } else { u32::MAX };
                let mut high = if in_dictionary { group_end - 1 } else { 0 };
                for page in chunk.first_page..chunk.first_page.saturating_add(chunk.pages) {
                    let Some(this) = place(page) else { break };
                    let (end, end_row) =
                        place(page + 1).map_or((chunk.end, group_end), |next| (next.offset, next.first_row));
                    if this.offset < to && end > from {
                        low = low.min(this.first_row);
                        high = high.max(end_row.saturating_sub(1));
                    }
                }
                if low <= high {
                    touched = Some(touched.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
                }
            }
        }
        Ok(touched.map(|(low, high)| (self.position_of(low), self.position_of(high))))
    }

    /// The error for bytes of the Parquet file that are not what was written.
    pub(super) fn damaged(&self, offset: u64, positions: (Position, Position)) -> Error {
        let file = self.name.file_name();
        let message = format!(
            "read positions {} to {} in segment {file}: the bytes at offset {offset} are not what was written; run `allsource verify`",
            positions.0, positions.1
        );
        damage(message, &file, offset, positions)
    }

    /// The error for a section of the envelope that is not what was written.
    pub(super) fn bad_envelope(&self, section: Section) -> Error {
        let file = self.name.envelope_name();
        let offset = self.header.places.get(section as usize).map_or(0, |place| place.offset);
        let positions = (self.first(), self.last());
        let message = format!(
            "read positions {} to {} in segment envelope {file}: the bytes at offset {offset} are not what was written; run `allsource verify`",
            positions.0, positions.1
        );
        damage(message, &file, offset, positions)
    }
}

fn damage(message: String, file: &str, offset: u64, positions: (Position, Position)) -> Error {
    Error::new(ErrorKind::Corrupt, "segment_damaged", message)
        .with("file", file)
        .with("offset", offset)
        .with("position", positions.0.get())
        .with("last_position", positions.1.get())
}

/// Maps a file that must be as long as it was written.
fn map(disk: &dyn Disk, dir: &Path, file_name: &str, bytes: u64) -> Result<Bytes> {
    let mapped = disk.open(&dir.join(file_name), false).and_then(|file| file.map());
    let mapped = mapped.map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            let message = format!(
                "open segment {file_name}: it is missing; restore it from a backup, or run `allsource verify`"
            );
            return damage(message, file_name, 0, (Position::ZERO, Position::ZERO));
        }
        Error::new(ErrorKind::Unavailable, "segment_not_opened", format!("open segment {file_name}"))
            .caused_by(error)
    })?;
    if mapped.len() as u64 != bytes {
        let message = format!(
            "open segment {file_name}: it is {} bytes long but {bytes} were written; run `allsource verify`",
            mapped.len()
        );
        return Err(damage(message, file_name, 0, (Position::ZERO, Position::ZERO)));
    }
    Ok(mapped)
}
