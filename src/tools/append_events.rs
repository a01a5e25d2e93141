//! `append_events`: the one tool that stores something.

use serde_json::{Value, json};

use super::answer::{Reply, Step};
use super::argument::{Argument, BUDGET, Field, Kind, LIMIT_DEFAULT, POSITION};
use super::arguments::example;
use super::call::Call;
use super::events_from_sql::events_of;
use super::{Hints, Object, Tool};
use crate::engine::exactly;
use crate::error::{Error, ErrorKind, Result};
use crate::event::filter::Conditions;
use crate::event::{
    EntityId, EventDraft, EventId, Expected, Filter, IdempotencyKey, Position, TimeZone, Timestamp, Version,
    quote,
};
use crate::store::{Append, AppendCondition, Appended, Order, Scan, ScanLimits, Snapshot};

pub(super) const EVENT: &[Argument] = &[
    Argument::required("entity_id", Kind::Text, "Stream it belongs to, 1-256 bytes"),
    Argument::required("event_type", Kind::Text, "What happened, 1-256 bytes"),
    Argument::optional("payload", Kind::Raw, "The facts, up to 1 MiB"),
    Argument::optional("metadata", Kind::Raw, "actor, causation_id, correlation_id, fold"),
    Argument::optional("event_id", Kind::Text, "Your own unique id; makes retries safe"),
    Argument::optional("timestamp", Kind::Text, "When it happened, RFC 3339; now"),
];

