//! Small logs for the tests of analyses, written as text.

use super::{Analysis, Bucket, Observer, Outcome, Question, Seen};
use crate::analysis::seen::{Dictionary, Symbol};
use crate::error::Result;
use crate::event::{Position, TimeZone, Timestamp};

/// A day, in seconds.
pub(crate) const DAY: i64 = 86_400;

/// A question with everything at its default, asked in the year 2096.
pub(crate) fn question(analysis: Analysis) -> Question {
    Question {
        analysis,
        steps: Vec::new(),
        key: None,
        window: None,
        bucket: Bucket::Day,
        by: None,
        value: None,
        aggregate: super::Aggregate::Count,
        approximate: false,
        zone: TimeZone::UTC,
        now: Timestamp::from_micros(4_000_000_000_000_000),
        asked: (None, None),
    }
}

/// An event that was measured.
pub(crate) fn measured(value: f64) -> Seen {
    let symbol: Symbol = Dictionary::default().types.intern("x", 1).expect("room");
    Seen {
        position: Position::new(1),
        timestamp: Timestamp::from_micros(0),
        key: symbol,
        event_type: symbol,
        by: None,
        number: Some(value),
        // As the engine does it: a number is known by its text.
        hash: Some(xxhash_rust::xxh3::xxh3_64(value.to_string().as_bytes())),
    }
}

/// A log: `key:type@second`, then `/group` and `=number` where there are.
pub(crate) fn log(text: &str) -> Log {
    Log(text.split_whitespace().map(str::to_owned).collect())
}

pub(crate) struct Log(Vec<String>);

impl Log {
    pub(crate) fn ask(&self, question: &Question) -> Outcome {
        self.try_ask(question).expect("an outcome")
    }

    pub(crate) fn try_ask(&self, question: &Question) -> Result<Outcome> {
        let mut names = Dictionary::default();
        let mut observer = Observer::new(question);
        for (position, text) in (1..).map(Position::new).zip(&self.0) {
            let (text, number) =
                text.split_once('=').map_or((text.as_str(), None), |(text, n)| (text, Some(n)));
            let (text, group) =
                text.split_once('/').map_or((text, None), |(text, group)| (text, Some(group)));
            let (key, rest) = text.split_once(':').expect("a key");
            let (event_type, at) = rest.split_once('@').expect("a time");
            let seen = Seen {
                position,
                timestamp: Timestamp::from_micros(at.parse::<i64>().expect("seconds") * 1_000_000),
                key: names.keys.intern(key, usize::MAX).expect("room"),
                event_type: names.types.intern(event_type, usize::MAX).expect("room"),
                by: group.and_then(|group| names.groups.intern(group, usize::MAX)),
                number: number.map(|number| number.parse().expect("a number")),
                hash: number.map(|number| xxhash_rust::xxh3::xxh3_64(number.as_bytes())),
            };
            assert!(observer.take(&seen), "a test log is small");
        }
        observer.finish(&names, question)
    }
}
