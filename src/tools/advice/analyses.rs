//! Which analysis do the words of a question ask for?

use serde_json::{Value, json};

use super::facts::Facts;
use super::plans::{PlanStep, type_name};
use super::question::Question;
use crate::engine::TypeProfile;

/// Beginnings of words that ask for an analysis, and what it shows; the first that is met counts.
const SIGNS: [(&str, &[&str], &str); 8] = [
    ("funnel", &["funnel", "conver"], "how many take each step, and where they are lost"),
    ("cohorts", &["cohort", "retention", "retain", "churn"], "who comes back, by when they were first seen"),
    (
        "transitions",
        &["transition", "process", "flow", "sequence", "follow"],
        "what follows what, how often, after how long",
    ),
    ("correlation", &["correlat", "together"], "which types occur together more than by chance"),
    ("anomalies", &["anomal", "spike", "unusual"], "the buckets of time that are unlike their season"),
    (
        "trend",
        &["trend", "grow", "rise", "rising", "increas", "decreas"],
        "whether it rises or falls, and how surely",
    ),
    (
        "duration",
        &["duration", "long", "took", "takes"],
        "how long it takes: median, percentiles, the slowest",
    ),
    ("profile", &["oddit", "odd", "quality"], "what is odd about the data, each with an event"),
];
/// Words for stretches of time.
const BUCKETS: [(&str, &str); 6] = [
    ("hour", "hourly"),
    ("day", "daily"),
    ("week", "weekly"),
    ("month", "monthly"),
    ("quarter", "quarterly"),
    ("year", "yearly"),
];
/// Words that make a stretch of time a bucket.
const EACH: [&str; 4] = ["per", "each", "every", "by"];

/// An analysis that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    name: &'static str,
    why: &'static str,
    bucket: Option<&'static str>,
}

/// The analysis that these words ask for.
pub(super) fn asked_for(words: &[String]) -> Option<Wish> {
    let begins = |signs: &[&str]| words.iter().any(|word| signs.iter().any(|sign| word.starts_with(sign)));
    let bucket = bucket(words);
    let named = SIGNS.iter().find(|(_, signs, _)| begins(signs));
    match (named, bucket) {
        (Some((name, _, why)), _) => Some(Wish { name, why, bucket }),
        (None, Some(_)) => Some(Wish { name: "time_series", why: "counted per bucket, gaps filled", bucket }),
        (None, None) => None,
    }
}

fn bucket(words: &[String]) -> Option<&'static str> {
    let adverb = |word: &String| BUCKETS.iter().find(|(_, adverb)| word == adverb);
    let each = |(before, word): (&String, &String)| {
        let is_each = EACH.contains(&before.as_str());
        BUCKETS.iter().find(|(unit, _)| is_each && word.trim_end_matches('s') == *unit)
    };
    let pairs = || words.iter().zip(words.iter().skip(1));
    words.iter().find_map(adverb).or_else(|| pairs().find_map(each)).map(|(unit, _)| *unit)
}

/// The call that answers it, with the types that were named.
pub(super) fn step(facts: &Facts<'_>, question: &Question) -> Option<PlanStep> {
    let wish = question.analysis.filter(|_| facts.profile.stats.events > 0)?;
    let mut arguments = json!({"analysis": wish.name});
    let members = arguments.as_object_mut()?;
    let types: Vec<&TypeProfile> =
        question.mentioned.iter().filter_map(|index| facts.profile.types.get(*index)).collect();
    match (wish.name, types.as_slice()) {
        ("funnel" | "duration", [_, _, ..]) => {
            let steps: Vec<Value> = types.iter().take(2).map(|one| type_name(one).into()).collect();
            members.insert("steps".to_owned(), steps.into());
        }
        ("time_series" | "trend" | "anomalies", [one]) => {
            members.insert("event_type".to_owned(), type_name(one).into());
        }
        _ => {}
    }
    if let Some(bucket) =
        wish.bucket.filter(|_| ["time_series", "trend", "anomalies", "cohorts"].contains(&wish.name))
    {
        members.insert("bucket".to_owned(), bucket.into());
    }
    Some(PlanStep::new("analyze_events", arguments, wish.why))
}
