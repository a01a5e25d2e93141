//! Each call of a tool leaves an event on the branch `audit`, unless nobody wants that.

use serde_json::{Value, json};

use super::{Client, ERAS, Era, store};

fn records(client: &mut Client) -> Value {
    let sql = "SELECT payload.tool AS tool, payload.outcome AS outcome FROM events ORDER BY position";
    client.done("run_sql", json!({"branch": "audit", "sql": sql}))["table"]["rows"].clone()
}

#[test]
fn every_call_is_recorded_with_what_came_of_it() {
    for era in ERAS {
        let dir = store();
        let mut client = Client::open(dir.path(), era, &[]);
        client.done("quick_stats", json!({}));
        client.refused("query_events", json!({"where": ["payload.total >"]}));
        let found = records(&mut client);
        // The store was filled by a call, too.
        let expected =
            json!([["append_events", "ok"], ["quick_stats", "ok"], ["query_events", "where_syntax"]]);
        assert_eq!(found, expected);
        // Main counts none of it.
        assert_eq!(client.done("quick_stats", json!({}))["counts"]["events"], 3);
        let events = json!([{"entity_id": "a", "event_type": "b", "payload": {}}]);
        let denied = client.refused("append_events", json!({"branch": "audit", "events": events}));
        assert_eq!(denied["code"], "audit_is_read_only", "{denied}");
        assert!(client.close().status.success());
        let mut client = Client::open(dir.path(), era, &[]);
        assert_eq!(records(&mut client).as_array().map(Vec::len), Some(6), "calls of the process before");
    }
}

#[test]
fn who_does_not_want_records_leaves_none() {
    for flags in [["--no-audit"], ["--read-only"]] {
        let dir = store();
        let mut client = Client::open(dir.path(), Era::Handshake, &flags);
        client.done("quick_stats", json!({}));
        assert_eq!(
            records(&mut client),
            json!([["append_events", "ok"]]),
            "what filled the store, and no more"
        );
    }
}
