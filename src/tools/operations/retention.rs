//! `retention_list`, `retention_set`, `retention_clear`, `retention_run`: how long payloads are kept.

use serde_json::{Value, json};

use super::Operation;
use crate::engine::{Caller, Engine, check_main_writes};
use crate::error::{Error, Result};
use crate::store::RetentionPolicy;
use crate::tools::Object;

/// The operations.
pub(super) const LIST: Operation = Operation { name: "retention_list", run: list };
pub(super) const SET: Operation = Operation { name: "retention_set", run: set };
pub(super) const CLEAR: Operation = Operation { name: "retention_clear", run: clear };
pub(super) const RUN: Operation = Operation { name: "retention_run", run };

#[expect(clippy::unnecessary_wraps, reason = "every operation has this signature")]
fn list(engine: &Engine, _arguments: &Object, _caller: &Caller) -> Result<Object> {
    let policies = engine.store().retention().iter().map(|policy| json!(policy)).collect();
    Ok(Object::from_iter([("policies".to_owned(), Value::Array(policies))]))
}

fn set(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    check_main_writes(caller)?;
    let number = |name: &str| arguments.get(name).and_then(Value::as_u64);
    engine.store().set_retention(RetentionPolicy {
        event_type: event_type(arguments)?.to_owned(),
        max_age_seconds: number("max_age_seconds"),
        max_events: number("max_events"),
        max_bytes: number("max_bytes"),
    })?;
    list(engine, arguments, caller)
}

fn clear(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    check_main_writes(caller)?;
    let is_found = engine.store().clear_retention(event_type(arguments)?)?;
    Ok(Object::from_iter([("cleared".to_owned(), is_found.into())]))
}

fn run(engine: &Engine, arguments: &Object, caller: &Caller) -> Result<Object> {
    let dry_run = arguments.get("dry_run").and_then(Value::as_bool).unwrap_or(false);
    if !dry_run {
        check_main_writes(caller)?;
    }
    let emptied = engine.store().apply_retention(dry_run)?;
    let emptied = emptied
        .iter()
        .map(|one| json!({"policy": one.policy, "events": one.events, "bytes": one.bytes}))
        .collect();
    Ok(Object::from_iter([("emptied".to_owned(), Value::Array(emptied))]))
}

fn event_type(arguments: &Object) -> Result<&str> {
    let given = arguments.get("event_type").and_then(Value::as_str);
    given.ok_or_else(|| {
        let message = "take a retention policy: event_type is missing or not a string; give a type, or a prefix with a star";
        Error::invalid("bad_argument", message).with("argument", "event_type")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Writes;
    use crate::tools::fixture::Shop;
    use crate::tools::operations::operate;

    fn perform(shop: &Shop, name: &str, arguments: &Value) -> Result<Value> {
        let arguments = arguments.as_object().expect("an object");
        operate(&shop.engine, name, arguments, &shop.caller).map(Value::Object)
    }

    fn kept_three() -> Shop {
        let shop = Shop::with_orders();
        let set = json!({"event_type": "order.placed", "max_events": 3});
        assert_eq!(perform(&shop, "retention_set", &set).expect("set"), json!({"policies": [set]}));
        shop
    }

    #[test]
    fn a_run_says_before_and_after_what_it_empties() {
        let shop = kept_three();
        let would = perform(&shop, "retention_run", &json!({"dry_run": true})).expect("computed");
        assert_eq!(would["emptied"][0]["events"], 87);
        assert_eq!(perform(&shop, "retention_run", &json!({})).expect("done"), would);
        assert_eq!(perform(&shop, "retention_run", &json!({})).expect("done"), json!({"emptied": []}));
        let cleared = perform(&shop, "retention_clear", &json!({"event_type": "order.placed"}));
        assert_eq!(cleared.expect("cleared"), json!({"cleared": true}));
        assert_eq!(perform(&shop, "retention_list", &json!({})).expect("a list"), json!({"policies": []}));
    }

    #[test]
    fn who_may_not_write_empties_nothing() {
        let mut shop = kept_three();
        shop.caller.writes = Writes::None;
        for (name, arguments) in [
            ("retention_set", json!({"event_type": "x", "max_events": 1})),
            ("retention_clear", json!({"event_type": "order.placed"})),
            ("retention_run", json!({})),
        ] {
            assert_eq!(perform(&shop, name, &arguments).expect_err("denied").code(), "writes_denied");
        }
        assert!(perform(&shop, "retention_run", &json!({"dry_run": true})).is_ok());
    }

    #[test]
    fn agents_are_told_what_was_emptied_and_pay_nothing_where_nothing_was() {
        let shop = kept_three();
        let page = json!({"entity_id": "order-7", "order": "asc"});
        let before = shop.ask("query_events", &page);
        assert!(
            !before["table"]["columns"].as_array().expect("columns").contains(&json!("emptied")),
            "{before}"
        );
        perform(&shop, "retention_run", &json!({})).expect("done");
        let after = shop.ask("query_events", &page);
        let columns = after["table"]["columns"].as_array().expect("columns");
        let at = columns.iter().position(|name| name == "emptied").expect("a column");
        let rows = after["table"]["rows"].as_array().expect("rows");
        let marks: Vec<_> = rows.iter().map(|row| row[at].clone()).collect();
        assert_eq!(marks, [json!(true), Value::Null, Value::Null]);
        let whole = shop.ask(
            "query_events",
            &json!({"entity_id": "order-7", "order": "asc", "response_format": "detailed"}),
        );
        assert_eq!(
            (&whole["events"][0]["emptied"], &whole["events"][1]["emptied"]),
            (&json!(true), &Value::Null)
        );
        let state = shop.ask("get_entity_state", &json!({"entity_id": "order-7"}));
        assert_eq!((&state["emptied_events"], &state["state"]["carrier"]), (&json!(1), &json!("DHL")));
        assert_eq!(state["state"].get("total"), None);
        let first = shop.ask("get_entity_state", &json!({"entity_id": "order-7", "version": 1}));
        assert_eq!((&first["emptied_events"], first.get("deleted")), (&json!(1), None));
        let kept = shop.ask("get_entity_state", &json!({"entity_id": "order-89"}));
        assert_eq!(kept.get("emptied_events"), None);
    }
}