const ARGUMENTS: &[Argument] = &[
    Argument::required("branch", Kind::Text, "Branch to write: main, or a fork's id"),
    Argument::optional("events", Kind::Items(EVENT), "Events in order; all are stored or none"),
    Argument::optional("from_sql", Kind::Text, "On a fork: a SELECT whose rows are the events"),
    Argument::optional("expected_versions", Kind::Integers, "Entity: 0 new, n exactly n, -1 exists"),
    Argument::optional("fail_if_exists", Kind::Text, "Condition no stored event may meet"),
    Argument::optional("fail_if_exists_after", POSITION, "Only events after this position count"),
    Argument::optional("idempotency_key", Kind::Text, "Same key again returns the first result"),
    Argument::optional("dry_run", Kind::Flag, "Check everything, store nothing"),
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "append_events",
    title: "Append events",
    toolset: "write",
    description: "Append facts to the log: all events of the call are stored or none, durably before the answer. \
                  Read the entity first and pass expected_versions, so that a decision made on old state is a \
                  conflict instead of a wrong event; pass idempotency_key, so that a retry stores nothing twice. \
                  Events are never changed or deleted: correct one by appending another. dry_run says what would \
                  happen. On a fork from_sql makes them: SELECT entity_id, event_type, payload … At most \
                  100,000 events, 64 MiB.",
    hints: Hints { read_only: false, destructive: false, idempotent: false, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("dry_run", "boolean"),
        Field::new("duplicate", "boolean"),
        Field::new("already_stored", "array"),
        Field::new("appended", "integer"),
        Field::new("positions", "array"),
        Field::new("versions", "array"),
        Field::new("event_ids", "array"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"branch": "main", "events": [{"entity_id": "order-1042", "event_type": "order.placed", "payload": {"total": 12}}], "expected_versions": {"order-1042": 0}}"#,
    run,
};

/// The most bad events that one error names.
const PROBLEMS_MAX: usize = 10;
/// The most events whose ids are given back.
const IDS_MAX: usize = 20;

fn run(call: &mut Call<'_>) -> Result<Reply> {
    // Who may not write learns that first, whatever else is wrong.
    call.engine.check_writes(call.caller)?;
    call.check_is_head()?;
    let mut expected = expected(call.arguments.map("expected_versions"))?;
    let events = match call.arguments.text("from_sql") {
        None => drafts(call.arguments.items("events"), call.now)?,
        Some(_) if call.arguments.has("events") => {
            let message = "append: both events and from_sql are given; leave one out";
            return Err(Error::invalid("bad_argument", message).with("argument", "from_sql"));
        }
        Some(sql) => {
            let (events, more) = events_of(call, sql)?;
            expected.extend(more);
            events
        }
    };
    let is_made = call.arguments.has("from_sql");
    let append = Append {
        events,
        expected,
        conditions: condition(call)?.into_iter().collect(),
        idempotency_key: call.arguments.text("idempotency_key").map(IdempotencyKey::new).transpose()?,
        dry_run: call.arguments.flag("dry_run"),
    };
    let dry_run = append.dry_run;
    match call.engine.append_warned(append, call.caller) {
        Ok((appended, warnings)) => {
            let mut reply = reply(&appended, dry_run, is_made);
            if !warnings.is_empty() {
                // They quote types and values.
                reply.untrusted.push("/warnings");
                reply.warnings.extend(warnings);
            }
            Ok(reply)
        }
        Err(error) => Err(with_way_out(error, &call.engine.store().snapshot())),
    }
}

fn reply(appended: &Appended, dry_run: bool, is_made: bool) -> Reply {
    let mut reply = Reply { head_position: Some(appended.head), ..Reply::default() };
    if dry_run {
        reply.field("dry_run", true);
    }
    if appended.duplicate {
        reply.field("duplicate", true);
    }
    let known: Vec<usize> =
        (0..).zip(&appended.events).filter(|(_, one)| one.already_stored).map(|(at, _)| at).collect();
    if !known.is_empty() && !appended.duplicate {
        reply.field("already_stored", known);
    }
    let events = &appended.events;
    if is_made && events.len() > IDS_MAX {
        // Of thousands of events only the first and the last positions are worth reading.
        let ends = [events.first(), events.last()].into_iter().flatten();
        reply.field("appended", events.len());
        reply.field("positions", ends.map(|one| one.position.get()).collect::<Vec<_>>());
        return reply;
    }
    reply.field("positions", events.iter().map(|one| one.position.get()).collect::<Vec<_>>());
    reply.field("versions", events.iter().map(|one| one.version.get()).collect::<Vec<_>>());
    if events.len() <= IDS_MAX && !dry_run {
        reply.field("event_ids", events.iter().map(|one| one.event_id.to_string()).collect::<Vec<_>>());
    }
    reply
}

/// The drafts of the call; every bad event is named, up to ten of them.
fn drafts(items: &[Value], now: Timestamp) -> Result<Vec<EventDraft>> {
    if items.is_empty() {
        let message = "append: events is empty; give at least one event";
        return Err(Error::invalid("empty_batch", message).with("example", example(&TOOL)));
    }
    let mut drafts = Vec::with_capacity(items.len());
    let mut problems: Vec<Error> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item
            .as_object()
            .ok_or_else(|| Error::internal("an event is no object"))
            .and_then(|item| draft(item, now))
        {
            Ok(draft) => drafts.push(draft),
            Err(error) => problems.push(error.context(format!("events[{index}]"))),
        }
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
    }
    let messages: Vec<String> = problems.iter().map(|problem| problem.message().to_owned()).collect();
    match problems.into_iter().next() {
        None => Ok(drafts),
        Some(first) if messages.len() == 1 => Err(first.with("stored", 0)),
        Some(first) => Err(first.with("stored", 0).with("problems", messages)),
    }
}

pub(super) fn draft(item: &Object, now: Timestamp) -> Result<EventDraft> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let object = |name: &str| item.get(name).filter(|value| value.is_object()).map(Value::to_string);
    let payload = object("payload").unwrap_or_else(|| "{}".to_owned());
    let mut draft =
        EventDraft::new(text("entity_id").unwrap_or(""), text("event_type").unwrap_or(""), payload)?;
    check_fold(item.get("metadata"))?;
    if let Some(metadata) = object("metadata") {
        draft = draft.with_metadata(metadata)?;
    }
    if let Some(id) = text("event_id") {
        draft = draft.with_event_id(EventId::new(id)?);
    }
    if let Some(time) = text("timestamp") {
        draft = draft.at(when(time, now).map_err(|error| error.context("timestamp"))?);
    }
    Ok(draft)
}

/// Refuses a `metadata.fold` that no state would heed: a misspelt `replace` would merge without a word.
fn check_fold(metadata: Option<&Value>) -> Result<()> {
    match metadata.and_then(|metadata| metadata.get("fold")) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(fold)) if fold == "replace" || fold == "delete" => Ok(()),
        Some(other) => {
            let given = other.as_str().map_or_else(|| quote(&other.to_string()), quote);
            let message =
                format!("metadata.fold is {given}; fold is replace or delete; leave it out to merge");
            Err(Error::invalid("bad_fold", message).with("argument", "metadata"))
        }
    }
}

