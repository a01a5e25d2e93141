//! A client that asks for it is told how far its call has got, before it gets the answer; others are not.

use serde_json::{Value, json};

use super::{Client, ERAS, store};

/// Calls a tool with or without a token, and gives what was said before the answer, and the answer.
fn told(client: &mut Client, token: Option<&str>, tool: &str, arguments: &Value) -> (Vec<Value>, Value) {
    let mut params = json!({"name": tool, "arguments": arguments});
    if let Some(token) = token {
        params["_meta"] = json!({"progressToken": token});
    }
    let (id, mut said) = (client.send("tools/call", params), Vec::new());
    loop {
        let message = client.next();
        if message["id"] == json!(id) {
            return (said, message["result"]["structuredContent"].clone());
        }
        said.push(message);
    }
}

#[test]
fn whoever_asks_is_told_how_far_a_call_has_got() {
    for era in ERAS {
        let dir = store();
        let root = tempfile::tempdir().expect("a directory");
        let row = |n: u32| format!("{{\"user\":\"u{n}\",\"what\":\"login\"}}\n");
        std::fs::write(root.path().join("logins.jsonl"), (0..20_000).map(row).collect::<String>())
            .expect("a file");
        let root = root.path().to_str().expect("text");
        let mut client =
            Client::open(dir.path(), era, &["--import-root", root, "--toolsets", "explore,write,lab"]);

        let mapping = json!({"entity_id": "/user", "event_type": "/what"});
        let import = json!({"path": "logins.jsonl", "mapping": mapping, "dry_run": false});
        let (said, answer) = told(&mut client, Some("rows"), "import_events", &import);
        assert_eq!(answer["added"], 20_000, "{answer}");
        let steps: Vec<f64> =
            said.iter().map(|one| one["params"]["progress"].as_f64().expect("a number")).collect();
        assert!(!steps.is_empty() && steps.is_sorted_by(|one, next| one < next), "{steps:?}");
        for one in &said {
            assert_eq!(one["method"], "notifications/progress");
            assert_eq!(
                (&one["params"]["progressToken"], &one["params"]["message"]),
                (&json!("rows"), &json!("rows looked at"))
            );
        }

        let event = json!({"entity_id": "u1", "event_type": "logout", "payload": {}});
        let variants = json!([{"name": "one", "events": [event]}, {"name": "two", "events": [event]}]);
        let measures = json!([{"name": "events", "tool": "quick_stats"}]);
        let trial = json!({"variants": variants, "measures": measures});
        let (said, answer) = told(&mut client, Some("branches"), "run_experiment", &trial);
        assert!(answer.get("error").is_none(), "{answer}");
        assert!(said.iter().all(|one| one["params"]["total"] == json!(3.0)) && !said.is_empty(), "{said:?}");

        let (said, _) = told(&mut client, None, "run_experiment", &trial);
        assert!(said.is_empty(), "{said:?}");
        assert!(client.close().status.success());
    }
}
