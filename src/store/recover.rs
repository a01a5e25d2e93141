//! Opening a branch: which files there are, which frames are whole, which indexes can be trusted.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use super::background::Job;
use super::branch::{Found, Unproved, Writer};
use super::create;
use super::index::{IndexFile, MemoryIndex, RangeIndex, index_dir, push_frame};
use super::log::{
    Boundary, Break, Checks, FrameHeader, LOOK_AT_OPEN_BYTES, LogEnd, LogFile, Record, damage_error,
    file_name, judge_within, records, walk,
};
use super::manifest::{FORMAT, Manifest, load, swap};
use super::options::{Durability, Mode, Options, PlantedBug};
use super::rescue;
use super::segment::{PageCache, segment_dir};
use super::verify::Damage;
use super::view::{Range, View};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;

/// How often a reader begins anew because the manifest was replaced meanwhile: 16 times.
const OPENS_MAX: usize = 16;

/// Opens the branch in `dir`, creating it when it is not there and may be.
///
/// # Errors
/// `Corrupt` when bytes that were durable are not what was written and the mode is [`Mode::Write`]; `NotFound` when
/// there is no branch and the mode is [`Mode::Read`]; `Unavailable` when the disk fails.
pub(crate) fn open(dir: &Path, name: &str, options: &Options) -> Result<(Found, Vec<Damage>)> {
    let mut tries = OPENS_MAX;
    loop {
        tries -= 1;
        let (manifest, damage) = find_manifest(dir, name, options)?;
        let opened = open_as(dir, options, manifest.clone(), damage);
        let is_whole = opened.as_ref().is_ok_and(|(_, damage)| damage.is_empty());
        if is_whole || options.mode == Mode::Write || tries == 0 {
            return opened;
        }
        // What is missing may have been deleted a moment ago by the process that writes, as its next manifest says.
        if matches!(load(options.disk.as_ref(), dir), Ok(Some(newer)) if newer == manifest) {
            return opened;
        }
    }
}

fn find_manifest(dir: &Path, name: &str, options: &Options) -> Result<(Manifest, Option<Damage>)> {
    let disk = options.disk.as_ref();
    Ok(match load(disk, dir) {
        Ok(Some(manifest)) => (manifest, None),
        found if options.mode == Mode::Read => match rescue::manifest(disk, dir, name, found)? {
            Some((manifest, damage)) => (manifest, Some(damage)),
            None => (create::branch(dir, name, options)?, None),
        },
        found => {
            found?;
            (create::branch(dir, name, options)?, None)
        }
    })
}

pub(super) fn open_as(
    dir: &Path,
    options: &Options,
    manifest: Manifest,
    damage: Option<Damage>,
) -> Result<(Found, Vec<Damage>)> {
    if manifest.backup && options.mode == Mode::Write {
        return Err(is_backup(dir));
    }
    let mut recovery = Recovery {
        dir,
        options,
        pages: Arc::new(PageCache::new(options.page_cache_bytes_max)),
        manifest,
        view: View::default(),
        damage: damage.into_iter().collect(),
        unusable: None,
        unsaved: Vec::new(),
        mended: Vec::new(),
        unproved: VecDeque::new(),
        on_trust: Position::ZERO,
    };
    let tail = recovery.files()?;
    recovery.finish(tail)
}

fn is_backup(dir: &Path) -> Error {
    let dir = dir.ancestors().nth(create::DIRECTORY_DEPTH - 1).unwrap_or(dir);
    let message = format!(
        "open {} for writing: it is a backup; read it with `--read-only`, or make a store from it with `allsource restore`",
        dir.display()
    );
    Error::new(ErrorKind::Denied, "is_a_backup", message)
}