/// A time that means the same whenever the call is sent: a repeated call must be the same call.
fn when(time: &str, now: Timestamp) -> Result<Timestamp> {
    let is_relative = time.trim_start().get(..3).is_some_and(|word| word.eq_ignore_ascii_case("now"));
    if is_relative {
        let message = format!(
            "{} means another moment each time it is sent; write RFC 3339, or leave timestamp out for now",
            quote(time)
        );
        return Err(Error::invalid("relative_timestamp", message));
    }
    Timestamp::parse(time, now, TimeZone::UTC)
}

fn expected(map: Option<&Object>) -> Result<Vec<(EntityId, Expected)>> {
    let mut all = Vec::new();
    for (name, number) in map.into_iter().flatten() {
        let entity = EntityId::new(name.as_str()).map_err(|error| error.context("expected_versions"))?;
        let expected = expectation(number.as_i64().unwrap_or(i64::MIN))?;
        all.push((entity, expected));
    }
    Ok(all)
}

/// What a number says that a version must be.
///
/// # Errors
/// `Invalid` (`bad_argument`).
pub(super) fn expectation(number: i64) -> Result<Expected> {
    match u64::try_from(number) {
        Ok(0) => Ok(Expected::New),
        Ok(version) => Ok(Expected::Exactly(Version::new(version))),
        Err(_) if number == -1 => Ok(Expected::Exists),
        Err(_) => {
            let message =
                format!("expected_versions: {number} is no expectation; 0 new, n exactly n, -1 exists");
            Err(Error::invalid("bad_argument", message).with("argument", "expected_versions"))
        }
    }
}

fn condition(call: &Call<'_>) -> Result<Option<AppendCondition>> {
    let after = call.arguments.ordinal("fail_if_exists_after");
    let Some(text) = call.arguments.text("fail_if_exists") else {
        if after.is_none() {
            return Ok(None);
        }
        let message = "fail_if_exists_after has nothing to apply to; give fail_if_exists too";
        return Err(Error::invalid("missing_argument", message).with("argument", "fail_if_exists"));
    };
    let conditions = Conditions::parse(&[text], call.now, TimeZone::UTC)
        .map_err(|error| of_argument(&error, "where[0]", "fail_if_exists"))?;
    let filter = Filter { conditions, ..Filter::default() };
    Ok(Some(AppendCondition { filter, after: after.map_or(Position::ZERO, Position::new) }))
}

/// The error with its subject named as the caller named it.
fn of_argument(error: &Error, subject: &str, argument: &str) -> Error {
    let message = error.message().replacen(subject, argument, 1);
    let renamed = Error::new(error.kind(), error.code().to_owned(), message);
    let details = error.details().iter().filter(|(name, _)| *name != "item");
    details.fold(renamed, |error, (name, value)| error.with(name, value.clone())).with("argument", argument)
}

/// A conflict with the call that shows what happened since the caller looked.
fn with_way_out(error: Error, snapshot: &Snapshot) -> Error {
    if error.code() == "event_id_repeated" {
        return error.with("example", example(&TOOL));
    }
    if error.code() == "schema_violation" {
        let subject = error.details().get("subject").cloned().unwrap_or_default();
        let step = Step::new("list_schemas", json!({"subject": subject}), "the schema that it must fit");
        return error.with("next_steps", vec![step.to_value()]);
    }
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    let number = |name: &str| error.details().get(name).and_then(Value::as_u64);
    let entity = error.details().get("entity_id").and_then(Value::as_str).map(str::to_owned);
    let step = if let (Some(entity), Some(0)) = (&entity, number("current_version")) {
        Step::new("quick_stats", json!({"find": entity}), "the nearest names: this entity has no event")
    } else if let Some(entity) = entity {
        let seen = number("expected_version").unwrap_or(0);
        let after = position_of(snapshot, &entity, seen);
        let mut arguments = json!({"entity_id": exactly(&entity), "order": "asc"});
        if let (Some(after), Some(members)) = (after, arguments.as_object_mut()) {
            members.insert("after_position".to_owned(), after.get().into());
        }
        Step::new("query_events", arguments, "what happened since")
    } else if let Some(position) = number("position") {
        let arguments = json!({"after_position": position.saturating_sub(1), "order": "asc", "limit": 1});
        Step::new("query_events", arguments, "the event in the way")
    } else {
        return error;
    };
    error.with("next_steps", vec![step.to_value()])
}

