//! What would lead to a wrong answer in this store, as its data shows.

use super::facts::Facts;
use super::question::UseCase;
use crate::engine::{FieldProfile, Role};
use crate::event::quote;

/// The most pitfalls that are told.
const PITFALLS_MAX: usize = 5;
/// An entity from which on reading it whole is a bad idea.
const HUGE_ENTITY: u64 = 1_000;
/// A mean payload from which on whole events fill an answer, in bytes.
const LARGE_PAYLOAD: usize = 1_500;
/// Types with fewer events are easily missed by a sample.
const RARE_TYPE: u64 = 6;

/// Something to beware of; its tag chooses the craft that belongs to it.
pub(super) struct Pitfall {
    pub(super) tag: &'static str,
    pub(super) text: String,
    /// The smaller, the earlier it is told.
    rank: u8,
}

impl Pitfall {
    fn new(rank: u8, tag: &'static str, text: String) -> Self {
        Self { tag, text, rank }
    }
}

/// The pitfalls of this store, those that matter most for the use case first.
pub(super) fn of(facts: &Facts<'_>, use_case: UseCase) -> Vec<Pitfall> {
    if facts.profile.stats.events == 0 {
        return Vec::new();
    }
    let about_people = matches!(use_case, UseCase::AuditTrail | UseCase::Compliance | UseCase::UserAnalytics);
    let mut all: Vec<Pitfall> = [
        actor(facts, if about_people { 0 } else { 6 }),
        recorded_later(facts, 2),
        order(facts, 1),
        entities(facts, if use_case == UseCase::PerformanceAnalysis { 0 } else { 3 }),
        absent(facts, 2),
        mixed(facts, 3),
        large(facts, 2),
        rare(facts, if use_case == UseCase::Explore { 2 } else { 4 }),
        dense(facts, if use_case == UseCase::PerformanceAnalysis { 0 } else { 5 }),
        gap(facts, 4),
        causes(facts, use_case),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|pitfall| pitfall.rank);
    all.truncate(PITFALLS_MAX);
    all
}

fn actor(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let share = facts.profile.metadata_share("actor");
    let named = facts.profile.actor().filter(|field| !field.path.starts_with("metadata"));
    let text = match named {
        _ if share >= 0.95 => return None,
        _ if share >= 0.05 => format!(
            "metadata.actor is missing in {} of the events; ask for those with metadata.actor IS NULL",
            percent(1.0 - share)
        ),
        Some(field) => format!(
            "metadata names nobody here; {} is the nearest thing to an actor, as the data claimed it",
            quote(&field.path)
        ),
        None => "nothing here says who acted, neither metadata.actor nor a payload field; \"who\" cannot be answered".to_owned(),
    };
    Some(Pitfall::new(rank, "no_actor", text))
}

fn recorded_later(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let late = facts.profile.times.late;
    let recorded = facts.profile.stats.last_recorded_at?;
    (late > 0.02).then(|| {
        let text = format!(
            "{} of the events were recorded more than a day after they happened (the last at {recorded}): since, until and \
             as_of go by what happened; known_at before the recording finds nothing of them",
            percent(late)
        );
        Pitfall::new(rank, "imported", text)
    })
}

fn order(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let share = facts.profile.times.out_of_order;
    (share > 0.01).then(|| {
        let text = format!(
            "{} of the sampled events happened before their predecessor in position: rows come in order of position, so \
             compare timestamps before you say what came first",
            percent(share)
        );
        Pitfall::new(rank, "out_of_order", text)
    })
}

fn entities(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let stats = &facts.profile.stats;
    if let Some((id, events)) = facts.profile.entities.largest()
        && events >= HUGE_ENTITY
    {
        let text = format!(
            "entity {} alone has {events} of {} events: read it with since and limit, and leave it out of averages",
            quote(id.as_str()),
            stats.events
        );
        return Some(Pitfall::new(rank, "huge_entities", text));
    }
    (stats.events < stats.entities.saturating_mul(2) && stats.events > 20).then(|| {
        let text = format!(
            "{} events are spread over {} entities: most have only one or two, so their state says little; group by a field",
            stats.events, stats.entities
        );
        Pitfall::new(rank + 1, "one_event_entities", text)
    })
}

