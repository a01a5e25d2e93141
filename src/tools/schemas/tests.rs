//! Schemas as an agent meets them.

use serde_json::{Value, json};

use crate::engine::Writes;
use crate::event::EventDraft;
use crate::tools::budget::tokens_of;
use crate::tools::fixture::{Shop, rows};

fn order(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// What the orders of the shop have.
fn placed() -> Value {
    let customer = json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]});
    order(
        &json!({"total": {"type": "number"}, "currency": {"type": "string"}, "customer": customer}),
        &["total"],
    )
}

fn register(shop: &Shop, subject: &str, schema: &Value, more: &Value) -> Value {
    shop.ask("register_schema", &asked(subject, schema, more))
}

fn asked(subject: &str, schema: &Value, more: &Value) -> Value {
    let mut arguments = json!({"branch": "main", "subject": subject, "schema": schema});
    let members = more.as_object().expect("an object").clone();
    arguments.as_object_mut().expect("an object").extend(members);
    arguments
}

fn append(branch: &str, event_type: &str, payload: &Value) -> Value {
    json!({"branch": branch, "events": [{"entity_id": "order-x", "event_type": event_type, "payload": payload}]})
}

#[test]
fn a_schema_is_registered_once_and_told_of_stored_misfits() {
    let shop = Shop::with_orders();
    let schema = order(&json!({"total": {"type": "integer", "maximum": 500}}), &["total", "vat"]);
    let dry = register(&shop, "order.placed", &schema, &json!({"dry_run": true}));
    assert_eq!((&dry["version"], &dry["fails"]["failed"]), (&json!(1), &json!(90)));
    assert_eq!(dry["fails"]["examples"].as_array().map(Vec::len), Some(3));
    let head = shop.engine.store().snapshot().head();
    let made = register(&shop, "order.placed", &placed(), &json!({"enforcement": "reject"}));
    assert_eq!((&made["version"], &made["fails"]), (&json!(1), &json!({"checked": 90, "failed": 0})));
    assert_eq!(made["head_position"], head.get() + 1, "a dry run stores nothing");
    let again = register(&shop, "order.placed", &placed(), &json!({"enforcement": "reject"}));
    assert_eq!((&again["unchanged"], &again["version"]), (&json!(true), &json!(1)));
    assert_eq!(shop.engine.store().snapshot().head().get(), head.get() + 1);
    assert!(tokens_of(&again) < 60, "{} tokens", tokens_of(&again));
}

#[test]
fn an_incompatible_version_is_refused_with_every_reason() {
    let shop = Shop::with_orders();
    register(&shop, "order.placed", &placed(), &json!({}));
    let mut narrow = placed();
    narrow["properties"]["total"]["type"] = json!("integer");
    narrow["required"] = json!(["total", "currency"]);
    let body =
        shop.refused("register_schema", &asked("order.placed", &narrow, &json!({})), "incompatible_schema");
    let kinds: Vec<&Value> =
        body["error"]["breaking"].as_array().expect("reasons").iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["TYPE_NARROWED", "REQUIRED_ATTRIBUTE_ADDED"]);
    shop.follow(&Value::Object(body));
    let dry = register(&shop, "order.placed", &narrow, &json!({"dry_run": true}));
    assert_eq!(
        (&dry["compatible"], &dry["breaking"][0]["path"]),
        (&json!(false), &json!("#/properties/total/type"))
    );
    let forced = register(&shop, "order.placed", &narrow, &json!({"mode": "none"}));
    assert_eq!((&forced["version"], &forced["mode"]), (&json!(2), &json!("none")));
}

#[test]
fn misfits_are_refused_warned_of_or_let_through() {
    let shop = Shop::with_orders();
    let bad = json!({"total": "12"});
    for (enforcement, code) in [("warn", None), ("reject", Some("schema_violation")), ("off", None)] {
        register(&shop, "order.*", &placed(), &json!({"enforcement": enforcement}));
        for dry_run in [true, false] {
            let mut call = append("main", "order.placed", &bad);
            call["dry_run"] = dry_run.into();
            let answer = shop.answer("append_events", &call);
            assert_eq!(answer.is_error, code.is_some(), "{enforcement}");
            let said = match enforcement {
                "reject" => answer.body["error"]["message"].clone(),
                _ => answer.body.get("warnings").map(|warnings| warnings[0].clone()).unwrap_or_default(),
            };
            let is_named = said.as_str().is_some_and(|text| text.contains("\"/total\" is \"12\""));
            assert_eq!(is_named, enforcement != "off", "{said}");
        }
    }
    shop.ask("append_events", &append("main", "payment.made", &bad));
}

