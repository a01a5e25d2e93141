//! `get_entity_state`: what one entity is, or was, after all its events.

use serde_json::{Value, json};

use super::answer::{Reply, Step};
use super::argument::{Argument, BRANCH, BUDGET, Field, Kind, LIMIT_DEFAULT, POSITION, UPCAST};
use super::call::Call;
use super::reading::nearest_entities;
use super::{Hints, Object, Tool};
use crate::engine::{Change, Folded, Moment, Origin, Stretch, View, Wish, diff, exactly};
use crate::error::{Error, ErrorKind, Result};
use crate::event::filter::Path;
use crate::event::{EntityId, NamePattern, Position, TimeZone, Timestamp, Version, quote, visible};
use crate::store::Order;

const VERSION: Kind = Kind::Integer { min: 1, max: i64::MAX };

const ARGUMENTS: &[Argument] = &[
    Argument::required("entity_id", Kind::Text, "The entity, exactly as it is written"),
    Argument::optional("version", VERSION, "State after this version; the last"),
    Argument::optional("as_of", Kind::Text, "What had happened by this time"),
    Argument::optional("known_at", Kind::Text, "What was recorded by this time"),
    Argument::optional("as_of_position", POSITION, "Up to this position"),
    Argument::optional("compare_version", VERSION, "Show changes since this version"),
    Argument::optional("compare_as_of", Kind::Text, "Show changes since this time"),
    Argument::optional("provenance", Kind::Flag, "Say which event set each field"),
    UPCAST,
    BRANCH,
    Argument::optional("time_zone", Kind::Text, "IANA zone of dates and answers; UTC"),
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "get_entity_state",
    title: "Get entity state",
    toolset: "explore",
    description: "The state of one entity: its payloads folded in version order by JSON merge patch (RFC 7396), unless \
                  an event's metadata.fold says replace or delete. Ask for any moment: version, as_of (what had \
                  happened), known_at or as_of_position (what the store knew). compare_version or compare_as_of add \
                  what changed since; provenance says which event set each field. Pass the version on as \
                  expected_versions when you append. For the events themselves use query_events.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("version", "integer"),
        Field::new("current_version", "integer"),
        Field::new("last_event", "object"),
        Field::new("deleted", "boolean"),
        Field::new("compared_with", "object"),
        Field::new("events_between", "integer"),
        Field::new("changes", "array"),
        Field::new("provenance", "object"),
        Field::new("state", ""),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"entity_id": "order-7", "as_of": "now", "provenance": true}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let name = call.arguments.text("entity_id").unwrap_or("").to_owned();
    let entity = EntityId::new(name.as_str()).map_err(|error| error.with("argument", "entity_id"))?;
    let now_view = view(call, None)?;
    let Some(head) = call.snapshot()?.entity_head(&entity)? else {
        return Err(unknown_entity(call, &name)?);
    };
    let wanted = call.arguments.ordinal("version").map(Version::new);
    if let Some(wanted) = wanted.filter(|wanted| *wanted > head.version) {
        let message = format!(
            "read {} at version {wanted}: it is at {}; ask for that or less",
            quote(&name),
            head.version
        );
        return Err(Error::new(ErrorKind::NotFound, "unknown_version", message)
            .with("current_version", head.version.get()));
    }
    let mut reply = Reply { head_position: Some(now_view.snapshot.head()), ..Reply::default() };
    let folded = fold(call, &entity, &now_view, wanted, call.arguments.flag("provenance"), &mut reply)?;
    let version = folded.last.as_ref().map_or(Version::ZERO, |last| last.version);
    reply.field("version", version.get());
    if version != head.version {
        reply.field("current_version", head.version.get());
    }
    match &folded.last {
        Some(last) => {
            reply.untrusted.push("/last_event");
            reply.field("last_event", last_event(&now_view, last)?);
        }
        None => nothing_yet(call, &entity, &now_view, &mut reply)?,
    }
    let emptied = match &folded.last {
        Some(last) => now_view.snapshot.emptied(&entity, last.position, now_view.filter.as_of)?,
        None => 0,
    };
    if emptied > 0 {
        reply.field("emptied_events", emptied);
    }
    if folded.state.is_none() && folded.events > emptied {
        reply.field("deleted", true);
    }
    put_changes(call, &entity, &folded, now_view.zone, &mut reply)?;
    if !folded.provenance.is_empty() {
        reply.untrusted.push("/provenance");
        reply.field("provenance", provenance(&folded, now_view.zone));
    }
    if let Some(state) = folded.state {
        reply.untrusted.push("/state");
        reply.field("state", state);
    }
    if reply.incomplete {
        let arguments = json!({"entity_id": exactly(&name), "limit": 20});
        reply.next_steps.push(Step::new("query_events", arguments, "its newest events"));
        reply.untrusted.push("/next_steps");
    }
    Ok(reply)
}

