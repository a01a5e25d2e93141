//! That a segment is read as it was written, whatever happens to its bytes.

use std::sync::Arc;

use super::fixture::{Frame, Sealed, Shape, frames, json, log_of, seal, settings};
use super::*;
use crate::error::ErrorKind;
use crate::event::{EntityId, Event, EventId, EventType, Filter, NamePattern, Position, Timestamp, Version};
use crate::store::disk::RealDisk;
use crate::store::log::Attrs;

fn caches() -> [Arc<PageCache>; 2] {
    [Arc::new(PageCache::new(0)), Arc::new(PageCache::new(1 << 20))]
}

/// Reads all of a segment in several orders and compares it with what was to be stored.
#[track_caller]
fn check(sealed: &Sealed) {
    for cache in caches() {
        let segment = sealed.open(&cache);
        assert_eq!(segment.verify(&|| true), Vec::new());
        let log = (sealed.entry.first(), sealed.entry.last());
        assert_eq!(segment.compare(&sealed.log, &|| true).expect("the same"), log);
        let events: Vec<&Event> = sealed.events().collect();
        assert_eq!(segment.rows() as usize, events.len());
        let (mut up, mut down, mut replay) = (segment.cursor(), segment.cursor(), segment.replay());
        for (row, event) in (0..).zip(&events) {
            assert_eq!(up.event(row).expect("an event"), **event, "row {row}");
            assert_eq!(replay.event(row).expect("an event"), **event, "row {row}");
        }
        for (row, event) in (0..).zip(&events).collect::<Vec<_>>().into_iter().rev() {
            assert_eq!(down.event(row).expect("an event"), **event, "row {row}");
            assert_eq!(down.recorded_at(row).expect("a time"), event.recorded_at);
        }
        for row in (0..segment.rows()).step_by(97) {
            let mut fresh = segment.cursor();
            assert_eq!(fresh.event(row).expect("an event"), *events[row as usize]);
        }
        assert!(segment.cursor().event(segment.rows()).is_err(), "behind the last row");
        check_frames(sealed, &segment);
    }
}

#[track_caller]
fn check_frames(sealed: &Sealed, segment: &Segment) {
    for frame in &sealed.frames {
        let (first, last) = (&frame.events[0], frame.events.last().expect("an event"));
        for event in [first, last] {
            let found = segment.frame_of(segment.row_of(event.position)).expect("a frame");
            assert_eq!((found.first, found.last), (first.position, last.position));
            assert_eq!((found.recorded_at, found.attrs), (first.recorded_at, frame.attrs.clone()));
        }
        let call = segment.call_of(segment.row_of(last.position)).expect("a frame");
        let call = call.map(|(key, first)| (key.as_str().to_owned(), first));
        assert_eq!(call, frame.attrs.key.clone().map(|key| (key, first.position)));
    }
}

#[test]
fn a_segment_reads_as_the_log_file_it_was_made_of() {
    check(&Sealed::of(Shape::default()));
    check(&Sealed::of(Shape { seed: 2, first: 900, given_every: 0, metadata_every: 0, ..Shape::default() }));
    check(&Sealed::of(Shape { seed: 3, frames: 1, frame_events_max: 1, ..Shape::default() }));
    check(&Sealed::of(Shape { seed: 4, frames: 3, frame_events_max: 5_000, types: 1, ..Shape::default() }));
    check(&Sealed::of(Shape {
        seed: 5,
        types: 4_000,
        given_every: 1,
        metadata_every: 1,
        ..Shape::default()
    }));
}

fn event(position: u64, entity: &str, event_type: &str, payload: &str) -> Event {
    Event {
        position: Position::new(position),
        version: Version::new(1),
        timestamp: Timestamp::from_micros(7),
        recorded_at: Timestamp::from_micros(9),
        event_id: EventId::new(format!("id {position}")).expect("an id"),
        entity_id: EntityId::new(entity).expect("a name"),
        event_type: EventType::new(event_type).expect("a name"),
        payload: json(payload),
        metadata: None,
        emptied: false,
    }
}

