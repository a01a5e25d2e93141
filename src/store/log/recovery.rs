//! Finding out which frames of a log file are whole, and telling damage from a torn tail.

use super::file::LogFile;
use super::format::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FrameHeader, ends};
use super::record::Record;
use crate::error::{Error, ErrorKind};
use crate::event::{Position, Timestamp};

/// How far behind an apparent end of the log anything but zeros is looked for: 8 MiB. If there is, a later frame is looked
/// for in all of the file.
const LOOK_BEHIND_END_BYTES: usize = 8 << 20;

/// How far behind the end of the log an open looks for anything but zeros, when the rest is looked at before
/// the first append: 256 KiB.
pub(crate) const LOOK_AT_OPEN_BYTES: usize = 256 << 10;

/// A place between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boundary {
    /// Where the next frame begins.
    pub offset: usize,
    /// The position of its first event.
    pub next: Position,
    /// When the frame before was committed.
    pub recorded_at: Timestamp,
}

impl Boundary {
    /// The place before the first frame of `log`.
    pub(crate) fn start(log: &LogFile) -> Self {
        let header = log.header();
        Self { offset: FILE_HEADER_BYTES, next: header.first_position, recorded_at: header.last_recorded_at }
    }

    /// The place behind `frame`, which begins here.
    pub(crate) fn behind(self, frame: &FrameHeader) -> Self {
        Self {
            offset: self.offset + frame.len as usize,
            next: frame.last_position().next(),
            recorded_at: frame.recorded_at,
        }
    }
}

/// Why a run of whole frames ended before the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// The bytes there belong to an append that was never acknowledged.
    Torn,
    /// The bytes there were durable once and are not what was written. `resume` is the next whole frame, if any.
    Damage { reason: &'static str, resume: Option<Boundary> },
}

/// The whole frame at `at`, or why there is none: a frame follows only in order of positions and of time.
pub(crate) fn frame_at(log: &LogFile, at: Boundary, checks: Checks) -> Result<FrameHeader, &'static str> {
    let frame = log.frame(at.offset).ok_or("the frame header's checksum does not match")?;
    if frame.first_position != at.next {
        return Err("the frame begins at another position");
    }
    if frame.recorded_at <= at.recorded_at {
        return Err("the frame is older than the one before it");
    }
    let bytes = log.bytes().get(at.offset..).unwrap_or_default();
    if checks == Checks::All && !frame.proves(bytes) {
        return Err("the frame's checksum does not match");
    }
    Ok(frame)
}

/// Which checks are made of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// The header's and the body's.
    All,
    /// The header's alone: the deliberate fault `SkipChecksum`.
    HeaderOnly,
}

/// Walks whole frames from `from` up to `until` bytes, showing each to `visit`; gives the place where it stopped, and
/// why if that is not the end of the log.
pub(crate) fn walk(
    log: &LogFile,
    from: Boundary,
    until: usize,
    checks: Checks,
    mut visit: impl FnMut(&FrameHeader, usize),
) -> (Boundary, Option<&'static str>) {
    let mut at = from;
    while at.offset < until && !ends(log.bytes().get(at.offset..).unwrap_or_default()) {
        match frame_at(log, at, checks) {
            Ok(frame) => {
                visit(&frame, at.offset);
                at = at.behind(&frame);
            }
            Err(reason) => return (at, Some(reason)),
        }
    }
    (at, None)
}

/// What stands behind the last whole frame: nothing (`None`), a torn tail, or damage.
///
/// A frame is damage rather than a torn tail when something proves that it was durable once: the manifest, or a
/// later whole frame that was written after its position had been synced.
pub(crate) fn judge(
    log: &LogFile,
    at: Boundary,
    reason: Option<&'static str>,
    synced_through: Position,
) -> Option<Break> {
    judge_within(log, at, reason, synced_through, LOOK_BEHIND_END_BYTES)
}

/// The same, but only so many bytes behind an apparent end are looked at, and 8 MiB at most.
pub(crate) fn judge_within(
    log: &LogFile,
    at: Boundary,
    reason: Option<&'static str>,
    synced_through: Position,
    bytes_max: usize,
) -> Option<Break> {
    let window = log.bytes().get(at.offset..).unwrap_or_default();
    let window = window.get(..bytes_max.min(LOOK_BEHIND_END_BYTES)).unwrap_or(window);
    let is_silent = reason.is_none() && is_zero(window);
    let end = if is_silent { at.offset } else { log.bytes().len() };
    let resume = later_frame(log, at, end);
    let proved =
        resume.is_some_and(|(_, frame)| frame.synced_through >= at.next) || synced_through >= at.next;
    if proved {
        let reason = reason.unwrap_or("the log ends before positions that were durable");
        return Some(Break::Damage { reason, resume: resume.map(|(boundary, _)| boundary) });
    }
    (reason.is_some() || resume.is_some()).then_some(Break::Torn)
}