/// The events of the entity at the moment that was asked for, or that is compared with.
fn view(call: &Call<'_>, compare_as_of: Option<&str>) -> Result<View> {
    let wish = Wish {
        as_of: call.arguments.text("as_of").filter(|_| compare_as_of.is_none()),
        known_at: call.arguments.text("known_at"),
        as_of_position: call.arguments.ordinal("as_of_position"),
        time_zone: call.arguments.text("time_zone"),
        ..Wish::default()
    };
    let mut view = wish.over(call.snapshot()?, call.now)?;
    if let Some(text) = compare_as_of {
        let named = |error: Error| error.context("compare_as_of").with("argument", "compare_as_of");
        view.filter.as_of = Some(Timestamp::parse(text, call.now, view.zone).map_err(named)?);
    }
    // The name itself, not a pattern: a trailing star is part of it.
    view.filter.entity_id = call.arguments.text("entity_id").map(|name| NamePattern::Exact(name.to_owned()));
    Ok(view)
}

/// What happened last, and who did it: where a process stands.
fn last_event(view: &View, last: &Origin) -> Result<Value> {
    let mut told = json!({
        "event_type": "",
        "position": last.position.get(),
        "event_id": last.event_id.to_string(),
        "timestamp": last.timestamp.in_zone(view.zone).to_string(),
    });
    let (Some(event), Some(members)) = (view.snapshot.event(last.position)?, told.as_object_mut()) else {
        return Ok(told);
    };
    members.insert("event_type".to_owned(), event.event_type.as_str().into());
    let actor = Path::parse("metadata.actor")?.extract(&event).filter(|actor| !actor.is_null());
    members.extend(actor.map(|actor| ("actor".to_owned(), actor)));
    Ok(told)
}

fn fold(
    call: &Call<'_>,
    entity: &EntityId,
    view: &View,
    version: Option<Version>,
    with_provenance: bool,
    reply: &mut Reply,
) -> Result<Folded> {
    let moment = Moment { snapshot: &view.snapshot, as_of: view.filter.as_of, version };
    let upcaster = call.arguments.flag("upcast").then(|| call.engine.upcaster(&view.snapshot)).transpose()?;
    let found = call.engine.state_brought_up(entity, moment, with_provenance, upcaster.as_ref())?;
    if found.damaged > 0 && call.engine.store().damage().is_empty() {
        reply
            .warnings
            .push(format!("{} damaged events were passed over; run allsource verify", found.damaged));
    }
    if found.scanned_to.is_some() {
        reply.incomplete = true;
        reply.scanned_to = found.scanned_to;
    }
    Ok(found.folded)
}

fn put_changes(
    call: &Call<'_>,
    entity: &EntityId,
    folded: &Folded,
    zone: TimeZone,
    reply: &mut Reply,
) -> Result<()> {
    let version = call.arguments.ordinal("compare_version").map(Version::new);
    let as_of = call.arguments.text("compare_as_of");
    if version.is_none() && as_of.is_none() {
        return Ok(());
    }
    // A version is compared in the same view; a time is another view of the same knowledge.
    let base = fold(call, entity, &view(call, as_of)?, version, false, reply)?;
    let changes = diff(base.state.as_ref(), folded.state.as_ref());
    if let Some(last) = &base.last {
        let since =
            json!({"version": last.version.get(), "timestamp": last.timestamp.in_zone(zone).to_string()});
        reply.field("compared_with", since);
    }
    if changes.is_empty() {
        reply.field("events_between", folded.events.abs_diff(base.events));
    }
    reply.untrusted.push("/changes");
    reply.field("changes", changes.into_iter().map(change).collect::<Vec<_>>());
    Ok(())
}

/// A change; what was or is not there is left out.
fn change(change: Change) -> Value {
    let mut object = Object::new();
    object.insert("path".to_owned(), change.path.into());
    for (name, value) in [("before", change.before), ("after", change.after)] {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    }
    Value::Object(object)
}

