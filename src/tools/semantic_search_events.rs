//! `semantic_search_events`: finds events by what they are about, or like another event.

use super::answer::Reply;
use super::argument::{Argument, BUDGET, FILTER, FORMAT, HITS_DEFAULT, Kind};
use super::call::Call;
use super::searching::{FOUND, HITS};
use super::{Hints, Tool};
use crate::engine::Sought;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventId, quote};
use crate::search::embed::text_of;
use crate::search::{Fusion, KeywordQuery};

/// The least score when nothing else is asked for: ½, where the model's calibration puts what is close.
const THRESHOLD: f32 = 0.5;

const ARGUMENTS: &[Argument] = &[
    Argument::optional("query", Kind::Text, "What it is about, in plain words"),
    Argument::optional("like_event_id", Kind::Text, "Events like this one, instead of query"),
    Argument::optional("threshold", Kind::Share, "Least score; 0.5 is close, 0 gives all"),
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "semantic_search_events",
    title: "Search events by meaning",
    toolset: "search",
    description: "Find events by what they are about, whatever words they use, or like a given event (like_event_id). Every \
                  filter applies, as_of and known_at too. Hits come nearest first with a calibrated score from 0 to 1 and a \
                  snippet; when nothing is close it says so and names the nearest. English works best. For names, ids or \
                  exact words use hybrid_search with keywords; for conditions and counts query_events and quick_stats.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, FILTER, HITS, FORMAT, BUDGET],
    fields: FOUND,
    limit_default: HITS_DEFAULT,
    example: r#"{"query": "payment was declined", "limit": 5}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let text = call.arguments.text("query").filter(|text| !text.trim().is_empty());
    let like = call.arguments.text("like_event_id");
    let threshold = call.arguments.share("threshold").unwrap_or(THRESHOLD);
    let ground = call.ground()?;
    let (vector, like, words) = match (text, like) {
        (Some(text), None) => {
            (call.engine.meaning_of(text, &ground.published)?, None, KeywordQuery::of_words(text))
        }
        (None, Some(id)) => {
            let event = ground.view.snapshot.event_by_id(&EventId::new(id)?)?.ok_or_else(|| {
                let message = format!("search for events like {}: there is no event with this id", quote(id));
                Error::new(ErrorKind::NotFound, "unknown_event_id", message).with("argument", "like_event_id")
            })?;
            let shared = KeywordQuery::of_words(&text_of(&event));
            (call.engine.meaning_of_event(&event, &ground.published)?, Some(event.position), shared)
        }
        _ => {
            let message = "search by meaning: give either query, in plain words, or like_event_id";
            return Err(Error::invalid("missing_argument", message).with("argument", "query"));
        }
    };
    let sought = Sought {
        keywords: None,
        meaning: Some(vector),
        like,
        threshold,
        fusion: Fusion::default(),
        limit: call.limit(),
    };
    call.search(&ground, &sought, words.as_ref())
}
