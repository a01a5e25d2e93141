//! The real program over its real standard streams, as a client sees it: plain lines of JSON, in both eras.

mod answers;
mod audit;
mod cancelled;
mod client;
mod confirmation;
mod followed;
mod limits;
mod progress;
mod subscriptions;

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use client::{Client, Ended, Era};

const ERAS: [Era; 2] = [Era::Handshake, Era::Stateless];
const VERSIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

fn event(entity: &str, kind: &str, payload: &Value) -> Value {
    json!({"entity_id": entity, "event_type": kind, "payload": payload})
}

/// A store with two orders: `order-1` placed and paid, `order-2` placed.
fn store() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    let mut client = Client::open(dir.path(), Era::Handshake, &[]);
    let events = [
        event("order-1", "order.placed", &json!({"total": 10})),
        event("order-2", "order.placed", &json!({"total": 20})),
        event("order-1", "order.paid", &json!({"paid": true})),
    ];
    client.done("append_events", json!({"branch": "main", "events": events}));
    assert!(client.close().status.success());
    dir
}

/// Runs the check once per era on a store of its own.
#[track_caller]
fn in_both_eras(flags: &[&str], check: impl Fn(&mut Client)) {
    for era in ERAS {
        let dir = store();
        let mut client = Client::open(dir.path(), era, flags);
        check(&mut client);
        let ended = client.close();
        assert!(ended.status.success() && ended.said.is_empty(), "{ended:?}");
    }
}

fn names(answer: &Value, list: &str) -> Vec<String> {
    let items = answer["result"][list].as_array().expect("a list");
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

/// Asks for the tool list in one version of the protocol.
fn tools_in(version: &'static str, dir: &Path) -> Value {
    let mut client = Client::start(dir, &[]);
    if version < "2026-07-28" {
        assert_eq!(client.initialize(version)["protocolVersion"], version);
    } else {
        client.name_version(version);
    }
    client.ask("tools/list", json!({}))["result"]["tools"].clone()
}

#[test]
fn every_version_of_the_protocol_sees_the_same_tools() {
    let dir = store();
    let newest = tools_in("2026-07-28", dir.path());
    for tool in newest.as_array().expect("tools") {
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{hint} of {tool}");
        }
        assert!(
            tool["title"].is_string() && tool["outputSchema"]["properties"]["error"].is_object(),
            "{tool}"
        );
    }
    for version in VERSIONS {
        assert_eq!(tools_in(version, dir.path()), newest, "{version}");
    }
}