/// For each path the event that set it; a path's event is told by its version, each version's event once.
fn provenance(folded: &Folded, zone: TimeZone) -> Value {
    let mut events = Object::new();
    let mut paths = Object::new();
    for (path, origin) in &folded.provenance {
        paths.insert(path.clone(), origin.version.get().into());
        events.entry(origin.version.to_string()).or_insert_with(|| {
            json!({
                "event_id": origin.event_id.to_string(),
                "position": origin.position.get(),
                "timestamp": origin.timestamp.in_zone(zone).to_string(),
            })
        });
    }
    json!({"set_by_version": paths, "events": events})
}

fn unknown_entity(call: &Call<'_>, name: &str) -> Result<Error> {
    let near = nearest_entities(&call.snapshot()?, name, 3)?;
    let quoted: Vec<String> = near.iter().map(|near| quote(near)).collect();
    let remedy = if near.is_empty() {
        "quick_stats with find looks for one".to_owned()
    } else {
        format!("nearest: {}", quoted.join(", "))
    };
    let message = format!("read the state of {}: there is no such entity; {remedy}", quote(name));
    let step = match near.first() {
        Some(near) => Step::new("get_entity_state", json!({"entity_id": near}), "the nearest entity"),
        None => Step::new("quick_stats", json!({"find": name}), "the nearest names"),
    };
    let error = Error::new(ErrorKind::NotFound, "unknown_entity", message)
        .with("nearest", near.iter().map(|near| visible(near)).collect::<Vec<_>>())
        .with("next_steps", vec![step.to_value()]);
    let stored = ["/error/message", "/error/nearest", "/next_steps"];
    Ok(if near.is_empty() { error } else { error.with("untrusted", stored.to_vec()) })
}

