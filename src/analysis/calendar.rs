//! Stretches of time as people count them: a day begins at midnight in a time zone, a week on Monday (ISO 8601).

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Offset, TimeZone as _};

use crate::error::{Error, Result};
use crate::event::{TimeZone, Timestamp, from_wall_clock, nearest, quote};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;
const WEEK_US: i64 = 7 * DAY_US;

/// The names of the calendar's buckets.
const CALENDAR: [(&str, Bucket); 7] = [
    ("minute", Bucket::Minute),
    ("hour", Bucket::Hour),
    ("day", Bucket::Day),
    ("week", Bucket::Week),
    ("month", Bucket::Month),
    ("quarter", Bucket::Quarter),
    ("year", Bucket::Year),
];

/// Into which stretches time is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    /// Of this many microseconds, counted from 1970-01-01T00:00:00Z whatever the zone.
    Span(i64),
}

impl Bucket {
    /// Reads `day`, `week` … or a length such as `15m`.
    ///
    /// # Errors
    /// `Invalid` (`bad_bucket`) with what there is.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wanted = text.trim().to_ascii_lowercase();
        let singular = wanted.strip_suffix('s').filter(|word| word.len() > 2).unwrap_or(&wanted);
        if let Some((_, bucket)) = CALENDAR.iter().find(|(name, _)| *name == singular) {
            return Ok(*bucket);
        }
        parse_span(&wanted).map(Self::Span).ok_or_else(|| {
            let names = CALENDAR.map(|(name, _)| name);
            let near = nearest(&wanted, names, 1);
            let message = format!(
                "read bucket {}: it is {} or a length such as 15m, 6h (s, m, h, d, w)",
                quote(text),
                names.join(", ")
            );
            Error::invalid("bad_bucket", message).with("argument", "bucket").with("nearest", near)
        })
    }

    /// The finest bucket of the calendar that cuts this stretch of time into about so many at most.
    pub(crate) fn fitting(first: Timestamp, last: Timestamp, buckets: i64) -> Self {
        let whole = last.as_micros().saturating_sub(first.as_micros()).max(0);
        let lengths = [MINUTE_US, HOUR_US, DAY_US, WEEK_US, 30 * DAY_US, 91 * DAY_US];
        let fits = |(length, _): &(i64, Self)| whole / length < buckets;
        let buckets = CALENDAR.map(|(_, bucket)| bucket);
        lengths.into_iter().zip(buckets).find(fits).map_or(Self::Year, |(_, bucket)| bucket)
    }

    /// How it is written.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Span(micros) => span_name(micros),
            calendar => {
                let known = CALENDAR.iter().find(|(_, bucket)| *bucket == calendar);
                known.map_or("bucket", |(name, _)| name).to_owned()
            }
        }
    }

    /// Where the bucket that holds `at` begins.
    pub(crate) fn start(self, at: i64, zone: TimeZone) -> i64 {
        match self {
            Self::Span(micros) => at.div_euclid(micros).saturating_mul(micros),
            // Hours and minutes are cut by the offset that holds just then: an hour that the clock shows twice is two.
            Self::Hour => floor_by_offset(at, HOUR_US, zone),
            Self::Minute => floor_by_offset(at, MINUTE_US, zone),
            _ => {
                let Some(day) = local_date(at, zone) else { return at };
                midnight(self.first_day(day), zone).unwrap_or(at)
            }
        }
    }

    /// Where the bucket behind the one that begins at `start` begins.
    pub(crate) fn next(self, start: i64, zone: TimeZone) -> i64 {
        let ahead = |micros: i64| self.start(start.saturating_add(micros), zone);
        let next = match self {
            Self::Span(micros) => start.saturating_add(micros),
            Self::Hour => ahead(HOUR_US),
            Self::Minute => ahead(MINUTE_US),
            // The middle of a day is that day, also where midnight jumped.
            _ => {
                let day = local_date(start.saturating_add(HOUR_US), zone);
                let next = day.and_then(|day| self.day_after(self.first_day(day)));
                next.and_then(|day| midnight(day, zone)).unwrap_or(start)
            }
        };
        if next > start { next } else { start.saturating_add(MINUTE_US) }
    }

    /// How the bucket that begins at `start` is called: a date where it begins at midnight.
    pub(crate) fn label(self, start: i64, zone: TimeZone) -> String {
        let day = local_date(start.saturating_add(HOUR_US), zone);
        match (self, day) {
            (Self::Day | Self::Week, Some(day)) => day.to_string(),
            (Self::Month, Some(day)) => format!("{:04}-{:02}", day.year(), day.month()),
            (Self::Quarter, Some(day)) => format!("{:04}-Q{}", day.year(), day.month0() / 3 + 1),
            (Self::Year, Some(day)) => format!("{:04}", day.year()),
            _ => Timestamp::from_micros(start).in_zone(zone).to_string(),
        }
    }

    fn first_day(self, day: NaiveDate) -> NaiveDate {
        let month = |month0: u32| NaiveDate::from_ymd_opt(day.year(), month0 + 1, 1).unwrap_or(day);
        match self {
            Self::Week => {
                let back = Days::new(u64::from(day.weekday().num_days_from_monday()));
                day.checked_sub_days(back).unwrap_or(day)
            }
            Self::Month => month(day.month0()),
            Self::Quarter => month(day.month0() / 3 * 3),
            Self::Year => month(0),
            _ => day,
        }
    }

    fn day_after(self, first: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Week => first.checked_add_days(Days::new(7)),
            Self::Month => first.checked_add_months(Months::new(1)),
            Self::Quarter => first.checked_add_months(Months::new(3)),
            Self::Year => first.checked_add_months(Months::new(12)),
            _ => first.checked_add_days(Days::new(1)),
        }
    }
}

