//! A file on its way to the disk: written in large pieces, with the checksum of each block on the way.

use std::io::{self, Write};
use std::sync::Arc;

use super::format::BLOCK_BYTES;
use crate::store::disk::DiskFile;
use crate::store::options::PlantedBug;

/// The size of a piece: 1 MiB, a multiple of a block.
const PIECE_BYTES: usize = 1 << 20;

/// A file being written.
pub(super) struct Sink {
    file: Arc<dyn DiskFile>,
    piece: Vec<u8>,
    offset: u64,
    blocks: Vec<u32>,
}

impl Sink {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Self {
        Self { file, piece: Vec::with_capacity(PIECE_BYTES), offset: 0, blocks: Vec::new() }
    }

    /// Writes the last piece and makes the file durable; gives its size and the checksums of its blocks.
    pub(super) fn seal(&mut self, planted_bug: Option<PlantedBug>) -> io::Result<(u64, Vec<u32>)> {
        self.write_piece()?;
        if planted_bug != Some(PlantedBug::SkipSegmentSync) {
            self.file.sync_data()?;
        }
        Ok((self.offset, std::mem::take(&mut self.blocks)))
    }

    fn write_piece(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.blocks.extend(self.piece.chunks(BLOCK_BYTES).map(crc32c::crc32c));
        self.file.write_all_at(&self.piece, self.offset)?;
        self.offset += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.piece.len() == PIECE_BYTES {
            self.write_piece()?;
            // At once, not all of it at the end: who syncs a log file meanwhile waits for no more than a piece.
            self.file.sync_data()?;
        }
        Ok(taken)
    }

    /// Does nothing: only the last piece may end in the middle of a block.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