#[test]
fn a_refusal_names_index_subject_version_and_path() {
    let shop = Shop::with_orders();
    register(&shop, "order.*", &placed(), &json!({"enforcement": "reject"}));
    let mut call = append("main", "order.placed", &json!({"total": 1}));
    let events = call["events"].as_array_mut().expect("events");
    events.push(json!({"entity_id": "order-y", "event_type": "order.placed", "payload": {}}));
    events
        .push(json!({"entity_id": "order-y", "event_type": "order.placed", "payload": {"total": 1, "x": 2}}));
    let head = shop.engine.store().snapshot().head();
    let body = shop.refused("append_events", &call, "schema_violation");
    let error = &body["error"];
    let told = json!([error["index"], error["subject"], error["version"], error["path"], error["failed"]]);
    assert_eq!(told, json!([1, "order.*", 1, "", 2]));
    assert_eq!(error["problems"].as_array().map(Vec::len), Some(2));
    assert_eq!(shop.engine.store().snapshot().head(), head);
    assert_eq!(shop.follow(&Value::Object(body))["subject"], "order.*");
}

/// What was stored stays stored: a retry must not meet a schema that came later.
#[test]
fn a_retry_is_answered_before_the_schema_is_asked() {
    let shop = Shop::with_orders();
    let mut by_key = append("main", "order.placed", &json!({"old": true}));
    by_key["idempotency_key"] = json!("k-1");
    let mut by_id = append("main", "order.placed", &json!({"old": 2}));
    by_id["events"][0]["event_id"] = json!("e-1");
    let first = [shop.ask("append_events", &by_key), shop.ask("append_events", &by_id)];
    register(&shop, "order.placed", &placed(), &json!({"enforcement": "reject"}));
    let again = [shop.ask("append_events", &by_key), shop.ask("append_events", &by_id)];
    assert_eq!(again[0]["positions"], first[0]["positions"]);
    assert_eq!((&again[0]["duplicate"], &again[1]["already_stored"]), (&json!(true), &json!([0])));
    by_id["events"][0]["event_id"] = json!("e-2");
    shop.refused("append_events", &by_id, "schema_violation");
}

#[test]
fn the_names_of_the_registry_are_its_own() {
    let shop = Shop::with_orders();
    for (entity, event_type) in [
        ("allsource.schema/order.placed", "x"),
        ("x", "allsource.schema.registered"),
        ("x", "allsource.schema.configured"),
    ] {
        let event = json!({"entity_id": entity, "event_type": event_type, "payload": {}});
        shop.refused("append_events", &json!({"branch": "main", "events": [event]}), "reserved_name");
    }
    shop.refused("register_schema", &asked("allsource.*", &placed(), &json!({})), "bad_subject");
}

#[test]
fn a_schema_is_what_it_was_then_and_after_a_restart() {
    let mut shop = Shop::with_orders();
    register(&shop, "order.placed", &placed(), &json!({}));
    let first = shop.engine.store().snapshot().head().get();
    let mut wider = placed();
    wider["properties"]["note"] = json!({"type": "string"});
    register(&shop, "order.placed", &wider, &json!({"enforcement": "reject"}));
    for _ in 0..2 {
        let version = |arguments: &Value| shop.ask("list_schemas", arguments)["version"].clone();
        assert_eq!(version(&json!({"subject": "order.placed"})), 2);
        assert_eq!(version(&json!({"subject": "order.placed", "as_of_position": first})), 1);
        assert_eq!(shop.ask("list_schemas", &json!({"as_of_position": first - 1})).get("table"), None);
        let one = shop.ask("list_schemas", &json!({"subject": "order.placed", "version": 1}));
        assert_eq!((&one["schema"], &one["versions"][0]["position"]), (&placed(), &json!(first)));
        let all = shop.ask("list_schemas", &json!({}));
        assert_eq!(json!(rows(&all)), json!([["order.placed", 2, "backward", "reject", 90]]));
        shop.refused("list_schemas", &json!({"subject": "order.placed", "version": 3}), "unknown_version");
        shop.refused("list_schemas", &json!({"subject": "order.plced"}), "unknown_subject");
        shop = shop.reopened();
    }
}

