//! `hybrid_search`: finds events by their words, by their meaning, or by both.

use super::answer::Reply;
use super::argument::{Argument, BUDGET, FILTER, FORMAT, HITS_DEFAULT, Kind};
use super::call::Call;
use super::searching::{FOUND, HITS, fusion};
use super::{Hints, Tool};
use crate::engine::Sought;
use crate::error::{Error, Result};
use crate::search::KeywordQuery;

const ARGUMENTS: &[Argument] = &[
    Argument::optional("keywords", Kind::Text, "Words, \"phrases\", ids, pre*, path:value, AND NOT"),
    Argument::optional("semantic_query", Kind::Text, "What it is about, in plain words"),
    Argument::optional("fusion", Kind::Choice(&["convex", "rrf"]), "How the two become one ranking"),
    Argument::optional("meaning_weight", Kind::Share, "With both: what meaning counts; 0.35"),
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "hybrid_search",
    title: "Hybrid search",
    toolset: "search",
    description: "Find events by words (BM25; ids, hashes, paths and their parts too), by meaning, or best by both at once; \
                  give keywords, semantic_query or both. Every filter applies, as_of and known_at too. Hits are ranked, \
                  the best first, with a score from 0 to 1 and a snippet; detailed says why. Misspelt or other words: \
                  semantic_query alone. For exact conditions, order by time or counts use query_events and quick_stats.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, FILTER, HITS, FORMAT, BUDGET],
    fields: FOUND,
    limit_default: HITS_DEFAULT,
    example: r#"{"keywords": "refund", "semantic_query": "customer wants the money back", "limit": 5}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let keywords = call.arguments.text("keywords").filter(|text| !text.trim().is_empty());
    let meaning = call.arguments.text("semantic_query").filter(|text| !text.trim().is_empty());
    if keywords.is_none() && meaning.is_none() {
        let message =
            "search: neither keywords nor a semantic_query is given; give at least one, or use query_events";
        return Err(Error::invalid("missing_argument", message).with("argument", "keywords"));
    }
    let query =
        keywords.map(KeywordQuery::parse).transpose().map_err(|error| error.with("argument", "keywords"))?;
    let fusion = fusion(call)?;
    let ground = call.ground()?;
    let vector = meaning.map(|text| call.engine.meaning_of(text, &ground.published)).transpose()?;
    let words = query.clone().or_else(|| meaning.and_then(KeywordQuery::of_words));
    let sought =
        Sought { keywords: query, meaning: vector, like: None, threshold: 0.0, fusion, limit: call.limit() };
    call.search(&ground, &sought, words.as_ref())
}
