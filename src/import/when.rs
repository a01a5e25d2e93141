//! Reading the times that real files hold.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::event::Timestamp;

const WITH_ZONE: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f %#z",
    "%a, %d %b %Y %H:%M:%S %z",
];
const WITHOUT_ZONE: [&str; 6] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y%m%dT%H%M%S",
];
const DATES: [&str; 2] = ["%Y-%m-%d", "%Y/%m/%d"];

/// Reads a time: RFC 3339 and its common variants, a date, or a number since 1970 in seconds, milliseconds,
/// microseconds or nanoseconds, told apart by its size. Without a zone it is UTC. `None` when it is none of these.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp::from_micros(time.timestamp_micros()));
    }
    if let Some(time) = since_1970(text) {
        return Some(time);
    }
    let zoned = WITH_ZONE.iter().find_map(|format| DateTime::parse_from_str(text, format).ok());
    if let Some(time) = zoned {
        return Some(Timestamp::from_micros(time.timestamp_micros()));
    }
    let bare = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    let naive = WITHOUT_ZONE.iter().find_map(|format| NaiveDateTime::parse_from_str(bare, format).ok());
    let naive = naive.or_else(|| {
        let date = DATES.iter().find_map(|format| NaiveDate::parse_from_str(bare, format).ok())?;
        Some(date.and_time(NaiveTime::MIN))
    })?;
    Some(Timestamp::from_micros(DateTime::<Utc>::from_naive_utc_and_offset(naive, Utc).timestamp_micros()))
}

/// Up to 2286 in seconds, and never before 1973 in the finer units: real files stay inside that.
fn since_1970(text: &str) -> Option<Timestamp> {
    const SECONDS_BELOW: i64 = 10_000_000_000;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = number.checked_abs()?;
    let micros_of = |unit: i64, digits: usize| {
        let padded = format!("{fraction:0<digits$}");
        let part: i64 =
            padded.get(..digits).filter(|digits| !digits.is_empty()).map_or(Ok(0), str::parse).ok()?;
        let part = if whole.starts_with('-') { -part } else { part };
        number.checked_mul(unit)?.checked_add(part)
    };
    let micros = if size < SECONDS_BELOW {
        micros_of(1_000_000, 6)?
    } else if size < SECONDS_BELOW * 1_000 {
        micros_of(1_000, 3)?
    } else if size < SECONDS_BELOW * 1_000_000 {
        number
    } else {
        number / 1_000
    };
    Some(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(read_time(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_read_as_real_files_write_them() {
        check("2011-10-01T00:38:44.546+02:00", Some("2011-09-30T22:38:44.546Z"));
        check("2011-10-01T00:38:44+0200", Some("2011-09-30T22:38:44Z"));
        check("2020-08-07 10:32:22", Some("2020-08-07T10:32:22Z"));
        check("2020-08-07 10:32:22.5 +01:00", Some("2020-08-07T09:32:22.500Z"));
        check("2015-02-22", Some("2015-02-22T00:00:00Z"));
        check("Sun, 22 Feb 2015 21:00:00 +0000", Some("2015-02-22T21:00:00Z"));
    }

    #[test]
    fn numbers_are_counted_from_1970_in_the_unit_that_their_size_tells() {
        for text in ["1424638800", "1424638800.0", "1424638800000", "1424638800000000", "1424638800000000000"]
        {
            check(text, Some("2015-02-22T21:00:00Z"));
        }
        check("1424638800.25", Some("2015-02-22T21:00:00.250Z"));
        check("-1.5", Some("1969-12-31T23:59:58.500Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "soon", "2015-02-30", "12:00", "1.2.3", "-"] {
            check(text, None);
        }
    }
}
