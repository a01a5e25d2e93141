//! Rows whose events were emptied: they have no vector any more, though their records stay as they were written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bits::Bits;
use super::checkpoint::Length;
use super::file::{map, write_whole};
use super::format::{ROW_BYTES, Row, count};
use crate::error::Result;
use crate::store::disk::Disk;

/// The emptied rows of a set, for its readers.
#[derive(Debug)]
pub(super) struct Gone {
    /// The rows that are gone.
    pub(super) rows: Bits,
    /// The ordinals that still have a row.
    pub(super) ordinals: Bits,
}

/// The emptied rows of a set, for the writer.
#[derive(Debug, Default)]
pub(super) struct GoneRows {
    rows: Bits,
    /// There are rows that the file does not know.
    changed: bool,
    file: Option<(u64, Length)>,
}

impl GoneRows {
    /// The rows that a checkpoint tells of.
    pub(super) fn open(disk: &dyn Disk, stem: &Path, file: Option<(u64, Length)>) -> Result<Self> {
        let Some((number, length)) = file else { return Ok(Self::default()) };
        let bytes = map(disk, &gone_path(stem, number), length)?;
        Ok(Self { rows: Bits::of_bytes(&bytes), changed: false, file })
    }

    /// Empties a row.
    pub(super) fn insert(&mut self, row: u32) {
        self.changed |= self.rows.insert(row);
    }

    /// Writes what the file does not know to the next one; gives the file, and the one that it took the place of.
    pub(super) fn flush(&mut self, disk: &dyn Disk, stem: &Path) -> Result<Option<PathBuf>> {
        if !self.changed {
            return Ok(None);
        }
        let old = self.file.map(|(number, _)| number);
        let number = old.unwrap_or(0) + 1;
        self.file = Some((number, write_whole(disk, &gone_path(stem, number), &self.rows.bytes())?));
        self.changed = false;
        Ok(old.map(|old| gone_path(stem, old)))
    }

    /// The number and the length of the file, if there is one.
    pub(super) fn file(&self) -> Option<(u64, Length)> {
        self.file
    }

    /// What readers need of it, over these rows; `None` where nothing is gone.
    pub(super) fn view(&self, rows: &[u8], ordinals: u32) -> Option<Arc<Gone>> {
        self.file?;
        let mut left = Bits::none_of(ordinals);
        for (number, record) in rows.as_chunks::<ROW_BYTES>().0.iter().enumerate() {
            let row = Row::decode(*record);
            if row.ordinal < ordinals && !self.rows.contains(count(number)) {
                left.insert(row.ordinal);
            }
        }
        Some(Arc::new(Gone { rows: self.rows.clone(), ordinals: left }))
    }
}

/// The Nth file of emptied rows.
pub(super) fn gone_path(stem: &Path, number: u64) -> PathBuf {
    stem.with_extension(format!("gone-{number}"))
}
