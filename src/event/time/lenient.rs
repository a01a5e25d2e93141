//! Reading the times that real files hold.

use chrono::DateTime;

use super::Timestamp;
use super::parse::{Reader, Reason, absolute, not_a_time, writable};
use super::zone::TimeZone;
use crate::error::Result;

impl Timestamp {
    /// Reads a time from a file: whatever [`parse`](Self::parse) reads except `now`, and
    ///
    /// 1. Unix time as digits: seconds (a fraction is allowed) below 10¹¹, milliseconds below 10¹⁴, microseconds
    ///    below 10¹⁷, else nanoseconds;
    /// 2. slashes for dashes (`2020/08/07 10:32:22`) and the basic form `20200807T103222Z`;
    /// 3. the form of web server logs, `07/Aug/2020:10:32:22 +0000`, and of mail, `Fri, 7 Aug 2020 10:32:22 GMT`.
    ///
    /// # Errors
    /// `Invalid` (`not_a_time`).
    pub fn parse_lenient(text: &str, zone: TimeZone) -> Result<Self> {
        let trimmed = text.trim();
        let mut reason: Reason = None;
        for read in [absolute, slashed, basic, unix, web_log, mail] {
            match read(trimmed, zone) {
                Ok(micros) => return Ok(Self::from_micros(micros)),
                Err(why) => reason = reason.or(why),
            }
        }
        Err(not_a_time(text, reason))
    }
}

fn slashed(text: &str, zone: TimeZone) -> Result<i64, Reason> {
    let date = text.get(..10).filter(|date| date.contains('/')).ok_or(None)?;
    absolute(&format!("{}{}", date.replace('/', "-"), text.get(10..).unwrap_or_default()), zone)
}

fn basic(text: &str, zone: TimeZone) -> Result<i64, Reason> {
    let (date, time) = text.split_once(['T', 't']).filter(|(date, _)| date.len() == 8).ok_or(None)?;
    let part = |text: &str, range| text.get(range).map(str::to_owned).ok_or(None::<&'static str>);
    let date = format!("{}-{}-{}", part(date, 0..4)?, part(date, 4..6)?, part(date, 6..8)?);
    let clock = format!("{}:{}:{}", part(time, 0..2)?, part(time, 2..4)?, part(time, 4..6)?);
    absolute(&format!("{date}T{clock}{}", time.get(6..).unwrap_or_default()), zone)
}

fn unix(text: &str, _zone: TimeZone) -> Result<i64, Reason> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(None);
    }
    let count: i64 = whole.parse().map_err(|_| None)?;
    let (numerator, denominator): (i64, i64) = match count.unsigned_abs() {
        0..100_000_000_000 => (1_000_000, 1),
        100_000_000_000..100_000_000_000_000 => (1_000, 1),
        100_000_000_000_000..100_000_000_000_000_000 => (1, 1),
        _ => (1, 1_000),
    };
    let whole_us = count * numerator / denominator;
    let digits: i64 = format!("{fraction:0<6}").get(..6).and_then(|six| six.parse().ok()).unwrap_or(0);
    let part_us = digits * numerator / 1_000_000;
    writable(if whole.starts_with('-') { whole_us - part_us } else { whole_us + part_us })
}

fn web_log(text: &str, zone: TimeZone) -> Result<i64, Reason> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (date, time) = text.split_once(':').ok_or(None)?;
    let mut parts = date.split('/');
    let mut part = || parts.next().ok_or(None::<&'static str>);
    let (day, month, year) = (part()?, part()?, part()?);
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0).ok_or(None)? / 3 + 1;
    let date = format!("{year}-{month:02}-{day:0>2}");
    let mut reader = Reader(date.as_bytes());
    let date_us = reader.date(b'-')?;
    Reader(time.as_bytes()).clock_and_offset(date_us, zone)
}

fn mail(text: &str, _zone: TimeZone) -> Result<i64, Reason> {
    DateTime::parse_from_rfc2822(text).map_err(|_| None).and_then(|time| writable(time.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let time = Timestamp::parse_lenient(text, TimeZone::UTC).expect(text);
        assert_eq!(time.to_string(), expected, "{text}");
    }

    #[test]
    fn the_forms_of_real_files_are_read() {
        check("2020-08-07 10:32:22", "2020-08-07T10:32:22Z");
        check("2020-08-07T10:32:22.5", "2020-08-07T10:32:22.500Z");
        check("2020-08-07 10:32:22,123", "2020-08-07T10:32:22.123Z");
        check("2020/08/07 10:32:22", "2020-08-07T10:32:22Z");
        check("2020/08/07", "2020-08-07T00:00:00Z");
        check("20200807T103222Z", "2020-08-07T10:32:22Z");
        check("07/Aug/2020:10:32:22 +0200", "2020-08-07T08:32:22Z");
        check("Fri, 7 Aug 2020 10:32:22 GMT", "2020-08-07T10:32:22Z");
    }

    #[test]
    fn unix_time_is_told_apart_by_its_size() {
        check("1596796342", "2020-08-07T10:32:22Z");
        check("1596796342.25", "2020-08-07T10:32:22.250Z");
        check("1596796342123", "2020-08-07T10:32:22.123Z");
        check("1596796342123456", "2020-08-07T10:32:22.123456Z");
        check("1596796342123456789", "2020-08-07T10:32:22.123456Z");
        check("0", "1970-01-01T00:00:00Z");
        check("-1.5", "1969-12-31T23:59:58.500Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "now", "soon", "12:30", "1.2.3", "2020/8/7", "99999999999999999999", "."] {
            let error = Timestamp::parse_lenient(text, TimeZone::UTC).expect_err(text);
            assert_eq!(error.code(), "not_a_time");
        }
    }
}