#[test]
fn a_probe_learns_the_versions_and_may_still_choose_the_handshake() {
    let dir = store();
    let mut client = Client::start(dir.path(), &[]);
    client.name_version("2026-07-28");
    let found = client.ask("server/discover", json!({}))["result"].clone();
    assert_eq!(found["supportedVersions"], json!(VERSIONS));
    assert_eq!(found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "allsource");
    let greeted = client.initialize("2025-06-18");
    assert_eq!(greeted["instructions"], found["instructions"]);
    assert_eq!(greeted["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_version_that_nobody_knows_is_answered_with_one_that_works() {
    let dir = store();
    assert_eq!(Client::start(dir.path(), &[]).initialize("2099-01-01")["protocolVersion"], "2025-11-25");
    let mut client = Client::start(dir.path(), &[]);
    client.name_version("2099-01-01");
    let error = client.ask("tools/list", json!({}))["error"].clone();
    assert_eq!((&error["code"], &error["data"]["supported"]), (&json!(-32022), &json!(VERSIONS)));
}

#[test]
fn a_call_is_answered_with_an_object_and_its_mirror() {
    in_both_eras(&[], |client| {
        let stats = client.done("quick_stats", json!({}));
        assert_eq!(stats["counts"]["events"], 3, "{stats}");
        let order = client.done("get_entity_state", json!({"entity_id": "order-1"}));
        assert_eq!(order["state"], json!({"total": 10, "paid": true}));
    });
}

#[test]
fn a_chart_comes_as_an_image_beside_the_answer_also_from_the_process_that_has_the_directory() {
    let dir = store();
    let mut owner = Client::open(dir.path(), Era::Handshake, &[]);
    let mut other = Client::open(dir.path(), Era::Stateless, &[]);
    for client in [&mut owner, &mut other] {
        let result = client.call("analyze_events", json!({"analysis": "frequency", "format": "svg"}));
        assert_eq!(result["content"][1]["mimeType"], "image/svg+xml", "{result}");
        assert!(
            result["content"][1]["data"].as_str().is_some_and(|data| data.starts_with("PHN2ZyB")),
            "{result}"
        );
        assert_eq!(result["structuredContent"]["table"]["rows"][0][0], "order.placed", "{result}");
    }
}

#[test]
fn a_conflict_is_an_error_of_the_tool_and_says_the_current_version() {
    in_both_eras(&[], |client| {
        let events = [event("order-1", "order.paid", &json!({}))];
        let arguments = json!({"branch": "main", "events": events, "expected_versions": {"order-1": 7}});
        let error = client.refused("append_events", arguments);
        assert_eq!(error["code"], "version_conflict", "{error}");
        assert_eq!(error["current_version"], 2, "{error}");
    });
}

#[test]
fn an_unknown_tool_is_an_error_of_the_protocol_that_names_the_nearest() {
    in_both_eras(&["--exclude-tools", "sample_events"], |client| {
        for (name, hint) in
            [("quick_stat", "did you mean quick_stats?"), ("sample_events", "there are quick_stats, ")]
        {
            let error = client.ask("tools/call", json!({"name": name}))["error"].clone();
            assert_eq!(error["code"], -32602, "{error}");
            assert!(error["message"].as_str().is_some_and(|message| message.contains(hint)), "{error}");
        }
    });
}

#[test]
fn parameters_of_another_shape_are_refused_with_the_reason() {
    in_both_eras(&[], |client| {
        let error =
            client.ask("tools/call", json!({"name": "quick_stats", "arguments": [1]}))["error"].clone();
        assert_eq!(error["code"], -32602, "{error}");
        let error = client.ask("tools/delete", json!({}))["error"].clone();
        assert_eq!(error["code"], -32601, "{error}");
    });
}

#[test]
fn a_read_only_server_lists_no_write_tool_and_denies_the_write() {
    for flags in [&["--read-only"][..], &["--writes", "none"]] {
        in_both_eras(flags, |client| {
            let tools = names(&client.ask("tools/list", json!({})), "tools");
            assert!(!tools.contains(&"append_events".to_owned()), "{tools:?}");
            let events = [event("order-1", "order.paid", &json!({}))];
            let error = client.refused("append_events", json!({"branch": "main", "events": events}));
            assert_eq!(error["kind"], "denied", "{error}");
            assert_eq!(client.done("quick_stats", json!({}))["counts"]["events"], 3);
        });
    }
}

/// Starts a server that must not start, and reads why.
#[track_caller]
fn does_not_start(dir: &Path, flags: &[&str], reason: &str) {
    let ended = Client::start(dir, flags).close();
    assert!(!ended.status.success() && ended.said.is_empty() && ended.log.contains(reason), "{ended:?}");
}

#[test]
fn an_option_that_selects_nothing_stops_the_start() {
    let dir = store();
    does_not_start(dir.path(), &["--tools", "quick_stat"], "did you mean quick_stats?");
    does_not_start(dir.path(), &["--toolsets", "explor"], "did you mean explore?");
    does_not_start(dir.path(), &["--exclude-tools", "x"], "there are quick_stats, ");
    does_not_start(dir.path(), &["--writes", "no"], "it is none, forks or all");
    does_not_start(dir.path(), &["--toolsets", "write", "--exclude-tools", "append_events"], "leave none");
}

#[test]
fn a_directory_that_cannot_be_used_stops_the_start() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    does_not_start(file.path(), &[], "failed to open data directory");
}

/// Node gives a child sockets for pipes. The server then writes through the locked standard output of its process,
/// and the command line held that lock for as long as the server ran: no client in Node ever got an answer.
#[cfg(unix)]
#[test]
fn a_client_that_connects_sockets_is_answered() {
    let dir = store();
    let mut client = Client::start_over_sockets(dir.path());
    assert_eq!(client.initialize("2025-11-25")["serverInfo"]["name"], "allsource");
    assert_eq!(client.done("quick_stats", json!({}))["counts"]["events"], 3);
    let ended = client.close();
    assert!(ended.status.success() && ended.log.is_empty(), "{ended:?}");
}

#[test]
fn a_long_number_is_stored_and_read_as_it_was_written() {
    in_both_eras(&[], |client| {
        let events = [event("n", "counted", &json!({"n": 0}))];
        let arguments = json!({"branch": "main", "events": events}).to_string();
        let arguments = arguments.replace("\"n\":0", "\"n\":12345678901234567890123");
        client.done("append_events", serde_json::from_str(&arguments).expect("JSON"));
        let found = client.done("query_events", json!({"entity_id": "n", "response_format": "detailed"}));
        assert!(found.to_string().contains("12345678901234567890123"), "{found}");
    });
}

#[test]
fn an_append_of_five_megabytes_is_one_line() {
    in_both_eras(&[], |client| {
        let text = "x".repeat(1_000_000);
        let events: Vec<Value> =
            (0..5).map(|n| event("big", "grew", &json!({"n": n, "text": text}))).collect();
        client.done("append_events", json!({"branch": "main", "events": events}));
        assert_eq!(client.done("quick_stats", json!({"entity_id": "big"}))["counts"]["events"], 5);
    });
}

#[test]
fn garbage_does_not_end_the_conversation() {
    in_both_eras(&[], |client| {
        for garbage in ["", "not JSON", "5", "\u{0}"] {
            client.send_line(garbage);
        }
        for (garbage, code) in [("{\"jsonrpc\":\"2.0\"", -32700), ("[]", -32600), ("{}", -32600)] {
            client.send_line(garbage);
            let refusal = client.next();
            assert_eq!((refusal.get("id"), &refusal["error"]["code"]), (Some(&Value::Null), &json!(code)));
        }
        client.send_line("{\"jsonrpc\":\"2.0\",\"id\":\"odd\"}");
        // In the stateless era nothing but a request can open the conversation, so this one is the first.
        let refusal = client.next();
        assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!("odd"), &json!(-32600)), "{refusal}");
        assert_eq!(client.done("quick_stats", json!({}))["counts"]["events"], 3);
    });
}

