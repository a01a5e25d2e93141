//! Whoever starts a server says how much its clients may take.

use serde_json::{Value, json};

use super::{Client, Era, store};

fn rows(answer: &Value) -> Option<usize> {
    answer["table"]["rows"].as_array().map(Vec::len)
}

#[test]
fn an_answer_has_no_more_rows_than_a_client_may_have() {
    let dir = store();
    let mut client = Client::open(dir.path(), Era::Handshake, &["--max-rows", "2"]);
    let page = client.done("query_events", json!({"limit": 10}));
    assert_eq!(rows(&page), Some(2), "{page}");
    assert!(page["warnings"][0].as_str().is_some_and(|warning| warning.contains("--max-rows")), "{page}");
    let next = client.done("query_events", json!({"cursor": page["next_cursor"]}));
    assert_eq!(rows(&next), Some(1), "{next}");
    assert_eq!(rows(&client.done("query_events", json!({}))), Some(2));
    assert_eq!(rows(&client.done("sample_events", json!({"sample_size": 9}))), Some(2));
}

#[test]
fn an_append_is_no_larger_than_a_client_may_send() {
    let dir = store();
    let mut client = Client::open(dir.path(), Era::Stateless, &["--max-append-bytes", "40B"]);
    let append = |note: &str| json!({"branch": "main", "events": [{"entity_id": "a", "event_type": "b", "payload": {"note": note}}]});
    client.done("append_events", append("short"));
    let refused = client.refused("append_events", append(&"long ".repeat(10)));
    assert_eq!(
        (&refused["code"], &refused["limit"], &refused["max"]),
        (&json!("client_limit"), &json!("append_bytes"), &json!(40))
    );
}

#[test]
fn a_client_has_no_more_forks_than_it_may() {
    let dir = store();
    let mut client = Client::open(dir.path(), Era::Handshake, &["--max-forks", "1"]);
    let fork = client.done("create_sandbox_fork", json!({"purpose": "one"}))["fork_id"].clone();
    let refused = client.refused("create_sandbox_fork", json!({"purpose": "another"}));
    assert_eq!((&refused["code"], &refused["limit"]), (&json!("client_limit"), &json!("forks")));
    client.done("discard_fork", json!({"fork_id": fork}));
    client.done("create_sandbox_fork", json!({"purpose": "another"}));
}
