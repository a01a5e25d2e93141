//! The calls for what the words of a question name: types, fields, numbers, a time, an entity.

use serde_json::{Value, json};

use super::analyses;
use super::facts::Facts;
use super::plans::{PlanStep, condition_on, type_name};
use super::question::Question;
use crate::engine::{FieldProfile, Role};

/// The calls, the most telling first.
pub(super) fn named(facts: &Facts<'_>, question: &Question) -> Vec<PlanStep> {
    let mut steps: Vec<PlanStep> = entity(facts, question);
    steps.extend(most(facts, question));
    steps.extend(analyses::step(facts, question));
    for one in question.types.iter().filter_map(|index| facts.profile.types.get(*index)) {
        let arguments =
            json!({"event_type": type_name(one), "fields": facts.telling_fields(one, 4), "limit": 20});
        steps.push(
            PlanStep::new("query_events", arguments, "your words name this event type").rows(one.count),
        );
    }
    for (index, path) in &question.fields {
        let Some(one) = facts.profile.types.get(*index) else { continue };
        let Some(field) = one.fields.iter().find(|field| field.path == *path) else { continue };
        let (condition, why) = match comparison_on(facts, question, field) {
            Some(condition) => (condition, "your words name this field and the number"),
            None if field.role == Role::Amount => {
                (condition_on(field), "your words name this field: the top tenth")
            }
            None => (condition_on(field), "your words name this field"),
        };
        steps.push(PlanStep::new("query_events", json!({"where": [condition], "limit": 20}), why));
    }
    steps.extend(search(facts, question));
    steps
}

/// What speaks of it in other words, where events hold texts.
fn search(facts: &Facts<'_>, question: &Question) -> Option<PlanStep> {
    let is_told = question.is_free && !question.asks_most && !question.text.is_empty();
    facts.field(Role::Text).filter(|_| is_told)?;
    let arguments = json!({"semantic_query": question.text, "limit": 10});
    Some(PlanStep::new(
        "hybrid_search",
        arguments,
        "what speaks of it, in whatever words; add keywords for names and ids",
    ))
}

/// The entity that was spoken of: its state, now or then.
fn entity(facts: &Facts<'_>, question: &Question) -> Vec<PlanStep> {
    let Some((id, _)) = &facts.spoken_of else { return Vec::new() };
    let mut steps = Vec::new();
    if let Some(end) = question.when.and_then(|when| when.end()) {
        let arguments = json!({"entity_id": id.as_str(), "as_of": end.to_string()});
        steps.push(PlanStep::new("get_entity_state", arguments, "the entity you named, as it was then"));
    } else if question.is_free {
        let arguments = json!({"entity_id": id.as_str()});
        steps.push(PlanStep::new("get_entity_state", arguments, "the entity you named, as it is"));
    }
    steps
}

/// Who or which most: values counted in one call.
fn most(facts: &Facts<'_>, question: &Question) -> Option<PlanStep> {
    if !question.asks_most || facts.profile.stats.events == 0 {
        return None;
    }
    let actor = facts.profile.actor().filter(|_| question.asks_who).map(|field| field.path.clone());
    let is_countable = |path: &&String| {
        let all = facts.profile.fields();
        all.iter().any(|(_, field)| field.path == **path && !matches!(field.role, Role::Text | Role::Amount))
    };
    let spoken_of = || question.fields.iter().map(|(_, path)| path).find(is_countable).cloned();
    let path = actor.or_else(spoken_of).unwrap_or_else(|| "entity_id".to_owned());
    let mut arguments = json!({"top_values": [path]});
    let one = question.types.first().and_then(|index| facts.profile.types.get(*index));
    if let (Some(one), Some(members)) = (one, arguments.as_object_mut()) {
        members.insert("event_type".to_owned(), type_name(one).into());
    }
    Some(PlanStep::new("quick_stats", arguments, "who or which most: values counted in one call"))
}

/// The field compared with the number that was spoken of.
fn comparison_on(facts: &Facts<'_>, question: &Question, field: &FieldProfile) -> Option<String> {
    let comparison = question.comparison.as_ref().filter(|_| field.kinds.contains("number"))?;
    let number = comparison.split(' ').next_back().unwrap_or_default();
    let is_entity = facts.spoken_of.as_ref().is_some_and(|(id, _)| id.as_str() == number);
    (!is_entity).then(|| format!("{} {comparison}", field.path))
}

/// The call within the time that was spoken of, unless it has a time of its own or tells the story of an entity.
pub(super) fn within(step: PlanStep, question: &Question) -> PlanStep {
    let Some(when) = question.when else { return step };
    step.change(|tool, arguments| {
        let has_time = ["since", "until", "as_of", "event_ids", "entity_id"]
            .iter()
            .any(|name| arguments.contains_key(*name));
        let takes_time = ["query_events", "quick_stats", "sample_events", "hybrid_search", "analyze_events"];
        if has_time || !takes_time.contains(&tool) {
            return false;
        }
        arguments.insert("since".to_owned(), Value::from(when.since.to_string()));
        if let Some(until) = when.until {
            arguments.insert("until".to_owned(), until.to_string().into());
        }
        true
    })
}