#[test]
fn the_largest_and_the_strangest_values_come_back() {
    let long = "ü".repeat(128);
    let large = format!("\"{}\"", "x\\n ".repeat(262_143));
    let noise: Vec<String> =
        (0..60_000_u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    let noise = noise.concat();
    let mut events = Vec::new();
    for position in 1..=60 {
        let payload = match position % 6 {
            0 => large.clone(),
            1 => "null".to_owned(),
            2 => "{ \"b\" : 1.0000000000000000000001, \"a\":[ ] }".to_owned(),
            3 => format!("\"{noise}\""),
            _ => "7".to_owned(),
        };
        let mut event = event(position, &format!("{position}{}", &long[..250]), &long, &payload);
        event.version = Version::new([1, u64::MAX, 1 << 63][position as usize % 3]);
        let times = [i64::MIN + 1, -1, 0, i64::MAX, 1_317_508_724_546_001];
        event.timestamp = Timestamp::from_micros(times[position as usize % 5]);
        event.metadata = (position % 4 == 0).then(|| json(&format!("{{\"m\":{large}}}")));
        event.event_id = EventId::new(format!("{position:06}{}", "y".repeat(250))).expect("an id");
        events.push(event);
    }
    let given = vec![true; events.len()];
    let attrs = Attrs { key: Some(long), request: None, conditions: Some(large) };
    check(&Sealed::new(vec![Frame { events, given, attrs }]));
}

#[test]
fn a_filter_is_answered_without_the_payloads_that_it_rules_out() {
    let sealed = Sealed::of(Shape { types: 3, ..Shape::default() });
    let cache = Arc::new(PageCache::new(0));
    let segment = sealed.open(&cache);
    let filters = [
        Filter { event_type: Some(NamePattern::parse("kind.1")), ..Filter::default() },
        Filter { entity_id: Some(NamePattern::parse("order-1*")), ..Filter::default() },
        Filter { since: Some(Timestamp::from_micros(5)), ..Filter::default() },
        Filter { until: Some(Timestamp::from_micros(5)), ..Filter::default() },
        Filter { as_of: Some(Timestamp::from_micros(-5)), ..Filter::default() },
        Filter::default(),
    ];
    for filter in filters {
        let mut cursor = segment.cursor();
        for (row, event) in (0..).zip(sealed.events()) {
            let expected = filter.matches(event).then_some(event);
            assert_eq!(cursor.candidate(row, &filter).expect("an answer").as_ref(), expected);
        }
    }
    let nobody = Filter { event_type: Some(NamePattern::parse("nobody")), ..Filter::default() };
    let mut cursor = segment.cursor();
    assert_eq!(cursor.candidate(7, &nobody).expect("an answer"), None);
    assert_eq!(cursor.pages(), PagesRead { decoded: 1, cached: 0 });
}

#[test]
fn a_decoded_page_is_shared() {
    let sealed = Sealed::of(Shape::default());
    let cache = Arc::new(PageCache::new(1 << 20));
    let segment = sealed.open(&cache);
    let mut first = segment.cursor();
    first.event(100).expect("an event");
    first.event(101).expect("an event");
    assert_eq!(first.pages(), PagesRead { decoded: 8, cached: 0 });
    let mut second = segment.cursor();
    second.event(101).expect("an event");
    assert_eq!(second.pages(), PagesRead { decoded: 0, cached: 8 });
}

/// Three segments as one, and the same with some types emptied.
#[test]
fn segments_are_merged_and_emptied_without_losing_a_row() {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = Arc::new(PageCache::new(1 << 20));
    let mut all = Vec::new();
    let mut segments = Vec::new();
    for seed in 1..=3 {
        let first = all.iter().map(|frame: &Frame| frame.events.len() as u64).sum::<u64>() + 1;
        let mut frames = frames(Shape { seed, first, ..Shape::default() });
        for event in frames.iter_mut().flat_map(|frame| &mut frame.events) {
            event.recorded_at =
                Timestamp::from_micros(event.recorded_at.as_micros() + (seed * 100_000).cast_signed());
        }
        for (event, given) in frames.iter_mut().flat_map(|frame| frame.events.iter_mut().zip(&frame.given)) {
            if !given {
                event.event_id =
                    crate::store::log::generated_id(event.recorded_at, event.position, fixture::ID_KEY);
            }
        }
        let entry = seal(&log_of(&frames, dir.path()), dir.path());
        let segment = Segment::open(&RealDisk, dir.path(), &entry, Arc::clone(&cache));
        segments.push(Arc::new(segment.expect("a segment")));
        all.extend(frames);
    }
    let last = segments[2].last();
    let name = SegmentName { first: Position::new(1), last, generation: 2 };
    let mut source = SegmentsSource::new(&segments, None).expect("neighbours");
    let entry = write(&RealDisk, dir.path(), name, &mut source, &settings()).expect("room");
    let log = log_of(&all, tempfile::tempdir().expect("a directory").path());
    let merged = Sealed { dir, frames: all, log, entry };
    check(&merged);

    let segment = merged.open(&cache);
    let empties = |event_type: &str, position: Position, _: Timestamp| {
        event_type == "kind.2" || position == Position::new(5)
    };
    let name = SegmentName { generation: 3, ..name };
    let whole = [segment];
    let mut source = SegmentsSource::new(&whole, Some(&empties)).expect("a segment");
    let entry = write(&RealDisk, merged.dir.path(), name, &mut source, &settings()).expect("room");
    let rest = Segment::open(&RealDisk, merged.dir.path(), &entry, cache).expect("a segment");
    assert_eq!(rest.verify(&|| true), Vec::new());
    // Nothing is emptied before its log file is gone: a payload that is not there was lost.
    let error = rest.compare(&merged.log, &|| true).expect_err("not what the log file says");
    assert_eq!(error.code(), "segment_differs");
    let mut count = 0;
    let mut cursor = rest.cursor();
    for (row, event) in (0..).zip(merged.events()) {
        let mut expected = event.clone();
        if empties(event.event_type.as_str(), event.position, event.timestamp) {
            count += 1;
            expected = Event { payload: json("null"), metadata: None, emptied: true, ..expected };
        }
        assert_eq!(cursor.event(row).expect("an event"), expected);
    }
    assert_eq!(entry.emptied, count);
}

#[test]
fn segments_with_a_gap_are_not_merged() {
    let (one, other) =
        (Sealed::of(Shape::default()), Sealed::of(Shape { first: 90_000, ..Shape::default() }));
    let cache = Arc::new(PageCache::new(0));
    assert!(SegmentsSource::new(&[one.open(&cache), other.open(&cache)], None).is_err());
    assert!(SegmentsSource::new(&[], None).is_err());
}

#[test]
fn a_log_file_that_says_something_else_is_told_from_the_segment() {
    let sealed = Sealed::of(Shape::default());
    let segment = sealed.open(&Arc::new(PageCache::new(0)));
    let edits: [fn(&mut Frame); 4] = [
        |frame| frame.events[0].payload = json("1"),
        |frame| frame.attrs.conditions = Some("others".to_owned()),
        |frame| frame.events[0].timestamp = Timestamp::from_micros(1_234_567),
        |frame| {
            frame.events[0].metadata =
                if frame.events[0].metadata.is_some() { None } else { Some(json("{}")) };
        },
    ];
    for edit in edits {
        let mut frames = sealed.frames.clone();
        edit(&mut frames[100]);
        let dir = tempfile::tempdir().expect("a directory");
        let error = segment.compare(&log_of(&frames, dir.path()), &|| true).expect_err("another log");
        assert_eq!(error.code(), "segment_differs");
        assert_eq!(error.details()["position"], frames[100].events[0].position.get());
    }
}

#[test]
fn a_writer_that_is_told_to_stop_leaves_nothing() {
    let sealed = Sealed::of(Shape::default());
    let dir = tempfile::tempdir().expect("a directory");
    let mut source = LogSource::new(&sealed.log).expect("a log");
    let stops = WriteSettings { goes_on: &|| false, ..settings() };
    let error = write(&RealDisk, dir.path(), sealed.entry.name(), &mut source, &stops).expect_err("stopped");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0);
}

