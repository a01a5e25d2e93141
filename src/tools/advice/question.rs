//! What is asked: a use case by its name, or by the words of a sentence.

use super::analyses::{self, Wish};
use super::said::{When, comparison, when};
use crate::engine::{Profile, words};

/// What an answer is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UseCase {
    AuditTrail,
    UserAnalytics,
    Debugging,
    Compliance,
    PerformanceAnalysis,
    /// None of these: find out what there is.
    Explore,
}

impl UseCase {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AuditTrail => "audit_trail",
            Self::UserAnalytics => "user_analytics",
            Self::Debugging => "debugging",
            Self::Compliance => "compliance",
            Self::PerformanceAnalysis => "performance_analysis",
            Self::Explore => "explore",
        }
    }
}

/// Beginnings of words that speak for a use case.
const SIGNS: [(UseCase, &[&str]); 5] = [
    (
        UseCase::Debugging,
        &[
            "bug",
            "debug",
            "error",
            "fail",
            "wrong",
            "crash",
            "broken",
            "break",
            "cause",
            "why",
            "incident",
            "investigat",
            "exception",
            "stuck",
            "missing",
            "attack",
            "threat",
            "suspicious",
            "anomal",
            "root",
        ],
    ),
    (
        UseCase::Compliance,
        &[
            "complian", "comply", "gdpr", "sox", "hipaa", "pci", "polic", "regulat", "legal", "privacy",
            "personal", "pii", "rule", "violat", "breach", "proof", "prove", "four",
        ],
    ),
    (
        UseCase::AuditTrail,
        &[
            "audit",
            "who",
            "histor",
            "trail",
            "trace",
            "approv",
            "respons",
            "chang",
            "timeline",
            "provenance",
            "accountab",
        ],
    ),
    (
        UseCase::PerformanceAnalysis,
        &[
            "slow",
            "fast",
            "perform",
            "latenc",
            "throughput",
            "duration",
            "bottleneck",
            "peak",
            "load",
            "wait",
            "long",
            "delay",
            "volume",
            "burst",
            "spike",
            "speed",
            "capacity",
        ],
    ),
    (
        UseCase::UserAnalytics,
        &[
            "user",
            "custom",
            "funnel",
            "conver",
            "retention",
            "cohort",
            "engag",
            "churn",
            "activ",
            "behav",
            "popular",
            "segment",
            "journey",
            "drop",
            "visitor",
            "adoption",
        ],
    ),
];

/// Beginnings of words that speak of modelling or writing.
const DESIGN: [&str; 12] = [
    "design", "model", "schema", "append", "write", "writing", "ingest", "import", "migrat", "insert",
    "evolv", "naming",
];

/// Beginnings of words that speak of the shape of payloads.
const SHAPES: [&str; 6] = ["schema", "shape", "valid", "evolv", "contract", "upcast"];

/// Beginnings of words that ask for the most of something.
const MOST: [&str; 7] = ["most", "top", "often", "commonest", "frequen", "busiest", "rank"];

/// Words that ask for a person.
const WHO: [&str; 8] = ["who", "whom", "whose", "actor", "person", "people", "user", "employee"];

/// Words that say nothing about a store.
const EMPTY_WORDS: [&str; 36] = [
    "the", "and", "for", "with", "that", "this", "what", "which", "when", "where", "how", "many", "much",
    "are", "was", "were", "from", "into", "over", "all", "any", "our", "has", "have", "did", "does", "most",
    "event", "events", "find", "show", "get", "type", "entity", "entities", "data",
];

/// A question, understood.
#[expect(clippy::struct_excessive_bools, reason = "words may say any of these, independently")]
pub(crate) struct Question {
    pub(crate) use_case: UseCase,
    /// What was said in plain words, as far as it is looked for.
    pub(crate) text: String,
    /// It was not given by its name.
    pub(crate) is_free: bool,
    /// It is about modelling or writing events, not about reading them.
    pub(crate) is_design: bool,
    /// It is about the shape of payloads and how it is kept.
    pub(crate) is_about_shapes: bool,
    /// It asks for the most of something.
    pub(crate) asks_most: bool,
    /// It asks for a person.
    pub(crate) asks_who: bool,
    /// The time that the words name.
    pub(crate) when: Option<When>,
    /// The number that the words name, and how to compare with it: `> 5000`.
    pub(crate) comparison: Option<String>,
    /// The analysis that the words ask for.
    pub(crate) analysis: Option<Wish>,
    /// Indexes into the profile's types that the words name, the most named first.
    pub(crate) types: Vec<usize>,
    /// Those that a word names alone, in the order of the words.
    pub(crate) mentioned: Vec<usize>,
    /// Paths of fields that the words name, with the index of their type.
    pub(crate) fields: Vec<(usize, String)>,
}

