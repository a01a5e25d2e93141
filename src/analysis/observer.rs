//! One analysis under way: takes events one by one, and gives the outcome.

use super::frequency::Frequency;
use super::outcome::Outcome;
use super::profile::Profile;
use super::question::{Analysis, Question};
use super::seen::{Dictionary, Seen};
use super::sequences::Sequences;
use super::series::Series;
use super::{anomalies, cohorts, correlation, duration, funnel, paths, time_series, transitions, trend};
use crate::error::Result;

/// What has been seen so far, in the shape that the analysis needs.
pub(crate) enum Observer {
    Frequency(Frequency),
    Series(Series),
    Sequences(Sequences),
    Profile(Profile),
}

impl Observer {
    /// An observer that has seen nothing.
    pub(crate) fn new(question: &Question) -> Self {
        match question.analysis {
            Analysis::Frequency => Self::Frequency(Frequency::new(question)),
            Analysis::TimeSeries | Analysis::Trend | Analysis::Anomalies => {
                Self::Series(Series::new(question))
            }
            Analysis::Profile => Self::Profile(Profile::default()),
            Analysis::Funnel
            | Analysis::Transitions
            | Analysis::Duration
            | Analysis::Cohorts
            | Analysis::Correlation => Self::Sequences(Sequences::default()),
        }
    }

    /// Takes in one more event; false when there is no room for another.
    pub(crate) fn take(&mut self, seen: &Seen) -> bool {
        match self {
            Self::Frequency(frequency) => frequency.take(seen),
            Self::Series(series) => series.take(seen),
            Self::Sequences(sequences) => sequences.take(seen),
            Self::Profile(profile) => profile.take(seen),
        }
    }

    /// What came out.
    ///
    /// # Errors
    /// `Invalid` (`too_many_buckets`).
    pub(crate) fn finish(self, names: &Dictionary, question: &Question) -> Result<Outcome> {
        Ok(match self {
            Self::Frequency(frequency) => frequency.finish(names, question),
            Self::Series(series) => {
                let grid = series.finish(names)?;
                match question.analysis {
                    Analysis::Trend => trend::trend(&grid, question),
                    Analysis::Anomalies => anomalies::anomalies(&grid, question),
                    _ => time_series::time_series(&grid, question),
                }
            }
            Self::Profile(profile) => profile.finish(names, question),
            Self::Sequences(sequences) => {
                let stories = sequences.sorted();
                match question.analysis {
                    Analysis::Funnel if question.steps.is_empty() => paths::paths(&stories, names, question),
                    Analysis::Funnel => funnel::funnel(&stories, names, question),
                    Analysis::Duration => duration::duration(&stories, names, question),
                    Analysis::Cohorts => cohorts::cohorts(&stories, question)?,
                    Analysis::Correlation => correlation::correlation(&stories, names, question),
                    _ => transitions::transitions(&stories, names, question),
                }
            }
        })
    }
}
