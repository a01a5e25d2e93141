//! A branch for tests: frames in real log files, indexes over them, and what they hold as plain events.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::{HeadCache, IndexFile, MemoryIndex, NewEntry, NewFrame, RangeIndex, file_name, index_rows};
use crate::clock::{IdSource, ManualClock, SeededIds};
use crate::event::{
    EntityId, Event, EventId, EventType, IdempotencyKey, Json, Position, Text, Timestamp, Version,
};
use crate::store::disk::{Disk, RealDisk};
use crate::store::log::{FileHeader, FrameBuilder, FrameStamp, LogFile, RecordParts, generated_id};
use crate::store::segment::{
    LogSource, PageCache, Segment, SegmentName, SegmentSource, SegmentsSource, WriteSettings,
    write as write_segment,
};
use crate::store::snapshot::Snapshot;
use crate::store::view::{Range, View};
use crate::store::{Mode, Options};

pub(crate) const ID_KEY: u64 = 0x1234_5678_9abc_def0;

/// What a branch is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub seed: u64,
    pub frames: u64,
    pub frame_events_max: u64,
    pub entities: u64,
    pub types: u64,
    /// Frames per index.
    pub index_frames: usize,
    /// Indexes per log file.
    pub log_indexes: usize,
    /// Whether the newest index is in memory, as it is in a store; otherwise all are.
    pub files: bool,
}

/// Which log files of a branch become segments, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cold {
    /// How many log files, the oldest first.
    pub logs: usize,
    /// Log files in a segment: more than one when segments were merged.
    pub segment_logs: usize,
    /// Rows in a group of a segment.
    pub group_rows: u32,
    /// Whether indexes are made anew from the segments, instead of those that the log files had.
    pub anew: bool,
    pub page_cache_bytes_max: u64,
}

/// A branch and what it holds.
pub(crate) struct Fixture {
    pub events: Vec<Event>,
    pub calls: Vec<(IdempotencyKey, Position)>,
    pub view: Arc<View>,
    pub heads: Arc<HeadCache>,
    pub dir: TempDir,
}

/// One frame, before it lies in a file.
struct Frame {
    key: Option<IdempotencyKey>,
    events: Vec<Event>,
    given: Vec<bool>,
}