/// The most characters of a question that are searched for by meaning.
const TEXT_CHARS_MAX: usize = 200;
/// The most types and the most fields that are taken from the words.
const NAMED_MAX: usize = 2;

impl Question {
    /// Understands a use case or a sentence, with more words as context.
    pub(crate) fn new(use_case: &str, context: &str, profile: &Profile) -> Self {
        let known = SIGNS.iter().map(|(known, _)| *known).chain([UseCase::Explore]);
        let wanted = words(use_case).join("_");
        let named = known.into_iter().find(|known| known.name() == wanted);
        let asked = if named.is_some() { words(context) } else { words(&format!("{use_case} {context}")) };
        let score = |signs: &[&str]| {
            asked.iter().filter(|word| signs.iter().any(|sign| word.starts_with(sign))).count()
        };
        let mut best = (UseCase::Explore, 0);
        for (use_case, signs) in SIGNS {
            if score(signs) > best.1 {
                best = (use_case, score(signs));
            }
        }
        let telling: Vec<&str> = asked
            .iter()
            .map(String::as_str)
            .filter(|word| word.chars().count() > 2 && !EMPTY_WORDS.contains(word))
            .collect();
        let (types, fields) = names_in(&telling, profile);
        let mentioned = singled_out(&telling, profile);
        let text = format!("{use_case} {context}");
        let said = if named.is_some() { context } else { text.as_str() };
        Self {
            use_case: named.unwrap_or(best.0),
            text: said.trim().chars().take(TEXT_CHARS_MAX).collect(),
            is_free: named.is_none(),
            is_design: score(&DESIGN) > 0 || score(&SHAPES) > 0,
            is_about_shapes: score(&SHAPES) > 0,
            asks_most: score(&MOST) > 0,
            asks_who: asked.iter().any(|word| WHO.contains(&word.as_str())),
            when: when(&text, profile.stats.time_range.map(|(_, last)| last)),
            comparison: comparison(&text),
            analysis: analyses::asked_for(&asked),
            types,
            mentioned,
            fields,
        }
    }
}

fn names_in(telling: &[&str], profile: &Profile) -> (Vec<usize>, Vec<(usize, String)>) {
    let said = |name: &str| {
        let parts = words(name);
        telling.iter().filter(|word| parts.iter().any(|part| is_same(part, word))).count()
    };
    let mut types: Vec<(usize, usize)> = profile
        .types
        .iter()
        .enumerate()
        .map(|(index, one)| (said(one.event_type.as_str()), index))
        .filter(|(count, _)| *count > 0)
        .collect();
    types.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut fields: Vec<(usize, usize, String)> = Vec::new();
    for (index, one) in profile.types.iter().enumerate() {
        for field in one.fields.iter().filter(|field| field.kinds != "null") {
            let count = said(field.name());
            if count > 0 && fields.iter().all(|(_, _, path)| *path != field.path) {
                fields.push((count, index, field.path.clone()));
            }
        }
    }
    fields.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    (
        types.into_iter().take(NAMED_MAX).map(|(_, index)| index).collect(),
        fields.into_iter().take(NAMED_MAX).map(|(_, index, path)| (index, path)).collect(),
    )
}

/// The types that a word names alone, in the order of these words: what `orders` says of all types of orders singles out none.
fn singled_out(telling: &[&str], profile: &Profile) -> Vec<usize> {
    let parts: Vec<Vec<String>> = profile.types.iter().map(|one| words(one.event_type.as_str())).collect();
    let mut found = Vec::new();
    for word in telling {
        let is_named = |parts: &Vec<String>| parts.iter().any(|part| is_same(part, word));
        let mut named = (0..).zip(&parts).filter(|(_, parts)| is_named(parts)).map(|(index, _)| index);
        if let (Some(index), None) = (named.next(), named.next())
            && !found.contains(&index)
        {
            found.push(index);
        }
    }
    found
}

/// The same word, but for its ending: `payments` names `payment`, `cancelled` names `cancel`.
fn is_same(part: &str, word: &str) -> bool {
    let (short, long) = if part.len() < word.len() { (part, word) } else { (word, part) };
    part == word || (short.chars().count() >= 4 && long.starts_with(short))
}
