//! Snapshots against the plainest model there is: a list of events and a loop. The events lie in segments, in log files
//! and in the tail.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Order, Page, Scan, ScanLimits};
use crate::ErrorKind;
use crate::event::{EntityId, Event, EventId, Filter, IdempotencyKey, NamePattern, Position, Timestamp};
use crate::store::Mode;
use crate::store::index::fixture::{Cold, Fixture, Shape};
use crate::store::index::{MemoryIndex, RangeIndex};
use crate::store::snapshot::Snapshot;
use crate::store::view::{Range, View};

fn shapes() -> impl Strategy<Value = Shape> {
    (any::<u64>(), 1_u64..80, 1_u64..60, 1_u64..120, 1_u64..90, 1_usize..20, 1_usize..4, any::<bool>())
        .prop_map(|(seed, frames, frame_events_max, entities, types, index_frames, log_indexes, files)| {
            Shape { seed, frames, frame_events_max, entities, types, index_frames, log_indexes, files }
        })
}

fn colds() -> impl Strategy<Value = Cold> {
    let pages = prop_oneof![Just(0_u64), Just(20_000), Just(1 << 20)];
    (1_usize..30, 1_usize..4, 1_u32..1_500, any::<bool>(), pages).prop_map(
        |(logs, segment_logs, group_rows, anew, page_cache_bytes_max)| Cold {
            logs,
            segment_logs,
            group_rows: group_rows.max(20),
            anew,
            page_cache_bytes_max,
        },
    )
}

fn entities() -> impl Strategy<Value = Option<NamePattern>> {
    prop_oneof![
        Just(None),
        (0_u8..6)
            .prop_map(|n| Some(NamePattern::Exact(format!("{}-{n}", ["order", "üser"][usize::from(n % 2)])))),
        (0_u8..6).prop_map(|n| Some(NamePattern::Prefix(format!("order-{n}")))),
        Just(Some(NamePattern::Prefix(String::new()))),
    ]
}

fn types() -> impl Strategy<Value = Option<NamePattern>> {
    prop_oneof![
        Just(None),
        (0_u8..4).prop_map(|n| Some(NamePattern::Exact(format!("kind.{n}")))),
        (0_u8..4).prop_map(|n| Some(NamePattern::Prefix(format!("kind.{n}")))),
        Just(Some(NamePattern::Exact("nothing".to_owned()))),
    ]
}

fn times() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::weighted(0.3, (0_i64..3_000).prop_map(Timestamp::from_micros))
}

fn scans() -> impl Strategy<Value = Scan> {
    let filter = (entities(), types(), times(), times(), times());
    let filter = filter.prop_map(|(entity_id, event_type, since, until, as_of)| Filter {
        entity_id,
        event_type,
        since,
        until,
        as_of,
        ..Filter::default()
    });
    let after = prop_oneof![Just(0_u64), 0_u64..2_500];
    let before = proptest::option::weighted(0.3, 0_u64..2_500);
    (filter, any::<bool>(), after, before).prop_map(|(filter, descending, after, before)| Scan {
        filter,
        order: if descending { Order::Descending } else { Order::Ascending },
        after: Position::new(after),
        before: before.map(Position::new),
    })
}

fn limits() -> impl Strategy<Value = ScanLimits> {
    let all = ScanLimits::default();
    prop_oneof![
        Just(all),
        (0_usize..40).prop_map(move |events_max| ScanLimits { events_max, ..all }),
        (0_u64..300).prop_map(move |examined_max| ScanLimits { examined_max, ..all }),
        (0_usize..400).prop_map(move |bytes_max| ScanLimits { bytes_max, ..all }),
        Just(ScanLimits { time_max: Duration::ZERO, ..all }),
    ]
}

fn is_meant(scan: &Scan, event: &Event) -> bool {
    event.position > scan.after
        && scan.before.is_none_or(|before| event.position < before)
        && scan.filter.matches(event)
}

/// Reads page after page and checks each against what lies between its ends.
fn check_scan(snapshot: &Snapshot, events: &[Event], scan: &Scan, limits: &ScanLimits) {
    let mut expected: Vec<&Event> = events.iter().filter(|event| is_meant(scan, event)).collect();
    if scan.order == Order::Descending {
        expected.reverse();
    }
    let mut found = Vec::new();
    let mut rest = scan.clone();
    loop {
        // Whoever reads everything once gets the same.
        let page =
            if found.len() % 2 == 0 { snapshot.scan(&rest, limits) } else { snapshot.replay(&rest, limits) };
        let page = page.expect("a page");
        check_page(&page, limits);
        let behind = |event: &Event| match (page.scanned_to, rest.order) {
            (Some(to), Order::Ascending) => event.position <= to,
            (Some(to), Order::Descending) => event.position >= to,
            (None, _) => false,
        };
        assert!(page.events.iter().all(behind), "an event lies behind scanned_to");
        found.extend(page.events);
        if page.complete {
            break;
        }
        let to = page.scanned_to.expect("a page that is not complete says how far it came");
        match rest.order {
            Order::Ascending => {
                assert!(to > rest.after, "no progress");
                rest.after = to;
            }
            Order::Descending => {
                assert!(rest.before.is_none_or(|before| to < before), "no progress");
                rest.before = Some(to);
            }
        }
    }
    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{scan:?} {limits:?}");
}

