//! Time zones by their names in the IANA database.

use chrono::{DateTime, Duration, MappedLocalTime, Offset, TimeZone as _};

use crate::error::{Error, Result};
use crate::event::{nearest, quote};

/// An IANA time zone, in which dates without a time are read and answers are written.
pub type TimeZone = chrono_tz::Tz;

/// The zone with that name, whatever its capitals.
///
/// # Errors
/// `Invalid` (`unknown_time_zone`) with the nearest names there are.
pub fn parse_zone(name: &str) -> Result<TimeZone> {
    let wanted = name.trim();
    if let Ok(zone) = wanted.parse::<TimeZone>() {
        return Ok(zone);
    }
    let found = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(wanted));
    found.copied().ok_or_else(|| {
        let near = suggestions(wanted);
        let message = format!(
            "read time_zone {}: no such zone in the IANA database; write for example {}",
            quote(name),
            near.join(", ")
        );
        Error::invalid("unknown_time_zone", message).with("nearest", near)
    })
}

/// `Berlin` and `Europe/Berln` both mean Europe/Berlin; an offset means the `Etc` zone, whose sign is reversed.
fn suggestions(wanted: &str) -> Vec<&'static str> {
    let hours = wanted.strip_prefix("UTC").unwrap_or(wanted).split(':').next();
    if let Some(hours) = hours.and_then(|hours| hours.parse::<i32>().ok()) {
        let reversed = format!("Etc/GMT{:+}", -hours);
        if let Ok(zone) = reversed.parse::<TimeZone>() {
            return vec![zone.name()];
        }
    }
    let city = |zone: &TimeZone| zone.name().rsplit('/').next().unwrap_or_default();
    let cities = nearest(wanted, chrono_tz::TZ_VARIANTS.iter().map(city), 2);
    let mut near: Vec<&'static str> = cities
        .into_iter()
        .filter_map(|name| chrono_tz::TZ_VARIANTS.iter().find(|zone| city(zone) == name))
        .map(|zone| zone.name())
        .collect();
    for name in nearest(wanted, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()), 3) {
        if !near.contains(&name) {
            near.push(name);
        }
    }
    near.truncate(3);
    if near.is_empty() {
        near.extend(["UTC", "Europe/Berlin", "America/New_York"]);
    }
    near
}

/// The UTC microseconds at which a clock on the wall in `zone` shows `local_us` (counted as if it were UTC).
///
/// Where the clock shows a time twice, the first is meant; where it skips one, the time as far behind the jump.
pub(crate) fn from_wall_clock(local_us: i64, zone: TimeZone) -> Option<i64> {
    if zone == TimeZone::UTC {
        return Some(local_us);
    }
    let wall = DateTime::from_timestamp_micros(local_us)?.naive_utc();
    let offset = match zone.offset_from_local_datetime(&wall) {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => offset,
        MappedLocalTime::None => zone.offset_from_utc_datetime(&wall.checked_sub_signed(Duration::days(1))?),
    };
    local_us.checked_sub(i64::from(offset.fix().local_minus_utc()) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_nearest(name: &str, expected: &str) {
        let error = parse_zone(name).expect_err("no such zone");
        assert_eq!(error.code(), "unknown_time_zone");
        assert!(error.message().contains(expected), "{error}");
    }

    #[test]
    fn zones_are_found_whatever_their_capitals() {
        for (name, zone) in [
            ("UTC", TimeZone::UTC),
            ("utc", TimeZone::UTC),
            ("europe/amsterdam", TimeZone::Europe__Amsterdam),
            (" America/New_York ", TimeZone::America__New_York),
        ] {
            assert_eq!(parse_zone(name).expect("a zone"), zone);
        }
    }

    #[test]
    fn an_unknown_zone_names_the_nearest() {
        check_nearest("Berlin", "Europe/Berlin");
        check_nearest("Europe/Berln", "Europe/Berlin");
        check_nearest("New York", "America/New_York");
        check_nearest("+02:00", "Etc/GMT-2");
        check_nearest("UTC-5", "Etc/GMT+5");
        check_nearest("", "UTC");
    }
}