/// Flips every byte of both files, one after the other: each flip is seen, nothing panics, no event is served that was
/// not written.
#[test]
fn a_flipped_byte_is_named_and_the_rest_reads_on() {
    let sealed = Sealed::of(Shape { frames: 8, frame_events_max: 4, ..Shape::default() });
    let events: Vec<&Event> = sealed.events().collect();
    let name = sealed.entry.name();
    for file_name in [name.file_name(), name.envelope_name()] {
        let path = sealed.dir.path().join(&file_name);
        let bytes = std::fs::read(&path).expect("a file");
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x40;
            rewrite(&path, &broken);
            let cache = Arc::new(PageCache::new(0));
            let opened = Segment::open(&RealDisk, sealed.dir.path(), &sealed.entry, cache);
            let segment = match opened {
                Ok(segment) => segment,
                Err(error) => {
                    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "segment_damaged"));
                    assert!(file_name.ends_with("envelope"), "byte {at}");
                    continue;
                }
            };
            let damage = segment.verify(&|| true);
            assert_eq!(
                damage.first().map(|damage| damage.file.as_str()),
                Some(file_name.as_str()),
                "byte {at}"
            );
            let mut cursor = segment.cursor();
            for (row, event) in (0..).zip(&events) {
                match cursor.event(row) {
                    Ok(found) => assert_eq!(found, **event),
                    Err(error) => {
                        assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "segment_damaged"));
                        let covers = |damage: &SegmentDamage| {
                            damage.first <= event.position && event.position <= damage.last
                        };
                        assert!(damage.iter().any(covers), "byte {at}: {error}");
                    }
                }
            }
        }
        rewrite(&path, &bytes);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test that damages a file")]
