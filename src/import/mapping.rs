//! Which part of a row becomes which part of an event.

use std::fmt;

use super::members::{Member, push_object, push_string, take_apart};
use super::pick::Pick;
use super::when::read_time;
use crate::event::{EventDraft, EventId};

/// What the user said about the mapping; `None` leaves it to a guess, an empty text maps nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) entity: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) timestamp: Option<String>,
    pub(crate) event_id: Option<String>,
    pub(crate) actor: Option<String>,
}

/// The event of a row, and what the row did not say about it.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(super) event: EventDraft,
    pub(super) has_timestamp: bool,
    pub(super) has_event_id: bool,
    pub(super) has_actor: bool,
}

/// Which part of a row becomes which part of an event, fixed for a whole file.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    entity: Pick,
    event_type: Pick,
    timestamp: Option<Pick>,
    event_id: Option<Pick>,
    actor: Option<Pick>,
    /// The rows are an export of ours.
    exported: bool,
}

const ENTITY_GUESSES: &[&str] = &[
    "entity_id",
    "entity",
    "stream_id",
    "stream",
    "aggregate_id",
    "case_id",
    "case",
    "session_id",
    "session",
    "id",
];
const TYPE_GUESSES: &[&str] = &["event_type", "type", "event_name", "event", "activity", "action", "kind"];
const TIMESTAMP_GUESSES: &[&str] =
    &["timestamp", "@timestamp", "time", "ts", "occurred_at", "created_at", "datetime", "dt", "date"];
const EVENT_ID_GUESSES: &[&str] = &["event_id"];
const ACTOR_GUESSES: &[&str] = &["actor"];

/// The fields of an export, in its order.
pub(crate) const EXPORT_FIELDS: [&str; 9] = [
    "position",
    "version",
    "timestamp",
    "recorded_at",
    "event_id",
    "entity_id",
    "event_type",
    "payload",
    "metadata",
];
/// What the receiving store gives anew.
const GIVEN_ANEW: [&str; 3] = ["position", "version", "recorded_at"];

