//! What do the searching tools share? Waiting for the index, ranked events as rows, pages of a ranking, and what helps a
//! reader who found nothing.

use std::time::Duration;

use serde_json::{Number, Value, json};

use super::answer::{Matched, Reply, Step};
use super::argument::{Argument, CONSTANT, Field, Kind};
use super::call::Call;
use super::packing::{Paging, Rows};
use super::table::{RowStyle, Table, table, whole};
use crate::engine::{FoundRanked, Hit, Sought, View};
use crate::error::{Error, Result};
use crate::event::{Event, Filter, Position, quote};
use crate::indexer::Published;
use crate::search::{Fusion, Highlight, KeywordQuery, highlight};
use crate::store::Order;

use std::sync::Arc;

/// The longest that a search waits for events to become findable: 5 s.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The most hits of one answer.
const HITS_MAX: i64 = 200;
/// The most hits behind those shown that a cursor carries, unless more were asked for at a time.
const CARRIED_MAX: usize = 60;
/// The most pages of hits that a cursor carries: who asks for few pays for few.
const PAGES_CARRIED_MAX: usize = 5;

/// How many hits, and how fresh.
pub(super) const HITS: &[Argument] = &[
    Argument::optional("fields", Kind::Texts, "Paths to show beside the snippet"),
    Argument::optional("limit", Kind::Integer { min: 1, max: HITS_MAX }, "Most hits; 10"),
    Argument::optional("cursor", Kind::Text, "next_cursor of an answer; send it alone"),
    Argument::optional(
        "wait_for_position",
        Kind::Integer { min: -1, max: i64::MAX },
        "Wait (5 s) until found; -1: all stored so far",
    ),
    Argument::optional("explain", Kind::Flag, "Say how it was found"),
];

/// What a search answers beyond what every answer has.
pub(super) const FOUND: &[Field] = &[
    Field::new("indexed_through", "integer"),
    Field::new("fresh", "boolean"),
    Field::new("explain", "object"),
    CONSTANT,
    Field::new("table", "object"),
    Field::new("hits", "array"),
];

/// What a searching tool searches in: the indexes as they are, and the view that they are asked about.
pub(super) struct Ground {
    pub(super) published: Arc<Published>,
    pub(super) view: View,
    /// Waiting took too long.
    stale: bool,
}

