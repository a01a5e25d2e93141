//! How events lie in time.

use super::field::share;
use crate::event::{Event, Timestamp};

/// The stretches into which the whole time is divided to look for bursts.
const STRETCHES: i64 = 20;
/// An event recorded this much after it happened was brought in later: one day.
const LATE_US: i64 = 86_400_000_000;

/// How events lie in time, as far as a sample tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    /// The share of events that happened before the one recorded before them, from 0 to 1.
    pub(crate) out_of_order: f64,
    /// The share of events that were recorded more than a day after they happened.
    pub(crate) late: f64,
    /// The twentieth of the whole time that has most events, and its share of them.
    pub(crate) densest: Option<(Timestamp, Timestamp, f64)>,
    /// The longest time without a sampled event.
    pub(crate) gap: Option<(Timestamp, Timestamp)>,
}

impl Times {
    pub(super) fn of(events: &[Event], range: Option<(Timestamp, Timestamp)>) -> Self {
        let Some((first, last)) = range.filter(|_| events.len() > 1) else { return Self::default() };
        let steps = events.iter().zip(events.iter().skip(1));
        let backwards = steps.filter(|(a, b)| b.timestamp < a.timestamp).count();
        let lag = |event: &Event| event.recorded_at.as_micros().saturating_sub(event.timestamp.as_micros());
        let late = events.iter().filter(|event| lag(event) > LATE_US).count();
        let mut times: Vec<Timestamp> = events.iter().map(|event| event.timestamp).collect();
        times.sort();
        let gaps = times.iter().copied().zip(times.iter().copied().skip(1));
        let gap = gaps.max_by_key(|(from, to)| to.as_micros().saturating_sub(from.as_micros()));
        Self {
            out_of_order: share(backwards, events.len() - 1),
            late: share(late, events.len()),
            densest: densest(&times, first, last),
            gap,
        }
    }
}

fn densest(times: &[Timestamp], first: Timestamp, last: Timestamp) -> Option<(Timestamp, Timestamp, f64)> {
    let width = last.as_micros().saturating_sub(first.as_micros()) / STRETCHES;
    if width == 0 {
        return None;
    }
    let stretch = |index: i64| {
        let from = first.as_micros() + index * width;
        (Timestamp::from_micros(from), Timestamp::from_micros(from + width))
    };
    (0..STRETCHES)
        .map(|index| {
            let (from, to) = stretch(index);
            let count = times.iter().filter(|time| **time >= from && **time < to).count();
            (from, to, share(count, times.len()))
        })
        .max_by(|a, b| a.2.total_cmp(&b.2))
}