/// Whether there are only zeros: block by block, so that the processor compares many bytes at once.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(4 << 10).all(|block| block.iter().fold(0, |seen, byte| seen | byte) == 0)
}

/// The error for a log that cannot be written to because positions from `at` to `through` are damaged.
pub(crate) fn damage_error(log: &LogFile, at: Boundary, through: Position, reason: &str) -> Error {
    let message = format!(
        "write to log file {}: {reason} at offset {}, positions {} to {through} cannot be read; run `allsource verify` for \
         the whole extent, or `allsource salvage` to copy everything readable into a new store",
        log.name(),
        at.offset,
        at.next,
    );
    Error::new(ErrorKind::Corrupt, "log_damaged", message)
        .with("file", log.name())
        .with("offset", at.offset)
        .with("position", at.next.get())
}

/// The first whole frame behind `at` that continues the log, looked for at every byte up to `end`.
///
/// No payload can pose as one: a frame header holds NUL bytes, which JSON text cannot.
fn later_frame(log: &LogFile, at: Boundary, end: usize) -> Option<(Boundary, FrameHeader)> {
    let bytes = log.bytes();
    let end = end.min(bytes.len().saturating_sub(FRAME_HEADER_BYTES));
    let mut offset = at.offset + 1;
    while offset < end {
        // Most of what is looked through is zeros: skip to the first byte that is not.
        let skipped = bytes.get(offset..end)?.iter().position(|&byte| byte != 0)?;
        if skipped > 3 {
            // A frame's length has four bytes, the low one first, so it may begin up to three bytes earlier.
            offset += skipped - 3;
            continue;
        }
        let window = bytes.get(offset..)?;
        if let Some(frame) = FrameHeader::decode(window)
            && frame.first_position >= at.next
            && frame.proves(window)
        {
            let boundary = Boundary { offset, next: frame.first_position, recorded_at: at.recorded_at };
            return Some((boundary, frame));
        }
        offset += 1;
    }
    None
}

