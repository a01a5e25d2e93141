//! What is asked of the events: the analysis and its settings, understood.

use super::aggregate::Aggregate;
use super::calendar::Bucket;
use crate::event::{NamePattern, TimeZone, Timestamp};

/// Which question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Analysis {
    Frequency,
    TimeSeries,
    Funnel,
    Transitions,
    Duration,
    Cohorts,
    Correlation,
    Trend,
    Anomalies,
    Profile,
}

impl Analysis {
    /// Every analysis, in the order of [`NAMES`](Self::NAMES).
    const ALL: [Self; 10] = [
        Self::Frequency,
        Self::TimeSeries,
        Self::Funnel,
        Self::Transitions,
        Self::Duration,
        Self::Cohorts,
        Self::Correlation,
        Self::Trend,
        Self::Anomalies,
        Self::Profile,
    ];

    /// The names of all.
    pub(crate) const NAMES: [&'static str; 10] = [
        "frequency",
        "time_series",
        "funnel",
        "transitions",
        "duration",
        "cohorts",
        "correlation",
        "trend",
        "anomalies",
        "profile",
    ];

    /// The analysis with that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().zip(Self::ALL).find(|(known, _)| *known == name).map(|(_, analysis)| analysis)
    }

    /// How it is written.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.into_iter().zip(Self::ALL).find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// An analysis with its settings; each has a value, whether it plays a part or not.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub analysis: Analysis,
    /// The steps of a funnel, or the two ends of a duration.
    pub steps: Vec<NamePattern>,
    /// Whose the events are: a path, as it was written; `None` for their entities.
    pub key: Option<String>,
    /// The longest time from the first step to the last, in microseconds.
    pub window: Option<i64>,
    /// Into which stretches time is cut.
    pub bucket: Bucket,
    /// What groups the events: a path, as it was written.
    pub by: Option<String>,
    /// What is measured: a path, as it was written.
    pub value: Option<String>,
    /// What is made of it.
    pub aggregate: Aggregate,
    /// Sketches instead of exact results.
    pub approximate: bool,
    /// The zone of the calendar.
    pub zone: TimeZone,
    /// What now is: buckets that end later are not over yet.
    pub now: Timestamp,
    /// The bounds of time that were asked for: buckets that they cut are not whole.
    pub asked: (Option<Timestamp>, Option<Timestamp>),
}

impl Question {
    /// What is counted or measured, as a heading: `count`, `mean(payload.total)`.
    pub(crate) fn measure(&self) -> String {
        match (&self.value, self.aggregate) {
            (_, Aggregate::Count) => Aggregate::Count.name(),
            (None, Aggregate::Distinct) => format!("distinct({})", self.key_name()),
            (None, other) => other.name(),
            (Some(value), other) => format!("{}({value})", other.name()),
        }
    }

    /// Whose the events are, in words.
    pub(crate) fn key_name(&self) -> &str {
        self.key.as_deref().unwrap_or("entity_id")
    }

    /// Whether the bucket that begins at `start` is over, and not cut by the bounds that were asked for.
    pub(crate) fn is_whole(&self, start: i64) -> bool {
        let end = self.bucket.next(start, self.zone);
        let (since, until) = self.asked;
        end <= self.now.as_micros()
            && since.is_none_or(|since| since.as_micros() <= start)
            && until.is_none_or(|until| end <= until.as_micros())
    }
}
