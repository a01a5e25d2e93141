//! Which segments are merged next: a pure choice from what the manifest says of them.
//!
//! Segments are sorted into tiers by how much of a full segment they fill: tier 0 at least half of it, each further tier
//! a quarter of the one before. Segments of tier 0 are never merged again. A run of neighbours that fit into one
//! segment is merged
//! - for its *size*: when they make it at least three quarters full,
//! - for their *count*: when [`merge_segments_min`](Options::merge_segments_min) of them are of one tier and none is of a
//!   greater one, so that an event is rewritten once per tier,
//! - for their *age*: when two are of one tier, none is of a greater one, and the newest event is older than
//!   [`merge_age_seconds`](Options::merge_age_seconds).

use std::ops::Range;

use crate::event::Timestamp;
use crate::store::options::Options;
use crate::store::segment::SegmentEntry;

/// The most segments that become one in one step: 64. Each takes some 300 KiB of memory meanwhile.
const PARTS_MAX: usize = 64;
/// How long nobody has appended when merging begins: 1 s.
const QUIET_US: i64 = 1_000_000;
/// How many small segments there are when merging waits no longer: 64.
const WAITING_MAX: usize = 64;
/// What a full segment weighs.
const FULL: u64 = 1 << 20;
/// What a segment weighs at least that is not merged again.
const DONE: u64 = FULL / 2;
/// What neighbours weigh at least that are merged for their size.
const FILLED: u64 = FULL / 4 * 3;
/// How many times larger the segments of a tier are than those of the next.
const TIER_RATIO: u64 = 4;

/// When neighbours are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// When it pays: by size, count or age, as of that time.
    InTime(Timestamp),
    /// Whenever two fit into one segment.
    Now,
}

/// The neighbours among `segments` that are to become one, the oldest such; `None` when all is well.
pub(super) fn choose(segments: &[SegmentEntry], options: &Options, urgency: Urgency) -> Option<Range<usize>> {
    let weights: Vec<u64> = segments.iter().map(|segment| weight(segment, options)).collect();
    let is_due = |run: &Range<usize>| match (urgency, weights.get(run.clone()), segments.get(run.clone())) {
        (Urgency::Now, ..) => true,
        (Urgency::InTime(now), Some(weights), Some(members)) => {
            weights.iter().sum::<u64>() >= FILLED || are_many(weights, members, options, now)
        }
        _ => false,
    };
    let longest_first =
        |first: usize| (2..=fitting(&weights, first)).rev().map(move |len| first..first + len);
    (0..segments.len()).flat_map(longest_first).find(is_due)
}

/// Whether merging waits until nobody has appended for [`QUIET_US`]: it takes the processor and the disk for seconds, and
/// spares readers little until there are many small segments.
pub(super) fn can_wait(
    segments: &[SegmentEntry],
    options: &Options,
    last_append: Timestamp,
    now: Timestamp,
) -> bool {
    let small = segments.iter().filter(|segment| weight(segment, options) < DONE).count();
    let quiet_us = now.as_micros().saturating_sub(last_append.as_micros());
    small < WAITING_MAX && quiet_us < QUIET_US
}

/// How many neighbours from `first` on fit into one segment.
fn fitting(weights: &[u64], first: usize) -> usize {
    let mut total = 0;
    let fits = |weight: &&u64| {
        total += **weight;
        **weight < DONE && total <= FULL
    };
    weights.iter().skip(first).take(PARTS_MAX).take_while(fits).count()
}

