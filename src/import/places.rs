//! Whether the places that the user named are in the rows: one that is in none of the first rows is a slip.

use std::collections::BTreeSet;

use super::mapping::{Mapped, Mapping, Wanted};
use super::members::{Member, take_apart};
use super::pick::Pick;
use crate::event::{grouped, nearest};

/// The most rows whose places are remembered for a hint: 100.
const HINT_ROWS_MAX: usize = 100;
/// The most places that are remembered for a hint: 500.
const HINTS_MAX: usize = 500;
/// How deep objects are searched for places to name.
const HINT_DEPTH_MAX: usize = 3;
/// The most near places named in a refusal.
const NAMED_MAX: usize = 5;
/// The most places named when none is near: 20.
const OTHERS_MAX: usize = 20;

/// What is known of a file's places so far.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Flags whose places were in no row yet, and those places.
    missing: Vec<(&'static str, Pick)>,
    /// How many rows were looked at.
    looked: usize,
    /// Places that are there, to name the nearest.
    hints: BTreeSet<String>,
    /// The first events are stored: a missing place is no slip any more.
    is_settled: bool,
    rows: u64,
    lacks: Vec<Lack>,
}

/// Rows that became events without a value that the user mapped.
#[derive(Debug)]
struct Lack {
    flag: &'static str,
    instead: &'static str,
    has: fn(&Mapped) -> bool,
    rows: u64,
}

impl Places {
    /// What to look for.
    pub(super) fn of(wanted: &Wanted, mapping: &Mapping) -> Self {
        let is_said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let lack = |flag, instead, has| Lack { flag, instead, has, rows: 0 };
        let lacks = [
            (
                is_said(&wanted.timestamp),
                lack("--timestamp", "they got the time of import", |mapped| mapped.has_timestamp),
            ),
            (is_said(&wanted.event_id), lack("--event-id", "they got new ids", |mapped| mapped.has_event_id)),
            (
                is_said(&wanted.actor),
                lack("--actor", "their events name no actor", |mapped| mapped.has_actor),
            ),
        ];
        let lacks = lacks.into_iter().filter_map(|(is_said, lack)| is_said.then_some(lack)).collect();
        Self { missing: mapping.said(wanted), lacks, ..Self::default() }
    }

    /// Looks in a row for what was in none yet.
    pub(super) fn look(&mut self, row: &[Member<'_>]) {
        if self.is_settled || self.missing.is_empty() {
            return;
        }
        self.missing.retain(|(_, pick)| !pick.is_in(row));
        if !self.missing.is_empty() && self.looked < HINT_ROWS_MAX {
            collect("", row, HINT_DEPTH_MAX, &mut self.hints);
        }
        self.looked += 1;
    }

    /// Counts a row that became an event.
    pub(super) fn count(&mut self, mapped: &Mapped) {
        self.rows += 1;
        for lack in &mut self.lacks {
            lack.rows += u64::from(!(lack.has)(mapped));
        }
    }

    /// Why the file is not imported, asked before the first of its events is stored; later there is no reason.
    pub(super) fn refusal(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.is_settled, true) {
            return None;
        }
        let (flag, pick) = self.missing.first()?;
        let place = pick.to_string();
        let all = || self.hints.iter().map(String::as_str);
        let near = nearest(place.trim_start_matches('/'), all(), NAMED_MAX);
        let (what, named) = if near.is_empty() {
            ("they have", all().take(OTHERS_MAX).collect())
        } else {
            ("near it are", near)
        };
        let named: Vec<_> = named.into_iter().map(|place| format!("/{place}")).collect();
        let rows = match self.looked {
            1 => "its one row".to_owned(),
            rows => format!("its first {} rows", grouped(rows as u64)),
        };
        Some(format!(
            "{flag} {place} is in none of {rows}; {what} {}; when later rows have it, say so with a comma at the end: \
             {flag} {place},",
            named.join(", ")
        ))
    }

    /// What is said at the end of the file, one line for each flag.
    pub(super) fn lacking(&self) -> impl Iterator<Item = String> {
        self.lacks.iter().filter(|lack| lack.rows > 0).map(|Lack { flag, instead, rows, .. }| {
            format!("{flag}: {} of {} rows had none; {instead}", grouped(*rows), grouped(self.rows))
        })
    }
}

/// The places of a row, without their first slash.
fn collect(prefix: &str, row: &[Member<'_>], depth: usize, hints: &mut BTreeSet<String>) {
    for member in row {
        if hints.len() >= HINTS_MAX {
            return;
        }
        let place = format!("{prefix}{}", member.name.replace('~', "~0").replace('/', "~1"));
        if member.raw.trim_start().starts_with('{') && depth > 1 {
            if let Ok(members) = take_apart(&member.raw) {
                collect(&format!("{place}/"), &members, depth - 1, hints);
            }
        } else {
            hints.insert(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(timestamp: &str, lines: &[&str]) -> Places {
        let wanted = Wanted {
            entity: Some("/e".to_owned()),
            event_type: Some("=t".to_owned()),
            timestamp: Some(timestamp.to_owned()),
            ..Wanted::default()
        };
        let mut places = Places::default();
        let mut mapping = None;
        for line in lines {
            let row = take_apart(line).expect("an object");
            let mapping = mapping.get_or_insert_with(|| {
                let mapping = Mapping::resolve(&wanted, &row).expect("a mapping");
                places = Places::of(&wanted, &mapping);
                mapping
            });
            places.look(&row);
            places.count(&mapping.event(&row).expect("an event"));
        }
        places
    }

    #[track_caller]
    fn check(timestamp: &str, lines: &[&str], expected: Option<&str>) {
        assert_eq!(places(timestamp, lines).refusal().as_deref(), expected);
    }

    #[test]
    fn a_place_in_no_row_is_refused_with_the_nearest() {
        let lines = [r#"{"e":"1","meta":{"created":1}}"#, r#"{"e":"1","n":2}"#];
        check(
            "/created",
            &lines,
            Some(
                "--timestamp /created is in none of its first 2 rows; near it are /meta/created; when later rows \
                 have it, say so with a comma at the end: --timestamp /created,",
            ),
        );
        check("/created,", &lines, None);
        check("/meta/created", &lines, None);
        check("", &lines, None);
        check("/dt", &[r#"{"e":"1","dt":null}"#], None);
    }

    #[test]
    fn rows_that_lack_a_mapped_value_are_counted() {
        let places = places("/at", &[r#"{"e":"1","at":7}"#, r#"{"e":"1"}"#, r#"{"e":"1","at":null}"#]);
        let said: Vec<_> = places.lacking().collect();
        assert_eq!(said, ["--timestamp: 2 of 3 rows had none; they got the time of import"]);
    }
}