/// The entity has events, but none at the moment that was asked for.
fn nothing_yet(call: &Call<'_>, entity: &EntityId, view: &View, reply: &mut Reply) -> Result<()> {
    let wish = Wish { time_zone: call.arguments.text("time_zone"), ..Wish::default() };
    let mut always = wish.over(call.snapshot()?, call.now)?;
    always.filter.entity_id = Some(NamePattern::Exact(entity.as_str().to_owned()));
    let first = Stretch { order: Order::Ascending, after: Position::ZERO, before: None, events_max: 1 };
    for event in always.find(&first)?.events {
        reply.warnings.push(format!(
            "it had no event yet: its first is at position {}, happened {}, recorded {}",
            event.position,
            event.timestamp.in_zone(view.zone),
            event.recorded_at.in_zone(view.zone)
        ));
        let arguments = json!({"entity_id": entity.as_str(), "version": 1});
        reply.next_steps.push(Step::new("get_entity_state", arguments, "its first state"));
        reply.untrusted.push("/next_steps");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::event::EventDraft;
    use crate::tools::fixture::Shop;

    #[track_caller]
    fn check(arguments: &Value, pointer: &str, expected: &Value) {
        let answer = Shop::with_orders().ask("get_entity_state", arguments);
        assert_eq!(answer.pointer(pointer), Some(expected), "{answer}");
    }

    #[test]
    fn the_events_of_an_entity_fold_into_its_state() {
        let all = json!({"total": 40, "currency": "EUR", "customer": {"id": "c-4"}, "method": "card", "amount": 40,
            "carrier": "DHL", "parcel": "p-4"});
        check(&json!({"entity_id": "order-4"}), "/state", &all);
        check(&json!({"entity_id": "order-4"}), "/version", &json!(3));
    }

    #[test]
    fn every_moment_can_be_asked_for() {
        let placed = json!({"total": 40, "currency": "EUR", "customer": {"id": "c-4"}});
        check(&json!({"entity_id": "order-4", "version": 1}), "/state", &placed);
        check(&json!({"entity_id": "order-4", "version": 1}), "/current_version", &json!(3));
        check(&json!({"entity_id": "order-4", "as_of_position": 13}), "/state", &placed);
        check(&json!({"entity_id": "order-89", "as_of": "now-2h"}), "/version", &json!(1));
        check(&json!({"entity_id": "order-4", "known_at": "now"}), "/version", &json!(3));
    }

    #[test]
    fn changes_since_another_moment_are_shown() {
        let changes = json!([{"path": "carrier", "after": "DHL"}, {"path": "parcel", "after": "p-4"}]);
        check(&json!({"entity_id": "order-4", "compare_version": 2}), "/changes", &changes);
        check(
            &json!({"entity_id": "order-89", "compare_as_of": "now-1h"}),
            "/changes/0/path",
            &json!("carrier"),
        );
        check(&json!({"entity_id": "order-4", "compare_version": 3}), "/changes", &json!([]));
    }

    #[test]
    fn a_mistake_names_its_argument() {
        let shop = Shop::with_orders();
        let asked = json!({"entity_id": "order-4", "compare_as_of": "tomorrowish"});
        let body = shop.refused("get_entity_state", &asked, "not_a_time");
        assert_eq!(body["error"]["argument"], "compare_as_of");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(message.contains("compare_as_of"), "{message}");
        let long = json!({"entity_id": "x".repeat(2_000)});
        let body = shop.refused("get_entity_state", &long, "name_too_long");
        assert_eq!(body["error"]["argument"], "entity_id");
    }

    #[test]
    fn where_a_process_stands_is_told_by_its_last_event() {
        let shop = Shop::with_orders();
        shop.append_as("order-4", r#"{"actor":"ann"}"#);
        shop.append_as("order-4", r#"{"actor":"bob"}"#);
        let state = shop.ask("get_entity_state", &json!({"entity_id": "order-4", "compare_version": 4}));
        assert_eq!(state["last_event"]["event_type"], "order.noted");
        assert_eq!(state["last_event"]["actor"], "bob");
        assert_eq!((&state["changes"], &state["events_between"]), (&json!([]), &json!(1)));
        check(&json!({"entity_id": "order-4", "version": 2}), "/last_event/event_type", &json!("order.paid"));
    }

    #[test]
    fn provenance_names_the_event_of_each_field() {
        let arguments = json!({"entity_id": "order-4", "provenance": true});
        check(&arguments, "/provenance/set_by_version/amount", &json!(2));
        check(&arguments, "/provenance/set_by_version/customer.id", &json!(1));
        check(&arguments, "/provenance/events/2/position", &json!(14));
    }

    #[test]
    fn a_deleted_entity_has_a_version_but_no_state() {
        let shop = Shop::with_orders();
        let delete = EventDraft::new("order-4", "order.erased", "{}").expect("a draft");
        shop.append(vec![delete.with_metadata(r#"{"fold":"delete"}"#).expect("metadata")]);
        let answer = shop.ask("get_entity_state", &json!({"entity_id": "order-4"}));
        assert_eq!((&answer["version"], &answer["deleted"]), (&json!(4), &json!(true)));
        assert!(answer.get("state").is_none());
    }

    #[test]
    fn who_asks_for_what_is_not_there_is_led_on() {
        let shop = Shop::with_orders();
        let body = shop.refused("get_entity_state", &json!({"entity_id": "Order 44"}), "unknown_entity");
        assert_eq!(body["error"]["nearest"][0], "order-44");
        assert_eq!(body["untrusted"], json!(["/error/message", "/error/nearest", "/next_steps"]));
        assert_eq!(shop.follow(&Value::Object(body))["version"], 3);
        let body = shop.refused(
            "get_entity_state",
            &json!({"entity_id": "order-4", "version": 9}),
            "unknown_version",
        );
        assert_eq!(body["error"]["current_version"], 3);
        let early = shop.ask("get_entity_state", &json!({"entity_id": "order-4", "as_of": "2001-01-01"}));
        assert_eq!(early["version"], 0);
        assert_eq!(shop.follow(&early)["version"], 1);
        shop.refused("get_entity_state", &json!({}), "missing_argument");
    }

    #[test]
    fn a_large_state_is_cut_to_the_budget() {
        let shop = Shop::empty();
        let payload =
            json!({"id": 7, "text": "words ".repeat(50_000), "list": (0..5_000).collect::<Vec<_>>()});
        shop.append(vec![EventDraft::new("a", "t", payload.to_string()).expect("a draft")]);
        for tokens in [500, 5_000] {
            let answer = shop.ask(
                "get_entity_state",
                &json!({"entity_id": "a", "provenance": true, "max_tokens": tokens}),
            );
            assert_eq!(answer["state"]["id"], 7);
            assert!(answer["warnings"][0].as_str().is_some_and(|text| text.contains("cut")));
            assert!(answer["state"]["text"].as_str().is_some_and(|text| text.contains("…+")));
        }
    }
}
