//! The log of a fork: made by its first append, and longer with every time that it is full.

use super::open::LOG_FILE_BYTES;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::branch::{Branch, Writer};
use crate::store::log::{FILE_HEADER_BYTES, FileHeader, create, grow, log_dir};
use crate::store::options::{Mode, PlantedBug};

impl Branch {
    /// Makes room for a frame of `bytes` bytes in a fork.
    ///
    /// # Errors
    /// `Exhausted` when the disk is full: nothing has changed. Any other failure poisons the fork.
    pub(in crate::store) fn make_room_in_fork(&self, writer: &mut Writer, bytes: usize) -> Result<()> {
        let (len, needed) = (writer.end.log.bytes().len() as u64, writer.end.offset + bytes as u64);
        let mut room = len.max(LOG_FILE_BYTES);
        while room < needed {
            room = room.saturating_mul(2);
        }
        // One that stands in for a file that is not there yet is all header.
        let made = if len <= FILE_HEADER_BYTES as u64 {
            self.begin_log(writer, room)
        } else {
            grow(&writer.end.log, room)
        };
        let log = made.inspect_err(|error| self.poison_unless_full(error, writer))?;
        self.exchange(writer, log);
        Ok(())
    }

    /// Makes the log file of a fork that has none; from here on a power cut leaves the fork there.
    fn begin_log(&self, writer: &Writer, bytes: u64) -> Result<crate::store::log::LogFile> {
        let (disk, dir) = (self.options.disk.as_ref(), log_dir(&self.dir));
        let first = writer.next;
        let header = FileHeader {
            first_position: first,
            synced_through: first.previous(),
            id_key: self.id_key,
            last_recorded_at: writer.recorded_at,
        };
        // Every name on the way: the directory of all forks may have been made by this one.
        let ancestors = self.dir.ancestors().take(if self.options.has(PlantedBug::SkipForkDirectorySync) {
            1
        } else {
            3
        });
        disk.create_dir_all(&dir)
            .and_then(|()| ancestors.into_iter().try_for_each(|ancestor| disk.sync_dir(ancestor)))
            .map_err(|error| {
                let message = format!("make the log of a fork in {}: {error}; check the disk", dir.display());
                Error::new(ErrorKind::Unavailable, "disk_failed", message)
            })?;
        let name = || {
            self.change_manifest(|manifest| {
                manifest.log_files = vec![first.get()];
                manifest.synced_through = manifest.synced_through.max(first.previous().get());
            })
        };
        if self.options.has(PlantedBug::NameForkLogFirst) {
            name()?;
        }
        // Ordering: the file is durable before the manifest names it, and that before anything is written to it.
        let log = create(disk, &dir, &header, bytes, true)?;
        name()?;
        Ok(log)
    }

    /// Bytes in use of a fork's own log.
    pub(crate) fn fork_bytes(&self) -> u64 {
        self.writer.lock().end.offset.saturating_sub(FILE_HEADER_BYTES as u64)
    }

    /// Fails when a fork may not take a frame of that many events and bytes behind `next`; `used` bytes are in use before.
    ///
    /// # Errors
    /// `Exhausted` (`fork_quota`).
    pub(in crate::store) fn check_quota(
        &self,
        next: Position,
        used: u64,
        events: u64,
        bytes: u64,
    ) -> Result<()> {
        let manifest = self.manifest.lock();
        let Some(fork) = &manifest.fork else { return Ok(()) };
        let (held, used) = (next.previous().get().saturating_sub(fork.cut), used - FILE_HEADER_BYTES as u64);
        let (what, held, added, quota) = if held + events > fork.quota_events {
            ("events", held, events, fork.quota_events)
        } else if used + bytes > fork.quota_bytes {
            ("bytes", used, bytes, fork.quota_bytes)
        } else {
            return Ok(());
        };
        let id = &manifest.branch;
        let message = format!(
            "append to fork {id}: it holds {held} {what} of its own and may hold {quota}, so {added} more do not fit; promote it, \
             raise the quota with update_fork, or append less"
        );
        Err(Error::new(ErrorKind::Exhausted, "fork_quota", message)
            .with("branch", id.as_str())
            .with("quota", quota))
    }

    /// Notes in a fork's manifest how far it is durable, so that what is damaged later is not taken for an append that was never
    /// acknowledged. Without the note only a later frame tells.
    pub(super) fn note_durable(&self) {
        let through = self.durable().get();
        if self.options.mode == Mode::Read || self.fault().is_some() {
            return;
        }
        let noted = self.change_manifest(|manifest| {
            manifest.synced_through = manifest.synced_through.max(through);
        });
        if let Err(error) = noted {
            tracing::warn!("failed to note how far fork {} is durable: {error}", self.dir.display());
        }
    }

    /// Ends all writing to a fork; whoever reads it reads on.
    pub(super) fn end(&self, why: Error) {
        // Ordering: behind the commit lock no append is under way, and the next finds why.
        let _writer = self.writer.lock();
        let _manifest = self.manifest.lock();
        let _ = self.fault.set(why);
    }
}