impl Fixture {
    pub(crate) fn new(shape: Shape) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let frames = frames(shape);
        let mut ranges = Vec::new();
        for chunk in frames.chunks(shape.index_frames * shape.log_indexes) {
            ranges.extend(log_of(chunk, shape, &dir));
        }
        if shape.files {
            let newest = ranges.len() - 1;
            ranges = ranges
                .into_iter()
                .enumerate()
                .map(|(at, range)| if at < newest { saved(range, &dir) } else { range })
                .collect();
        }
        let calls = frames.iter().filter_map(|frame| Some((frame.key.clone()?, frame.events[0].position)));
        Self {
            calls: calls.collect(),
            view: Arc::new(View { ranges: ranges.into_iter().map(Arc::new).collect(), ..View::default() }),
            heads: Arc::new(HeadCache::new(16)),
            events: frames.into_iter().flat_map(|frame| frame.events).collect(),
            dir,
        }
    }

    /// Moves log files into segments, as a store does with what is older than its hot window.
    pub(crate) fn freeze(&mut self, cold: Cold) {
        let pages = Arc::new(PageCache::new(cold.page_cache_bytes_max));
        let ranges = self.view.ranges.clone();
        let logs: Vec<&[Arc<Range>]> =
            ranges.chunk_by(|one, other| one.log().is_some_and(|log| other.is_in(log))).collect();
        let (frozen, hot) = logs.split_at(cold.logs.min(logs.len()));
        let mut view = View::default();
        for logs in frozen.chunks(cold.segment_logs) {
            let segment = self.segment(logs, cold, &pages);
            for range in logs.iter().copied().flatten() {
                let index = self.cold_index(&segment, &range.index, cold);
                view.ranges.push(Arc::new(Range::of_segment(&segment, index)));
            }
        }
        view.ranges.extend(hot.iter().copied().flatten().map(Arc::clone));
        self.view = Arc::new(view);
    }

    /// One segment of several log files: each is sealed, then they are merged.
    fn segment(&self, logs: &[&[Arc<Range>]], cold: Cold, pages: &Arc<PageCache>) -> Arc<Segment> {
        let settings = || WriteSettings { group_rows: cold.group_rows, ..WriteSettings::new(&|| true) };
        let finish = |source: &mut dyn SegmentSource, generation| {
            let name = SegmentName { first: source.first(), last: source.last(), generation };
            let dir = self.dir.path();
            let entry = write_segment(&RealDisk, dir, name, source, &settings()).expect("room");
            Arc::new(Segment::open(&RealDisk, dir, &entry, Arc::clone(pages)).expect("a segment"))
        };
        let seal = |ranges: &&[Arc<Range>]| {
            let mut source = LogSource::new(ranges[0].log().expect("a log file")).expect("a sound log file");
            finish(&mut source, 1)
        };
        let sealed: Vec<_> = logs.iter().map(seal).collect();
        match sealed.as_slice() {
            [segment] => Arc::clone(segment),
            segments => {
                let mut source = SegmentsSource::new(segments, None).expect("neighbours");
                finish(&mut source, 2)
            }
        }
    }

    /// What an index is once the log file that it led into is gone.
    fn cold_index(&self, segment: &Segment, index: &RangeIndex, cold: Cold) -> RangeIndex {
        match index {
            _ if cold.anew => {
                let memory = MemoryIndex::new(index.first());
                index_rows(segment, index.last(), ID_KEY, &memory, Mode::Write, &mut |_| {})
                    .expect("a sound segment");
                RangeIndex::Memory(Arc::new(memory))
            }
            RangeIndex::File(file) => {
                let path = self.dir.path().join(file_name(file.first(), file.last()));
                RealDisk.remove(&path.with_extension("rows")).expect("rows");
                RangeIndex::File(Arc::new(IndexFile::open(&RealDisk, &path).expect("an index file")))
            }
            RangeIndex::Memory(_) => index.clone(),
        }
    }

    pub(crate) fn snapshot(&self, mode: Mode) -> Snapshot {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        let options = Options { mode, clock, ..Options::default() };
        let head = self.events.last().expect("an event").position;
        Snapshot::new(
            Arc::clone(&self.view),
            head,
            1,
            ID_KEY,
            Arc::clone(&self.heads),
            Arc::clone(&options.clock),
            options.mode,
        )
    }
}

fn frames(shape: Shape) -> Vec<Frame> {
    let random = SeededIds::new(shape.seed);
    let below = |bound: u64| random.next_u64() % bound.max(1);
    let mut versions = vec![0; usize::try_from(shape.entities).expect("few entities")];
    let mut position = 0;
    let one = |number: u64, position: &mut u64, versions: &mut Vec<u64>| {
        let recorded_at = Timestamp::from_micros(1_000 + i64::try_from(number).expect("few frames") * 10);
        let count = 1 + below(shape.frame_events_max);
        let mut given = Vec::new();
        let events = (0..count).map(|_| {
            *position += 1;
            let entity = below(shape.entities);
            let version = &mut versions[usize::try_from(entity).expect("few entities")];
            *version += 1;
            let place = Position::new(*position);
            given.push(below(3) == 0);
            let event_id = match given.last() {
                Some(true) if below(2) == 0 => {
                    EventId::from_u128(u128::from(random.next_u64()) << 64 | u128::from(*position))
                }
                Some(true) => EventId::new(format!("given {position}")).expect("an id"),
                _ => generated_id(recorded_at, place, ID_KEY),
            };
            Event {
                position: place,
                version: Version::new(*version),
                // Times drift with the positions, so that blocks of times differ.
                timestamp: Timestamp::from_micros(i64::try_from(*position + below(500)).expect("small")),
                recorded_at,
                event_id,
                entity_id: EntityId::new(format!(
                    "{}-{entity}",
                    ["order", "üser"][usize::from(entity % 2 == 1)]
                ))
                .expect("a name"),
                event_type: EventType::new(format!("kind.{}", below(shape.types))).expect("a name"),
                payload: Json::trusted(Text::from(format!("{{\"n\":{position}}}"))),
                metadata: (below(4) == 0).then(|| Json::trusted(Text::from("{\"actor\":\"test\"}"))),
                emptied: false,
            }
        });
        let events = events.collect();
        let key = (below(2) == 0).then(|| IdempotencyKey::new(format!("call {number}")).expect("a key"));
        Frame { key, events, given }
    };
    (0..shape.frames).map(|number| one(number, &mut position, &mut versions)).collect()
}