#[test]
fn forks_have_their_own_schemas_and_promote_them() {
    let shop = Shop::with_orders();
    register(&shop, "order.placed", &placed(), &json!({"enforcement": "reject"}));
    let fork = shop.fork();
    let mut wider = placed();
    wider["properties"]["note"] = json!({"type": "string"});
    let mut call = asked("order.placed", &wider, &json!({}));
    call["branch"] = json!(fork);
    shop.ask("register_schema", &call);
    let event = json!({"total": 1, "note": "x"});
    shop.ask("append_events", &append(&fork, "order.placed", &event));
    shop.refused("append_events", &append("main", "order.placed", &event), "schema_violation");
    let version = |branch: &str| {
        shop.ask("list_schemas", &json!({"subject": "order.placed", "branch": branch}))["version"].clone()
    };
    assert_eq!((version(&fork), version("main")), (json!(2), json!(1)));
    let dry = shop.ask("promote_fork", &json!({"fork_id": fork, "dry_run": true}));
    shop.ask("promote_fork", &json!({"fork_id": fork, "confirmation_token": dry["confirmation_token"]}));
    assert_eq!(version("main"), 2);
    shop.ask("append_events", &append("main", "order.placed", &event));
}

#[test]
fn a_fork_that_is_reset_forgets_what_was_registered_on_it() {
    let shop = Shop::with_orders();
    let fork = shop.fork();
    let mut call = asked("order.placed", &placed(), &json!({"enforcement": "reject"}));
    call["branch"] = json!(fork);
    shop.ask("register_schema", &call);
    shop.refused("append_events", &append(&fork, "order.placed", &json!({})), "schema_violation");
    shop.reset(&fork);
    shop.ask("append_events", &append(&fork, "order.placed", &json!({})));
}

#[test]
fn a_proposal_takes_what_is_stored_and_can_be_registered() {
    let shop = Shop::with_orders();
    let proposal = shop.ask("list_schemas", &json!({"subject": "order.placed", "infer": true}));
    assert_eq!(proposal["looked_at"], 90);
    let schema = &proposal["schema"];
    assert_eq!(schema["required"], json!(["total", "currency", "customer"]));
    assert_eq!(schema["properties"]["currency"]["enum"], json!(["EUR"]));
    shop.follow(&proposal);
    let all = shop.ask("validate_events", &json!({"event_type": "order.placed"}));
    assert_eq!((&all["checked"], &all["failed"]), (&json!(90), &json!(0)));
    let known = shop.ask("list_schemas", &json!({"subject": "order.placed"}));
    assert_eq!(known["schema"], *schema);
    shop.refused("list_schemas", &json!({"subject": "nothing", "infer": true}), "nothing_to_infer");
    shop.refused("list_schemas", &json!({"infer": true}), "missing_argument");
}

#[test]
fn stored_events_and_drafts_are_validated() {
    let shop = Shop::with_orders();
    let schema = json!({"required": ["total"], "properties": {"total": {"maximum": 880}}});
    let own = shop.ask("validate_events", &json!({"event_type": "order.*", "schema": schema, "limit": 3}));
    assert_eq!((&own["checked"], &own["failed"]), (&json!(270), &json!(181)));
    assert_eq!(
        json!(rows(&own)[0]),
        json!([270, "order-89", "order.shipped", "", "required", "lacks \"total\""])
    );
    assert_eq!(rows(&own).len(), 3);
    register(&shop, "order.placed", &placed(), &json!({}));
    let registered = shop.ask("validate_events", &json!({}));
    assert_eq!((&registered["checked"], &registered["passed_over"]), (&json!(90), &json!(181)));
    let drafts = json!({"events": [
        {"entity_id": "a", "event_type": "order.placed", "payload": {"total": 1}},
        {"entity_id": "a", "event_type": "order.placed", "payload": {"total": null}},
        {"entity_id": "a", "event_type": "other", "payload": {}},
    ]});
    let checked = shop.ask("validate_events", &drafts);
    let counts = json!([checked["checked"], checked["failed"], checked["passed_over"]]);
    assert_eq!((counts, &rows(&checked)[0][0]), (json!([2, 1, 1]), &json!(1)));
    shop.refused("validate_events", &json!({"subject": "nothing"}), "unknown_subject");
    shop.refused("validate_events", &json!({"schema": {"type": "x"}}), "bad_schema");
    shop.refused("validate_events", &json!({"schema": {"$ref": "https://example.com/a"}}), "remote_ref");
}

