//! What do events lead back to, bring about, or belong together with? `query_events` with `related`.
//!
//! The starts are the events of `event_ids`, and then the filter says which of the related events are shown; or they are what the
//! filter finds, and then all that is related is shown.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Matched, Reply, Step};
use super::call::Call;
use super::packing::Paging;
use super::query_events::stretch;
use super::{Object, argument::Kind};
use crate::engine::{HOPS_MAX, RELATED_MAX, Related, Relation, Stretch, View, follow};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventId, Filter, Position, quote};
use crate::indexer::Published;
use crate::store::Order;

/// What `related` takes.
pub(super) const RELATED: Kind = Kind::Choice(&["none", "causes", "effects", "correlation"]);
/// The most events to start from: 100.
const STARTS_MAX: usize = 100;
/// How many events of the last step a call to go on names.
const GO_ON_MAX: usize = 10;
/// How long a call waits for indexes that are being opened: 200 ms.
const OPEN_WAIT: Duration = Duration::from_millis(200);
/// Where the column of steps stands: behind position, timestamp, entity and type.
const HOP_COLUMN: usize = 4;

/// The relation that a call asks for.
pub(super) fn asked(call: &Call<'_>) -> Option<Relation> {
    match call.arguments.text("related")? {
        "causes" => Some(Relation::Causes),
        "effects" => Some(Relation::Effects),
        "correlation" => Some(Relation::Correlation),
        _ => None,
    }
}

/// Answers with what is related.
pub(super) fn run(call: &mut Call<'_>, relation: Relation) -> Result<Reply> {
    let started = call.engine.measured();
    let index = index(call);
    // Ordering: the view behind the index, so that it holds every event that the index knows.
    let view = call.wish().over(call.snapshot()?, call.now)?;
    let style = call.row_style(&view)?;
    let stretch = stretch(call, view.snapshot.head())?;
    if let Some(other) = ["wait_ms", "compare"].into_iter().find(|name| call.arguments.has(name)) {
        let message =
            format!("follow related events: {other} does not go with related; leave out one of them");
        return Err(Error::invalid("bad_argument", message).with("argument", other));
    }
    let has_ids = call.arguments.has("event_ids");
    let starts = if has_ids { by_ids(call, &view)? } else { by_filter(call, &view, &stretch)? };
    let all = Filter { as_of: view.filter.as_of, ..Filter::default() };
    let shown = if has_ids { &view.filter } else { &all };
    let found = follow(relation, &starts, &view, shown, index.as_ref(), call.engine.clock().as_ref())?;
    let mut reply = Reply {
        head_position: Some(view.snapshot.head()),
        incomplete: found.timed_out || found.is_full,
        says_matched: true,
        ..Reply::default()
    };
    warn(call, relation, starts.len(), &found, &mut reply);
    if call.arguments.flag("explain") {
        let us = call.engine.measured().saturating_sub(started).as_micros();
        reply.field("explain", explained(relation, &found, &view, u64::try_from(us).unwrap_or(u64::MAX)));
    }
    let is_wanted = |position: Position| {
        position > stretch.after && stretch.before.is_none_or(|before| position < before)
    };
    let shown = found.places.iter().filter(|(position, place)| place.is_shown && is_wanted(**position));
    let mut shown: Vec<(Position, usize)> = shown.map(|(position, place)| (*position, place.hop)).collect();
    if stretch.order == Order::Descending {
        shown.reverse();
    }
    let count = u64::try_from(shown.len()).unwrap_or_default();
    let has_more = shown.len() > stretch.events_max;
    shown.truncate(stretch.events_max);
    let mut events = Vec::with_capacity(shown.len());
    for (position, _) in &shown {
        events.extend(view.snapshot.event(*position)?);
    }
    call.show(&mut reply, &events, &style);
    add_hops(&mut reply, &shown);
    if call.cursor.is_none() {
        reply.matched = Some(Matched { count, exact: !reply.incomplete });
    }
    if let Some(rows) = &mut reply.rows {
        let places: Vec<Position> = shown.iter().map(|(position, _)| *position).collect();
        let next = places.last().copied().filter(|_| has_more);
        let cursor = call.cursor_for(&view.snapshot, stretch.order == Order::Descending);
        rows.paging = Some(Paging { cursor, places, next, is_ranked: false });
    }
    Ok(reply)
}