impl Call<'_> {
    /// Waits as long as the caller wants to, then pins the indexes and after them the view. What a fork added is indexed here
    /// and now, so only what it shares with `main` is waited for.
    pub(super) fn ground(&self) -> Result<Ground> {
        let indexer = self.engine.indexer()?;
        let waits = self.arguments.integer("wait_for_position");
        let position = match waits {
            None => Position::ZERO,
            Some(wanted) => {
                let last = self.engine.store().snapshot().on_main();
                u64::try_from(wanted).map_or(last, |wanted| Position::new(wanted).min(last))
            }
        };
        let published = indexer.wait_for(position, WAIT_MAX)?;
        let stale = published.through() < position;
        let published = indexer.on_branch(published, self.engine.store())?;
        // Ordering: the view behind the indexes, so that it holds every event that they know.
        let view = self.wish().over(self.snapshot()?, self.now)?;
        // A mistake in fields is one also where there is no hit to show them of.
        self.row_style(&view)?;
        Ok(Ground { published, view, stale })
    }

    /// Searches, or goes on in a ranking where a page ended, and puts what was found into an answer.
    pub(super) fn search(
        &mut self,
        ground: &Ground,
        sought: &Sought,
        words: Option<&KeywordQuery>,
    ) -> Result<Reply> {
        let Ground { published, view, stale } = ground;
        let started = self.engine.measured();
        let found = match &self.cursor {
            None => self.engine.search(sought, view, published)?,
            Some(cursor) => self.engine.search_again(&cursor.ranked, sought, view, published)?,
        };
        let mut reply = Reply {
            head_position: Some(view.snapshot.head()),
            incomplete: !found.complete,
            ..Reply::default()
        };
        self.tell_freshness(&mut reply, published, *stale);
        if let Some(query) = &sought.keywords {
            for path in published.reader.keyword().unknown_fields(query)? {
                reply
                    .warnings
                    .push(format!("no event has the field {}; it was searched for as text", quote(&path)));
            }
        }
        if self.arguments.flag("explain") {
            let us = self.engine.measured().saturating_sub(started).as_micros();
            reply.field("explain", explained(&found, u64::try_from(us).unwrap_or(u64::MAX)));
        }
        self.show_hits(&mut reply, &found, view, words)?;
        if self.cursor.is_none() {
            reply.matched = found.matched.map(|count| Matched { count, exact: true });
        }
        if found.hits.is_empty() {
            self.explain_no_hit(&mut reply, &found, sought, view)?;
        } else if !found.is_close {
            reply
                .warnings
                .push("no event has the words or is close in meaning; these are the nearest".to_owned());
        }
        Ok(reply)
    }

    /// Says up to where the indexes are, where that is not all there is.
    fn tell_freshness(&self, reply: &mut Reply, published: &Published, stale: bool) {
        let (through, head) = (published.through(), self.engine.store().snapshot().head());
        if through < head {
            reply.field("indexed_through", through.get());
        }
        if stale {
            reply.field("fresh", false);
        }
        if let Some(failure) = self.engine.indexer().ok().and_then(|indexer| indexer.failure()) {
            reply
                .warnings
                .push(format!("new events are not being indexed: failed to {failure}; it is tried again"));
        }
    }

    fn show_hits(
        &self,
        reply: &mut Reply,
        found: &FoundRanked,
        view: &View,
        words: Option<&KeywordQuery>,
    ) -> Result<()> {
        let limit = self.limit();
        let shown = &found.hits;
        if shown.is_empty() {
            return Ok(());
        }
        let style = RowStyle { only_wanted: true, ..self.row_style(view)? };
        reply.reads_on = Some(self.reads_on(shown.iter().map(|hit| &hit.event), &style));
        let mut rows = if self.is_detailed() {
            reply.untrusted.push("/hits");
            let items = shown.iter().map(|hit| detailed(hit, &style, words)).collect();
            Rows { columns: None, name: "hits", items, paging: None }
        } else {
            reply.untrusted.push("/table");
            concise(reply, shown, &style, words)
        };
        let carried = limit.max(CARRIED_MAX.min(limit.saturating_mul(PAGES_CARRIED_MAX)));
        let places =
            shown.iter().map(|hit| hit.event.position).chain(found.behind.iter().copied().take(carried));
        let paging = Paging {
            cursor: self.cursor_for(&view.snapshot, true),
            places: places.collect(),
            next: None,
            is_ranked: true,
        };
        rows.paging = Some(paging);
        reply.rows = Some(rows);
        Ok(())
    }

    fn explain_no_hit(
        &self,
        reply: &mut Reply,
        found: &FoundRanked,
        sought: &Sought,
        view: &View,
    ) -> Result<()> {
        reply.matched = Some(Matched { count: 0, exact: found.complete });
        if let Some(nearest) = &found.nearest {
            let (position, score) = (nearest.event.position, rounded(nearest.score));
            reply.warnings.push(format!(
                "no event is similar enough (threshold {}); the nearest is position {position} with {score}",
                rounded(sought.threshold)
            ));
            let change = json!({"refine": self.query.to_string(), "threshold": 0});
            reply.next_steps.push(Step::new(self.tool.name, change, "the nearest all the same"));
            return Ok(());
        }
        // Is it the filter that leaves nothing, or the words?
        let newest = crate::engine::Stretch {
            order: Order::Descending,
            after: Position::ZERO,
            before: None,
            events_max: 1,
        };
        if view.find(&newest)?.events.is_empty() {
            return self.explain_nothing(reply, view);
        }
        let within = if view.filter == Filter::default() { "" } else { " within the filter" };
        reply.warnings.push(format!("no event{within} has these words"));
        if let Some(words) = self.arguments.text("keywords") {
            let arguments = json!({"query": words});
            reply.next_steps.push(Step::new(
                "semantic_search_events",
                arguments,
                "by meaning instead of by words",
            ));
        }
        Ok(())
    }
}