#[test]
fn a_payload_of_any_depth_is_stored_or_refused_by_its_call() {
    in_both_eras(&[], |client| {
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
        client.done("append_events", json!({"branch": "main", "events": [event("e", "t", &nested(127))]}));
        for levels in [128, 200] {
            let events = [event("e", "t", &json!({})), event("e", "t", &nested(levels))];
            let error = client.refused("append_events", json!({"branch": "main", "events": events}));
            assert_eq!((&error["code"], &error["levels_max"]), (&json!("too_deep"), &json!(127)), "{error}");
            assert!(error["message"].as_str().is_some_and(|said| said.contains("events[1]")), "{error}");
        }
    });
}

#[test]
fn a_write_that_runs_when_the_input_ends_is_answered_and_stored() {
    for era in ERAS {
        let dir = store();
        let mut client = Client::open(dir.path(), era, &[]);
        let events: Vec<Value> = (0..2_000).map(|n| event("last", "said", &json!({"n": n}))).collect();
        let arguments = json!({"branch": "main", "events": events});
        let id = client.send("tools/call", json!({"name": "append_events", "arguments": arguments}));
        let Ended { status, said, log } = client.close();
        assert!(status.success() && log.is_empty(), "{status}: {log}");
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!((&said[0]["id"], &said[0]["result"]["isError"]), (&json!(id), &json!(false)));
        let mut client = Client::open(dir.path(), era, &[]);
        assert_eq!(client.done("quick_stats", json!({"entity_id": "last"}))["counts"]["events"], 2_000);
    }
}