/// A branch while it is opened.
pub(super) struct Recovery<'a> {
    pub(super) dir: &'a Path,
    pub(super) options: &'a Options,
    /// Decoded pages, shared by all segments.
    pub(super) pages: Arc<PageCache>,
    pub(super) manifest: Manifest,
    pub(super) view: View,
    pub(super) damage: Vec<Damage>,
    /// Why the present log file cannot be used and another stands in for it.
    pub(super) unusable: Option<&'static str>,
    pub(super) unsaved: Vec<Job>,
    /// What was damaged and is derived, or left over by a crash, and is in order again.
    pub(super) mended: Vec<Damage>,
    /// The position and offset of each frame of the newest log file that nothing proves to have been durable.
    unproved: VecDeque<(Position, usize)>,
    /// The last position of the newest log file that was taken on the word of its indexes; before its first when there
    /// is none.
    on_trust: Position,
}

/// The end of the newest log file, and the in-memory index over what no file indexes.
struct Tail {
    log: Arc<LogFile>,
    at: Boundary,
    memory: Arc<MemoryIndex>,
    memory_from: u64,
}

impl Recovery<'_> {
    /// Opens every log file with the indexes that can be trusted.
    fn files(&mut self) -> Result<Tail> {
        self.report_unlisted()?;
        if self.options.mode == Mode::Write && self.manifest.fork.is_none() {
            // Whoever deleted the indexes, which are derived, may have deleted their directory with them.
            self.make_folder(&index_dir(self.dir))?;
        }
        let indexes = self.indexes();
        self.cold(&indexes)?;
        let firsts: Vec<_> = self.manifest.log_files.iter().copied().map(Position::new).collect();
        let mut tail = None;
        for (index, &first) in firsts.iter().enumerate() {
            let next = firsts.get(index + 1).copied();
            let begins = |saved: &Arc<IndexFile>| saved.has_rows() && saved.first() == first;
            let on_trust = next.is_some() && self.trusts_indexes() && indexes.iter().any(begins);
            let log = self.log_file(first, on_trust)?;
            let ranges_before = self.view.ranges.len();
            self.unproved.clear();
            // An index of a file that is not there would name events that nobody can read.
            let trusted = if self.unusable.is_some() { &[][..] } else { &indexes };
            let at = self.indexed(&log, trusted, next);
            let end = if on_trust && next == Some(at.next) {
                // Nothing can follow, so there is no reason to look: it would have to come from the disk.
                Tail { log, at, memory: Arc::new(MemoryIndex::new(at.next)), memory_from: at.offset as u64 }
            } else {
                self.unindexed(log, at, next)?
            };
            if let Some(reason) = self.unusable.take() {
                self.damage.push(Damage::of_file(&file_name(first), reason));
            }
            if next.is_some() && (self.view.ranges.len() > ranges_before + 1 || !end.memory.is_empty()) {
                let first = if end.memory.is_empty() { first } else { end.memory.first() };
                self.unsaved.push(Job { first, covered: Some(end.at.offset as u64) });
            }
            tail = Some(end);
        }
        tail.ok_or_else(|| Error::internal("open a branch whose manifest names no log file"))
    }

    /// Takes the saved indexes of a log file, as far as they join up; gives the place behind them.
    ///
    /// What they cover is not read here, unless damage was found before or nobody proves it behind the open: its records
    /// are proved one by one when they are read, and all of them behind the open, before the first append, and by
    /// `verify`. An index is saved only once its log is durable, so that nothing it covers can be a torn tail; in the
    /// newest file it must end where a frame ends.
    fn indexed(&mut self, log: &Arc<LogFile>, saved: &[Arc<IndexFile>], next: Option<Position>) -> Boundary {
        let (mut at, checks) = (Boundary::start(log), self.checks());
        loop {
            let joins = |index: &&Arc<IndexFile>| {
                index.has_rows() && index.first() == at.next && next.is_none_or(|next| index.last() < next)
            };
            let Some(index) = saved.iter().filter(joins).max_by_key(|index| index.last()) else { return at };
            let end = usize::try_from(index.log_end()).unwrap_or(usize::MAX);
            let is_trusted = match next {
                Some(_) => !self.manifest.suspect,
                None => self.trusts_indexes() && ends_with_a_frame(log, index),
            };
            let behind = if is_trusted {
                self.on_trust = index.last();
                Boundary { offset: end, next: index.last().next(), recorded_at: index.last_recorded_at() }
            } else {
                let note = |frame: &FrameHeader, offset| {
                    if next.is_none() {
                        note_unproved(&mut self.unproved, frame, offset);
                    }
                };
                match walk(log, at, end, checks, note) {
                    (behind, None) if behind.offset == end && behind.next == index.last().next() => behind,
                    _ => return at,
                }
            };
            self.push(log, RangeIndex::File(Arc::clone(index)));
            at = behind;
        }
    }

    /// Whether what indexes cover needs no proof before the open is over. Damage found before must show at once, and so
    /// must any to somebody who only reads, for whom nobody looks later.
    fn trusts_indexes(&self) -> bool {
        self.options.mode == Mode::Write && !self.manifest.suspect && self.manifest.fork.is_none()
    }

    /// Reads the frames from `at` on into an in-memory index, up to the end of the log.
    fn unindexed(&mut self, log: Arc<LogFile>, from: Boundary, next: Option<Position>) -> Result<Tail> {
        let memory = Arc::new(MemoryIndex::new(from.next));
        let durable = next.map_or(Position::new(self.manifest.synced_through), Position::previous);
        let mut at = from;
        loop {
            let (end, reason) = walk(&log, at, log.bytes().len(), self.checks(), |frame, offset| {
                note_unproved(&mut self.unproved, frame, offset);
                push_frame(&memory, &log, frame, offset);
            });
            at = end;
            match self.judge(&log, at, reason, durable) {
                None => break,
                Some(Break::Torn) => {
                    at = self.keep_torn_batch(&memory, &log, at);
                    break;
                }
                Some(Break::Damage { reason, resume }) => {
                    let through = resume.map_or(durable, |resume| resume.next.previous());
                    self.report(&log, at, through, reason)?;
                    memory.push_gap(through);
                    match resume {
                        Some(resume) => at = resume,
                        None => break,
                    }
                }
            }
        }
        if !memory.is_empty() || next.is_none() {
            self.push(&log, RangeIndex::Memory(Arc::clone(&memory)));
        }
        Ok(Tail {
            log,
            at: Boundary { next: memory.last().next(), ..at },
            memory,
            memory_from: from.offset as u64,
        })
    }

    /// What stands behind the last whole frame. Who looks at the rest later looks at the next bytes alone now.
    fn judge(
        &self,
        log: &LogFile,
        at: Boundary,
        reason: Option<&'static str>,
        durable: Position,
    ) -> Option<Break> {
        let window = if self.trusts_indexes() { LOOK_AT_OPEN_BYTES } else { usize::MAX };
        judge_within(log, at, reason, durable, window)
    }

    fn report(&mut self, log: &LogFile, at: Boundary, through: Position, reason: &str) -> Result<()> {
        if self.options.mode == Mode::Write {
            return Err(damage_error(log, at, through, reason));
        }
        self.damage.push(Damage {
            file: log.name().to_owned(),
            offset: at.offset as u64,
            first_position: at.next,
            last_position: through,
            reason: self.unusable.take().unwrap_or(reason).to_owned(),
        });
        Ok(())
    }

    /// The deliberate fault `KeepTornBatch`: takes the whole records of a torn frame.
    fn keep_torn_batch(&self, memory: &MemoryIndex, log: &LogFile, at: Boundary) -> Boundary {
        if !self.options.has(PlantedBug::KeepTornBatch) {
            return at;
        }
        let Some(mut frame) = log.frame(at.offset).filter(|frame| frame.first_position == at.next) else {
            return at;
        };
        let whole = |(offset, _): &(u32, Record)| Record::proved(log.bytes(), *offset as usize).is_some();
        frame.count = u32::try_from(records(log, &frame, at.offset).take_while(whole).count()).unwrap_or(0);
        if frame.count == 0 {
            return at;
        }
        push_frame(memory, log, &frame, at.offset);
        at.behind(&frame)
    }

    fn checks(&self) -> Checks {
        if self.options.has(PlantedBug::SkipChecksum) { Checks::HeaderOnly } else { Checks::All }
    }

    fn push(&mut self, log: &Arc<LogFile>, index: RangeIndex) {
        self.view.ranges.push(Arc::new(Range::of_log(log, index)));
    }

    /// Makes what was found durable, and says in the manifest how the branch is opened now.
    fn finish(mut self, tail: Tail) -> Result<(Found, Vec<Damage>)> {
        let (log, next, offset) = (tail.log, tail.at.next, tail.at.offset as u64);
        let newest = Arc::clone(&log);
        if self.options.mode == Mode::Write {
            self.make_durable(&log, tail.at.offset)?;
            self.note_opening(next.previous())?;
            self.remove_leftovers();
        }
        let end = if self.options.has(PlantedBug::LeaveTornTail) {
            LogEnd::uncut(log, offset)
        } else {
            LogEnd::found(log, offset)
        };
        let writer = Writer {
            end,
            memory: tail.memory,
            memory_from: tail.memory_from,
            next,
            recorded_at: tail.at.recorded_at,
            sync_is_due: false,
        };
        Ok((
            Found {
                view: self.view,
                writer,
                manifest: self.manifest,
                durable: next.previous(),
                unsaved: self.unsaved,
                unproved: Some(Unproved { log: Arc::clone(&newest), covered: self.on_trust, end: tail.at }),
                mended: self.mended,
                pages: self.pages,
            },
            self.damage,
        ))
    }

    /// Makes durable what a killed process may have left in the page cache alone: whoever reads it from here on must be
    /// able to rely on it. A sync that failed earlier has given its pages up, and no later sync would write them, so
    /// what nothing proves durable is written once more.
    fn make_durable(&self, log: &LogFile, end: usize) -> Result<()> {
        let proved = Position::new(self.manifest.synced_through);
        let from = self.unproved.iter().find(|(first, _)| *first > proved).map_or(end, |(_, offset)| *offset);
        let unproved = log.bytes().get(from..end).unwrap_or_default().to_vec();
        let written =
            if unproved.is_empty() { Ok(()) } else { log.file().write_all_at(&unproved, from as u64) };
        written.and_then(|()| log.file().sync_data()).map_err(|error| {
            let message = format!("sync log file {}: {error}", log.name());
            Error::new(ErrorKind::Unavailable, "disk_failed", message)
        })
    }

    fn make_folder(&self, dir: &Path) -> Result<()> {
        self.options.disk.create_dir_all(dir).map_err(|error| {
            let message =
                format!("create the directory {}: {error}; free space or check the disk", dir.display());
            Error::new(ErrorKind::Unavailable, "disk_failed", message)
        })
    }

    fn note_opening(&mut self, head: Position) -> Result<()> {
        let mut manifest = self.manifest.clone();
        if manifest.volatile {
            // Positions that somebody saw may be gone, and others will take their numbers.
            manifest.epoch += 1;
            manifest.synced_through = head.get();
        }
        manifest.volatile = self.options.durability != Durability::Fsync;
        if manifest.format < FORMAT {
            // A store of format 1 has no place for segments; the swap that names the new format makes this one durable.
            self.make_folder(&segment_dir(self.dir))?;
            manifest.format = FORMAT;
        }
        // Every file was proved on the way here, and there is no damage any more.
        manifest.suspect = false;
        if manifest != self.manifest {
            swap(self.options.disk.as_ref(), self.dir, Some(&self.manifest), &manifest)?;
            self.manifest = manifest;
        }
        Ok(())
    }
}

/// Whether the last position of an index is the last of a whole frame that ends where the index says.
fn ends_with_a_frame(log: &LogFile, index: &Arc<IndexFile>) -> bool {
    let range = RangeIndex::File(Arc::clone(index));
    let offset = range.offset(range.row_of(index.last()));
    let end = offset.and_then(|offset| log.frame_end(offset));
    end == Some((index.log_end(), index.last(), index.last_recorded_at()))
}

/// Notes a frame, and forgets those before it that were durable when it was written.
fn note_unproved(unproved: &mut VecDeque<(Position, usize)>, frame: &FrameHeader, offset: usize) {
    while unproved.front().is_some_and(|(first, _)| *first <= frame.synced_through) {
        unproved.pop_front();
    }
    unproved.push_back((frame.first_position, offset));
}
