//! Reading the times that a caller writes.

use chrono::NaiveDate;

use super::Timestamp;
use super::zone::{TimeZone, from_wall_clock};
use crate::error::{Error, Result};
use crate::event::quote;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// The first microsecond of the year 1 and the last of the year 9999: what RFC 3339 can write.
const WRITABLE_US: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

const ACCEPTED: &str = "write RFC 3339 such as 2011-10-01T00:38:44+02:00, a date such as 2011-10-02, now, or now-7d \
                        (s, m, h, d, w)";

impl Timestamp {
    /// Whether the time lies in the years 0001 to 9999, which RFC 3339 can write; an event's must.
    #[must_use]
    pub fn is_writable(self) -> bool {
        WRITABLE_US.contains(&self.as_micros())
    }

    /// Reads a time: RFC 3339 with any offset (`T` or a space between), without an offset in `zone`, a date
    /// (midnight in `zone`), `now`, or `now-7d`, `now+1h` (s, m, h, d, w; a day is 24 hours).
    ///
    /// Years 0001 to 9999; digits beyond the microsecond are cut off. A wall-clock time that a zone shows twice
    /// means the first, one that it skips means as far behind the jump.
    ///
    /// # Errors
    /// `Invalid` (`not_a_time`), with what is accepted.
    pub fn parse(text: &str, now: Self, zone: TimeZone) -> Result<Self> {
        let trimmed = text.trim();
        let read = match trimmed.get(..3) {
            Some(word) if word.eq_ignore_ascii_case("now") => {
                relative(trimmed.get(3..).unwrap_or_default(), now.as_micros())
            }
            _ => absolute(trimmed, zone),
        };
        read.map(Self::from_micros).map_err(|reason| not_a_time(text, reason))
    }
}

/// Why a text is not a time, when its form was right; `None` when not even that.
pub(super) type Reason = Option<&'static str>;

pub(super) fn not_a_time(text: &str, reason: Reason) -> Error {
    let reason = reason.unwrap_or("not a time");
    Error::invalid("not_a_time", format!("read time {}: {reason}; {ACCEPTED}", quote(text)))
        .with("accepted", ["RFC 3339", "YYYY-MM-DD", "now", "now-7d"].as_slice())
}

/// The sum of `now` and terms such as `-7d` or `+ 1h`.
fn relative(mut terms: &str, now_us: i64) -> Result<i64, Reason> {
    let mut total = now_us;
    loop {
        terms = terms.trim_start();
        let Some(sign) = terms.chars().next() else { break };
        let sign = match sign {
            '+' => 1,
            '-' => -1,
            _ => return Err(None),
        };
        terms = terms.get(1..).unwrap_or_default().trim_start();
        let digits = terms.bytes().take_while(u8::is_ascii_digit).count();
        let (count, rest) = terms.split_at_checked(digits).ok_or(None)?;
        let count: i64 = count.parse().map_err(|_| None)?;
        let unit_us = match rest.chars().next() {
            Some('s') => SECOND_US,
            Some('m') => 60 * SECOND_US,
            Some('h') => 3_600 * SECOND_US,
            Some('d') => DAY_US,
            Some('w') => 7 * DAY_US,
            _ => return Err(Some("a duration needs a unit")),
        };
        total = count
            .checked_mul(unit_us)
            .and_then(|term| total.checked_add(sign * term))
            .ok_or(Some("too far from now"))?;
        terms = rest.get(1..).unwrap_or_default();
    }
    writable(total)
}

pub(super) fn writable(micros: i64) -> Result<i64, Reason> {
    WRITABLE_US.contains(&micros).then_some(micros).ok_or(Some("outside the years 0001 to 9999"))
}

/// A date, or a date and a time, with or without an offset.
pub(super) fn absolute(text: &str, zone: TimeZone) -> Result<i64, Reason> {
    let mut reader = Reader(text.as_bytes());
    let date_us = reader.date(b'-')?;
    if reader.0.is_empty() {
        return from_wall_clock(date_us, zone).ok_or(None).and_then(writable);
    }
    if !(reader.eat(b"Tt") || reader.eat(b" ")) {
        return Err(None);
    }
    reader.clock_and_offset(date_us, zone)
}