/// Reads a length of time such as `90s`, `30m`, `36h`, `14d`, `2w`, in microseconds.
pub(crate) fn parse_span(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at_checked(digits)?;
    let unit_us = match unit.trim() {
        "s" => SECOND_US,
        "m" | "min" => MINUTE_US,
        "h" => HOUR_US,
        "d" => DAY_US,
        "w" => WEEK_US,
        _ => return None,
    };
    count.parse::<i64>().ok()?.checked_mul(unit_us).filter(|micros| *micros > 0)
}

/// A length of time as [`parse_span`] reads it.
pub(crate) fn span_name(micros: i64) -> String {
    let units = [(WEEK_US, 'w'), (DAY_US, 'd'), (HOUR_US, 'h'), (MINUTE_US, 'm'), (SECOND_US, 's')];
    let whole = units.into_iter().find(|(length, _)| micros % length == 0);
    whole.map_or_else(|| format!("{micros}µs"), |(length, unit)| format!("{}{unit}", micros / length))
}

fn local_date(at: i64, zone: TimeZone) -> Option<NaiveDate> {
    let time = DateTime::from_timestamp_micros(at)?;
    Some(time.with_timezone(&zone).date_naive())
}

fn midnight(day: NaiveDate, zone: TimeZone) -> Option<i64> {
    from_wall_clock(i64::from(day.to_epoch_days()).checked_mul(DAY_US)?, zone)
}