/// The records of the frame at `offset`, with the offset of each.
pub(crate) fn records<'a>(
    log: &'a LogFile,
    frame: &FrameHeader,
    offset: usize,
) -> impl Iterator<Item = (u32, Record<'a>)> + use<'a> {
    let end = offset + frame.len as usize;
    let mut at = offset + FRAME_HEADER_BYTES + frame.attrs_len as usize;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let (place, record) = (u32::try_from(at).ok()?, Record::at(log.bytes(), at)?);
        at += record.len();
        Some((place, record))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{EntityId, EventType, Json, Version};
    use crate::store::disk::{Disk, RealDisk};
    use crate::store::log::{FileHeader, FrameBuilder, FrameStamp, RecordParts, create};

    const COUNT: u64 = 3;

    /// Three frames of three events each; frame `n` says that everything before it was durable.
    fn log(change: impl FnOnce(&mut Vec<u8>, &[usize])) -> (tempfile::TempDir, LogFile) {
        let dir = tempfile::tempdir().expect("a directory");
        let header = FileHeader {
            first_position: Position::new(1),
            synced_through: Position::ZERO,
            id_key: 7,
            last_recorded_at: Timestamp::from_micros(0),
        };
        let created = create(&RealDisk, dir.path(), &header, 8_192, true).expect("a log file");
        let (mut bytes, mut starts) = (Vec::new(), vec![FILE_HEADER_BYTES]);
        for frame in 0..3 {
            bytes.extend(encoded(1 + frame * COUNT));
            starts.push(FILE_HEADER_BYTES + bytes.len());
        }
        change(&mut bytes, &starts);
        created.file().write_all_at(&bytes, FILE_HEADER_BYTES as u64).expect("a write");
        let file = RealDisk.open(&dir.path().join(created.name()), false).expect("the file");
        (dir, LogFile::new("test.log".to_owned(), Arc::clone(&file)).expect("a log file"))
    }

    fn encoded(first: u64) -> Vec<u8> {
        let entity = EntityId::new("order-1").expect("an id");
        let kind = EventType::new("placed").expect("a type");
        let payload = Json::parse("{\"total\":12345678901234567890123}", "payload", 100).expect("JSON");
        let mut frame = FrameBuilder::new(b"", 0, 3);
        for _ in 0..COUNT {
            frame.push(&RecordParts {
                entity_id: &entity,
                event_type: &kind,
                event_id: None,
                timestamp: None,
                metadata: None,
                payload: &payload,
            });
        }
        let stamp = FrameStamp {
            first_position: Position::new(first),
            synced_through: Position::new(first - 1),
            recorded_at: Timestamp::from_micros(i64::try_from(first).expect("small")),
        };
        let versions: Vec<_> = (first..first + COUNT).map(Version::new).collect();
        frame.stamp(&stamp, &versions);
        frame.bytes().to_vec()
    }

    /// How many positions are whole from the start, and what stands behind them.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Vec<u8>, &[usize]), whole: u64, expected: Option<&str>) {
        let (_dir, log) = log(change);
        let (at, reason) = walk(&log, Boundary::start(&log), usize::MAX, Checks::All, |_, _| {});
        assert_eq!(at.next.get(), whole + 1);
        let judged = match judge(&log, at, reason, Position::ZERO) {
            None => None,
            Some(Break::Torn) => Some("torn".to_owned()),
            Some(Break::Damage { resume, .. }) => {
                Some(format!("damage until {}", resume.map_or(0, |resume| resume.next.get())))
            }
        };
        assert_eq!(judged.as_deref(), expected);
    }

    #[test]
    fn whole_frames_are_read_to_the_end_of_the_log() {
        check(|_, _| {}, 9, None);
    }

    #[test]
    fn a_torn_batch_disappears_whole() {
        check(|bytes, _| bytes.truncate(bytes.len() - 1), 6, Some("torn"));
        check(|bytes, starts| bytes.truncate(starts[2] - FILE_HEADER_BYTES + 10), 6, Some("torn"));
    }

    #[test]
    fn a_flipped_bit_before_a_frame_that_was_synced_later_is_damage() {
        for byte in [0, 5, 20, 47, 48, 90, 200] {
            check(|bytes, _| bytes[byte] ^= 4, 0, Some("damage until 4"));
        }
    }

    #[test]
    fn a_zeroed_frame_in_the_middle_is_damage() {
        check(
            |bytes, starts| bytes[starts[1] - FILE_HEADER_BYTES..starts[2] - FILE_HEADER_BYTES].fill(0),
            3,
            Some("damage until 7"),
        );
    }

    #[test]
    fn the_manifest_proves_damage_in_the_last_frame() {
        let (_dir, log) = log(|bytes, starts| bytes[starts[2] - FILE_HEADER_BYTES + 60] ^= 1);
        let (at, reason) = walk(&log, Boundary::start(&log), usize::MAX, Checks::All, |_, _| {});
        assert_eq!(judge(&log, at, reason, Position::new(6)), Some(Break::Torn));
        assert!(matches!(
            judge(&log, at, reason, Position::new(7)),
            Some(Break::Damage { resume: None, .. })
        ));
    }

    #[test]
    fn an_edited_event_is_never_served() {
        let (_dir, log) = log(|bytes, _| {
            let at = bytes.windows(5).position(|window| window == b"12345").expect("the amount");
            bytes[at] = b'9';
        });
        let offset = u32::try_from(FILE_HEADER_BYTES + FRAME_HEADER_BYTES).expect("small");
        let error = log.event(Position::new(1), offset).expect_err("the record is not what was written");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn an_event_is_read_back_as_it_was_written() {
        let (_dir, log) = log(|_, _| {});
        let offset = u32::try_from(FILE_HEADER_BYTES + FRAME_HEADER_BYTES).expect("small");
        let event = log.event(Position::new(1), offset).expect("an event");
        assert_eq!(event.payload.as_str(), "{\"total\":12345678901234567890123}");
        assert_eq!(
            (event.entity_id.as_str(), event.event_type.as_str(), event.version.get()),
            ("order-1", "placed", 1)
        );
        assert_eq!(super::super::generated_position(&event.event_id, 7), Some(Position::new(1)));
        assert!(log.event(Position::new(2), offset).is_err(), "another position's record");
    }
}