/// Whether enough of the greatest tier among neighbours are of that tier.
fn are_many(weights: &[u64], members: &[SegmentEntry], options: &Options, now: Timestamp) -> bool {
    let Some(greatest) = weights.iter().map(|&weight| tier(weight)).min() else { return false };
    let count = weights.iter().filter(|&&weight| tier(weight) == greatest).count();
    let age_us = i64::try_from(options.merge_age_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    let is_old = |segment: &SegmentEntry| {
        now.as_micros().saturating_sub(segment.recorded_last().as_micros()) >= age_us
    };
    count >= options.merge_segments_min.max(2) || (count >= 2 && members.iter().all(is_old))
}

/// How much of a full segment this one fills, by events or by bytes, whichever is more.
fn weight(segment: &SegmentEntry, options: &Options) -> u64 {
    let of = |part: u64, whole: u64| {
        u64::try_from(u128::from(part) * u128::from(FULL) / u128::from(whole.max(1))).unwrap_or(u64::MAX)
    };
    let rows = of(segment.name().rows(), options.segment_events_max);
    rows.max(of(segment.parquet_bytes, options.segment_bytes_max)).clamp(1, FULL * 2)
}

fn tier(weight: u64) -> u32 {
    let (mut tier, mut weight) = (0, weight.max(1));
    while weight < DONE {
        weight *= TIER_RATIO;
        tier += 1;
    }
    tier
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 10_000_000;

    fn options() -> Options {
        Options {
            segment_events_max: 1_000,
            segment_bytes_max: 1_000_000,
            merge_segments_min: 4,
            merge_age_seconds: 5,
            ..Options::default()
        }
    }

    #[test]
    fn merging_waits_for_quiet_but_not_for_ever() {
        let check = |count: usize, quiet_us: i64, waits: bool| {
            let segments = segments(&vec![10; count], 0);
            let (last_append, now) =
                (Timestamp::from_micros(NOW_US - quiet_us), Timestamp::from_micros(NOW_US));
            assert_eq!(
                can_wait(&segments, &options(), last_append, now),
                waits,
                "{count} segments, {quiet_us} µs"
            );
        };
        check(WAITING_MAX - 1, QUIET_US - 1, true);
        check(WAITING_MAX - 1, QUIET_US, false);
        check(WAITING_MAX, 0, false);
    }

    /// Neighbours of these many events, 10 bytes each, the newest recorded at that time.
    fn segments(events: &[u64], recorded_us: i64) -> Vec<SegmentEntry> {
        let mut next = 1;
        let entry = |&rows: &u64| {
            let first = next;
            next += rows;
            SegmentEntry {
                first,
                last: next - 1,
                generation: 1,
                parquet_bytes: rows * 10,
                envelope_bytes: 9,
                envelope_crc: 9,
                emptied: 0,
                recorded_last: recorded_us,
            }
        };
        events.iter().map(entry).collect()
    }

    /// What is merged of young neighbours, of old ones, and by command.
    #[track_caller]
    fn check(events: &[u64], expected: &[Option<Range<usize>>; 3]) {
        let choose = |recorded_us, urgency| choose(&segments(events, recorded_us), &options(), urgency);
        let urgency = Urgency::InTime(Timestamp::from_micros(NOW_US));
        let chosen = [
            choose(NOW_US - 4_999_999, urgency),
            choose(NOW_US - 5_000_000, urgency),
            choose(NOW_US, Urgency::Now),
        ];
        assert_eq!(&chosen, expected);
    }

    #[test]
    fn neighbours_are_merged_for_their_size_their_count_or_their_age() {
        check(&[], &[None, None, None]);
        check(&[10], &[None, None, None]);
        check(&[10, 10], &[None, Some(0..2), Some(0..2)]);
        check(&[10, 10, 10, 10], &[Some(0..4), Some(0..4), Some(0..4)]);
        check(&[300, 300, 200], &[Some(0..3), Some(0..3), Some(0..3)]);
        check(&[300, 300], &[None, Some(0..2), Some(0..2)]);
        check(&[200, 200, 200, 200, 200, 200], &[Some(0..5), Some(0..5), Some(0..5)]);
    }

    #[test]
    fn a_large_segment_is_not_rewritten_for_the_sake_of_a_small_one() {
        check(&[400, 1], &[None, None, Some(0..2)]);
        check(&[400, 1, 1], &[None, Some(1..3), Some(0..3)]);
        check(&[400, 1, 1, 1, 1], &[Some(1..5), Some(1..5), Some(0..5)]);
        check(&[1, 1, 1, 1, 400], &[Some(0..4), Some(0..4), Some(0..5)]);
        check(&[500, 1], &[None, None, None]);
        check(&[500, 10, 10, 10, 10, 500], &[Some(1..5), Some(1..5), Some(1..5)]);
    }

    #[test]
    fn nothing_grows_beyond_a_full_segment() {
        check(&[499, 499, 499], &[Some(0..2), Some(0..2), Some(0..2)]);
        check(&[499, 499, 3], &[Some(0..2), Some(0..2), Some(0..2)]);
        check(&[900, 900], &[None, None, None]);
        let heavy: Vec<_> = segments(&[10, 10, 10, 10], 0)
            .into_iter()
            .map(|segment| SegmentEntry { parquet_bytes: 600_000, ..segment })
            .collect();
        assert_eq!(choose(&heavy, &options(), Urgency::Now), None, "large payloads count too");
    }

    #[test]
    fn a_step_takes_a_bounded_number_of_segments() {
        check(&[1; 200], &[Some(0..PARTS_MAX), Some(0..PARTS_MAX), Some(0..PARTS_MAX)]);
    }

    #[test]
    fn a_long_life_leaves_few_segments_and_rewrites_each_event_a_few_times() {
        let (mut sizes, mut rewritten) = (Vec::new(), 0);
        for number in 0..5_000 {
            sizes.push(5 + number % 5);
            let due = |sizes: &[u64]| {
                choose(&segments(sizes, NOW_US), &options(), Urgency::InTime(Timestamp::from_micros(NOW_US)))
            };
            while let Some(run) = due(&sizes) {
                let merged: u64 = sizes[run.clone()].iter().sum();
                rewritten += merged;
                sizes.splice(run, [merged]);
            }
        }
        let events: u64 = sizes.iter().sum();
        assert_eq!(events, 35_000);
        assert!(sizes.len() <= 35 * 2 + 4 * 4, "{} segments", sizes.len());
        assert!(rewritten <= events * 5, "each event was written {} times", rewritten / events);
    }
}