/// The indexes of the branch as they are; `None` where there are none to search yet.
fn index(call: &Call<'_>) -> Option<Arc<Published>> {
    let indexer = call.engine.indexer().ok()?;
    let published = indexer.wait_for(Position::ZERO, OPEN_WAIT).ok()?;
    indexer.on_branch(published, call.engine.store()).ok()
}

/// The events that are named.
fn by_ids(call: &Call<'_>, view: &View) -> Result<Vec<Event>> {
    let named = call.arguments.texts("event_ids");
    if named.len() > STARTS_MAX {
        let message = format!(
            "follow related events: {} event_ids are given but at most {STARTS_MAX} are started from; send fewer",
            named.len()
        );
        return Err(Error::invalid("bad_argument", message).with("argument", "event_ids"));
    }
    let ids = named.iter().map(|id| EventId::new(*id)).collect::<Result<Vec<_>>>();
    let ids = ids.map_err(|error| error.with("argument", "event_ids"))?;
    let events = view.snapshot.events_by_id(&ids.iter().collect::<Vec<_>>())?;
    let found = events.into_iter().zip(&named).map(|(event, id)| {
        event.ok_or_else(|| {
            let up_to =
                if view.is_cut { format!(" up to position {}", view.snapshot.head()) } else { String::new() };
            let message = format!(
                "follow related events from {}: there is no event with this id{up_to}; take event_ids from \
                 query_events with response_format detailed",
                quote(id)
            );
            Error::new(ErrorKind::NotFound, "unknown_event_id", message).with("argument", "event_ids")
        })
    });
    found.collect()
}

/// The first events that the filter finds.
fn by_filter(call: &mut Call<'_>, view: &View, stretch: &Stretch) -> Result<Vec<Event>> {
    let of_all = Filter { as_of: view.filter.as_of, ..Filter::default() };
    if view.filter == of_all {
        let message =
            "follow related events: nothing says from which; give event_ids, or a filter such as entity_id";
        return Err(Error::invalid("missing_argument", message).with("argument", "event_ids"));
    }
    let first = Stretch { order: stretch.order, after: Position::ZERO, before: None, events_max: STARTS_MAX };
    let found = view.find(&first)?;
    if found.next.is_some() {
        let which = if stretch.order == Order::Descending { "newest" } else { "oldest" };
        call.warnings.push(format!(
            "started from the {which} {} events that the filter finds; narrow it, or name event_ids",
            found.events.len()
        ));
    }
    Ok(found.events)
}

/// Says what was not followed, and how to go on.
fn warn(call: &Call<'_>, relation: Relation, starts: usize, found: &Related, reply: &mut Reply) {
    let path = relation.path();
    if relation != Relation::Effects && found.without > 0 {
        reply.warnings.push(format!("{} of {starts} start events have no {path}", found.without));
    }
    if let (unknown, Some(first)) = (found.unknown.0, &found.unknown.1) {
        reply.untrusted.push("/warnings");
        reply
            .warnings
            .push(format!("{unknown} of the {path} followed name no event here, such as {}", quote(first)));
    }
    if found.is_full {
        reply.warnings.push(format!(
            "there are more than the {RELATED_MAX} events that are followed at once; start from fewer or later ones"
        ));
    }
    if found.timed_out {
        reply.warnings.push(format!(
            "time was up before all was followed: only events up to position {} are indexed, the others are read one by one",
            found.indexed_through
        ));
    }
    if !found.last.is_empty() {
        reply.warnings.push(format!("{HOPS_MAX} hops were followed, and there may be more"));
        let ids: Vec<String> = found.last.iter().take(GO_ON_MAX).map(ToString::to_string).collect();
        let mut arguments: Object = call.arguments.object().clone();
        arguments.insert("event_ids".to_owned(), json!(ids));
        reply.untrusted.push("/next_steps");
        reply.next_steps.push(Step::new(
            "query_events",
            Value::Object(arguments),
            "goes on from the last hop",
        ));
    }
}