/// The way in which words and meaning are to become one ranking.
///
/// # Errors
/// `Invalid` when a weight is given to reciprocal ranks, which have none.
pub(super) fn fusion(call: &Call<'_>) -> Result<Fusion> {
    let weight = call.arguments.share("meaning_weight");
    match (call.arguments.text("fusion"), weight) {
        (Some("rrf"), Some(_)) => {
            let message = "fuse by reciprocal ranks: they take no meaning_weight; leave one of the two out";
            Err(Error::invalid("bad_argument", message).with("argument", "meaning_weight"))
        }
        (Some("rrf"), None) => Ok(Fusion::ReciprocalRank),
        (_, Some(weight)) => Ok(Fusion::Convex(weight)),
        (_, None) => Ok(Fusion::default()),
    }
}

fn concise(reply: &mut Reply, shown: &[Hit], style: &RowStyle, words: Option<&KeywordQuery>) -> Rows {
    let events: Vec<Event> = shown.iter().map(|hit| hit.event.clone()).collect();
    let Table { mut columns, mut rows, constant, hidden: _ } = table(&events, style);
    columns.extend(["score".to_owned(), "snippet".to_owned()]);
    for (row, hit) in rows.iter_mut().filter_map(Value::as_array_mut).zip(shown) {
        row.push(number(hit.score));
        row.push(highlighted(words, &hit.event).snippet.into());
    }
    if !constant.is_empty() {
        reply.untrusted.push("/constant");
        reply.field("constant", Value::Object(constant));
    }
    Rows { columns: Some(columns), name: "table", items: rows, paging: None }
}

/// A whole event with everything that is known of why it was found.
fn detailed(hit: &Hit, style: &RowStyle, words: Option<&KeywordQuery>) -> Value {
    let highlight = highlighted(words, &hit.event);
    let ranked = hit.ranked;
    let mut why = super::Object::new();
    why.insert("score".to_owned(), number(hit.score));
    let scores = [("bm25", ranked.bm25), ("cosine", ranked.cosine)];
    why.extend(scores.into_iter().filter_map(|(name, score)| Some((name.to_owned(), number(score?)))));
    let ranks = [("keyword_rank", ranked.keyword_rank), ("meaning_rank", ranked.meaning_rank)];
    why.extend(ranks.into_iter().filter_map(|(name, rank)| Some((name.to_owned(), rank?.into()))));
    if !highlight.fields.is_empty() {
        why.insert("matched".to_owned(), highlight.fields.into());
    }
    why.insert("snippet".to_owned(), highlight.snippet.into());
    match whole(&hit.event, style) {
        Value::Object(event) => {
            why.extend(event);
            Value::Object(why)
        }
        other => other,
    }
}

/// What of an event has the words; nothing where there were none.
fn highlighted(words: Option<&KeywordQuery>, event: &Event) -> Highlight {
    words.map_or_else(Highlight::default, |words| highlight(words, event))
}

fn explained(found: &FoundRanked, us: u64) -> Value {
    let mut explained = super::Object::new();
    if let Some(vectors) = &found.vectors {
        explained.insert("vectors".to_owned(), vectors.path.into());
        let work = &vectors.work;
        let counts = [
            ("candidates", vectors.candidates),
            ("scanned", work.scanned),
            ("rescored", work.rescored),
            ("graphs", work.graphs),
        ];
        explained.extend(
            counts
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (name.to_owned(), count.into())),
        );
    }
    explained.insert("examined".to_owned(), found.examined.into());
    explained.insert("us".to_owned(), us.into());
    Value::Object(explained)
}