fn floor_by_offset(at: i64, length: i64, zone: TimeZone) -> i64 {
    let offset = DateTime::from_timestamp_micros(at).map_or(0, |time| {
        let offset = zone.offset_from_utc_datetime(&time.naive_utc());
        i64::from(offset.fix().local_minus_utc()) * SECOND_US
    });
    at.saturating_sub(at.saturating_add(offset).rem_euclid(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> i64 {
        Timestamp::parse(text, Timestamp::default(), TimeZone::UTC).expect("a time").as_micros()
    }

    #[track_caller]
    fn check(bucket: &str, zone: TimeZone, time: &str, start: &str, next: &str, label: &str) {
        let bucket = Bucket::parse(bucket).expect("a bucket");
        let found = bucket.start(at(time), zone);
        let shown = |micros| Timestamp::from_micros(micros).in_zone(zone).to_string();
        assert_eq!((shown(found), shown(bucket.next(found, zone))), (start.to_owned(), next.to_owned()));
        assert_eq!(bucket.label(found, zone), label);
    }

    #[test]
    fn buckets_begin_where_the_calendar_says() {
        let utc = TimeZone::UTC;
        let time = "2011-11-17T15:42:10.5Z";
        check("minute", utc, time, "2011-11-17T15:42:00Z", "2011-11-17T15:43:00Z", "2011-11-17T15:42:00Z");
        check("hours", utc, time, "2011-11-17T15:00:00Z", "2011-11-17T16:00:00Z", "2011-11-17T15:00:00Z");
        check("day", utc, time, "2011-11-17T00:00:00Z", "2011-11-18T00:00:00Z", "2011-11-17");
        check("week", utc, time, "2011-11-14T00:00:00Z", "2011-11-21T00:00:00Z", "2011-11-14");
        check("Month", utc, time, "2011-11-01T00:00:00Z", "2011-12-01T00:00:00Z", "2011-11");
        check("quarter", utc, time, "2011-10-01T00:00:00Z", "2012-01-01T00:00:00Z", "2011-Q4");
        check("year", utc, time, "2011-01-01T00:00:00Z", "2012-01-01T00:00:00Z", "2011");
        check("15m", utc, time, "2011-11-17T15:30:00Z", "2011-11-17T15:45:00Z", "2011-11-17T15:30:00Z");
    }

    #[test]
    fn a_day_has_23_or_25_hours_when_the_clock_is_changed() {
        let zone = TimeZone::Europe__Amsterdam;
        let spring = ("2012-03-25T00:00:00+01:00", "2012-03-26T00:00:00+02:00");
        check("day", zone, "2012-03-25T12:00:00Z", spring.0, spring.1, "2012-03-25");
        let autumn = ("2011-10-30T00:00:00+02:00", "2011-10-31T00:00:00+01:00");
        check("day", zone, "2011-10-30T12:00:00Z", autumn.0, autumn.1, "2011-10-30");
        let again = "2011-10-30T02:00:00+01:00";
        check("hour", zone, "2011-10-30T01:30:00Z", again, "2011-10-30T03:00:00+01:00", again);
    }

    #[test]
    fn a_bucket_that_is_none_is_refused_with_what_there_is() {
        for text in ["weekly", "0m", "m", "", "1y", "99999999999999999999s"] {
            assert_eq!(Bucket::parse(text).expect_err(text).code(), "bad_bucket");
        }
        assert_eq!((Bucket::Span(90 * MINUTE_US).name(), Bucket::Week.name()), ("90m".into(), "week".into()));
    }

    #[test]
    fn the_chosen_bucket_gives_a_page_full() {
        let fitting = |to: &str| {
            let first = Timestamp::from_micros(at("2011-10-01"));
            Bucket::fitting(first, Timestamp::from_micros(at(to)), 60)
        };
        assert_eq!(fitting("2011-10-01T00:30:00Z"), Bucket::Minute);
        assert_eq!(fitting("2011-10-20"), Bucket::Day);
        assert_eq!(fitting("2012-03-14"), Bucket::Week);
        assert_eq!(fitting("2099-03-14"), Bucket::Year);
    }

    proptest! {
        #[test]
        fn buckets_follow_each_other_without_gap(
            time in 0_i64..2_000_000_000_000_000,
            which in 0_usize..7,
            zone in 0_usize..chrono_tz::TZ_VARIANTS.len(),
        ) {
            let (bucket, zone) = (CALENDAR[which].1, chrono_tz::TZ_VARIANTS[zone]);
            let start = bucket.start(time, zone);
            let next = bucket.next(start, zone);
            prop_assert!(start <= time && time < next, "{start} {time} {next} {zone}");
            prop_assert_eq!(bucket.start(start, zone), start, "{}", zone);
            prop_assert_eq!(bucket.start(next, zone), next, "{}", zone);
            prop_assert_eq!(bucket.start(next - 1, zone), start, "{}", zone);
        }
    }
}