#[test]
fn the_nearest_subject_alone_counts() {
    let shop = Shop::with_orders();
    register(&shop, "order.placed", &placed(), &json!({}));
    let any = register(&shop, "order.*", &json!({"type": "object"}), &json!({}));
    assert_eq!(any["fails"], json!({"checked": 180, "failed": 0}));
    let shown = shop.ask("list_schemas", &json!({"subject": "order.paid"}));
    assert_eq!((&shown["subject"], &shown["events"]), (&json!("order.*"), &json!(180)));
}

#[test]
fn older_payloads_are_read_as_the_newest_when_asked() {
    let shop = Shop::empty();
    let version = |names: &[&str], more: &Value| {
        let properties: Value = names
            .iter()
            .map(|name| ((*name).to_owned(), json!({})))
            .collect::<serde_json::Map<_, _>>()
            .into();
        register(&shop, "order.placed", &order(&properties, &[]), more);
    };
    let place = |text: &str| {
        shop.append(vec![EventDraft::new("order-1", "order.placed", text).expect("a draft")]);
    };
    version(&["sum"], &json!({}));
    place(r#"{"sum":12345678901234567890123}"#);
    version(&["total"], &json!({"mode": "none", "upcast": [{"rename": ["payload.sum", "total"]}]}));
    place(r#"{"total":2}"#);
    let third = json!({"upcast": [{"move": ["payload.total", "payload.money.total"]}, {"default": ["payload.money.currency", "EUR"]}]});
    version(&["money"], &third);
    let query = |upcast: bool| {
        let arguments = json!({"event_type": "order.placed", "order": "asc", "response_format": "detailed", "upcast": upcast});
        let events = shop.ask("query_events", &arguments)["events"].clone();
        [0, 1].map(|at| events[at]["payload"].to_string())
    };
    assert_eq!(query(false), [r#"{"sum":12345678901234567890123}"#, r#"{"total":2}"#]);
    assert_eq!(
        query(true),
        [
            r#"{"money":{"total":12345678901234567890123,"currency":"EUR"}}"#,
            r#"{"money":{"total":2,"currency":"EUR"}}"#
        ]
    );
    let state = |upcast: bool| {
        shop.ask("get_entity_state", &json!({"entity_id": "order-1", "upcast": upcast}))["state"].to_string()
    };
    assert_eq!(state(false), r#"{"sum":12345678901234567890123,"total":2}"#);
    assert_eq!(state(true), r#"{"money":{"total":2,"currency":"EUR"}}"#);
}

#[test]
fn settings_change_alone_and_only_where_there_is_a_schema() {
    let shop = Shop::with_orders();
    let only = |more: Value| {
        let mut arguments = json!({"branch": "main", "subject": "order.placed"});
        arguments.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        arguments
    };
    shop.refused("register_schema", &only(json!({"mode": "full"})), "unknown_subject");
    register(&shop, "order.placed", &placed(), &json!({}));
    let changed = shop.ask("register_schema", &only(json!({"mode": "full", "enforcement": "off"})));
    assert_eq!(
        json!([changed["version"], changed["mode"], changed["enforcement"]]),
        json!([1, "full", "off"])
    );
    shop.refused("register_schema", &only(json!({"upcast": [{"drop": "payload.a"}]})), "bad_upcast");
    shop.refused("register_schema", &only(json!({"upcast": [{"delete": "payload.a"}]})), "bad_upcast");
    let both = only(json!({"infer": true, "schema": placed()}));
    shop.refused("register_schema", &both, "bad_argument");
}

#[test]
fn registering_is_a_write() {
    let mut shop = Shop::with_orders();
    let fork = shop.fork();
    shop.caller.writes = Writes::Forks;
    let mut call = asked("order.placed", &placed(), &json!({"dry_run": true}));
    shop.refused("register_schema", &call, "writes_denied");
    call["branch"] = json!(fork);
    shop.ask("register_schema", &call);
    shop.caller.writes = Writes::None;
    shop.refused("register_schema", &call, "writes_denied");
}