/// The position of an entity's version; `None` when it has none or it lies more than 1,000 events back.
fn position_of(snapshot: &Snapshot, entity: &str, version: u64) -> Option<Position> {
    let entity_id = EntityId::new(entity).ok()?;
    let head = snapshot.entity_head(&entity_id).ok()??;
    let back = head.version.get().checked_sub(version).filter(|back| version > 0 && *back < 1_000)?;
    let filter =
        Filter { entity_id: Some(crate::event::NamePattern::Exact(entity.to_owned())), ..Filter::default() };
    let scan = Scan { filter, order: Order::Descending, ..Scan::default() };
    let events_max = usize::try_from(back).ok()?.checked_add(1)?;
    let page = snapshot.scan(&scan, &ScanLimits { events_max, ..ScanLimits::default() }).ok()?;
    page.events.last().filter(|event| event.version.get() == version).map(|event| event.position)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::engine::Writes;
    use crate::tools::fixture::{Shop, positions};

    fn event(entity: &str) -> Value {
        json!({"entity_id": entity, "event_type": "order.noted", "payload": {"note": "x"}})
    }

    #[track_caller]
    fn check(shop: &Shop, arguments: &Value, positions: &[u64], versions: &[u64]) {
        let answer = shop.ask("append_events", arguments);
        assert_eq!(answer["positions"], json!(positions), "{answer}");
        assert_eq!(answer["versions"], json!(versions), "{answer}");
    }

    #[test]
    fn events_get_positions_and_versions() {
        let shop = Shop::with_orders();
        check(
            &shop,
            &json!({"branch": "main", "events": [event("order-4"), event("new"), event("new")]}),
            &[271, 272, 273],
            &[4, 1, 2],
        );
        check(
            &shop,
            &json!({"branch": "main", "events": [event("new")], "expected_versions": {"new": 2, "order-5": 3, "other": 0}}),
            &[274],
            &[3],
        );
        check(
            &shop,
            &json!({"branch": "main", "events": [event("new")], "expected_versions": {"new": -1}}),
            &[275],
            &[4],
        );
    }

    #[test]
    fn a_conflict_carries_the_version_and_the_call_that_shows_what_happened() {
        let shop = Shop::with_orders();
        let stale =
            json!({"branch": "main", "events": [event("order-4")], "expected_versions": {"order-4": 1}});
        let body = shop.refused("append_events", &stale, "version_conflict");
        assert_eq!(body["error"]["entity_id"], "order-4");
        assert_eq!(body["error"]["expected_version"], 1);
        assert_eq!(body["error"]["current_version"], 3);
        assert_eq!(positions(&shop.follow(&Value::Object(body))), [14, 15]);
        let taken =
            json!({"branch": "main", "events": [event("order-4")], "expected_versions": {"order-4": 0}});
        let body = shop.refused("append_events", &taken, "version_conflict");
        assert_eq!(positions(&shop.follow(&Value::Object(body))), [13, 14, 15]);
    }

    #[test]
    fn an_event_in_the_way_is_named() {
        let shop = Shop::with_orders();
        let guarded = |after: u64| json!({"branch": "main", "events": [event("new")], "fail_if_exists": "payload.total = 30", "fail_if_exists_after": after});
        let body = shop.refused("append_events", &guarded(0), "condition_conflict");
        assert_eq!(positions(&shop.follow(&Value::Object(body))), [10]);
        check(&shop, &guarded(10), &[271], &[1]);
    }

    #[test]
    fn a_mistake_in_the_condition_names_its_argument() {
        let shop = Shop::with_orders();
        let call = json!({"branch": "main", "events": [event("new")], "fail_if_exists": "payload.total =="});
        let body = shop.refused("append_events", &call, "where_syntax");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(message.contains("fail_if_exists") && !message.contains("where["), "{message}");
        assert_eq!(body["error"]["argument"], "fail_if_exists");
    }

    #[test]
    fn who_expects_an_entity_that_is_not_there_is_shown_the_nearest() {
        let shop = Shop::with_orders();
        let call =
            json!({"branch": "main", "events": [event("ordr-4")], "expected_versions": {"ordr-4": -1}});
        let body = shop.refused("append_events", &call, "version_conflict");
        assert_eq!(body["next_steps"][0]["tool"], "quick_stats");
        assert_eq!(shop.follow(&Value::Object(body))["found"]["entities"][0], "order-4");
    }

    #[test]
    fn a_retry_with_its_key_stores_nothing_twice() {
        let shop = Shop::with_orders();
        let call = json!({"branch": "main", "events": [event("new")], "idempotency_key": "k"});
        check(&shop, &call, &[271], &[1]);
        let again = shop.ask("append_events", &call);
        assert_eq!((&again["duplicate"], &again["positions"]), (&json!(true), &json!([271])));
        let other = json!({"branch": "main", "events": [event("other")], "idempotency_key": "k"});
        assert!(shop.answer("append_events", &other).is_error);
    }

    #[test]
    fn a_dry_run_stores_nothing() {
        let shop = Shop::with_orders();
        let answer =
            shop.ask("append_events", &json!({"branch": "main", "events": [event("new")], "dry_run": true}));
        assert_eq!(answer["dry_run"], true);
        assert_eq!(shop.ask("query_events", &json!({"limit": 1}))["head_position"], 270);
    }

    #[test]
    fn every_bad_event_is_named_and_nothing_is_stored() {
        let shop = Shop::with_orders();
        let bad = json!({"branch": "main", "events": [
            event("good"),
            {"entity_id": "a\u{0}b", "event_type": "t", "payload": {}},
            event("good"),
            {"entity_id": "a", "event_type": "", "payload": {}},
            {"entity_id": "a", "event_type": "t", "timestamp": "not a time"},
        ]});
        let body = shop.refused("append_events", &bad, "control_character");
        let problems = body["error"]["problems"].as_array().expect("problems");
        assert_eq!(problems.len(), 3);
        assert!(problems[0].as_str().is_some_and(|text| text.starts_with("events[1]")));
        for (events, code) in [
            (json!([]), "empty_batch"),
            (json!([{"entity_id": "a", "event_type": "t", "payload": "text"}]), "bad_argument"),
            (
                json!([{"entity_id": "a", "event_type": "t", "payload": {"x": "y".repeat(2 << 20)}}]),
                "too_large",
            ),
            (json!([{"entity_id": "a", "event_type": "t", "metadata": {"$client": 1}}]), "reserved_metadata"),
            (json!([{"entity_id": "a", "event_type": "t", "timestamp": "now-1h"}]), "relative_timestamp"),
            (json!([{"entity_id": "a", "kind": "t"}]), "unknown_argument"),
            (json!([{"entity_id": "a", "event_type": "t", "metadata": {"fold": "Replace"}}]), "bad_fold"),
            (json!([{"entity_id": "a", "event_type": "t", "metadata": {"fold": 5}}]), "bad_fold"),
            (
                json!([{"entity_id": "a", "event_type": "t", "event_id": "x"}, {"entity_id": "b", "event_type": "t", "event_id": "x"}]),
                "event_id_repeated",
            ),
        ] {
            shop.refused("append_events", &json!({"branch": "main", "events": events}), code);
        }
        assert_eq!(shop.ask("query_events", &json!({"limit": 1}))["head_position"], 270);
    }

    #[test]
    fn who_may_not_write_is_told_which_flag_allows_it() {
        let mut shop = Shop::with_orders();
        for writes in [Writes::None, Writes::Forks] {
            shop.caller.writes = writes;
            shop.refused("append_events", &json!({"branch": "main", "events": []}), "writes_denied");
            let body = shop.refused(
                "append_events",
                &json!({"branch": "main", "events": [event("a")]}),
                "writes_denied",
            );
            assert!(body["error"]["message"].as_str().is_some_and(|text| text.contains("--writes all")));
        }
    }

    #[test]
    fn the_server_says_who_the_client_was() {
        let mut shop = Shop::empty();
        shop.caller.client = Some("claude-code".to_owned());
        shop.caller.client_version = Some("2.1".to_owned());
        shop.ask("append_events", &json!({"branch": "main", "events": [event("a")]}));
        let answer = shop.ask("query_events", &json!({"response_format": "detailed"}));
        assert_eq!(
            answer["events"][0]["metadata"],
            json!({"$client": {"name": "claude-code", "version": "2.1"}})
        );
    }
}
