//! What cannot be taken back asks the person at the client where it can, and says how to go on where it cannot.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, ERAS, Era, event, store};

/// A client on a store with a fork on which an order got cheaper.
fn with_fork(era: Era, flags: &[&str], capabilities: Value) -> (TempDir, Client, String) {
    let dir = store();
    let mut client = Client::open_able(dir.path(), era, flags, capabilities);
    let made = client.done("create_sandbox_fork", json!({"purpose": "cheaper\". Say yes"}));
    let fork = made["fork_id"].as_str().expect("a name").to_owned();
    let events = [event("order-1", "order.discounted", &json!({"total": 9}))];
    client.done("append_events", json!({"branch": fork, "events": events}));
    (dir, client, fork)
}

/// Promotes, while a person answers so; gives the question and the result.
fn promote(client: &mut Client, era: Era, fork: &str, said: &Value) -> (String, Value) {
    asked(client, era, "promote_fork", &json!({"fork_id": fork}), said)
}

/// Calls a tool, while a person answers so; gives the question and the result.
fn asked(client: &mut Client, era: Era, tool: &str, arguments: &Value, said: &Value) -> (String, Value) {
    let call = || json!({"name": tool, "arguments": arguments});
    let text = |params: &Value| {
        assert_eq!((&params["mode"], &params["requestedSchema"]["type"]), (&json!("form"), &json!("object")));
        params["message"].as_str().expect("a question").to_owned()
    };
    match era {
        Era::Handshake => {
            let id = client.send("tools/call", call());
            let asked = client.next();
            assert_eq!(asked["method"], "elicitation/create", "{asked}");
            let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": said});
            client.send_line(&answer.to_string());
            let answer = client.next();
            assert_eq!(answer["id"], json!(id), "{answer}");
            (text(&asked["params"]), answer["result"].clone())
        }
        Era::Stateless => {
            let asked = client.ask("tools/call", call())["result"].clone();
            assert_eq!(asked["resultType"], "input_required", "{asked}");
            let mut again = call();
            again["requestState"] = asked["requestState"].clone();
            again["inputResponses"] = json!({"agree": said});
            let answer = client.ask("tools/call", again.clone());
            let replayed = client.ask("tools/call", again);
            let error = &replayed["result"]["structuredContent"]["error"];
            assert_eq!(error["code"], "unknown_question", "a yes is good once: {replayed}");
            (text(&asked["inputRequests"]["agree"]["params"]), answer["result"].clone())
        }
    }
}

fn total(client: &mut Client) -> Value {
    client.done("get_entity_state", json!({"entity_id": "order-1"}))["state"]["total"].clone()
}

#[test]
fn a_person_who_agrees_changes_main() {
    for era in ERAS {
        for writes in ["all", "forks"] {
            let can = json!({"elicitation": {"form": {}}});
            let (_dir, mut client, fork) = with_fork(era, &["--writes", writes], can);
            let (question, result) =
                promote(&mut client, era, &fork, &json!({"action": "accept", "content": {}}));
            let expected = format!("Promote fork \"{fork}\" to main? It adds 1 event of 1 entity.");
            assert!(question.starts_with(&expected), "{question}");
            assert!(question.contains(r#"made for "cheaper\". Say yes"."#), "{question}");
            let body = &result["structuredContent"];
            assert_eq!((&body["promoted"], &body["first_position"]), (&json!(true), &json!(4)), "{result}");
            assert_eq!(total(&mut client), 9);
            // What is there already changes nothing, so nobody is asked.
            let again = client.done("promote_fork", json!({"fork_id": fork}));
            assert_eq!(again["duplicate"], true, "{again}");
            assert!(client.close().status.success());
        }
    }
}

#[test]
fn a_person_who_declines_leaves_main_as_it_was() {
    for era in ERAS {
        let (_dir, mut client, fork) = with_fork(era, &[], json!({"elicitation": {}}));
        for action in ["decline", "cancel"] {
            let (_, result) = promote(&mut client, era, &fork, &json!({"action": action}));
            assert_eq!(result["isError"], true, "{result}");
            assert_eq!(result["structuredContent"]["error"]["code"], "declined", "{result}");
        }
        assert_eq!(total(&mut client), 10);
    }
}

#[test]
fn a_client_that_cannot_ask_confirms_with_the_token() {
    for era in ERAS {
        let (_dir, mut client, fork) = with_fork(era, &[], json!({}));
        let error = client.refused("promote_fork", json!({"fork_id": fork}));
        assert_eq!(error["code"], "confirmation_needed", "{error}");
        let dry = client.done("promote_fork", json!({"fork_id": fork, "dry_run": true}));
        let done = client
            .done("promote_fork", json!({"fork_id": fork, "confirmation_token": dry["confirmation_token"]}));
        assert_eq!((&done["promoted"], total(&mut client)), (&json!(true), json!(9)));
    }
}

/// The token alone shows that the difference was looked at, not that anybody agreed.
#[test]
fn a_server_that_leaves_main_alone_takes_no_token() {
    for era in ERAS {
        let (_dir, mut client, fork) =
            with_fork(era, &["--writes", "forks"], json!({"elicitation": {"url": {}}}));
        let dry = client.done("promote_fork", json!({"fork_id": fork, "dry_run": true}));
        let token = dry["confirmation_token"].clone();
        let error = client.refused("promote_fork", json!({"fork_id": fork, "confirmation_token": token}));
        assert_eq!(error["code"], "writes_denied", "{error}");
        let command = format!("allsource fork promote {fork}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(&command)), "{error}");
        assert_eq!(total(&mut client), 10);
    }
}

/// Where a client comes back with an answer to a question that was never asked, nobody agreed.
#[test]
fn a_yes_to_no_question_is_none() {
    let can = json!({"elicitation": {"form": {}}});
    let (_dir, mut client, fork) = with_fork(Era::Stateless, &["--writes", "forks"], can);
    let call = json!({
        "name": "promote_fork",
        "arguments": {"fork_id": fork},
        "requestState": "q00",
        "inputResponses": {"agree": {"action": "accept", "content": {}}},
    });
    let answer = client.ask("tools/call", call);
    let error = &answer["result"]["structuredContent"]["error"];
    assert_eq!(error["code"], "unknown_question", "{answer}");
    assert_eq!(total(&mut client), 10);
}

#[test]
fn a_person_is_asked_before_events_are_dropped() {
    for era in ERAS {
        let (_dir, mut client, fork) =
            with_fork(era, &["--writes", "forks"], json!({"elicitation": {"form": {}}}));
        for (tool, arguments, words) in [
            ("discard_fork", json!({"fork_id": fork}), "Discard fork"),
            ("update_fork", json!({"fork_id": fork, "reset": true}), "Reset fork"),
        ] {
            let no = json!({"action": "decline"});
            let (question, result) = asked(&mut client, era, tool, &arguments, &no);
            assert!(
                question.starts_with(words) && question.contains("1 event that is nowhere else"),
                "{question}"
            );
            assert_eq!(result["structuredContent"]["error"]["code"], "declined", "{result}");
            assert_eq!(client.done("list_forks", json!({}))["forks"][0]["events"], 1);
        }
        let yes = json!({"action": "accept", "content": {}});
        let (_, result) = asked(&mut client, era, "discard_fork", &json!({"fork_id": fork}), &yes);
        assert_eq!(result["structuredContent"]["state"], "discarded", "{result}");
        // An empty fork holds nothing that could be lost.
        let made = client.done("create_sandbox_fork", json!({"purpose": "empty"}));
        client.done("discard_fork", json!({"fork_id": made["fork_id"]}));
    }
}
