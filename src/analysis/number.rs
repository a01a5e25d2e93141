//! Numbers on their way into an answer: as many digits as mean something.

use serde_json::Value;

/// The digits of a number that is not whole.
const DIGITS: usize = 10;
/// Beyond this a float does not hold every whole number: 2⁵³.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A count as a float; exact up to 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "no count of events reaches 2^53")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// Microseconds as a float; exact over 285 years.
#[expect(clippy::cast_precision_loss, reason = "what lies between two events is far below 2^53 microseconds")]
pub(crate) const fn float_us(micros: i64) -> f64 {
    micros as f64
}

/// A length as a count.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A number: whole ones with all their digits, others with ten.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
pub(crate) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
        return Value::from(value as i64);
    }
    let short = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    Value::from(short)
}

/// The same, of a number that may not be there.
pub(crate) fn number_or_null(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

/// A part of a whole, to four digits behind the point; null of nothing.
pub(crate) fn share(part: u64, whole: u64) -> Value {
    if whole == 0 { Value::Null } else { rounded(float(part) / float(whole)) }
}

/// A number to four digits behind the point.
pub(crate) fn rounded(value: f64) -> Value {
    number((value * 10_000.0).round() / 10_000.0)
}

/// Microseconds as seconds, exact to the microsecond.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
pub(crate) fn seconds(micros: Option<f64>) -> Value {
    let Some(micros) = micros.map(f64::round) else { return Value::Null };
    let whole = (micros / 1_000_000.0).trunc();
    if micros % 1_000_000.0 == 0.0 { Value::from(whole as i64) } else { Value::from(micros / 1_000_000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        assert_eq!(value.to_string(), expected);
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        check(&number(3.0), "3");
        check(&number(1.0 / 3.0), "0.3333333333");
        check(&number(-123_456.789), "-123456.789");
        check(&share(1, 3), "0.3333");
        check(&share(1, 0), "null");
        check(&seconds(Some(1_500_000.4)), "1.5");
        check(&seconds(Some(86_400_000_000.0)), "86400");
        check(&seconds(None), "null");
    }
}
