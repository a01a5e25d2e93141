//! That a read touches what it needs and no more, counted in pages and stretches rather than in time.

use super::{Order, Page, Scan, ScanLimits, ScanPlan, Work};
use crate::event::{Filter, NamePattern, Position, Timestamp};
use crate::store::Mode;
use crate::store::index::fixture::{Cold, Fixture, Shape};
use crate::store::snapshot::Snapshot;

/// The pages that hold all columns of one row: those of the payload, the metadata and seven others; the position and the
/// tenant are never decoded.
const ROW_PAGES: u64 = 8;

const SHAPE: Shape = Shape {
    seed: 5,
    frames: 800,
    frame_events_max: 40,
    entities: 2_000,
    types: 4,
    index_frames: 100,
    log_indexes: 1,
    files: true,
};

/// Eight segments of some two thousand events each, in groups of 1,024 rows.
fn frozen(page_cache_bytes_max: u64) -> Fixture {
    let mut fixture = Fixture::new(SHAPE);
    fixture.freeze(Cold { logs: 8, segment_logs: 1, group_rows: 1_024, anew: false, page_cache_bytes_max });
    fixture
}

fn read(snapshot: &Snapshot, filter: &Filter, order: Order, events_max: usize) -> Page {
    let limits = ScanLimits { events_max, ..ScanLimits::default() };
    snapshot.scan(&Scan { filter: filter.clone(), order, ..Scan::default() }, &limits).expect("a page")
}

fn named(name: &str) -> NamePattern {
    NamePattern::Exact(name.to_owned())
}

/// The work of a whole scan.
fn whole(fixture: &Fixture) -> Work {
    let page = read(&fixture.snapshot(Mode::Write), &Filter::default(), Order::Ascending, usize::MAX);
    assert_eq!(page.events.len(), fixture.events.len());
    page.work
}

#[test]
fn a_limit_bounds_the_pages_that_are_decoded_in_both_directions() {
    let fixture = frozen(0);
    let snapshot = fixture.snapshot(Mode::Write);
    for order in [Order::Ascending, Order::Descending] {
        let page =
            read(&snapshot, &Filter { event_type: Some(named("kind.1")), ..Filter::default() }, order, 100);
        assert_eq!((page.events.len(), page.examined, page.plan), (100, 100, ScanPlan::EventType));
        // A fourth of the events has the type: the hundred lie in about 400 rows, which one or two pages of each
        // column hold.
        assert_eq!((page.work.segments, page.work.log_stretches), (1, 0));
        assert!(page.work.pages_decoded <= 3 * ROW_PAGES, "{order:?}: {:?}", page.work);
        assert!(page.work.pages_decoded * 8 < whole(&fixture).pages_decoded);
    }
}

#[test]
fn an_entity_touches_only_the_segments_that_have_it() {
    let fixture = frozen(0);
    let snapshot = fixture.snapshot(Mode::Write);
    let mut ruled_out = 0;
    for event in fixture.events.iter().step_by(701) {
        let of_entity = |other: &&crate::event::Event| other.entity_id == event.entity_id;
        let expected: Vec<_> = fixture.events.iter().filter(of_entity).cloned().collect();
        let mut holding: Vec<_> = snapshot
            .ranges()
            .iter()
            .filter(|range| {
                let stretch = range.first()..=range.last();
                expected.iter().any(|event| stretch.contains(&event.position))
            })
            .map(|range| range.index.first())
            .collect();
        holding.dedup();
        let filter = Filter { entity_id: Some(named(event.entity_id.as_str())), ..Filter::default() };
        for order in [Order::Ascending, Order::Descending] {
            let page = read(&snapshot, &filter, order, usize::MAX);
            assert_eq!(page.events.len(), expected.len());
            let events = expected.len() as u64;
            assert_eq!((page.work.segments, page.examined), (holding.len() as u64, events));
            assert!(page.work.pages_decoded <= events * ROW_PAGES, "{:?}", page.work);
            ruled_out += page.work.ruled_out;
        }
    }
    assert!(ruled_out > 0, "some segment lacks some entity");
    let stranger = Filter { entity_id: Some(named("order-x")), ..Filter::default() };
    assert_eq!(read(&snapshot, &stranger, Order::Ascending, 10).work, Work::default());
}

#[test]
fn a_time_range_reads_the_blocks_that_can_hold_it() {
    let fixture = frozen(0);
    let snapshot = fixture.snapshot(Mode::Write);
    let middle = fixture.events[fixture.events.len() / 2].timestamp;
    let since = Some(middle);
    let until = Some(Timestamp::from_micros(middle.as_micros() + 50));
    let filter = Filter { since, until, ..Filter::default() };
    let expected = fixture.events.iter().filter(|event| filter.matches(event)).count();
    for order in [Order::Ascending, Order::Descending] {
        let page = read(&snapshot, &filter, order, usize::MAX);
        assert_eq!(page.events.len(), expected);
        // Times drift by 500 against the positions: two blocks of 1,024 can hold them, and three pages of times.
        assert!(page.examined <= 3 * 1_024, "{} examined", page.examined);
        assert_eq!(page.work.segments + page.work.ruled_out, 8);
        assert!(page.work.segments <= 2, "{:?}", page.work);
        assert!(page.work.pages_decoded <= 5 * ROW_PAGES, "{:?}", page.work);
    }
}

#[test]
fn both_directions_decode_the_same_pages() {
    let fixture = frozen(0);
    let snapshot = fixture.snapshot(Mode::Write);
    for filter in [Filter::default(), Filter { event_type: Some(named("kind.2")), ..Filter::default() }] {
        let up = read(&snapshot, &filter, Order::Ascending, usize::MAX);
        let down = read(&snapshot, &filter, Order::Descending, usize::MAX);
        assert_eq!(up.work, down.work);
        assert!(up.events.iter().eq(down.events.iter().rev()));
    }
}

#[test]
fn a_replay_decodes_each_page_once_and_leaves_the_kept_ones_alone() {
    let fixture = frozen(512 << 10);
    let snapshot = fixture.snapshot(Mode::Write);
    let once = whole(&frozen(0)).pages_decoded;
    let newest = read(&snapshot, &Filter::default(), Order::Descending, 20);
    let again = read(&snapshot, &Filter::default(), Order::Descending, 20);
    assert_eq!((again.work.pages_decoded, again.work.pages_cached), (0, newest.work.pages_decoded));

    for events_max in [100, 999, 5_000] {
        let mut decoded = 0;
        let mut scan = Scan { before: Some(Position::new(12_000)), ..Scan::default() };
        loop {
            let limits = ScanLimits { events_max, ..ScanLimits::default() };
            let page = snapshot.replay(&scan, &limits).expect("a page");
            decoded += page.work.pages_decoded;
            if page.complete {
                break;
            }
            scan.after = page.scanned_to.expect("a place");
        }
        assert!(decoded <= once, "{decoded} of {once} pages at {events_max} events a page");
        let after = read(&snapshot, &Filter::default(), Order::Descending, 20);
        assert_eq!(after.work.pages_decoded, 0, "at {events_max} events a page");
    }
}
