//! Log files and the segments made of them, for tests.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::{LogSource, PageCache, Segment, SegmentEntry, SegmentName, WriteSettings, write};
use crate::clock::{IdSource, SeededIds};
use crate::event::{EntityId, Event, EventId, EventType, Json, Position, Text, Timestamp, Version};
use crate::store::disk::{Disk, RealDisk};
use crate::store::log::{Attrs, FileHeader, FrameBuilder, FrameStamp, LogFile, RecordParts, generated_id};

pub(super) const ID_KEY: u64 = 0x1234_5678_9abc_def0;

/// The events of one frame, which ids were given, and what the frame says of its call.
#[derive(Clone)]
pub(super) struct Frame {
    pub events: Vec<Event>,
    pub given: Vec<bool>,
    pub attrs: Attrs,
}

/// What a log file is to hold.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub seed: u64,
    pub first: u64,
    pub frames: u64,
    pub frame_events_max: u64,
    /// One id in so many is given by the caller; 0: none.
    pub given_every: u64,
    /// One event in so many has metadata; 0: none.
    pub metadata_every: u64,
    pub types: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            seed: 1,
            first: 1,
            frames: 300,
            frame_events_max: 40,
            given_every: 3,
            metadata_every: 4,
            types: 7,
        }
    }
}

/// A log file, the events in it, and the segment made of it.
pub(super) struct Sealed {
    pub dir: TempDir,
    pub frames: Vec<Frame>,
    pub log: Arc<LogFile>,
    pub entry: SegmentEntry,
}

impl Sealed {
    pub(super) fn new(frames: Vec<Frame>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = log_of(&frames, dir.path());
        let entry = seal(&log, dir.path());
        Self { dir, frames, log, entry }
    }

    pub(super) fn of(shape: Shape) -> Self {
        Self::new(frames(shape))
    }

    pub(super) fn open(&self, cache: &Arc<PageCache>) -> Arc<Segment> {
        let opened = Segment::open(&RealDisk, self.dir.path(), &self.entry, Arc::clone(cache));
        Arc::new(opened.expect("a segment"))
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.frames.iter().flat_map(|frame| &frame.events)
    }
}

/// Writes a log file's segment, with groups of 2,000 rows so that there are several.
pub(super) fn seal(log: &Arc<LogFile>, dir: &Path) -> SegmentEntry {
    let mut source = LogSource::new(log).expect("a sound log file");
    let name = SegmentName { first: source.log_first(), last: source.log_last(), generation: 1 };
    write(&RealDisk, dir, name, &mut source, &settings()).expect("room")
}

pub(super) fn settings() -> WriteSettings<'static> {
    WriteSettings { group_rows: 2_000, ..WriteSettings::new(&|| true) }
}

impl LogSource {
    fn log_first(&self) -> Position {
        super::SegmentSource::first(self)
    }

    fn log_last(&self) -> Position {
        super::SegmentSource::last(self)
    }
}

/// Frames as a store would write them, at random.
pub(super) fn frames(shape: Shape) -> Vec<Frame> {
    let random = SeededIds::new(shape.seed);
    let below = |bound: u64| random.next_u64() % bound.max(1);
    let one_in = |every: u64| every > 0 && below(every) == 0;
    let mut position = shape.first;
    let mut frames = Vec::new();
    for number in 0..shape.frames {
        let recorded_at = Timestamp::from_micros((1_000_000 + number * 10 + below(10)).cast_signed());
        let mut frame = Frame { events: Vec::new(), given: Vec::new(), attrs: Attrs::default() };
        for _ in 0..=below(shape.frame_events_max) {
            let given = one_in(shape.given_every);
            let metadata = one_in(shape.metadata_every).then(|| format!("{{\"actor\":\"{}\"}}", below(9)));
            frame.given.push(given);
            frame.events.push(Event {
                position: Position::new(position),
                version: Version::new(1 + below(1 << 40)),
                timestamp: Timestamp::from_micros(random.next_u64().cast_signed() >> below(64)),
                recorded_at,
                event_id: match (given, below(2)) {
                    (false, _) => generated_id(recorded_at, Position::new(position), ID_KEY),
                    (true, 0) => EventId::new(format!("ev {position} ü")).expect("an id"),
                    (true, _) => EventId::from_u128(u128::from(random.next_u64()) << 64),
                },
                entity_id: EntityId::new(format!("order-{}", below(5_000))).expect("a name"),
                event_type: EventType::new(format!("kind.{}", below(shape.types))).expect("a name"),
                payload: json(&format!(
                    "{{\"n\":{position},\"text\":\"{}\"}}",
                    "ab ".repeat(below(150) as usize)
                )),
                metadata: metadata.map(|metadata| json(&metadata)),
                emptied: false,
            });
            position += 1;
        }
        if below(2) == 0 {
            frame.attrs.key = Some(format!("call {number}"));
            frame.attrs.request = Some(format!("{:032x}", below(u64::MAX)));
        }
        frames.push(frame);
    }
    frames
}

pub(super) fn json(text: &str) -> Json {
    Json::trusted(Text::from(text))
}

/// Writes frames into a log file.
pub(super) fn log_of(frames: &[Frame], dir: &Path) -> Arc<LogFile> {
    let first = frames[0].events[0].position;
    let header = FileHeader {
        first_position: first,
        synced_through: first.previous(),
        id_key: ID_KEY,
        last_recorded_at: Timestamp::MIN,
    };
    let mut bytes = header.encode().to_vec();
    for frame in frames {
        let attrs = if frame.attrs == Attrs::default() {
            Vec::new()
        } else {
            serde_json::to_vec(&frame.attrs).expect("JSON")
        };
        let mut builder = FrameBuilder::new(&attrs, 0, frame.events.len());
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
        builder.stamp(&stamp, &versions);
        bytes.extend_from_slice(builder.bytes());
    }
    bytes.resize(bytes.len() + 64, 0);
    let name = format!("{first}.log");
    let file = RealDisk.create(&dir.join(&name)).expect("a new file");
    file.write_all_at(&bytes, 0).expect("room");
    Arc::new(LogFile::new(name, file).expect("a log file"))
}