fn check_page(page: &Page, limits: &ScanLimits) {
    assert!(page.events.len() <= limits.events_max.max(1));
    assert!(page.examined <= limits.examined_max.max(1));
    let bytes: usize = page.events.iter().map(|event| event.payload.as_str().len()).sum();
    assert!(page.events.len() == 1 || bytes <= limits.bytes_max);
    assert_eq!(page.damaged, 0);
}

/// Asks everything that is not a scan.
fn check_look_ups(snapshot: &Snapshot, fixture: &Fixture, events: &[Event]) {
    let head = events.last().map_or(Position::ZERO, |event| event.position);
    assert_eq!(snapshot.head(), head);
    for event in fixture.events.iter().step_by(17) {
        let visible = (event.position <= head).then_some(event);
        assert_eq!(snapshot.event(event.position).expect("a read").as_ref(), visible);
        assert_eq!(snapshot.event_by_id(&event.event_id).expect("a read").as_ref(), visible);
        let last = events.iter().rfind(|other| other.entity_id == event.entity_id);
        let found = snapshot.entity_head(&event.entity_id).expect("a read");
        assert_eq!(
            found.map(|head| (head.version, head.position)),
            last.map(|event| (event.version, event.position)),
            "head of {} at {head}",
            event.entity_id
        );
        let known = events.iter().rfind(|other| other.recorded_at <= event.recorded_at);
        let cut = snapshot.position_known_at(event.recorded_at).expect("a read");
        assert_eq!(cut, known.map_or(Position::ZERO, |event| event.position));
    }
    for event in fixture.events.iter().step_by(97).filter(|event| event.position <= head) {
        let frame = snapshot.frame_of(event.position).expect("a frame");
        let of_frame = || fixture.events.iter().filter(|other| other.recorded_at == event.recorded_at);
        let ends =
            of_frame().next().zip(of_frame().last()).map(|(first, last)| (first.position, last.position));
        assert_eq!(Some((frame.first, frame.last)), ends);
        let key =
            fixture.calls.iter().find(|(_, first)| *first == frame.first).map(|(key, _)| key.to_string());
        assert_eq!((frame.recorded_at, frame.attrs.key), (event.recorded_at, key));
    }
    check_many(snapshot, fixture, events);
    for (key, first) in &fixture.calls {
        // A call of which the view shows a part only is not known there.
        let recorded_at =
            fixture.events.iter().find(|event| event.position == *first).map(|event| event.recorded_at);
        let last = fixture.events.iter().rfind(|event| Some(event.recorded_at) == recorded_at);
        let expected = last.is_some_and(|last| last.position <= head).then_some(*first);
        assert_eq!(snapshot.call(key).expect("a read"), expected);
    }
    assert_eq!(snapshot.call(&IdempotencyKey::new("unknown").expect("a key")).expect("a read"), None);
    assert_eq!(snapshot.event_by_id(&EventId::new("unknown").expect("an id")).expect("a read"), None);
    assert_eq!(snapshot.position_known_at(Timestamp::MIN).expect("a read"), Position::ZERO);
    assert_eq!(snapshot.position_known_at(Timestamp::MAX).expect("a read"), head);
    check_stats(snapshot, events);
}

/// Looking up many at once, with strangers in between, finds what looking up one finds.
fn check_many(snapshot: &Snapshot, fixture: &Fixture, events: &[Event]) {
    let strangers: Vec<_> = (0..40).map(|n| EventId::new(format!("stranger-{n}")).expect("an id")).collect();
    let known = fixture.events.iter().step_by(7);
    let ids: Vec<_> = known.clone().map(|event| &event.event_id).chain(&strangers).collect();
    let found = snapshot.events_by_id(&ids).expect("a read");
    for (id, found) in ids.iter().zip(&found) {
        assert_eq!(found.as_ref(), events.iter().find(|event| event.event_id == **id));
    }
    let names: Vec<_> = known.map(|event| event.entity_id.as_str()).chain(["stranger", "nobody"]).collect();
    let heads = snapshot.entity_heads(&names).expect("a read");
    for (name, head) in names.iter().zip(&heads) {
        let last = events.iter().rfind(|event| event.entity_id.as_str() == *name);
        assert_eq!(head.map(|head| head.position), last.map(|event| event.position), "head of {name}");
        assert_eq!(head.map(|head| head.version), last.map(|event| event.version));
    }
    assert_eq!((found.len(), heads.len()), (ids.len(), names.len()));
}