/// Reads fixed-width fields off the front of a text.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    /// Takes one byte if it is one of `any`.
    pub(super) fn eat(&mut self, any: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if any.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes exactly `width` digits.
    pub(super) fn digits(&mut self, width: usize) -> Result<u32, Reason> {
        let (field, rest) = self.0.split_at_checked(width).ok_or(None)?;
        let mut number = 0;
        for byte in field {
            if !byte.is_ascii_digit() {
                return Err(None);
            }
            number = number * 10 + u32::from(byte - b'0');
        }
        self.0 = rest;
        Ok(number)
    }

    /// `YYYY-MM-DD` with that separator, as the microseconds of its midnight, counted as if it were UTC.
    pub(super) fn date(&mut self, separator: u8) -> Result<i64, Reason> {
        let year = self.digits(4)?;
        if !self.eat(&[separator]) {
            return Err(None);
        }
        let month = self.digits(2)?;
        if !self.eat(&[separator]) {
            return Err(None);
        }
        midnight(year, month, self.digits(2)?)
    }

    /// `HH:MM[:SS[.fraction]]`, then `Z`, an offset, or nothing, to the end of the text.
    pub(super) fn clock_and_offset(&mut self, date_us: i64, zone: TimeZone) -> Result<i64, Reason> {
        let hour = self.digits(2)?;
        if !self.eat(b":") {
            return Err(None);
        }
        let minute = self.digits(2)?;
        let (mut second, mut fraction_us) = (0, 0);
        if self.eat(b":") {
            second = self.digits(2)?;
            if self.eat(b".,") {
                fraction_us = self.fraction()?;
            }
        }
        // 60 is a leap second: it counts as the first of the next minute.
        if hour > 23 || minute > 59 || second > 60 {
            return Err(Some("no such time of day"));
        }
        let seconds = i64::from(hour * 3_600 + minute * 60 + second);
        let local_us = date_us + seconds * SECOND_US + fraction_us;
        let utc_us = match self.offset_us()? {
            Some(offset_us) => Some(local_us - offset_us),
            None => from_wall_clock(local_us, zone),
        };
        if !self.0.is_empty() {
            return Err(None);
        }
        utc_us.ok_or(None).and_then(writable)
    }

    /// Decimal digits behind the second, in microseconds; what is finer is cut off.
    fn fraction(&mut self) -> Result<i64, Reason> {
        let (mut micros, mut unit) = (0, 100_000);
        let mut any = false;
        while let Some((digit, rest)) = self.0.split_first().filter(|(first, _)| first.is_ascii_digit()) {
            micros += i64::from(digit - b'0') * unit;
            unit /= 10;
            any = true;
            self.0 = rest;
        }
        any.then_some(micros).ok_or(None)
    }

    /// `Z`, `+02:00`, `+0200`, `+02`, with a space before it or not.
    fn offset_us(&mut self) -> Result<Option<i64>, Reason> {
        self.eat(b" ");
        if self.eat(b"Zz") {
            return Ok(Some(0));
        }
        let sign = match self.0.first() {
            None => return Ok(None),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return Err(None),
        };
        self.eat(b"+-");
        let hours = self.digits(2)?;
        self.eat(b":");
        let minutes = if self.0.is_empty() { 0 } else { self.digits(2)? };
        if hours > 23 || minutes > 59 {
            return Err(Some("no such offset"));
        }
        Ok(Some(sign * i64::from(hours * 3_600 + minutes * 60) * SECOND_US))
    }
}