impl Mapping {
    /// Fixes what the user said, and guesses the rest from the first row of the file.
    pub(super) fn resolve(wanted: &Wanted, first: &[Member<'_>]) -> Result<Self, String> {
        let guess = |said: Option<&String>, names: &[&str]| match said {
            Some(text) => Pick::parse(text),
            None => names.iter().find(|name| has_scalar(first, name)).map(|name| Pick::member(name)),
        };
        let missing = |what: &str, flag: &str| {
            let names: Vec<_> = first.iter().take(20).map(|member| member.name.as_ref()).collect();
            format!(
                "find the {what} in its fields {}; say where it is with {flag} /FIELD, or give all rows the same \
                 with {flag} =TEXT",
                names.join(", ")
            )
        };
        let entity = guess(wanted.entity.as_ref(), ENTITY_GUESSES);
        let event_type = guess(wanted.event_type.as_ref(), TYPE_GUESSES);
        let mapping = Self {
            entity: entity.ok_or_else(|| missing("entity", "--entity"))?,
            event_type: event_type.ok_or_else(|| missing("event type", "--type"))?,
            timestamp: guess(wanted.timestamp.as_ref(), TIMESTAMP_GUESSES),
            event_id: guess(wanted.event_id.as_ref(), EVENT_ID_GUESSES),
            actor: guess(wanted.actor.as_ref(), ACTOR_GUESSES),
            exported: false,
        };
        let exported = is_export(first)
            && mapping.entity == Pick::member("entity_id")
            && mapping.event_type == Pick::member("event_type");
        Ok(Self { exported, ..mapping })
    }

    /// The event that a row stands for, or why it is none.
    pub(super) fn event(&self, row: &[Member<'_>]) -> Result<Mapped, String> {
        let mut taken: Vec<&[String]> = Vec::with_capacity(5);
        let entity = take(Some(&self.entity), row, &mut taken)?;
        let event_type = take(Some(&self.event_type), row, &mut taken)?;
        let timestamp = take(self.timestamp.as_ref(), row, &mut taken)?;
        let event_id = take(self.event_id.as_ref(), row, &mut taken)?;
        let actor = take(self.actor.as_ref(), row, &mut taken)?;
        let entity = entity.ok_or_else(|| absent("entity", &self.entity))?;
        let event_type = event_type.ok_or_else(|| absent("event type", &self.event_type))?;
        let (has_timestamp, has_event_id, has_actor) =
            (timestamp.is_some(), event_id.is_some(), actor.is_some());

        let (payload, metadata) = self.rest(row, &taken);
        let mut event = EventDraft::new(&entity, &event_type, payload).map_err(|error| error.to_string())?;
        if let Some(text) = timestamp {
            let time = read_time(&text).ok_or_else(|| {
                format!("has the timestamp {}, which is no time; RFC 3339 is best", quoted(&text))
            })?;
            event = event.at(time);
        }
        if let Some(text) = event_id {
            event = event.with_event_id(EventId::new(text).map_err(|error| error.to_string())?);
        }
        if let Some(metadata) = with_actor(metadata, actor.as_deref())? {
            event = event.with_metadata(metadata).map_err(|error| error.to_string())?;
        }
        Ok(Mapped { event, has_timestamp, has_event_id, has_actor })
    }

    /// The flags that the user gave, with the places that they name; those that rows may lack are not among them.
    pub(super) fn said(&self, wanted: &Wanted) -> Vec<(&'static str, Pick)> {
        [
            ("--entity", &wanted.entity, Some(&self.entity)),
            ("--type", &wanted.event_type, Some(&self.event_type)),
            ("--timestamp", &wanted.timestamp, self.timestamp.as_ref()),
            ("--event-id", &wanted.event_id, self.event_id.as_ref()),
            ("--actor", &wanted.actor, self.actor.as_ref()),
        ]
        .into_iter()
        .filter(|(_, text, _)| text.as_ref().is_some_and(|text| !text.trim_end().ends_with(',')))
        .filter_map(|(flag, _, pick)| Some((flag, pick?.clone())))
        .collect()
    }

    /// Payload and metadata: what was not taken. A row of which only `payload` is left (or `payload` and an object
    /// `metadata`) gives it as it is; otherwise everything that is left is the payload.
    fn rest(&self, row: &[Member<'_>], taken: &[&[String]]) -> (String, Option<String>) {
        let left = without(row, taken);
        let left: Vec<_> = left
            .iter()
            .filter(|member| !(self.exported && GIVEN_ANEW.contains(&member.name.as_ref())))
            .collect();
        let payload = left.iter().find(|member| member.name == "payload");
        let metadata = left.iter().find(|member| member.name == "metadata");
        let metadata_fits =
            metadata.is_none_or(|member| matches!(member.raw.as_bytes().first(), Some(b'{' | b'n')));
        let named = usize::from(payload.is_some()) + usize::from(metadata.is_some());
        if let Some(payload) = payload.filter(|_| metadata_fits && named == left.len()) {
            let metadata = metadata.filter(|member| member.raw.starts_with('{'));
            return (payload.raw.to_string(), metadata.map(|member| member.raw.to_string()));
        }
        let mut json =
            String::with_capacity(left.iter().map(|m| m.name.len() + m.raw.len() + 4).sum::<usize>() + 2);
        push_object(&mut json, left.iter().map(|member| (member.name.as_ref(), member.raw.as_ref())));
        (json, None)
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entity {} · type {}", self.entity, self.event_type)?;
        let others = [("timestamp", &self.timestamp), ("event id", &self.event_id), ("actor", &self.actor)];
        for (what, pick) in others {
            if let Some(pick) = pick {
                write!(f, " · {what} {pick}")?;
            }
        }
        if self.timestamp.is_none() {
            f.write_str(" · no timestamp: the time of import")?;
        }
        Ok(())
    }
}

/// What a pick finds; where it stood is noted, so that it leaves the payload.
fn take<'p>(
    pick: Option<&'p Pick>,
    row: &[Member<'_>],
    taken: &mut Vec<&'p [String]>,
) -> Result<Option<String>, String> {
    pick.map_or(Ok(None), |pick| pick.find(row, taken))
}

/// Whether the fields are those of an export.
pub(super) fn is_export(row: &[Member<'_>]) -> bool {
    let required = EXPORT_FIELDS.iter().take(8);
    row.len() <= EXPORT_FIELDS.len() && required.clone().all(|field| row.iter().any(|m| m.name == *field))
}

fn has_scalar(row: &[Member<'_>], name: &str) -> bool {
    row.iter().any(|member| {
        member.name == name && !matches!(member.raw.as_bytes().first(), Some(b'{' | b'[' | b'n'))
    })
}

fn absent(what: &str, pick: &Pick) -> String {
    format!(
        "has no {what} at {pick}; name other places after a comma, the last may be a constant: {pick},=unknown"
    )
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    push_string(&mut json, &text.chars().take(64).collect::<String>());
    json
}

/// The members that are not taken; a nested value leaves its object, a value in an array stays where it is.
fn without<'a>(row: &[Member<'a>], taken: &[&[String]]) -> Vec<Member<'a>> {
    let mut left = Vec::with_capacity(row.len());
    for member in row {
        let mut inside = Vec::new();
        let mut whole = false;
        for path in taken {
            match path.split_first() {
                Some((first, rest)) if member.name == first.as_str() && rest.is_empty() => whole = true,
                Some((first, rest)) if member.name == first.as_str() => inside.push(rest),
                _ => {}
            }
        }
        if whole {
            continue;
        }
        if inside.is_empty() {
            left.push(member.clone());
            continue;
        }
        let Ok(members) = take_apart(&member.raw) else {
            left.push(member.clone());
            continue;
        };
        let mut json = String::with_capacity(member.raw.len());
        let kept = without(&members, &inside);
        push_object(&mut json, kept.iter().map(|m| (m.name.as_ref(), m.raw.as_ref())));
        left.push(Member { name: member.name.clone(), raw: json.into() });
    }
    left
}

/// The metadata with this actor in front.
fn with_actor(metadata: Option<String>, actor: Option<&str>) -> Result<Option<String>, String> {
    let Some(actor) = actor else { return Ok(metadata) };
    let metadata = metadata.unwrap_or_else(|| "{}".to_owned());
    let members = take_apart(&metadata)?;
    let mut quoted = String::new();
    push_string(&mut quoted, actor);
    let others = members.iter().filter(|member| member.name != "actor");
    let mut json = String::with_capacity(metadata.len() + quoted.len() + 12);
    let all = std::iter::once(("actor", quoted.as_str()))
        .chain(others.map(|member| (member.name.as_ref(), member.raw.as_ref())));
    push_object(&mut json, all);
    Ok(Some(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(entity: &str, event_type: &str) -> Wanted {
        Wanted {
            entity: Some(entity.to_owned()),
            event_type: Some(event_type.to_owned()),
            ..Wanted::default()
        }
    }

    fn event(wanted: &Wanted, line: &str) -> Result<EventDraft, String> {
        let row = take_apart(line)?;
        Ok(Mapping::resolve(wanted, &row)?.event(&row)?.event)
    }

    #[track_caller]
    fn check(wanted: &Wanted, line: &str, expected: [&str; 4]) {
        let event = event(wanted, line).expect("an event");
        let metadata = event.metadata().map(ToString::to_string).unwrap_or_default();
        let found =
            [event.entity_id.as_str(), event.event_type.as_str(), event.payload().as_str(), &metadata];
        assert_eq!(found, expected);
    }

    #[test]
    fn mapped_fields_leave_the_payload_and_the_rest_stays_as_it_was_written() {
        let line = r#"{"id":"7","dt":"2015-02-22T21:00:00Z","repo":"a/b","type":"push","actor":"x","n":1.50,"big":12345678901234567890123}"#;
        let wanted = Wanted { event_id: Some("/id".to_owned()), ..wanted("/repo", "/type") };
        check(
            &wanted,
            line,
            ["a/b", "push", r#"{"n":1.50,"big":12345678901234567890123}"#, r#"{"actor":"x"}"#],
        );
        let event = event(&wanted, line).expect("an event");
        assert_eq!(event.event_id.map(|id| id.to_string()).as_deref(), Some("7"));
        assert_eq!(event.timestamp.map(|at| at.to_string()).as_deref(), Some("2015-02-22T21:00:00Z"));
    }

    #[test]
    fn a_nested_field_leaves_its_object() {
        check(
            &wanted("/a/b/id", "=t"),
            r#"{"a":{"b":{"id":"e","x":1},"y":2},"z":3}"#,
            ["e", "t", r#"{"a":{"b":{"x":1},"y":2},"z":3}"#, ""],
        );
        check(&wanted("/a/0", "=t"), r#"{"a":["e",2]}"#, ["e", "t", r#"{"a":["e",2]}"#, ""]);
    }

    #[test]
    fn only_the_place_that_won_leaves_the_payload() {
        let wanted = wanted("/guid,/host", "=t");
        check(&wanted, r#"{"guid":"g","host":"h"}"#, ["g", "t", r#"{"host":"h"}"#, ""]);
        check(&wanted, r#"{"guid":null,"host":"h"}"#, ["h", "t", "{}", ""]);
    }

    #[test]
    fn a_mapped_field_leaves_the_payload_also_when_it_holds_nothing() {
        let wanted = Wanted { actor: Some("/resource".to_owned()), ..wanted("/e", "=t") };
        check(&wanted, r#"{"e":"1","resource":null,"n":1}"#, ["1", "t", r#"{"n":1}"#, ""]);
        check(&wanted, r#"{"e":"1","resource":"","n":1}"#, ["1", "t", r#"{"n":1}"#, ""]);
    }

    #[test]
    fn a_payload_that_is_all_that_is_left_is_the_payload() {
        check(
            &wanted("/e", "=t"),
            r#"{"e":"1","payload":{"b":1, "a":2}}"#,
            ["1", "t", r#"{"b":1, "a":2}"#, ""],
        );
        check(
            &wanted("/e", "=t"),
            r#"{"e":"1","payload":[1],"metadata":{"k":1},"actor":"me"}"#,
            ["1", "t", "[1]", r#"{"actor":"me","k":1}"#],
        );
        check(
            &wanted("/e", "=t"),
            r#"{"e":"1","step":1,"payload":{"a":2}}"#,
            ["1", "t", r#"{"step":1,"payload":{"a":2}}"#, ""],
        );
    }

    #[test]
    fn an_export_comes_back_as_it_was() {
        let line = r#"{"position":9,"version":3,"timestamp":"2024-01-01T00:00:00Z","recorded_at":"2024-01-02T00:00:00Z","event_id":"id-1","entity_id":"e","event_type":"t","payload":{"version":1},"metadata":{"actor":"a"}}"#;
        check(&Wanted::default(), line, ["e", "t", r#"{"version":1}"#, r#"{"actor":"a"}"#]);
        let event = event(&Wanted::default(), line).expect("an event");
        assert_eq!(event.event_id.map(|id| id.to_string()).as_deref(), Some("id-1"));
    }

    #[test]
    fn a_row_without_what_an_event_needs_says_what_is_missing() {
        let check = |wanted: &Wanted, line: &str, reason: &str| {
            let error = event(wanted, line).expect_err("no event");
            assert!(error.contains(reason), "{error}");
        };
        check(&wanted("/e", "=t"), "{}", "has no entity at /e");
        check(&Wanted::default(), r#"{"foo":1,"type":"t"}"#, "find the entity in its fields foo, type");
        check(&wanted("/e", "=t"), r#"{"e":"1","timestamp":"soon"}"#, "timestamp \"soon\", which is no time");
        check(&wanted("/e", "=t"), r#"{"e":"a\u0000b"}"#, "control character U+0000");
        check(&wanted("/e", "=t"), r#"{"e":{}}"#, "has an object at /e");
    }
}
