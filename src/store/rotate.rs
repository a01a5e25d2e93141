//! *What happens when a log file is full?* `main` begins another; a fork's grows.

use std::sync::Arc;

use super::background::Job;
use super::branch::{Branch, Writer};
use super::index::{MemoryIndex, RangeIndex};
use super::log::{FILE_HEADER_BYTES, FileHeader, LogEnd, LogFile, create, grow, log_dir};
use super::options::{Durability, PlantedBug};
use super::view::Range;
use crate::error::{Error, ErrorKind, Result};

impl Branch {
    /// Starts a new log file with room for a frame of `bytes` bytes.
    ///
    /// # Errors
    /// `Exhausted` when the disk is full, and what stopped all writing before: nothing has changed. Any other failure
    /// poisons the branch.
    pub(crate) fn rotate(&self, writer: &mut Writer, bytes: usize) -> Result<()> {
        self.fault().map_or(Ok(()), Err)?;
        if self.lineage.is_some() {
            return self.make_room_in_fork(writer, bytes);
        }
        // Ordering: the old file is durable before anything refers to what follows it.
        if self.options.durability != Durability::Fsync || writer.sync_is_due {
            self.sync_file(&writer.end.log).inspect_err(|_| self.lower_head(writer))?;
            self.advance_durable(writer.next.previous());
        }
        let bytes = self.options.log_file_bytes.max((FILE_HEADER_BYTES + bytes) as u64);
        if writer.next == writer.end.log.first() {
            return self.grow(writer, bytes);
        }
        let header = FileHeader {
            first_position: writer.next,
            synced_through: writer.next.previous(),
            id_key: self.id_key,
            last_recorded_at: writer.recorded_at,
        };
        let sync_dir = !self.options.has(PlantedBug::SkipDirectorySync);
        let log = create(self.options.disk.as_ref(), &log_dir(&self.dir), &header, bytes, sync_dir)
            .inspect_err(|error| self.poison_unless_full(error, writer))?;
        self.change_manifest(|manifest| {
            manifest.log_files.push(header.first_position.get());
            manifest.synced_through = header.synced_through.get();
        })
        .inspect_err(|error| self.poison_unless_full(error, writer))?;
        let full = std::mem::replace(&mut writer.end, LogEnd::created(Arc::new(log)));
        full.release_rest();
        self.roll_memory(writer, full.offset);
        Ok(())
    }

    /// Makes the newest log file, which holds no event, `bytes` long.
    fn grow(&self, writer: &mut Writer, bytes: u64) -> Result<()> {
        let grown =
            grow(&writer.end.log, bytes).inspect_err(|error| self.poison_unless_full(error, writer))?;
        self.exchange(writer, grown);
        Ok(())
    }

    /// Puts a log file in the place of the newest, whose events it holds.
    pub(super) fn exchange(&self, writer: &mut Writer, log: LogFile) {
        let (small, grown) = (Arc::clone(&writer.end.log), Arc::new(log));
        self.change_view(|view| {
            for range in view.ranges.iter_mut().filter(|range| range.is_in(&small)) {
                *range = Arc::new(Range::of_log(&grown, range.index.clone()));
            }
        });
        writer.end = LogEnd::found(grown, writer.end.offset);
    }

    pub(super) fn poison_unless_full(&self, error: &Error, writer: &Writer) {
        if error.kind() != ErrorKind::Exhausted {
            self.set_fault(error.copy());
            self.lower_head(writer);
        }
    }

    /// Starts a new in-memory index when the present one covers enough log.
    pub(crate) fn roll_memory_if_full(&self, writer: &mut Writer) {
        if writer.end.offset - writer.memory_from >= self.options.run_bytes {
            self.roll_memory(writer, writer.end.offset);
        }
    }

    /// Starts a new in-memory index; the present one, which speaks for its log file up to `covered`, goes to the
    /// background to be saved.
    fn roll_memory(&self, writer: &mut Writer, covered: u64) {
        let memory = Arc::new(MemoryIndex::new(writer.next));
        let index = RangeIndex::Memory(Arc::clone(&memory));
        let range = Arc::new(Range::of_log(&writer.end.log, index));
        writer.memory = memory;
        writer.memory_from = writer.end.offset;
        // When a log file is full just where a run ends, that run is saved once more, or its file is: behind the last
        // of them one index is made of the whole log file, without which it is never sealed.
        let view = self.view();
        let newest = view.ranges.iter().rev().find(|range| !range.index.is_empty());
        let newest = newest.map(|range| range.index.first());
        self.change_view(|view| {
            // An index that holds nothing stands for no positions.
            view.ranges
                .retain(|range| !matches!(&range.index, RangeIndex::Memory(index) if index.is_empty()));
            view.ranges.push(Arc::clone(&range));
        });
        if let Some(first) = newest {
            self.background.save(Job { first, covered: Some(covered) });
        }
    }
}