fn absent(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let is_telling = |field: &FieldProfile| !matches!(field.role, Role::Other);
    let partial = |field: &&FieldProfile| field.share > 0.05 && field.share < 0.9 && is_telling(field);
    let (one, field) = facts.profile.types.iter().find_map(|one| {
        let fields = one.fields.iter().filter(partial);
        fields.max_by(|a, b| a.share.total_cmp(&b.share)).map(|field| (one, field))
    })?;
    let text = format!(
        "{} is absent in {} of {}: =, <> and NOT leave those out; add OR {} IS NULL to keep them",
        quote(&field.path),
        percent(1.0 - field.share),
        quote(one.event_type.as_str()),
        field.path.chars().take(60).collect::<String>()
    );
    Some(Pitfall::new(rank, "absent_fields", text))
}

fn mixed(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let is_mixed = |kinds: &str| kinds.split('|').filter(|kind| *kind != "null").count() > 1;
    let field =
        facts.profile.fields().into_iter().map(|(_, field)| field).find(|field| is_mixed(&field.kinds))?;
    let text = format!(
        "{} holds {}: compare and sort each kind for itself",
        quote(&field.path),
        field.kinds.replace('|', " and ")
    );
    Some(Pitfall::new(rank, "mixed_kinds", text))
}

fn large(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let (mean, max) = facts.profile.payload_bytes;
    (mean >= LARGE_PAYLOAD).then(|| {
        let text = format!(
            "payloads are {mean} bytes on average, up to {max}: name the fields you need, and ask for detailed events only by event_ids"
        );
        Pitfall::new(rank, "large_payloads", text)
    })
}

fn rare(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let stats = &facts.profile.stats;
    let rare: Vec<_> = stats.event_types.iter().filter(|one| one.count < RARE_TYPE).collect();
    let example = rare.last().filter(|_| stats.events >= 500)?;
    let text = format!(
        "{} of {} event types have fewer than {RARE_TYPE} events, such as {}: a plain sample misses them; use stratified_by event_type",
        rare.len(),
        stats.event_types.len(),
        quote(example.event_type.as_str())
    );
    Some(Pitfall::new(rank, "rare_types", text))
}

fn dense(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let (from, to, share) = facts.profile.times.densest?;
    (share > 0.4).then(|| {
        let text = format!(
            "{} of the events lie between {from} and {to}, a twentieth of the whole time: rates over all of it mean nothing",
            percent(share)
        );
        Pitfall::new(rank, "bursts", text)
    })
}

fn gap(facts: &Facts<'_>, rank: u8) -> Option<Pitfall> {
    let (first, last) = facts.profile.stats.time_range?;
    let (from, to) = facts.profile.times.gap?;
    let whole = last.as_micros().saturating_sub(first.as_micros());
    let length = to.as_micros().saturating_sub(from.as_micros());
    (facts.profile.stats.events >= 100 && length > whole / 4).then(|| {
        let text = format!(
            "hardly any event between {from} and {to}: check whether nothing happened or nothing was recorded"
        );
        Pitfall::new(rank, "gap", text)
    })
}

fn causes(facts: &Facts<'_>, use_case: UseCase) -> Option<Pitfall> {
    let follows = matches!(use_case, UseCase::Debugging | UseCase::AuditTrail);
    let known =
        facts.profile.metadata_share("causation_id").max(facts.profile.metadata_share("correlation_id"));
    (follows && known < 0.05).then(|| {
        let text = "no causation_id or correlation_id in metadata: cause and effect can only be followed by entity, shared ids and time";
        Pitfall::new(5, "no_causes", text.to_owned())
    })
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent < 1.0 => "less than 1 %".to_owned(),
        percent if percent > 99.5 => "nearly all".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}
