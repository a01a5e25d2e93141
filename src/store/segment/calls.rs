//! What frames say of the calls that made them, packed.
//!
//! ```text
//!   0  4  blocks
//!   4     per block: 4 first row in it, 4 offset from the start of the section, 4 its size, 4 its size unpacked
//!         blocks, packed with zstd; in each, per frame: 4 its first row, 4 len, JSON
//! ```

use super::cache::PageCache;
use super::format::u32_at;
use crate::store::log::Attrs;

/// How much of them a block holds before it ends: 16 KiB, unpacked.
const BLOCK_BYTES: usize = 16 << 10;
/// The largest block that is unpacked: 128 MiB, more than one call can say of itself.
const BLOCK_BYTES_MAX: usize = 128 << 20;
const ENTRY_BYTES: usize = 16;

/// What a frame says, and its first row.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub row: u32,
    pub attrs: Attrs,
}

/// The section as it is being written.
pub(super) struct CallsBuilder {
    level: i32,
    first_row: u32,
    block: Vec<u8>,
    places: Vec<[u32; 4]>,
    packed: Vec<u8>,
}

impl CallsBuilder {
    pub(super) fn new(level: i32) -> Self {
        Self { level, first_row: 0, block: Vec::new(), places: Vec::new(), packed: Vec::new() }
    }

    /// Adds what the frame that begins at `row` says.
    pub(super) fn push(&mut self, row: u32, attrs: &Attrs) -> std::io::Result<()> {
        if self.block.is_empty() {
            self.first_row = row;
        }
        let json = serde_json::to_vec(attrs)?;
        self.block.extend_from_slice(&row.to_le_bytes());
        self.block.extend_from_slice(&len_u32(json.len()).to_le_bytes());
        self.block.extend_from_slice(&json);
        if self.block.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> std::io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = zstd::bulk::compress(&self.block, self.level)?;
        let place = [self.packed.len(), packed.len(), self.block.len()].map(len_u32);
        self.places.push([self.first_row, place[0], place[1], place[2]]);
        self.packed.extend_from_slice(&packed);
        self.block.clear();
        Ok(())
    }

    /// The whole section.
    pub(super) fn finish(mut self) -> std::io::Result<Vec<u8>> {
        self.end_block()?;
        let before = len_u32(4 + self.places.len() * ENTRY_BYTES);
        let mut section = len_u32(self.places.len()).to_le_bytes().to_vec();
        for [first_row, offset, packed, plain] in self.places {
            for number in [first_row, before.saturating_add(offset), packed, plain] {
                section.extend_from_slice(&number.to_le_bytes());
            }
        }
        section.extend_from_slice(&self.packed);
        Ok(section)
    }
}

/// A segment's calls stay far below 4 GiB: they come from log files that do.
fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// What the last frame says that begins at or before `row` and says anything, with its first row; nothing when no frame
/// does. `None` when the section cannot be read.
pub(super) fn find(section: &[u8], cache: &PageCache, row: u32) -> Option<Said> {
    let blocks = u32_at(section, 0)?;
    let (mut low, mut high) = (0, blocks);
    while low < high {
        let middle = low.midpoint(high);
        if first_row(section, middle)? <= row { low = middle + 1 } else { high = middle }
    }
    let Some(block) = low.checked_sub(1) else { return Some(Said::default()) };
    let mut found = None;
    each_in(section, cache, block, |first_row, json| {
        if first_row <= row {
            found = Some((first_row, json.to_vec()));
        }
    })?;
    match found {
        Some((row, json)) => Some(Said { row, attrs: serde_json::from_slice(&json).ok()? }),
        None => Some(Said::default()),
    }
}

/// Shows all of them in order of rows; `None` when the section cannot be read.
pub(super) fn each(section: &[u8], cache: &PageCache, mut each: impl FnMut(u32, &Attrs)) -> Option<()> {
    for block in 0..u32_at(section, 0)? {
        let mut sound = true;
        each_in(section, cache, block, |row, json| match serde_json::from_slice(json) {
            Ok(attrs) => each(row, &attrs),
            Err(_) => sound = false,
        })?;
        sound.then_some(())?;
    }
    Some(())
}

fn first_row(section: &[u8], block: u32) -> Option<u32> {
    u32_at(section, 4 + block as usize * ENTRY_BYTES)
}

fn each_in(section: &[u8], cache: &PageCache, block: u32, mut each: impl FnMut(u32, &[u8])) -> Option<()> {
    let at = 4 + block as usize * ENTRY_BYTES;
    let (offset, packed) = (u32_at(section, at + 4)? as usize, u32_at(section, at + 8)? as usize);
    let plain = u32_at(section, at + 12)? as usize;
    if plain > BLOCK_BYTES_MAX {
        return None;
    }
    let mut decompressor = cache.decompressor().ok()?;
    let unpacked = decompressor.decompress(section.get(offset..offset.checked_add(packed)?)?, plain);
    cache.put_back(decompressor);
    let unpacked = unpacked.ok()?;
    let mut rest = unpacked.as_slice();
    while !rest.is_empty() {
        let (row, len) = (u32_at(rest, 0)?, u32_at(rest, 4)? as usize);
        let end = len.checked_add(8)?;
        each(row, rest.get(8..end)?);
        rest = rest.get(end..)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attrs(row: u32) -> Attrs {
        Attrs { key: Some(format!("call {row}")), request: Some("00".repeat(16)), conditions: None }
    }

    #[test]
    fn a_call_is_found_from_every_row_behind_it() {
        let rows: Vec<u32> = (0..2_000).map(|number| 5 + number * 3).collect();
        let mut builder = CallsBuilder::new(3);
        for &row in &rows {
            builder.push(row, &attrs(row)).expect("room");
        }
        let section = builder.finish().expect("room");
        assert!(u32_at(&section, 0) > Some(3), "several blocks");
        let cache = PageCache::new(0);
        let at = |row| find(&section, &cache, row).expect("a sound section");
        assert_eq!(at(4), Said::default());
        for &row in &rows {
            assert_eq!(at(row), Said { row, attrs: attrs(row) });
            assert_eq!(at(row + 2), Said { row, attrs: attrs(row) });
        }
        let mut seen = Vec::new();
        each(&section, &cache, |row, said| {
            assert_eq!(*said, attrs(row));
            seen.push(row);
        });
        assert_eq!(seen, rows);
    }
}
