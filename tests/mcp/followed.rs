//! What an answer leads on to: the queries before it, the causes and the effects of an event.

use serde_json::{Value, json};

use super::in_both_eras;

#[test]
fn the_latest_queries_are_a_resource_and_can_be_refined() {
    in_both_eras(&[], |client| {
        client.done("query_events", json!({"entity_id": "order-1"}));
        let last = client.done("query_events", json!({"event_type": "order.placed", "limit": 1}));
        let answer = client.ask("resources/read", json!({"uri": "allsource://queries"}));
        let text = answer["result"]["contents"][0]["text"].as_str().expect("a text");
        let shown: Value = serde_json::from_str(text).expect("JSON");
        let queries = shown["queries"].as_array().expect("queries");
        assert_eq!(queries[0]["query_id"], last["query_id"], "{shown}");
        assert_eq!(queries[0]["arguments"], json!({"event_type": "order.placed", "limit": 1}));
        assert_eq!(queries[1]["arguments"], json!({"entity_id": "order-1"}));
        let refined = client.done("query_events", json!({"refine": queries[1]["query_id"], "limit": 1}));
        assert_eq!(refined["matched"]["count"], 2, "{refined}");
    });
}

#[test]
fn causes_and_effects_are_followed() {
    in_both_eras(&[], |client| {
        let chain = ["a", "b", "c"].map(|id| {
            let cause = match id {
                "a" => json!({}),
                "b" => json!({"causation_id": "a"}),
                _ => json!({"causation_id": "b"}),
            };
            json!({"entity_id": format!("step-{id}"), "event_type": "step", "event_id": id, "payload": {}, "metadata": cause})
        });
        client.done("append_events", json!({"branch": "main", "events": chain}));
        for (related, start, hops) in [("causes", "c", [0, 1, 2]), ("effects", "a", [2, 1, 0])] {
            let answer = client.done("query_events", json!({"event_ids": [start], "related": related}));
            let rows = answer["table"]["rows"].as_array().expect("rows");
            let found: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row[2], &row[4])).collect();
            let expected = ["step-c", "step-b", "step-a"].map(Value::from);
            let hops = hops.map(Value::from);
            assert_eq!(found, expected.iter().zip(&hops).collect::<Vec<_>>(), "{answer}");
        }
        let refused = client.refused("query_events", json!({"event_ids": ["nobody"], "related": "causes"}));
        assert_eq!(refused["code"], "unknown_event_id");
    });
}
