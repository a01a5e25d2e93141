//! The language as a table: conditions and their verdicts over one event, mistakes and what is said about them.

use proptest::prelude::*;

use super::*;
use crate::error::Result;
use crate::event::{EntityId, Event, EventId, EventType, Json, Position, Text, TimeZone, Timestamp, Version};

/// The event that the tests of this folder look at.
pub(super) fn order_placed() -> Event {
    let payload = r#"{
        "status": "Open", "amount": 19999.90, "quantity": 3, "paid": false, "note": null, "big": 12345678901234567890123,
        "customer": {"name": "Müller", "id": "4711", "tags": ["vip", "EU"]},
        "items": [{"sku": "A-1", "price": 5}, {"sku": "B-2", "price": 7.5, "gift": true}],
        "empty": [], "odd key": true, "path": "C:\\Windows\\x.dll", "said": "it's \"fine\"", "tabs": "a\tb", "zip": "01234"
    }"#;
    Event {
        position: Position::new(7),
        version: Version::new(2),
        timestamp: time("2011-10-01T00:38:44.546Z"),
        recorded_at: time("2024-01-01T00:00:00Z"),
        event_id: EventId::new("ev-7").expect("an id"),
        entity_id: EntityId::new("order-7").expect("a name"),
        event_type: EventType::new("order.placed").expect("a name"),
        payload: Json::trusted(Text::from(payload)),
        metadata: Some(Json::trusted(Text::from(r#"{"actor":"agent-1","$client":{"name":"claude-code"}}"#))),
        emptied: false,
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text, Timestamp::default(), TimeZone::UTC).expect("a time")
}

fn parse(condition: &str) -> Result<Conditions> {
    Conditions::parse(&[condition], time("2011-10-08T00:00:00Z"), TimeZone::UTC)
}

#[track_caller]
fn check(condition: &str, expected: bool) {
    let conditions = parse(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    assert_eq!(conditions.hold(&order_placed()), expected, "{condition}");
    let again = parse(&conditions.to_string()).unwrap_or_else(|error| panic!("{conditions}: {error}"));
    assert_eq!(again.hold(&order_placed()), expected, "{conditions}");
}

fn holds(conditions: &[&str]) {
    for condition in conditions {
        check(condition, true);
    }
}

fn fails(conditions: &[&str]) {
    for condition in conditions {
        check(condition, false);
    }
}

#[test]
fn columns_compare_with_texts_numbers_and_times() {
    holds(&[
        "position = 7",
        "position == '7'",
        "version >= 2",
        "version BETWEEN 1 AND 2",
        "entity_id = 'order-7'",
        "entity_id LIKE 'order-%'",
        "event_type IN ('order.placed', 'order.paid')",
        "event_type <> 'order.paid'",
        "event_type CONTAINS 'PLACED'",
        "event_id = \"ev-7\"",
        "timestamp >= '2011-10-01'",
        "timestamp < '2011-10-01 00:38:44.547'",
        "timestamp > 'now-7d'",
        "timestamp BETWEEN '2011-10-01' AND 'now'",
        "timestamp LIKE '2011-10%'",
        "recorded_at = '2024-01-01T01:00:00+01:00'",
        "recorded_at IS NOT NULL",
    ]);
    fails(&["position > 7", "timestamp > 'now'", "event_type = 'Order.Placed'", "entity_id IS NULL"]);
}

#[test]
fn payload_places_compare_by_kind() {
    holds(&[
        "payload.status = 'Open'",
        "payload.status == \"Open\"",
        "payload.status != 'open'",
        "payload.status ILIKE 'OPEN'",
        "payload.status < 'P'",
        "payload.paid = false",
        "payload.paid <> TRUE",
        "payload.quantity = 3.0",
        "payload.quantity = '3'",
        "payload.amount > 19999.8999",
        "payload.amount BETWEEN 19999.9 AND 2e4",
        "payload.customer.name contains 'MÜLL'",
        "payload.customer.id = 4711",
        "payload.zip = 1234",
        "payload.zip <> '1234'",
        "payload[\"odd key\"] = true",
        "payload['odd key'] = true",
        "payload.items[1].price >= 7.5",
        "payload.items[0].gift IS NULL",
        "metadata.actor = 'agent-1'",
        "metadata.$client.name LIKE 'claude%'",
        "payload.quantity LIKE '3'",
    ]);
    fails(&[
        "payload.Status = 'Open'",
        "payload.status = 3",
        "payload.paid = 'false'",
        "payload.status > 3",
        "NOT (payload.status > 3)",
        "payload.customer = 'Müller'",
    ]);
}

#[test]
fn long_numbers_compare_exactly() {
    holds(&[
        "payload.big = 12345678901234567890123",
        "payload.big < 12345678901234567890124",
        "payload.big <> 12345678901234567890122",
    ]);
    fails(&["payload.big = 12345678901234567890124"]);
}

#[test]
fn what_is_absent_is_neither_equal_nor_unequal() {
    holds(&[
        "payload.nothing IS NULL",
        "payload.note IS NULL",
        "payload.status IS NOT NULL",
        "payload.nothing = 1 OR payload.quantity = 3",
        "NOT (payload.nothing = 1 AND payload.quantity = 4)",
        "payload.items[5].sku IS NULL",
    ]);
    fails(&[
        "payload.nothing = 1",
        "payload.nothing <> 1",
        "NOT payload.nothing = 1",
        "payload.note <> 'x'",
        "payload.nothing NOT IN (1, 2)",
        "payload.nothing NOT LIKE 'x'",
        "payload.nothing NOT CONTAINS 'x'",
        "NOT (payload.nothing = 1 OR payload.quantity = 4)",
        "payload.nothing BETWEEN 1 AND 2",
    ]);
}

#[test]
fn a_star_means_any_element() {
    holds(&[
        "payload.items[*].sku = 'B-2'",
        "payload.items[*].price > 7",
        "payload.items[*].sku <> 'A-1'",
        "payload.items[*].gift IS NULL",
        "payload.items[*].gift IS NOT NULL",
        "payload.customer.tags[*] = 'vip'",
        "NOT (payload.customer.tags[*] = 'US')",
        "payload.empty[*] IS NULL",
        "NOT (payload.empty[*] = 1)",
        "payload.customer.tags CONTAINS 'eu'",
        "payload CONTAINS 'müller'",
    ]);
    fails(&[
        "payload.items[*].sku = 'C-3'",
        "payload.items[*].gift = false",
        "NOT (payload.items[*].gift = false)",
        "payload.empty[*] = 1",
        "payload.empty[*] IS NOT NULL",
        "payload.status[*] = 'Open'",
        "payload CONTAINS 'sku'",
    ]);
}

#[test]
fn words_join_as_in_sql() {
    holds(&[
        "position = 1 AND position = 2 OR position = 7",
        "position = 7 or position = 1 and position = 2",
        "not position = 1 and not (position = 2)",
        "NOT NOT position = 7",
        "((position = 7))",
        "version NOT IN (1,3)",
        "version NOT BETWEEN 3 AND 5",
        "event_type NOT LIKE '%paid'",
        "event_type NOT CONTAINS 'paid'",
    ]);
    fails(&["(position = 1 OR position = 7) AND position = 2"]);
}

#[test]
fn quotes_are_doubled_or_escaped_and_other_backslashes_stay() {
    holds(&[
        r"payload.path = 'C:\Windows\x.dll'",
        r"payload.path = 'C:\\Windows\\x.dll'",
        r"payload.path LIKE 'C:\Windows\\%'",
        r"payload.path CONTAINS 'windows\X'",
        r#"payload.said = 'it''s "fine"'"#,
        r#"payload.said = "it's ""fine""""#,
        r#"payload.said = 'it\'s \"fine\"'"#,
        "payload.tabs = 'a\tb'",
    ]);
}

#[test]
fn an_event_without_metadata_has_nothing_there() {
    let event = Event { metadata: None, ..order_placed() };
    assert!(parse("metadata.actor IS NULL").expect("a condition").hold(&event));
    assert!(!parse("metadata.actor <> 'x'").expect("a condition").hold(&event));
}

#[test]
fn the_payload_is_not_read_when_columns_decide() {
    let event = Event { payload: Json::trusted(Text::from("not JSON at all")), ..order_placed() };
    assert!(!parse("payload.a = 1 AND position = 8").expect("a condition").hold(&event));
    assert!(parse("payload.a = 1 OR position = 7").expect("a condition").hold(&event));
}

#[test]
fn a_filter_names_its_places_once() {
    let conditions =
        parse("payload.a = 1 AND (payload.b[*] = 2 OR payload.a = 3) AND version = 1").expect("a condition");
    let mut paths: Vec<String> = conditions.paths().into_iter().map(ToString::to_string).collect();
    paths.sort();
    assert_eq!(paths, ["payload.a", "payload.b[*]", "version"]);
}

#[track_caller]
fn refused(condition: &str, code: &str, character: usize, parts: &[&str], example: &str) {
    let error = Conditions::parse(&["position = 1", condition], Timestamp::default(), TimeZone::UTC)
        .expect_err(condition);
    assert_eq!(error.code(), code, "{error}");
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    let start = format!("read where[1] at character {character}: found ");
    assert!(error.message().starts_with(&start), "{error}");
    for part in parts {
        assert!(error.message().contains(part), "{error} lacks {part}");
    }
    assert_eq!(error.details().get("example").and_then(|e| e.as_str()), Some(example), "{error}");
    parse(example).expect("the example is right");
}

const ANY: &str = "payload.status = 'open' AND event_type LIKE 'order.%'";

#[test]
fn mistakes_of_syntax_are_corrected() {
    let refused = |condition, character, parts: &[&str], example| {
        refused(condition, "where_syntax", character, parts, example);
    };
    refused("payload.status = open", 18, &["\"open\"", "quotes"], "payload.status = 'open'");
    refused("payload.a = = 5", 13, &["\"=\"", "'text'"], "payload.a =  5");
    refused("payload.a = 5 && version = 1", 15, &["\"&&\"", "AND"], "payload.a = 5  AND  version = 1");
    refused("payload.a = null", 13, &["IS NULL"], "payload.a IS NULL");
    refused("payload.a != NULL", 14, &["IS NOT NULL"], "payload.a IS NOT NULL");
    refused("payload.a = 'open", 13, &["ends with '"], "payload.a = 'open'");
    refused("(payload.a = 1", 15, &["the end", "\")\""], "(payload.a = 1)");
    refused("payload.a = 1)", 14, &["\")\"", "AND, OR or the end"], "payload.a = 1");
    refused("payload.a", 10, &["the end", "CONTAINS"], "payload.a IS NOT NULL");
    refused("payload.a ~ 'x'", 11, &["\"~\""], "payload.a  CONTAINS  'x'");
    refused("payload.a = 2011-10-02", 13, &["\"2011-10-02\""], "payload.a = '2011-10-02'");
    refused("payload.a IN 'x'", 14, &["IN ('a', 'b')"], "payload.a IN ('x')");
    refused("payload.a IN ['x', 'y']", 14, &["\"[\""], "payload.a IN ('x', 'y')");
    refused("payload.a = “x”", 13, &["straight quotes"], "payload.a = 'x'");
    refused("payload.a CONTAINS x1", 20, &["after CONTAINS"], "payload.a CONTAINS 'x1'");
    refused("payload.a BETWEEN 1, 5", 20, &["AND"], "payload.a BETWEEN 1 AND 5");
    refused("payload.a = 1 payload.b = 2", 15, &["AND, OR"], "payload.a = 1 AND payload.b = 2");
    refused("payload.a = 1 AND", 18, &["the end", "a path"], "payload.a = 1");
    refused("payload.a IS 5", 14, &["NULL"], "payload.a = 5");
    refused(r"payload.a = 'C:\temp\'", 13, &["before the closing quote"], r"payload.a = 'C:\temp\\'");
    refused("'x' = payload.a", 1, &["the path comes first"], ANY);
    refused("payload.a = payload.b", 13, &["not with another path"], ANY);
    refused("", 1, &["the end", "a path"], ANY);
    refused("payload.items[-1] = 1", 15, &["an index from 0"], ANY);
    refused("payload..a = 1", 9, &["a key"], "payload.a = 1");
}

#[test]
fn unknown_columns_are_answered_with_the_nearest() {
    let refused =
        |condition, parts: &[&str], example| refused(condition, "unknown_column", 1, parts, example);
    refused("amount > 5", &["payload.amount", "event_type"], "payload.amount > 5");
    refused("eventType = 'x'", &["nearest column is event_type", "payload.eventType"], "event_type = 'x'");
    refused("type = 'x'", &["event_type"], "event_type = 'x'");
    refused("data.amount = 5", &["payload"], "payload.amount = 5");
    refused("Payload.amount = 5", &["payload"], "payload.amount = 5");
}

#[test]
fn values_of_the_wrong_kind_for_a_column_are_refused() {
    let refused = |condition, character, parts: &[&str], example| {
        refused(condition, "where_value", character, parts, example);
    };
    refused("timestamp > 'last week'", 13, &["a time", "now-7d"], "timestamp > 'now-7d'");
    refused("timestamp > 2011", 13, &["a time in quotes"], "timestamp > 'now-7d'");
    refused("position = 'seven'", 12, &["a number"], "position = 1");
    refused("event_type = true", 14, &["a text"], "event_type = 'true'");
}

#[track_caller]
fn too_much(items: &[String], code: &str) {
    let error = Conditions::parse(items, Timestamp::default(), TimeZone::UTC).expect_err(code);
    assert_eq!(error.code(), code);
}

#[test]
fn every_limit_is_enforced() {
    too_much(&vec!["position = 1".to_owned(); 17], "too_many_conditions");
    too_much(&[format!("entity_id = '{}'", "ü".repeat(2_000))], "condition_too_long");
    too_much(&[format!("{}position = 1{}", "(".repeat(33), ")".repeat(33))], "where_too_deep");
    too_much(&[format!("{} position = 1", "NOT ".repeat(33))], "where_too_deep");
    check(&format!("{}position = 7{}", "(".repeat(32), ")".repeat(32)), true);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,60}") {
        let _ = parse(&text);
        let _ = Path::parse(&text);
    }

    #[test]
    fn no_mix_of_words_makes_the_parser_panic(words in proptest::collection::vec(
        prop_oneof![
            Just("payload"), Just(".a"), Just("[*]"), Just("[0]"), Just("[\"k\"]"), Just("["), Just("position"),
            Just("timestamp"), Just("="), Just("<"), Just("NOT"), Just("AND"), Just("OR"), Just("("), Just(")"),
            Just("IN"), Just("LIKE"), Just("CONTAINS"), Just("BETWEEN"), Just("IS"), Just("NULL"), Just("'x'"),
            Just("\"%_\\%\""), Just("'"), Just("1.5e3"), Just("-1"), Just("true"), Just(","), Just("ü"), Just("“")
        ],
        0..14,
    ), spaced in any::<bool>()) {
        let text = words.join(if spaced { " " } else { "" });
        if let Ok(conditions) = parse(&text) {
            let held = conditions.hold(&order_placed());
            let canonical = conditions.to_string();
            let again = parse(&canonical).expect("the canonical text is a condition");
            prop_assert_eq!(again.hold(&order_placed()), held);
        }
    }

    #[test]
    fn extraction_agrees_with_the_whole_tree(value in json_value(), keys in proptest::collection::vec("[ab]", 0..3)) {
        let document = value.to_string();
        let event = Event { payload: Json::trusted(Text::from(document)), ..order_placed() };
        let mut expected = Some(&value);
        for key in &keys {
            expected = expected.and_then(|value| value.get(key));
        }
        let path = Path::Json { root: Root::Payload, steps: keys.into_iter().map(Step::Key).collect() };
        prop_assert_eq!(path.extract(&event), expected.cloned());
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