/// Three digits behind the point: more would be noise.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1_000.0).round() / 1_000.0
}

fn number(score: f32) -> Value {
    Number::from_f64(rounded(score)).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::event::EventDraft;
    use crate::store::Append;
    use crate::tools::fixture::{Shop, positions};

    /// Only a hang gets here.
    const PATIENCE: Duration = Duration::from_mins(2);

    fn note(text: &str) -> EventDraft {
        EventDraft::new("ticket-1", "ticket.noted", json!({"text": text}).to_string()).expect("a draft")
    }

    /// Makes a fork of a branch.
    fn fork(shop: &Shop, from: &str) -> String {
        let answer = shop.ask("create_sandbox_fork", &json!({"from_branch": from, "purpose": "to try it"}));
        answer["fork_id"].as_str().expect("an id").to_owned()
    }

    fn append(shop: &Shop, branch: &str, text: &str) {
        let branch = shop.engine.branch(branch).expect("a branch");
        branch.store().append(Append { events: vec![note(text)], ..Append::default() }).expect("stored");
    }

    #[track_caller]
    fn check(shop: &Shop, tool: &str, branch: &str, mut arguments: Value, expected: &[u64]) -> Value {
        assert!(shop.engine.indexer().expect("an indexer").catch_up(PATIENCE));
        arguments["branch"] = branch.into();
        let answer = shop.ask(tool, &arguments);
        assert_eq!(positions(&answer), expected, "{branch} {arguments}");
        assert_eq!((answer.get("indexed_through"), answer.get("fresh")), (None, None), "{answer}");
        answer
    }

    /// Main: 1 parcel, then 2 refund behind the cut. The fork: 2 refund, 3 parcel. A fork of it at 2: 3 refund.
    fn shop_with_forks() -> (Shop, String, String) {
        let shop = Shop::empty();
        append(&shop, "main", "a parcel for zinnia was lost in the post");
        let one = fork(&shop, "main");
        append(&shop, "main", "refund granted to magnolia, the money goes back");
        append(&shop, &one, "refund granted to azalea, the money goes back");
        let two = fork(&shop, &one);
        append(&shop, &one, "a parcel for begonia was found");
        append(&shop, &two, "refund granted to gentian, the money goes back");
        (shop, one, two)
    }

    #[test]
    fn a_mistake_in_fields_is_one_also_without_hits() {
        let shop = Shop::empty();
        for tool in ["semantic_search_events", "hybrid_search"] {
            let mut asked = json!({"fields": ["payload..x"]});
            asked[if tool == "hybrid_search" { "keywords" } else { "query" }] = "tulip".into();
            let body = shop.refused(tool, &asked, "path_syntax");
            assert!(
                body["error"]["message"].as_str().is_some_and(|text| text.contains("fields[0]")),
                "{body:?}"
            );
        }
    }

    #[test]
    fn a_fork_is_searched_by_words_and_by_meaning() {
        let (shop, one, two) = shop_with_forks();
        for (word, main, first, second) in [
            ("zinnia", &[1][..], &[1][..], &[1][..]),
            ("magnolia", &[2], &[], &[]),
            ("azalea", &[], &[2], &[2]),
            ("begonia", &[], &[3], &[]),
            ("gentian", &[], &[], &[3]),
        ] {
            let search = |branch: &str, expected| {
                check(&shop, "hybrid_search", branch, json!({"keywords": word}), expected);
            };
            search("main", main);
            search(&one, first);
            search(&two, second);
        }
        let meant = json!({"query": "customer wants the money back", "threshold": 0.3});
        check(&shop, "semantic_search_events", "main", meant.clone(), &[2]);
        check(&shop, "semantic_search_events", &one, meant.clone(), &[2]);
        check(&shop, "semantic_search_events", &two, meant, &[2, 3]);
        let both =
            json!({"keywords": "begonia", "semantic_query": "parcel found", "limit": 1, "explain": true});
        check(&shop, "hybrid_search", &one, both, &[3]);
    }

    #[test]
    fn filters_and_moments_apply_on_a_fork() {
        let (shop, one, two) = shop_with_forks();
        assert!(shop.engine.indexer().expect("an indexer").catch_up(PATIENCE));
        let search = |branch: &str, more: Value, expected: &[u64]| {
            let mut arguments = json!({"keywords": "refund parcel", "branch": branch});
            arguments
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().cloned().expect("an object"));
            let mut found = positions(&shop.ask("hybrid_search", &arguments));
            found.sort_unstable();
            assert_eq!(found, expected, "{branch} {more}");
        };
        search(&two, json!({}), &[1, 2, 3]);
        search(&two, json!({"as_of_position": 2}), &[1, 2]);
        search(&format!("{one}@2"), json!({}), &[1, 2]);
        search(&format!("{one}@1"), json!({}), &[1]);
        search(&one, json!({"where": ["payload.text CONTAINS 'begonia'"]}), &[3]);
        search(&one, json!({"where": ["payload.text CONTAINS 'magnolia'"]}), &[]);
        search(&one, json!({"event_type": "ticket.paid"}), &[]);
        search(&one, json!({"entity_id": "ticket-*", "wait_for_position": -1}), &[1, 2, 3]);
        search(&one, json!({"semantic_query": "lost in the post", "fusion": "rrf"}), &[1, 2, 3]);
    }

    #[test]
    fn an_event_of_a_fork_is_findable_at_once_and_gone_after_a_reset() {
        let shop = Shop::empty();
        append(&shop, "main", "a zinnia");
        let one = fork(&shop, "main");
        append(&shop, &one, "a begonia");
        check(&shop, "hybrid_search", &one, json!({"keywords": "begonia"}), &[2]);
        append(&shop, &one, "a begonia came back");
        check(&shop, "hybrid_search", &one, json!({"keywords": "begonia back"}), &[3, 2]);
        append(&shop, "main", "a magnolia");
        shop.reset(&one);
        check(&shop, "hybrid_search", &one, json!({"keywords": "begonia"}), &[]);
        check(&shop, "hybrid_search", &one, json!({"keywords": "magnolia"}), &[2]);
        append(&shop, &one, "another begonia");
        check(&shop, "hybrid_search", &one, json!({"keywords": "begonia"}), &[3]);
    }

    #[test]
    fn pages_over_a_fork_give_every_hit_once() {
        let shop = Shop::empty();
        for number in 0..7 {
            append(&shop, "main", &format!("the tulip of number {number}"));
        }
        let one = fork(&shop, "main");
        for number in 7..15 {
            append(&shop, "main", "a tulip that the fork does not know");
            append(&shop, &one, &format!("the tulip of number {number}"));
        }
        let first = json!({"keywords": "tulip", "limit": 4, "wait_for_position": -1, "branch": one});
        let mut answer = shop.ask("hybrid_search", &first);
        let mut found = positions(&answer);
        while let Some(cursor) = answer["next_cursor"].as_str() {
            append(&shop, &one, "a tulip that came too late");
            answer = shop.ask("hybrid_search", &json!({"cursor": cursor}));
            found.extend(positions(&answer));
        }
        found.sort_unstable();
        assert_eq!(found, (1..=15).collect::<Vec<_>>());
    }

    #[test]
    fn an_event_of_a_fork_can_be_what_others_are_to_be_like() {
        let (shop, one, two) = shop_with_forks();
        let snapshot = shop.engine.branch(&two).expect("a branch").store().snapshot();
        let event = snapshot.event(crate::event::Position::new(3)).expect("readable").expect("there");
        let like = json!({"like_event_id": event.event_id.to_string(), "limit": 1});
        check(&shop, "semantic_search_events", &two, like.clone(), &[2]);
        let elsewhere = json!({"like_event_id": like["like_event_id"], "branch": one});
        shop.refused("semantic_search_events", &elsewhere, "unknown_event_id");
    }
}
