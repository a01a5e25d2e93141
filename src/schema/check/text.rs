//! The commonest formats of text, known without a regular expression.
//!
//! **Invariant:** what these take is of the format by RFC 3339 and RFC 9562; what they do not take may be too.

/// Whether a text is a date such as `2026-02-28`.
pub(crate) fn is_date(text: &str) -> bool {
    date(text.as_bytes()).is_some_and(<[u8]>::is_empty)
}

/// Whether a text is a time such as `2026-02-28T12:30:00.25Z` or `…+01:00`.
pub(crate) fn is_date_time(text: &str) -> bool {
    let Some(rest) = date(text.as_bytes()) else { return false };
    let Some(rest) = expect(rest, b'T').and_then(|rest| number(rest, 2, 0, 23)) else { return false };
    let Some(rest) = minutes(rest.1).and_then(minutes) else { return false };
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match fraction.get(digits..) {
                Some(rest) if digits > 0 => rest,
                _ => return false,
            }
        }
    };
    match rest.split_first() {
        Some((b'Z', [])) => true,
        Some((b'+' | b'-', zone)) => {
            number(zone, 2, 0, 23).and_then(|(_, rest)| minutes(rest)).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

/// Whether a text is a UUID in its canonical form, in either case.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// What follows a date.
fn date(text: &[u8]) -> Option<&[u8]> {
    let (year, rest) = number(text, 4, 0, 9_999)?;
    let (month, rest) = number(expect(rest, b'-')?, 2, 1, 12)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    number(expect(rest, b'-')?, 2, 1, days).map(|(_, rest)| rest)
}

/// What follows a colon and a number below 60. (A leap second is left to others.)
fn minutes(text: &[u8]) -> Option<&[u8]> {
    number(expect(text, b':')?, 2, 0, 59).map(|(_, rest)| rest)
}

fn expect(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.split_first().filter(|(first, _)| **first == byte).map(|(_, rest)| rest)
}

/// A number of so many digits between two bounds, and what follows it.
fn number(text: &[u8], digits: usize, low: u32, high: u32) -> Option<(u32, &[u8])> {
    let (own, rest) = text.split_at_checked(digits)?;
    let number = own.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })?;
    (low..=high).contains(&number).then_some((number, rest))
}