#[test]
fn a_ping_is_answered_where_the_protocol_has_one() {
    let dir = store();
    let mut client = Client::start(dir.path(), &[]);
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}), "before the handshake");
    client.initialize("2025-03-26");
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}), "after it");
}

#[test]
fn prompts_are_rendered_with_facts_of_the_store() {
    in_both_eras(&[], |client| {
        let prompts = names(&client.ask("prompts/list", json!({})), "prompts");
        for use_case in ["audit_trail", "user_analytics", "debugging", "compliance", "performance_analysis"] {
            assert!(prompts.contains(&use_case.to_owned()), "{prompts:?}");
        }
        let arguments = json!({"symptom": "paid twice"});
        let answer = client.ask("prompts/get", json!({"name": "debugging", "arguments": arguments}));
        let text = answer["result"]["messages"][0]["content"]["text"].as_str().expect("a text").to_owned();
        assert!(text.contains("order.placed") && text.contains("paid twice"), "{text}");
        let error = client.ask("prompts/get", json!({"name": "debugging"}))["error"].clone();
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32602), &json!("missing_argument")));
        let error = client.ask("prompts/get", json!({"name": "debuging"}))["error"].clone();
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("debugging")), "{error}");
    });
}

#[test]
fn resources_show_the_store_an_entity_and_a_type() {
    in_both_eras(&[], |client| {
        assert_eq!(names(&client.ask("resources/list", json!({})), "resources"), ["overview", "queries"]);
        let templates = names(&client.ask("resources/templates/list", json!({})), "resourceTemplates");
        assert_eq!(templates, ["entity", "type"]);
        let mut read = |uri: &str| {
            let answer = client.ask("resources/read", json!({"uri": uri}));
            let contents = &answer["result"]["contents"][0];
            assert_eq!((&contents["uri"], &contents["mimeType"]), (&json!(uri), &json!("application/json")));
            serde_json::from_str::<Value>(contents["text"].as_str().expect("a text")).expect("JSON")
        };
        assert_eq!(read("allsource://overview")["counts"]["events"], 3);
        assert_eq!(read("allsource://entity/order%2D1")["state"]["state"]["paid"], true);
        assert_eq!(read("allsource://type/order.placed")["stats"]["counts"]["events"], 2);
    });
}

#[test]
fn a_resource_that_is_not_there_is_not_found() {
    for (era, code) in [(Era::Handshake, -32002), (Era::Stateless, -32602)] {
        let dir = store();
        let mut client = Client::open(dir.path(), era, &[]);
        for uri in ["allsource://entity/nobody", "allsource://type/nothing", "file:///etc/passwd"] {
            let error = client.ask("resources/read", json!({"uri": uri}))["error"].clone();
            assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(code), &json!(uri)), "{error}");
        }
    }
}

#[test]
fn names_that_the_store_holds_are_completed() {
    in_both_eras(&[], |client| {
        let mut complete = |reference: Value, argument: &str, value: &str| {
            let argument = json!({"name": argument, "value": value});
            client.ask("completion/complete", json!({"ref": reference, "argument": argument}))
        };
        let entity = json!({"type": "ref/resource", "uri": "allsource://entity/{entity_id}"});
        let event_type = json!({"type": "ref/resource", "uri": "allsource://type/{event_type}"});
        let audit = json!({"type": "ref/prompt", "name": "audit_trail"});
        let found = complete(entity.clone(), "entity_id", "order-");
        assert_eq!(found["result"]["completion"]["values"], json!(["order-1", "order-2"]));
        let found = complete(event_type, "event_type", "order.pa");
        assert_eq!(found["result"]["completion"], json!({"values": ["order.paid"], "hasMore": false}));
        let found = complete(audit.clone(), "entity_id", "order-2");
        assert_eq!(found["result"]["completion"]["values"], json!(["order-2"]));
        assert_eq!(complete(audit.clone(), "question", "")["result"]["completion"]["values"], json!([]));
        for (reference, argument) in [(entity, "event_type"), (audit, "domain")] {
            assert_eq!(complete(reference, argument, "")["error"]["code"], -32602);
        }
    });
}