/// The microseconds of a day's midnight, counted as if it were UTC.
pub(super) fn midnight(year: u32, month: u32, day: u32) -> Result<i64, Reason> {
    let year = i32::try_from(year).ok().filter(|year| *year > 0).ok_or(Some("there is no year 0000"))?;
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or(Some("no such day"))?;
    Ok(i64::from(date.to_epoch_days()) * DAY_US)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2024-02-29T12:00:00Z";

    fn parse(text: &str, zone: TimeZone) -> Result<Timestamp> {
        let now = Timestamp::parse(NOW, Timestamp::default(), TimeZone::UTC).expect("a time");
        Timestamp::parse(text, now, zone)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        check_in(text, TimeZone::UTC, expected);
    }

    #[track_caller]
    fn check_in(text: &str, zone: TimeZone, expected: &str) {
        assert_eq!(parse(text, zone).expect(text).to_string(), expected, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, reason: &str) {
        let error = parse(text, TimeZone::UTC).expect_err(text);
        assert_eq!(error.code(), "not_a_time");
        assert!(error.message().contains(reason), "{error}");
        assert!(error.message().contains("now-7d"), "{error}");
    }

    #[test]
    fn rfc_3339_is_read_with_any_offset() {
        check("2011-10-01T00:38:44.546+02:00", "2011-09-30T22:38:44.546Z");
        check("2011-10-01 00:38:44.546+02:00", "2011-09-30T22:38:44.546Z");
        check("2011-10-01t00:38:44z", "2011-10-01T00:38:44Z");
        check("2011-10-01T00:38:44 -0330", "2011-10-01T04:08:44Z");
        check("2011-10-01T00:38+02", "2011-09-30T22:38:00Z");
        check("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_finer_than_a_microsecond_is_cut_off() {
        check("2020-01-01T00:00:00.123456789Z", "2020-01-01T00:00:00.123456Z");
        check("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn without_an_offset_the_zone_decides() {
        check_in("2011-10-02", TimeZone::Europe__Amsterdam, "2011-10-01T22:00:00Z");
        check_in("2011-10-02 10:30", TimeZone::Asia__Kolkata, "2011-10-02T05:00:00Z");
        check("2011-10-02", "2011-10-02T00:00:00Z");
    }

    #[test]
    fn a_wall_clock_time_shown_twice_means_the_first_and_a_skipped_one_moves_on() {
        check_in("2011-10-30 02:30", TimeZone::Europe__Amsterdam, "2011-10-30T00:30:00Z");
        check_in("2011-03-27 02:30", TimeZone::Europe__Amsterdam, "2011-03-27T01:30:00Z");
        check_in("2018-11-04", TimeZone::America__Sao_Paulo, "2018-11-04T03:00:00Z");
    }

    #[test]
    fn now_takes_terms() {
        check("now", NOW);
        check("NOW-7d", "2024-02-22T12:00:00Z");
        check("now+1h", "2024-02-29T13:00:00Z");
        check("now - 2w + 90m", "2024-02-15T13:30:00Z");
        check("now-1s", "2024-02-29T11:59:59Z");
    }

    #[test]
    fn the_first_and_the_last_year_are_there() {
        check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
        check("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z");
        refused("0000-12-31", "no year 0000");
        refused("0001-01-01T00:00:00+01:00", "outside the years");
        refused("now+9999999d", "outside the years");
        refused("now+9999999999999999w", "too far");
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_is_accepted() {
        refused("yesterday", "not a time");
        refused("", "not a time");
        refused("2011-02-29", "no such day");
        refused("2011-13-01", "no such day");
        refused("2011-10-01T25:00:00Z", "no such time of day");
        refused("2011-10-01T00:00:00+25:00", "no such offset");
        refused("2011-10-01T00:00:00Zjunk", "not a time");
        refused("2011-10-01T00:00:00.Z", "not a time");
        refused("now-7", "needs a unit");
        refused("now-7y", "needs a unit");
        refused("nowish", "not a time");
        refused("1317430724", "not a time");
    }

    proptest! {
        #[test]
        fn every_time_reads_back_as_it_was_written(micros in WRITABLE_US) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(parse(&time.to_string(), TimeZone::UTC).expect("a time"), time);
            let local = time.in_zone(TimeZone::Asia__Kolkata).to_string();
            if let Ok(read) = parse(&local, TimeZone::UTC) {
                // A zone's offsets before the railways have seconds, which RFC 3339 rounds to the minute.
                prop_assert!((read.as_micros() - micros).abs() < 60 * SECOND_US);
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}", digits in "[0-9nowTZ:+. -]{0,30}") {
            let _ = parse(&text, TimeZone::Europe__Amsterdam);
            let _ = parse(&digits, TimeZone::Europe__Amsterdam);
            let _ = Timestamp::parse_lenient(&text, TimeZone::UTC);
            let _ = Timestamp::parse_lenient(&digits, TimeZone::UTC);
        }
    }
}
