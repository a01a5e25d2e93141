//! The craft of event stores, in short sections that are told where they apply.
//!
//! A page begins with a line `applies: tag, tag`: names of use cases, and tags of pitfalls.

use super::pitfalls::Pitfall;
use super::question::UseCase;

/// The most sections in an answer.
const SECTIONS_MAX: usize = 2;

/// Of two that a use case calls for, the first is told.
const PAGES: [&str; 5] = [
    include_str!("../../../prompts/advice/compliance.md"),
    include_str!("../../../prompts/advice/two_times.md"),
    include_str!("../../../prompts/advice/large_payloads.md"),
    include_str!("../../../prompts/advice/causes.md"),
    include_str!("../../../prompts/advice/projections.md"),
];

/// How to write and to model: for who asks about that.
const DESIGN_PAGES: [&str; 5] = [
    include_str!("../../../prompts/advice/stream_design.md"),
    include_str!("../../../prompts/advice/versioning.md"),
    include_str!("../../../prompts/advice/actors.md"),
    include_str!("../../../prompts/advice/idempotency.md"),
    SCHEMAS,
];

/// How shapes are kept: told first to who asks about that.
const SCHEMAS: &str = include_str!("../../../prompts/advice/schemas.md");

/// For a question of design its own sections; else one section that the use case calls for, and one that the data calls for, by its first pitfall that has one.
pub(super) fn sections(
    use_case: UseCase,
    pitfalls: &[Pitfall],
    is_design: bool,
    is_about_shapes: bool,
) -> Vec<&'static str> {
    let all: &'static [&'static str] = if is_design { &DESIGN_PAGES } else { &PAGES };
    let with_tag = |tag: &'static str| {
        let pages = all.iter().filter_map(|page| parts(page));
        pages.filter(move |(tags, _)| tags.split(", ").any(|known| known == tag)).map(|(_, text)| text)
    };
    let shapes = parts(SCHEMAS).map(|(_, text)| text).filter(|_| is_about_shapes);
    let mut chosen: Vec<&str> = shapes.into_iter().chain(with_tag(use_case.name()).take(1)).collect();
    for text in pitfalls.iter().flat_map(|pitfall| with_tag(pitfall.tag)).chain(with_tag(use_case.name())) {
        if chosen.len() < SECTIONS_MAX && !chosen.contains(&text) {
            chosen.push(text);
        }
    }
    if is_design {
        let rest = all.iter().filter_map(|page| parts(page)).map(|(_, text)| text);
        chosen.extend(rest.take(SECTIONS_MAX.saturating_sub(chosen.len())));
        chosen.dedup();
    }
    chosen
}

/// A page's tags and its text.
fn parts(page: &str) -> Option<(&str, &str)> {
    let (line, text) = page.split_once('\n')?;
    Some((line.strip_prefix("applies: ")?, text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_when_it_applies_and_is_short() {
        const TAGS: [&str; 17] = [
            "audit_trail",
            "user_analytics",
            "debugging",
            "compliance",
            "performance_analysis",
            "explore",
            "no_actor",
            "imported",
            "out_of_order",
            "huge_entities",
            "one_event_entities",
            "absent_fields",
            "mixed_kinds",
            "large_payloads",
            "rare_types",
            "bursts",
            "no_causes",
        ];
        for page in PAGES.into_iter().chain(DESIGN_PAGES) {
            let (tags, text) = parts(page).expect("a first line that begins with applies:");
            assert!(tags.split(", ").all(|tag| TAGS.contains(&tag)), "{tags}");
            assert!(text.starts_with("**"), "{text}");
            assert!(text.split_whitespace().count() <= 90, "{text}");
        }
    }
}
