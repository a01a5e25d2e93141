//! The smallest answer of each tool: what stands around what was asked for, and whether it says the same to every client.

use std::fs;

use allsource::tools::{Field, TOOLS, tokens};
use serde_json::{Map, Value, json};

use super::{Client, Era, event, store};

/// What an answer may cost beside what was asked for, in tokens.
const FIXED_TOKENS_MAX: usize = 40;

/// A call of the tool whose answer is small: one row where there are rows.
fn smallest(tool: &str, [fork, spare]: &[String; 2], token: &Value) -> Value {
    let counts = json!({"name": "events", "tool": "quick_stats", "arguments": {}, "path": "counts.events"});
    let paid = event("order-2", "order.paid", &json!({}));
    match tool {
        "quick_stats" => json!({"metrics": ["counts"]}),
        "sample_events" => json!({"sample_size": 1}),
        "hybrid_search" => json!({"keywords": "paid", "wait_for_position": -1}),
        "semantic_search_events" => json!({"query": "an order was paid", "threshold": 0}),
        "query_events" | "get_entity_state" => json!({"entity_id": "order-2"}),
        "run_sql" => json!({"sql": "SELECT count(*) AS n FROM events"}),
        "analyze_events" => json!({"analysis": "frequency", "event_type": "order.paid"}),
        "append_events" => json!({"branch": fork, "events": [paid]}),
        "import_events" => json!({"path": "one.jsonl", "branch": fork, "dry_run": false}),
        "create_sandbox_fork" => json!({"purpose": "a try"}),
        "list_forks" => json!({}),
        "promote_fork" => json!({"fork_id": fork, "confirmation_token": token}),
        "update_fork" => json!({"fork_id": fork, "tag": "here"}),
        "run_experiment" => json!({"variants": [{"name": "a", "events": [paid]}], "measures": [counts]}),
        "register_schema" => json!({"branch": fork, "subject": "order.paid", "schema": {"type": "object"}}),
        "list_schemas" => json!({"branch": fork}),
        "validate_events" => json!({"event_type": "order.paid", "branch": fork}),
        "get_query_advice" => json!({"use_case": "how many orders were paid"}),
        "diff_fork" => json!({"fork_id": fork}),
        "discard_fork" => json!({"fork_id": spare}),
        other => panic!("{other} has no small call here"),
    }
}

/// The answer without what was asked for, which are the tool's own fields.
fn around(body: &Value, fields: &[Field]) -> Map<String, Value> {
    let mut around = body.as_object().expect("an object").clone();
    around.retain(|name, _| !fields.iter().any(|field| field.name == name));
    around
}

#[test]
fn every_tool_says_the_same_in_text_and_object_and_little_around_it() {
    let dir = store();
    let row = json!({"entity_id": "order-3", "event_type": "order.placed", "total": 1});
    fs::write(dir.path().join("one.jsonl"), format!("{row}\n")).expect("written");
    let mut sets: Vec<&str> = TOOLS.iter().map(|tool| tool.toolset).collect();
    sets.dedup();
    let root = dir.path().to_str().expect("a plain path");
    let flags = ["--toolsets", &sets.join(","), "--import-root", root];
    let mut client = Client::open(dir.path(), Era::Handshake, &flags);
    let forks = ["a try", "another"].map(|purpose| {
        let made = client.done("create_sandbox_fork", json!({"purpose": purpose}));
        made["fork_id"].as_str().expect("a name").to_owned()
    });
    let mut token = Value::Null;
    for tool in TOOLS {
        // Compares the text with the object.
        let result = client.call(tool.name, smallest(tool.name, &forks, &token));
        let body = &result["structuredContent"];
        assert_eq!(result["isError"], json!(false), "{result}");
        token = body.get("confirmation_token").cloned().unwrap_or(token);
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert_eq!(&serde_json::from_str::<Value>(text).expect("JSON"), body);
        let around = around(body, tool.fields);
        let fixed = tokens(&Value::Object(around.clone()).to_string());
        assert!(fixed <= FIXED_TOKENS_MAX, "{}: {fixed} tokens around: {around:?}", tool.name);
    }
}
