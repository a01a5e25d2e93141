//! *What do many events add up to?* Ten analyses, each over a stream of events in order of position.
//!
//! Useful for: counts over time and by group, funnels, transitions, durations, cohorts, pairs, trends, anomalies, oddities.
//! Not for: which events to look at ([`engine`](crate::engine)), or how an answer is packed ([`tools`](crate::tools)).
//!
//! An analysis goes: a [`Question`] → an [`Observer`], which takes each event as numbers and symbols ([`Seen`]) → an
//! [`Outcome`]: a table with its definition, which [`plot()`] draws as text and [`chart()`] as an image.
//!
//! **Invariant:** pure; what it holds is bounded by named limits, and whoever hands in events is told when one is
//! reached.

mod seen;
mod number;
mod quantile;
mod aggregate;
mod calendar;
mod question;
mod outcome;
mod frequency;
mod series;
mod time_series;
mod trend;
mod anomalies;
mod sequences;
mod transitions;
mod funnel;
mod paths;
mod duration;
mod cohorts;
mod correlation;
mod profile;
mod observer;
mod plot;
mod chart;
#[cfg(test)]
mod fixture;

pub(crate) use aggregate::Aggregate;
pub(crate) use calendar::{Bucket, parse_span};
pub(crate) use chart::chart;
pub(crate) use observer::Observer;
pub(crate) use outcome::Outcome;
pub(crate) use plot::plot;
pub(crate) use question::{Analysis, Question};
pub(crate) use seen::{Dictionary, Names, Seen, Symbol};
