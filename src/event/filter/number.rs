//! Numbers compared exactly, whatever their length: ids of 23 digits and amounts of money must not go through floats.

use std::cmp::Ordering;
use std::fmt;

use super::lexer::is_number;

/// A number: small whole ones as such, all others by their digits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number<'a> {
    Whole(i64),
    Digits(Digits<'a>),
}

impl fmt::Display for Number<'_> {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => fmt::Display::fmt(whole, f),
            Self::Digits(digits) => f.write_str(digits.text),
        }
    }
}

impl<'a> Number<'a> {
    /// Reads a number of JSON, give or take a plus sign and zeros in front.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if plain && let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        is_number(text).then(|| Self::Digits(Digits::of(text)))
    }

    /// A whole number that is never negative.
    pub(super) fn of(whole: u64) -> Self {
        Self::Whole(i64::try_from(whole).unwrap_or(i64::MAX))
    }

    /// Their order in value: `1`, `1.0` and `10e-1` are equal.
    pub(super) fn compare(self, other: Number<'_>) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Number::Whole(b)) => a.cmp(&b),
            (Self::Whole(a), Number::Digits(b)) => Digits::of(&a.to_string()).compare(b),
            (Self::Digits(a), Number::Whole(b)) => a.compare(Digits::of(&b.to_string())),
            (Self::Digits(a), Number::Digits(b)) => a.compare(b),
        }
    }
}

/// A number as ±0.d₁d₂d₃… × 10^`scale` with d₁ ≠ 0; zero has no digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits<'a> {
    text: &'a str,
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    scale: i64,
}

impl<'a> Digits<'a> {
    fn of(text: &'a str) -> Self {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0');
        let kept = if whole.is_empty() { fraction.trim_start_matches('0') } else { fraction };
        let leading =
            if whole.is_empty() { -length(fraction.len() - kept.len()) } else { length(whole.len()) };
        Self { text, negative, whole, fraction: kept.trim_end_matches('0'), scale: leading + exponent }
    }

    fn digits(self) -> impl Iterator<Item = u8> {
        let whole = if self.fraction.is_empty() { self.whole.trim_end_matches('0') } else { self.whole };
        whole.bytes().chain(self.fraction.bytes())
    }

    fn sign(self) -> i8 {
        match (self.digits().next(), self.negative) {
            (None, _) => 0,
            (Some(_), true) => -1,
            (Some(_), false) => 1,
        }
    }

    fn compare(self, other: Digits<'_>) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        if by_sign != Ordering::Equal || self.sign() == 0 {
            return by_sign;
        }
        let by_size = self.scale.cmp(&other.scale).then_with(|| self.digits().cmp(other.digits()));
        if self.negative { by_size.reverse() } else { by_size }
    }
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, expected: Ordering) {
        let number = |text| Number::parse(text).expect(text);
        assert_eq!(number(a).compare(number(b)), expected, "{a} {b}");
        assert_eq!(number(b).compare(number(a)), expected.reverse(), "{b} {a}");
    }

    #[test]
    fn long_numbers_differ_in_their_last_digit() {
        check("12345678901234567890123", "12345678901234567890123", Ordering::Equal);
        check("12345678901234567890123", "12345678901234567890124", Ordering::Less);
        check("9007199254740993", "9007199254740992.0", Ordering::Greater);
        check("0.1000000000000000000001", "0.1", Ordering::Greater);
    }

    #[test]
    fn the_same_value_is_equal_however_it_is_written() {
        for text in ["1.0", "1e0", "10e-1", "0.1E1", "+1", "001", "1.000"] {
            check("1", text, Ordering::Equal);
        }
        for text in ["-0", "0.0", "0e5", "-0.000", "00"] {
            check("0", text, Ordering::Equal);
        }
        check("1200", "1.2e3", Ordering::Equal);
        check("0.0012", "12e-4", Ordering::Equal);
    }

    #[test]
    fn signs_and_sizes_order() {
        check("-2", "-1.5", Ordering::Less);
        check("-1", "0.0", Ordering::Less);
        check("99.9", "100", Ordering::Less);
        check("1e30", "9223372036854775807", Ordering::Greater);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "1a", "1e", ".", "0x10", "1 000", "1-2", "--1", "NaN", "e5"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decimals_order_as_their_values(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
            let thousandths = |n: i64| format!("{}{}.{:03}", if n < 0 { "-" } else { "" }, n.abs() / 1_000, n.abs() % 1_000);
            let (left, right) = (thousandths(a), thousandths(b));
            let order = Number::parse(&left).expect("a number").compare(Number::parse(&right).expect("a number"));
            prop_assert_eq!(order, a.cmp(&b));
        }
    }
}