/// Writes frames into a log file and indexes them in memory.
fn log_of(frames: &[Frame], shape: Shape, dir: &TempDir) -> Vec<Range> {
    let first = frames[0].events[0].position;
    let header = FileHeader {
        first_position: first,
        synced_through: first.previous(),
        id_key: ID_KEY,
        last_recorded_at: Timestamp::from_micros(0),
    };
    let mut bytes = header.encode().to_vec();
    let mut indexes = Vec::new();
    for frames in frames.chunks(shape.index_frames) {
        let index = MemoryIndex::new(frames[0].events[0].position);
        for frame in frames {
            push(frame, &mut bytes, &index);
        }
        indexes.push(RangeIndex::Memory(Arc::new(index)));
    }
    bytes.resize(bytes.len() + 64, 0);
    let path = dir.path().join(format!("{first}.log"));
    let file = RealDisk.create(&path).expect("a new file");
    file.write_all_at(&bytes, 0).expect("room");
    let log = Arc::new(LogFile::new(format!("{first}.log"), file).expect("a log file"));
    indexes.into_iter().map(|index| Range::of_log(&log, index)).collect()
}

fn push(frame: &Frame, bytes: &mut Vec<u8>, index: &MemoryIndex) {
    let attrs = frame.key.as_ref().map_or(String::new(), |key| format!("{{\"key\":\"{key}\"}}"));
    let mut builder = FrameBuilder::new(attrs.as_bytes(), 0, frame.events.len());
    for (event, given) in frame.events.iter().zip(&frame.given) {
        builder.push(&RecordParts {
            entity_id: &event.entity_id,
            event_type: &event.event_type,
            event_id: given.then_some(&event.event_id),
            timestamp: Some(event.timestamp),
            metadata: event.metadata.as_ref(),
            payload: &event.payload,
        });
    }
    let first = frame.events[0].position;
    let recorded_at = frame.events[0].recorded_at;
    let stamp = FrameStamp { first_position: first, synced_through: first.previous(), recorded_at };
    let versions: Vec<_> = frame.events.iter().map(|event| event.version).collect();
    let start = u32::try_from(bytes.len()).expect("a small file");
    builder.stamp(&stamp, &versions);
    bytes.extend_from_slice(builder.bytes());
    let entries: Vec<_> = frame
        .events
        .iter()
        .zip(&frame.given)
        .zip(builder.records())
        .map(|((event, given), record)| NewEntry {
            entity_id: event.entity_id.as_str(),
            event_type: event.event_type.as_str(),
            given_id: given.then_some(&event.event_id),
            version: event.version,
            timestamp: event.timestamp,
            offset: start + record,
        })
        .collect();
    let call_key = frame.key.as_ref().map(IdempotencyKey::as_str);
    index.push(&NewFrame { first, call_key, recorded_at, events: &entries });
}

/// The same stretch with its index in a file.
fn saved(range: Range, dir: &TempDir) -> Range {
    let RangeIndex::Memory(memory) = &range.index else { return range };
    let log = range.log().expect("a log file");
    let path = write(memory, log, dir);
    let file = IndexFile::open(&RealDisk, &path).expect("an index file");
    Range::of_log(log, RangeIndex::File(Arc::new(file)))
}

/// Writes an in-memory index to its file.
pub(crate) fn write(memory: &MemoryIndex, log: &LogFile, dir: &TempDir) -> PathBuf {
    let path = dir.path().join(file_name(memory.first(), memory.last()));
    let last = memory.row(u32::try_from(memory.last().get() - memory.first().get()).expect("a row"));
    let end = log.end_of(last.expect("a row")).expect("a frame");
    memory.write(memory.last(), Some(end), &RealDisk, &path).expect("room");
    path
}
