//! Which calls answer which kind of question.

use serde_json::{Value, json};

use super::estimate;
use super::facts::Facts;
use super::question::UseCase;
use super::statements::{by_category, per_week};
use crate::engine::{FieldProfile, Role, TypeProfile, exactly};
use crate::event::{Timestamp, quote};
use crate::tools::{Object, TOOLS};

/// How far around an event its neighbours in time are looked at: five minutes.
const AROUND_US: i64 = 300_000_000;
/// Stored values this long may have been cut: they are no good for `=`.
const VALUE_CHARS_MAX: usize = 40;

/// One call of a plan.
pub(crate) struct PlanStep {
    tool: &'static str,
    arguments: Value,
    why: String,
    rows: Option<u64>,
}

impl PlanStep {
    pub(super) fn new(tool: &'static str, arguments: Value, why: impl Into<String>) -> Self {
        Self { tool, arguments, why: why.into(), rows: None }
    }

    /// About how many rows match.
    pub(super) fn rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Whether the table has the tool.
    pub(super) fn is_offered(&self) -> bool {
        TOOLS.iter().any(|tool| tool.name == self.tool)
    }

    pub(super) fn is_same_call(&self, other: &Self) -> bool {
        self.tool == other.tool && self.arguments == other.arguments
    }

    /// The call with other arguments; `change` says whether it made any.
    pub(super) fn change(mut self, change: impl FnOnce(&'static str, &mut Object) -> bool) -> Self {
        let is_changed = self.arguments.as_object_mut().is_some_and(|arguments| change(self.tool, arguments));
        // How many rows there are within the change is not known.
        self.rows = self.rows.filter(|_| !is_changed);
        self
    }

    /// As it is answered: the call, what it is for, about how many rows match, and what it costs.
    pub(super) fn to_value(&self, facts: &Facts<'_>) -> Value {
        let mut step = json!({"tool": self.tool, "arguments": self.arguments, "why": self.why});
        let cost =
            self.arguments.as_object().map(|arguments| estimate::of(facts, self.tool, arguments, self.rows));
        if let Some(step) = step.as_object_mut() {
            step.extend(self.rows.map(|rows| ("rows".to_owned(), rows.into())));
            step.extend(cost.map(|cost| ("tokens".to_owned(), cost.tokens.into())));
            step.extend(cost.map(|cost| ("ms".to_owned(), cost.ms.into())));
        }
        step
    }
}

/// The calls for a use case, best first.
pub(super) fn of(facts: &Facts<'_>, use_case: UseCase) -> Vec<PlanStep> {
    if facts.profile.stats.events == 0 {
        return empty();
    }
    let steps = match use_case {
        UseCase::AuditTrail => audit_trail(facts),
        UseCase::UserAnalytics => user_analytics(facts),
        UseCase::Debugging => debugging(facts),
        UseCase::Compliance => compliance(facts),
        UseCase::PerformanceAnalysis => performance(facts),
        UseCase::Explore => explore(facts),
    };
    steps.into_iter().flatten().collect()
}

fn empty() -> Vec<PlanStep> {
    let event = json!({"entity_id": "order-1", "event_type": "order.placed", "payload": {"total": 12.5}});
    let arguments = json!({"branch": "main", "events": [event], "dry_run": true});
    vec![PlanStep::new(
        "append_events",
        arguments,
        "the store is empty; this shows what storing an event would do",
    )]
}

fn audit_trail(facts: &Facts<'_>) -> Vec<Option<PlanStep>> {
    vec![
        state(facts, json!({"provenance": true}), "the state now, and which event set each field"),
        history(facts, "its whole history in order, with who and what"),
        one_actor(facts, "everything that one actor did lately"),
        facts.lately().and_then(|lately| {
            state(
                facts,
                json!({"compare_as_of": lately.to_string()}),
                "what changed in the last tenth of the time",
            )
        }),
        recorded_late(facts),
    ]
}

fn compliance(facts: &Facts<'_>) -> Vec<Option<PlanStep>> {
    let actor_share = facts.profile.metadata_share("actor");
    let unnamed = (actor_share > 0.0 && actor_share < 1.0).then(|| {
        let arguments = json!({"where": ["metadata.actor IS NULL"], "limit": 20});
        let rows = part_of(facts.profile.stats.events, 1.0 - actor_share);
        PlanStep::new("query_events", arguments, "events that nobody is named for").rows(rows)
    });
    let exceptions = facts.failures().next().or_else(|| facts.rarest_type()).map(|one| {
        let arguments = json!({"event_type": type_name(one), "fields": facts.telling_fields(one, 4)});
        PlanStep::new("query_events", arguments, "exceptions first: each needs a reason").rows(one.count)
    });
    let personal = facts.personal().map(|field| {
        let arguments =
            json!({"where": [format!("{} IS NOT NULL", field.path)], "fields": [field.path], "limit": 5});
        PlanStep::new(
            "query_events",
            arguments,
            "a field that looks like personal data: who holds it, since when",
        )
        .rows(part_of(facts.profile.stats.events, field.share))
    });
    vec![
        exceptions,
        unnamed,
        recorded_late(facts),
        state(
            facts,
            json!({"provenance": true}),
            "did the required step come first? each field with its event",
        ),
        personal,
        one_actor(facts, "is one actor on both sides of a decision?"),
    ]
}

fn user_analytics(facts: &Facts<'_>) -> Vec<Option<PlanStep>> {
    let window = |mut arguments: Value| {
        if let (Some(lately), Some(object)) = (facts.lately(), arguments.as_object_mut()) {
            object.insert("since".to_owned(), lately.to_string().into());
        }
        arguments
    };
    let ends = facts.first_type().zip(facts.last_type()).map(|(first, last)| {
        let arguments = json!({"analysis": "funnel", "steps": [type_name(first), type_name(last)]});
        PlanStep::new(
            "analyze_events",
            arguments,
            "of those that begin, how many come to the usual end, and how fast",
        )
    });
    let segment = facts.field(Role::Category).map(|(one, field)| {
        let arguments = window(json!({"event_type": type_name(one), "top_values": [field.path]}));
        PlanStep::new("quick_stats", arguments, "segments: how many of each value")
    });
    vec![
        Some(PlanStep::new("quick_stats", window(json!({})), "what happens lately, by type")),
        by_category(facts),
        Some(PlanStep::new(
            "analyze_events",
            json!({"analysis": "funnel"}),
            "the commonest paths, each as a funnel to send",
        )),
        ends,
        Some(per_week()),
        segment,
        one_actor(facts, "one person's doings: is the entity a path, or is the person?"),
        Some(
            PlanStep::new(
                "sample_events",
                json!({"stratified_by": "entity_id", "sample_size": 10}),
                "ten different entities",
            )
            .rows(10),
        ),
    ]
}

fn debugging(facts: &Facts<'_>) -> Vec<Option<PlanStep>> {
    let failure = facts.failures().next();
    let search = match (failure, facts.failed_value(), facts.field(Role::Text)) {
        (Some(one), _, _) => {
            let arguments =
                json!({"event_type": type_name(one), "fields": facts.telling_fields(one, 4), "limit": 20});
            PlanStep::new("query_events", arguments, "the newest failures: what do they share?")
                .rows(one.count)
        }
        (None, Some((field, value)), _) => {
            let arguments = json!({"where": [format!("{} = {}", field.path, literal(value))], "limit": 20});
            PlanStep::new("query_events", arguments, "the newest failures: what do they share?")
        }
        (None, None, Some((_, field))) => {
            let arguments = json!({"where": [format!("{} CONTAINS 'error'", field.path)], "limit": 20});
            PlanStep::new("query_events", arguments, "no type speaks of failure; the words of this field may")
        }
        _ => {
            let arguments = json!({"where": ["payload CONTAINS 'error'"], "limit": 20});
            PlanStep::new(
                "query_events",
                arguments,
                "no type or field speaks of failure; search the whole payload",
            )
        }
    };
    let one = failure.or_else(|| facts.rarest_type()).or_else(|| facts.profile.types.first());
    let Some(example) = one.map(|one| &one.example) else { return vec![Some(search)] };
    let entity = facts.spoken_of.as_ref().map_or(&example.entity_id, |(id, _)| id);
    let version = example.version.get();
    let broke = (facts.spoken_of.is_none() && version > 1).then(|| {
        let arguments =
            json!({"entity_id": entity.as_str(), "version": version, "compare_version": version - 1});
        PlanStep::new("get_entity_state", arguments, "what that event changed")
    });
    let around =
        |offset| Timestamp::from_micros(example.timestamp.as_micros().saturating_add(offset)).to_string();
    vec![
        Some(search),
        Some(PlanStep::new(
            "query_events",
            json!({"entity_id": exactly(entity.as_str()), "order": "asc"}),
            "one case from its beginning: where does it turn?",
        )),
        broke,
        Some(
            PlanStep::new(
                "query_events",
                json!({"event_ids": [example.event_id.to_string()], "response_format": "detailed"}),
                "that event whole, with its metadata",
            )
            .rows(1),
        ),
        Some(PlanStep::new(
            "query_events",
            json!({"since": around(-AROUND_US), "until": around(AROUND_US), "order": "asc"}),
            "what else happened in those ten minutes",
        )),
    ]
}

fn performance(facts: &Facts<'_>) -> Vec<Option<PlanStep>> {
    let peak = facts.profile.times.densest.map(|(from, to, share)| {
        let arguments = json!({"since": from.to_string(), "until": to.to_string()});
        PlanStep::new("quick_stats", arguments, "the busiest twentieth of the time, by type")
            .rows(part_of(facts.profile.stats.events, share))
    });
    let slow = facts.field(Role::Amount).map(|(one, field)| {
        let arguments = json!({"event_type": type_name(one), "where": [condition_on(field)], "limit": 20});
        let rows = part_of(one.count, field.share / 10.0);
        PlanStep::new("query_events", arguments, "the top tenth of the number that varies most").rows(rows)
    });
    let largest = facts.profile.entities.largest().filter(|(_, events)| *events > 1).map(|(id, events)| {
        let arguments = json!({"entity_id": exactly(id.as_str()), "limit": 20});
        PlanStep::new("query_events", arguments, "the busiest entity that a sample met").rows(events)
    });
    let duration = PlanStep::new(
        "analyze_events",
        json!({"analysis": "duration"}),
        "how long whole entities take, and the slowest; steps measures between two types",
    );
    let transitions = PlanStep::new(
        "analyze_events",
        json!({"analysis": "transitions"}),
        "what follows what, and the waits between",
    );
    vec![
        peak,
        slow,
        Some(duration),
        Some(transitions),
        largest,
        history(facts, "durations are the times between these"),
        Some(
            PlanStep::new(
                "sample_events",
                json!({"stratified_by": "time", "sample_size": 20}),
                "does the shape change over time?",
            )
            .rows(20),
        ),
    ]
}

fn explore(facts: &Facts<'_>) -> Vec<Option<PlanStep>> {
    let types = u64::try_from(facts.profile.types.len()).unwrap_or(u64::MAX);
    vec![
        Some(PlanStep::new("quick_stats", json!({}), "counts, types, payload paths, time range")),
        Some(
            PlanStep::new(
                "sample_events",
                json!({"stratified_by": "event_type", "sample_size": types.clamp(10, 50)}),
                "what each type looks like",
            )
            .rows(types.clamp(10, 50)),
        ),
        Some(per_week()),
        history(facts, "one entity from its beginning"),
        state(facts, json!({}), "what its events add up to"),
    ]
}

fn state(facts: &Facts<'_>, beside: Value, why: &str) -> Option<PlanStep> {
    let (id, _) = facts.entity()?;
    let mut arguments = json!({"entity_id": id.as_str()});
    if let (Some(arguments), Value::Object(beside)) = (arguments.as_object_mut(), beside) {
        arguments.extend(beside);
    }
    Some(PlanStep::new("get_entity_state", arguments, why))
}

fn history(facts: &Facts<'_>, why: &str) -> Option<PlanStep> {
    let (id, events) = facts.entity()?;
    let mut arguments = json!({"entity_id": exactly(id.as_str()), "order": "asc"});
    let paths = facts.profile.types.first().map(|one| facts.telling_fields(one, 3)).unwrap_or_default();
    if let (Some(object), false) = (arguments.as_object_mut(), paths.is_empty()) {
        object.insert("fields".to_owned(), paths.into());
    }
    Some(PlanStep::new("query_events", arguments, why).rows(events))
}

fn one_actor(facts: &Facts<'_>, why: &str) -> Option<PlanStep> {
    let actor = facts.profile.actor()?;
    let condition = Some(condition_on(actor)).filter(|condition| !condition.ends_with("IS NOT NULL"))?;
    let mut arguments = json!({"where": [condition], "limit": 20});
    if let (Some(lately), Some(object)) = (facts.lately(), arguments.as_object_mut()) {
        object.insert("since".to_owned(), lately.to_string().into());
    }
    Some(PlanStep::new("query_events", arguments, format!("{why} (by {})", quote(&actor.path))))
}

fn recorded_late(facts: &Facts<'_>) -> Option<PlanStep> {
    let lately = facts.lately().filter(|_| facts.profile.times.late < 0.5)?;
    let arguments =
        json!({"until": lately.to_string(), "where": [format!("recorded_at > '{lately}'")], "limit": 20});
    Some(PlanStep::new("query_events", arguments, "what happened before that time but was recorded after it"))
}

pub(super) fn type_name(one: &TypeProfile) -> String {
    exactly(one.event_type.as_str())
}

/// A condition on a field that some events meet.
pub(super) fn condition_on(field: &FieldProfile) -> String {
    if let Some(high) = field.high {
        return format!("{} >= {high}", field.path);
    }
    let whole = field.examples.iter().find(|value| value.chars().count() < VALUE_CHARS_MAX);
    match whole {
        Some(value) if matches!(field.kinds.as_str(), "number" | "boolean") => {
            format!("{} = {value}", field.path)
        }
        Some(value) if field.role != Role::Text => format!("{} = {}", field.path, literal(value)),
        _ => format!("{} IS NOT NULL", field.path),
    }
}

/// A stored value as a condition writes it.
fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

fn part_of(count: u64, share: f64) -> u64 {
    let thousandths = (share.clamp(0.0, 1.0) * 1_000.0).round();
    // A share lies between 0 and 1, so its thousandths are a small whole number.
    let thousandths = (0..=1_000_u16).find(|n| f64::from(*n) >= thousandths).unwrap_or(1_000);
    u64::try_from(u128::from(count) * u128::from(thousandths) / 1_000).unwrap_or(u64::MAX)
}
