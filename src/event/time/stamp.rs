//! The point in time itself, and how it is written.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use super::zone::TimeZone;

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time there is.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest time there is.
    pub const MAX: Self = Self(i64::MAX);

    /// The time that lies `micros` microseconds after 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// RFC 3339 in `zone`, with the zone's offset: `2011-10-02T00:00:00+02:00`; in UTC it ends in `Z`.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> impl fmt::Display {
        InZone { time: self, zone }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many fractional digits as are needed: `2011-10-01T00:38:44.546Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} µs", self.0),
        }
    }
}

struct InZone {
    time: Timestamp,
    zone: TimeZone,
}

impl fmt::Display for InZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.time.0) {
            Some(time) if self.zone != TimeZone::UTC => {
                let local = time.with_timezone(&self.zone);
                f.write_str(&local.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            _ => fmt::Display::fmt(&self.time, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(micros: i64, zone: TimeZone, expected: &str) {
        assert_eq!(Timestamp::from_micros(micros).in_zone(zone).to_string(), expected);
    }

    #[test]
    fn a_time_is_written_with_no_more_digits_than_it_needs() {
        check(0, TimeZone::UTC, "1970-01-01T00:00:00Z");
        check(1_500_000, TimeZone::UTC, "1970-01-01T00:00:01.500Z");
        check(1, TimeZone::UTC, "1970-01-01T00:00:00.000001Z");
    }

    #[test]
    fn a_time_is_written_with_the_offset_of_its_zone_on_that_day() {
        check(1_317_508_724_546_000, TimeZone::Europe__Amsterdam, "2011-10-02T00:38:44.546+02:00");
        check(1_325_376_000_000_000, TimeZone::Europe__Amsterdam, "2012-01-01T01:00:00+01:00");
    }
}