/// How it was found and what that touched.
fn explained(relation: Relation, found: &Related, view: &View, us: u64) -> Value {
    let (through, head) = (found.indexed_through, view.snapshot.head());
    let plan = match relation {
        Relation::Causes => "index of event ids".to_owned(),
        _ if through >= head => format!("keyword index of {}", relation.path()),
        _ if through == Position::ZERO => format!("every event with {}", relation.path()),
        _ => format!("keyword index of {} up to {through}, then every event with it", relation.path()),
    };
    json!({"plan": plan, "examined": found.examined, "us": us})
}

/// Puts the number of steps beside each event.
fn add_hops(reply: &mut Reply, shown: &[(Position, usize)]) {
    let Some(rows) = &mut reply.rows else { return };
    if let Some(columns) = &mut rows.columns {
        columns.insert(HOP_COLUMN.min(columns.len()), "hop".to_owned());
    }
    for (item, (_, hop)) in rows.items.iter_mut().zip(shown) {
        match item {
            Value::Array(cells) => cells.insert(HOP_COLUMN.min(cells.len()), (*hop).into()),
            Value::Object(members) => drop(members.insert("hop".to_owned(), (*hop).into())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::engine::{HOPS_MAX, RELATED_MAX};
    use crate::event::{EventDraft, EventId};
    use crate::tools::fixture::{NOW, Shop, positions, rows};

    fn event(id: &str, cause: Option<&str>, request: Option<&str>) -> EventDraft {
        let draft = EventDraft::new("order-1", "order.noted", r#"{"note":"x"}"#).expect("a draft");
        let draft = draft.with_event_id(EventId::new(id).expect("an id"));
        let mut metadata = serde_json::Map::new();
        metadata.extend(cause.map(|cause| ("causation_id".to_owned(), cause.into())));
        metadata.extend(request.map(|request| ("correlation_id".to_owned(), request.into())));
        draft.with_metadata(Value::Object(metadata).to_string()).expect("metadata")
    }

    /// `a` leads to `a-b` and `a-c`, `a-b` to `a-b-d`; `e` stands apart, and shares a request with `a` and `a-c`. Of `b-a` the id has
    /// the words of `a-b`.
    fn family() -> Shop {
        let shop = Shop::empty();
        shop.append(vec![
            event("a", None, Some("req-1")),
            event("a-b", Some("a"), None),
            event("a-c", Some("a"), Some("req-1")),
            event("a-b-d", Some("a-b"), Some("1-req")),
            event("e", None, Some("req-1")),
            event("b-a", None, None),
            event("f", Some("b-a"), None),
        ]);
        shop
    }

    /// The positions with their hops, the oldest first.
    #[track_caller]
    fn check(shop: &Shop, mut arguments: Value, expected: &[(u64, u64)]) -> Value {
        arguments["order"] = "asc".into();
        let answer = shop.ask("query_events", &arguments);
        let number = |cell: &Value| cell.as_u64().expect("a number");
        let found: Vec<(u64, u64)> =
            rows(&answer).iter().map(|row| (number(&row[0]), number(&row[4]))).collect();
        assert_eq!(found, expected, "{arguments}: {answer}");
        answer
    }

    #[track_caller]
    fn check_family(shop: &Shop) {
        let causes = |id: &str| json!({"event_ids": [id], "related": "causes"});
        let effects = |id: &str| json!({"event_ids": [id], "related": "effects"});
        check(shop, causes("a-b-d"), &[(1, 2), (2, 1), (4, 0)]);
        check(shop, effects("a"), &[(1, 0), (2, 1), (3, 1), (4, 2)]);
        check(shop, effects("a-b"), &[(2, 0), (4, 1)]);
        check(shop, json!({"event_ids": ["a-c"], "related": "correlation"}), &[(1, 1), (3, 0), (5, 1)]);
    }

    #[test]
    fn causes_effects_and_requests_are_followed_with_and_without_the_index() {
        let shop = family();
        check_family(&shop);
        assert!(shop.engine.indexer().expect("an indexer").catch_up(Duration::from_mins(1)));
        check_family(&shop);
        let explained = check(
            &shop,
            json!({"event_ids": ["a"], "related": "effects", "explain": true}),
            &[(1, 0), (2, 1), (3, 1), (4, 2)],
        );
        assert_eq!(explained["explain"]["plan"], "keyword index of metadata.causation_id", "{explained}");
        // What comes now may not be indexed yet, and is found.
        shop.append(vec![event("g", Some("a-b-d"), None), event("h", Some("g"), None)]);
        check(&shop, json!({"event_ids": ["a-b"], "related": "effects"}), &[(2, 0), (4, 1), (8, 2), (9, 3)]);
        let sealed = shop.in_segments();
        check(
            &sealed,
            json!({"event_ids": ["h"], "related": "causes"}),
            &[(1, 4), (2, 3), (4, 2), (8, 1), (9, 0)],
        );
        check(&sealed, json!({"event_ids": ["a-c"], "related": "correlation"}), &[(1, 1), (3, 0), (5, 1)]);
    }

    #[test]
    fn a_filter_narrows_what_is_shown_or_says_where_to_start() {
        let shop = family();
        shop.append_as("order-2", r#"{"causation_id":"a-c","correlation_id":17}"#);
        let shown = json!({"event_ids": ["a"], "related": "effects", "entity_id": "order-2"});
        check(&shop, shown, &[(8, 2)]);
        let started = json!({"entity_id": "order-2", "related": "causes"});
        check(&shop, started, &[(1, 2), (3, 1), (8, 0)]);
        check(&shop, json!({"entity_id": "order-2", "related": "correlation"}), &[(8, 0)]);
        let plain = shop.ask("query_events", &json!({"entity_id": "order-2", "related": "none"}));
        assert_eq!(positions(&plain), [8]);
        assert_ne!(plain["table"]["columns"][4], "hop");
    }

    #[test]
    fn a_circle_ends_and_a_start_keeps_its_place() {
        let shop = Shop::empty();
        shop.append(vec![
            event("a", Some("c"), None),
            event("b", Some("a"), None),
            event("c", Some("b"), None),
        ]);
        shop.append(vec![event("self", Some("self"), None)]);
        let all = [(1, 0), (2, 1), (3, 2)];
        check(&shop, json!({"event_ids": ["a"], "related": "effects"}), &all);
        check(&shop, json!({"event_ids": ["a"], "related": "causes"}), &[(1, 0), (2, 2), (3, 1)]);
        check(
            &shop,
            json!({"event_ids": ["self", "a", "b"], "related": "effects"}),
            &[(1, 0), (2, 0), (3, 1), (4, 0)],
        );
    }

    #[test]
    fn the_past_and_forks_have_relations_of_their_own() {
        let shop = family();
        let fork = shop.fork();
        let on_fork = json!({"branch": fork, "events": [{"entity_id": "order-9", "event_type": "tried", "event_id": "t",
            "payload": {}, "metadata": {"causation_id": "a-b-d"}}]});
        shop.ask("append_events", &on_fork);
        let effects = json!({"event_ids": ["a-b"], "related": "effects"});
        check(&shop, effects.clone(), &[(2, 0), (4, 1)]);
        let mut asked = effects.clone();
        asked["branch"] = fork.into();
        check(&shop, asked, &[(2, 0), (4, 1), (8, 2)]);
        let mut past = effects.clone();
        past["as_of_position"] = 3.into();
        check(&shop, past, &[(2, 0)]);
        let later = NOW.to_string();
        shop.clock.advance(Duration::from_hours(2));
        shop.append(vec![event("late", Some("a-b-d"), None)]);
        let mut before = effects.clone();
        before["as_of"] = later.into();
        check(&shop, before, &[(2, 0), (4, 1)]);
        check(&shop, effects, &[(2, 0), (4, 1), (8, 2)]);
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        let shop = family();
        let unknown = json!({"event_ids": ["a", "nobody"], "related": "causes"});
        let body = shop.refused("query_events", &unknown, "unknown_event_id");
        assert!(
            body["error"]["message"].as_str().is_some_and(|text| text.contains("\"nobody\"")),
            "{body:?}"
        );
        assert_eq!(body["error"]["argument"], "event_ids");
        let past = json!({"event_ids": ["e"], "related": "causes", "as_of_position": 3});
        shop.refused("query_events", &past, "unknown_event_id");
        shop.refused("query_events", &json!({"related": "causes"}), "missing_argument");
        shop.refused(
            "query_events",
            &json!({"event_ids": ["a"], "related": "causes", "wait_ms": 5}),
            "bad_argument",
        );
        let many: Vec<String> = (0..101).map(|number| format!("e-{number}")).collect();
        shop.refused("query_events", &json!({"event_ids": many, "related": "causes"}), "bad_argument");
        shop.append(vec![event("x", Some("gone"), None)]);
        let answer = check(&shop, json!({"event_ids": ["x", "e"], "related": "causes"}), &[(5, 0), (8, 0)]);
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("1 of 2 start events have no metadata.causation_id"), "{warnings}");
        assert!(warnings.contains("gone"), "{warnings}");
    }

    #[test]
    fn a_long_chain_is_followed_32_hops_and_then_leads_on() {
        let shop = Shop::empty();
        let chain = (0..40).map(|number| {
            let cause = (number > 0).then(|| format!("e-{}", number - 1));
            event(&format!("e-{number}"), cause.as_deref(), None)
        });
        shop.append(chain.collect());
        let answer = shop.ask("query_events", &json!({"event_ids": ["e-0"], "related": "effects"}));
        assert_eq!(positions(&answer).len(), HOPS_MAX + 1);
        let on = shop.follow(&answer);
        assert_eq!(positions(&on), [40, 39, 38, 37, 36, 35, 34, 33], "{on}");
        assert!(on.get("warnings").is_none(), "{on}");
    }

    #[test]
    fn pages_give_each_related_event_once_and_say_where_it_ends() {
        let shop = Shop::empty();
        let crowd = (0..1_100).map(|number| event(&format!("e-{number}"), None, Some("one import")));
        shop.append(crowd.collect());
        let mut arguments = json!({"event_ids": ["e-5"], "related": "correlation", "limit": 300});
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let answer = shop.ask("query_events", &arguments);
            if pages == 0 {
                assert_eq!(answer["complete"], false);
                assert_eq!(answer["matched"], json!({"count": RELATED_MAX, "exact": false}));
            }
            pages += 1;
            seen.extend(positions(&answer));
            shop.append_as("order-1", r#"{"correlation_id":"one import"}"#);
            let Some(cursor) = answer["next_cursor"].as_str() else { break };
            arguments = json!({"cursor": cursor});
        }
        assert!(pages > 3, "{pages}");
        let expected: Vec<u64> = (1..=1_000).rev().collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn whole_events_say_their_hop_too() {
        let shop = family();
        let asked =
            json!({"event_ids": ["a"], "related": "effects", "response_format": "detailed", "order": "asc"});
        let answer = shop.ask("query_events", &asked);
        let hops: Vec<&Value> =
            answer["events"].as_array().expect("events").iter().map(|one| &one["hop"]).collect();
        assert_eq!(hops, [0, 1, 1, 2]);
    }
}
