//! Which times and numbers do the words of a question name?

use crate::event::{TimeZone, Timestamp};

/// Units of time, by the beginning of their words, in microseconds.
const UNITS: [(&str, i64); 6] = [
    ("minute", 60_000_000),
    ("hour", 3_600_000_000),
    ("day", DAY_US),
    ("week", 7 * DAY_US),
    ("month", 30 * DAY_US),
    ("year", 365 * DAY_US),
];
const DAY_US: i64 = 86_400_000_000;

/// A stretch of time that was spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When {
    pub(super) since: Timestamp,
    /// Not part of it; `None`: up to the last event.
    pub(super) until: Option<Timestamp>,
}

impl When {
    /// The last second of it.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.until.map(|until| Timestamp::from_micros(until.as_micros() - 1_000_000))
    }
}

/// The days that the text names, from the first to the last; or how far it looks back from `last`, the time of the
/// last event: a log is asked about its own last week, whatever day it is now.
pub(super) fn when(text: &str, last: Option<Timestamp>) -> Option<When> {
    let dates: Vec<Timestamp> = tokens(text).filter_map(date).collect();
    if let (Some(first), Some(end)) = (dates.iter().min(), dates.iter().max()) {
        return Some(When {
            since: *first,
            until: Some(Timestamp::from_micros(end.as_micros().saturating_add(DAY_US))),
        });
    }
    let back = back(text)?;
    let since = last?.as_micros().saturating_sub(back);
    // To the second: a plan is read by people too.
    Some(When { since: Timestamp::from_micros(since - since.rem_euclid(1_000_000)), until: None })
}

/// A date as the text has it: `2011-10-02`, alone or before a time of day.
fn date(token: &str) -> Option<Timestamp> {
    let (day, rest) = (token.get(..10)?, token.get(10..)?);
    let is_date = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let is_whole = rest.is_empty() || rest.starts_with('T');
    if is_date && is_whole { Timestamp::parse(day, Timestamp::default(), TimeZone::UTC).ok() } else { None }
}

/// How far the text looks back: `last week`, `the past 3 days`, `yesterday`.
fn back(text: &str) -> Option<i64> {
    let words: Vec<String> = tokens(text).map(str::to_lowercase).collect();
    if words.iter().any(|word| ["yesterday", "today"].contains(&word.as_str())) {
        return Some(DAY_US);
    }
    let from =
        words.iter().position(|word| ["last", "past", "previous", "latest"].contains(&word.as_str()))?;
    let (mut unit, mut count) = (words.get(from + 1)?, 1);
    if let Ok(number) = unit.parse::<i64>() {
        (unit, count) = (words.get(from + 2)?, number);
    }
    let (_, length) = UNITS.iter().find(|(name, _)| unit.strip_suffix('s').unwrap_or(unit) == *name)?;
    length.checked_mul(count).filter(|back| *back > 0)
}

/// The first number of the text and how it is to be compared: `> 5000` for "over 5,000".
pub(super) fn comparison(text: &str) -> Option<String> {
    let words: Vec<&str> = tokens(text).collect();
    let is_number =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.parse::<f64>().is_ok();
    words.iter().enumerate().find_map(|(at, word)| {
        let number = word.replace(',', "");
        let before: Vec<String> =
            words.iter().take(at).rev().take(2).map(|word| word.to_lowercase()).collect();
        let says = |signs: &[&str]| before.iter().any(|word| signs.contains(&word.as_str()));
        let operator = match () {
            () if !is_number(&number) || says(&["last", "past", "previous", "top", "first"]) => return None,
            () if says(&["over", "above", "more", "exceeding", "greater", "larger", ">"]) => ">",
            () if says(&["least", "from", ">="]) => ">=",
            () if says(&["under", "below", "less", "fewer", "smaller", "<"]) => "<",
            () => "=",
        };
        Some(format!("{operator} {number}"))
    })
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_matches(['"', '\'', ',', '.', ';', '?', '!', '(', ')', '`']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, Timestamp::default(), TimeZone::UTC).expect("a time")
    }

    #[track_caller]
    fn check(text: &str, since: &str, until: Option<&str>) {
        let expected = When { since: at(since), until: until.map(at) };
        assert_eq!(when(text, Some(at("2012-03-14T15:04:37Z"))), Some(expected), "{text}");
    }

    #[test]
    fn days_and_looks_back_are_understood() {
        check("what happened on 2011-10-02?", "2011-10-02", Some("2011-10-03"));
        check("from 2011-10-05 to 2011-10-09.", "2011-10-05", Some("2011-10-10"));
        check("who did it last week", "2012-03-07T15:04:37Z", None);
        check("the past 3 days", "2012-03-11T15:04:37Z", None);
        assert_eq!(when("the last one, 2011-13-99", Some(at("2012-01-01"))), None);
        assert_eq!(when("last week", None), None);
    }

    #[test]
    fn numbers_are_compared_as_the_words_say() {
        for (text, expected) in [
            ("loans over 5,000", Some("> 5000")),
            ("less than 12.5 euro", Some("< 12.5")),
            ("at least 3 tries", Some(">= 3")),
            ("amount 700", Some("= 700")),
            ("the last 7 days", None),
            ("on 2011-10-02", None),
            ("infinity and nan", None),
        ] {
            assert_eq!(comparison(text).as_deref(), expected, "{text}");
        }
    }
}