fn check_stats(snapshot: &Snapshot, events: &[Event]) {
    let stats = snapshot.stats().expect("stats");
    let mut entities: Vec<&EntityId> = events.iter().map(|event| &event.entity_id).collect();
    entities.sort();
    entities.dedup();
    assert_eq!((stats.events, stats.entities), (events.len() as u64, entities.len() as u64));
    let counted: u64 = stats.event_types.iter().map(|kind| kind.count).sum();
    assert_eq!(counted, events.len() as u64);
    for kind in &stats.event_types {
        let expected = events.iter().filter(|event| event.event_type == kind.event_type).count() as u64;
        assert_eq!(kind.count, expected);
        let filter =
            Filter { event_type: Some(NamePattern::Exact(kind.event_type.to_string())), ..Filter::default() };
        assert_eq!(snapshot.count(&filter).expect("a count"), Some(expected));
    }
    let times = events.iter().map(|event| event.timestamp);
    assert_eq!(stats.time_range, times.clone().min().zip(times.max()));
    assert_eq!(stats.last_recorded_at, events.last().map(|event| event.recorded_at));
    for max in [3, 1_000] {
        let found = snapshot.entity_ids("order-", max).expect("ids");
        let expected = entities.iter().filter(|id| id.as_str().starts_with("order-")).take(max);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected.copied().collect::<Vec<_>>());
    }
}

/// Asks everything of a branch and of a part of it.
fn check_all(fixture: &Fixture, cut: u64, scans: &[(Scan, ScanLimits)]) {
    let whole = fixture.snapshot(Mode::Write);
    let cut = whole.up_to(Position::new(cut));
    // The cut comes first so that the whole meets heads in the cache that have moved on, and the other way round.
    for snapshot in [cut.clone(), whole, cut] {
        let inside = fixture.events.partition_point(|event| event.position <= snapshot.head());
        let events = &fixture.events[..inside];
        check_look_ups(&snapshot, fixture, events);
        for (scan, limits) in scans {
            check_scan(&snapshot, events, scan, limits);
        }
    }
}

/// Pages that end by the clock after each 256 candidates, and times that touch the ends of blocks.
#[test]
fn the_edges_of_pages_and_of_time_blocks_lose_nothing() {
    let shape = Shape {
        seed: 11,
        frames: 90,
        frame_events_max: 60,
        entities: 3,
        types: 2,
        index_frames: 60,
        log_indexes: 1,
        files: true,
    };
    let mut fixture = Fixture::new(shape);
    check_edges(&fixture);
    let cold = Cold { logs: 1, segment_logs: 1, group_rows: 700, anew: false, page_cache_bytes_max: 1 << 20 };
    fixture.freeze(cold);
    check_edges(&fixture);
}

fn check_edges(fixture: &Fixture) {
    let snapshot = fixture.snapshot(Mode::Write);
    let kind = |name: &str| Some(NamePattern::Exact(name.to_owned()));
    let mut filters = vec![
        Filter::default(),
        Filter { event_type: kind("kind.1"), ..Filter::default() },
        Filter { entity_id: Some(NamePattern::Prefix("order-".to_owned())), ..Filter::default() },
    ];
    for block in fixture.view.ranges.iter().flat_map(|range| range.index.times().expect("times")) {
        filters.push(Filter { as_of: Some(block.0), ..Filter::default() });
        filters.push(Filter { since: Some(block.1), event_type: kind("kind.0"), ..Filter::default() });
    }
    for filter in filters {
        for order in [Order::Ascending, Order::Descending] {
            let scan = Scan { filter: filter.clone(), order, ..Scan::default() };
            for events_max in [256, usize::MAX] {
                let limits = ScanLimits { events_max, time_max: Duration::ZERO, ..ScanLimits::default() };
                check_scan(&snapshot, &fixture.events, &scan, &limits);
            }
        }
    }
}

#[test]
fn damaged_positions_are_counted_when_reading_and_refused_when_writing() {
    let shape = Shape {
        seed: 3,
        frames: 5,
        frame_events_max: 9,
        entities: 3,
        types: 2,
        index_frames: 5,
        log_indexes: 1,
        files: false,
    };
    let mut fixture = Fixture::new(shape);
    let log = Arc::clone(fixture.view.ranges[0].log().expect("a log file"));
    let index = MemoryIndex::new(Position::new(1));
    let head = fixture.events.last().expect("an event").position;
    index.push_gap(head);
    let range = Range::of_log(&log, RangeIndex::Memory(Arc::new(index)));
    fixture.view = Arc::new(View { ranges: vec![Arc::new(range)], ..View::default() });

    let page = fixture.snapshot(Mode::Read).scan(&Scan::default(), &ScanLimits::default()).expect("a page");
    assert_eq!((page.damaged, page.complete, page.scanned_to), (head.get(), true, Some(head)));
    let refused = fixture.snapshot(Mode::Write).scan(&Scan::default(), &ScanLimits::default());
    assert_eq!(refused.expect_err("damage").kind(), ErrorKind::Corrupt);
    // A count that took the lost events in would disagree with the counts by type, which cannot.
    assert_eq!(fixture.snapshot(Mode::Read).stats().expect("stats").events, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_snapshot_answers_as_a_plain_list(
        shape in shapes(),
        cold in colds(),
        cut in 0_u64..2_500,
        scans in prop::collection::vec((scans(), limits()), 12),
    ) {
        let mut fixture = Fixture::new(shape);
        check_all(&fixture, cut, &scans);
        fixture.freeze(cold);
        check_all(&fixture, cut, &scans);
    }
}