fn rewrite(path: &std::path::Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("room");
}

#[test]
fn damage_to_one_page_leaves_the_others_readable() {
    let sealed = Sealed::of(Shape::default());
    let path = sealed.dir.path().join(sealed.entry.name().file_name());
    let mut bytes = std::fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    rewrite(&path, &bytes);
    let segment = sealed.open(&Arc::new(PageCache::new(0)));
    let [damage] = &segment.verify(&|| true)[..] else { panic!("one damaged block") };
    assert_eq!(damage.offset, (middle / 4_096 * 4_096) as u64);
    assert!(damage.first > Position::ZERO && damage.first <= damage.last);
    let mut cursor = segment.cursor();
    let (mut bad, mut good) = (0, 0);
    for (row, event) in (0..).zip(sealed.events()) {
        if let Ok(found) = cursor.event(row) {
            assert_eq!(found, *event);
            good += 1;
        } else {
            assert!(damage.first <= event.position && event.position <= damage.last);
            bad += 1;
        }
    }
    assert!(bad > 0 && good > bad, "{good} good, {bad} bad");
}

/// Checksums stop damage before it is decoded; a decoder must not rely on that.
#[test]
fn no_bytes_make_a_decoder_panic() {
    let sealed = Sealed::of(Shape { frames: 20, frame_events_max: 4, ..Shape::default() });
    let cache = Arc::new(PageCache::new(0));
    let segment = sealed.open(&cache);
    let mut zstd = cache.decompressor().expect("memory");
    for column in Column::ALL {
        let found = segment.find(column, 0).expect("a page");
        let (from, to) = (found.chunk.start as usize, found.end as usize);
        let rows = (found.end_row - found.first_row) as usize;
        let bytes = segment.parquet().slice(from..to);
        for at in 0..bytes.len() {
            for bits in [0x01, 0x40, 0x80, 0xff] {
                let mut broken = bytes.to_vec();
                broken[at] ^= bits;
                let page_at = found.offset as usize - from;
                let dictionary = page::dictionary(&broken, &mut zstd).map(Arc::new);
                let page = page::decode(column, rows, &broken[page_at..], dictionary.as_ref(), &mut zstd);
                for row in 0..=rows {
                    let _ = page
                        .as_ref()
                        .map(|page| (page.number(row), page.shared_text(row).map(|text| text.len())));
                }
            }
        }
    }
}

#[test]
fn other_readers_see_the_same_rows() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let sealed = Sealed::of(Shape::default());
    let segment = sealed.open(&Arc::new(PageCache::new(0)));
    let reader = SerializedFileReader::new(segment.parquet().clone()).expect("a Parquet file");
    let mut rows = reader.get_row_iter(None).expect("rows");
    for event in sealed.events() {
        let row = rows.next().expect("a row").expect("a sound row");
        let columns: Vec<(&String, &Field)> = row.get_column_iter().collect();
        let text = |text: &str| Field::Str(text.to_owned());
        let metadata = event.metadata.as_ref().map_or(Field::Null, |metadata| text(metadata.as_str()));
        let expected = [
            ("position", Field::Long(event.position.get().cast_signed())),
            ("event_id", text(&event.event_id.to_string())),
            ("tenant_id", text("default")),
            ("entity_id", text(event.entity_id.as_str())),
            ("version", Field::Long(event.version.get().cast_signed())),
            ("event_type", text(event.event_type.as_str())),
            ("timestamp", Field::TimestampMicros(event.timestamp.as_micros())),
            ("recorded_at", Field::TimestampMicros(event.recorded_at.as_micros())),
            ("payload", text(event.payload.as_str())),
            ("metadata", metadata),
        ];
        for ((name, found), (expected_name, expected)) in columns.into_iter().zip(&expected) {
            assert_eq!((name.as_str(), found), (*expected_name, expected));
        }
    }
    assert!(rows.next().is_none());
}
