//! Clients are told when what a resource shows has changed, by the process that changed it or by another.

use serde_json::{Value, json};

use super::{Client, Era, event, store};

/// The resource of the next notification, and the subscription that it is for.
fn told(client: &mut Client) -> (String, Value) {
    let message = client.next();
    assert_eq!(message["method"], "notifications/resources/updated", "{message}");
    let address = message["params"]["uri"].as_str().expect("an address").to_owned();
    (address, message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone())
}

fn pay(client: &mut Client, entity: &str) {
    let paid = event(entity, "order.paid", &json!({"paid": true}));
    client.done("append_events", json!({"branch": "main", "events": [paid]}));
}

#[test]
fn an_older_client_is_told_of_what_it_subscribed_to_until_it_unsubscribes() {
    let dir = store();
    let mut client = Client::open(dir.path(), Era::Handshake, &[]);
    let mut writer = Client::open(dir.path(), Era::Handshake, &[]);
    let (first, second) = ("allsource://entity/order-1", "allsource://entity/order-2");
    for address in [first, second] {
        assert_eq!(client.ask("resources/subscribe", json!({"uri": address}))["result"], json!({}));
    }
    pay(&mut writer, "order-1");
    assert_eq!(told(&mut client).0, first);
    client.ask("resources/unsubscribe", json!({"uri": first}));
    pay(&mut writer, "order-1");
    pay(&mut writer, "order-2");
    assert_eq!(told(&mut client).0, second);
    let refused = client.ask("resources/subscribe", json!({"uri": "file:///etc/passwd"}));
    assert!(
        refused["error"]["message"].as_str().is_some_and(|text| text.contains("file:///etc/passwd")),
        "{refused}"
    );
    assert!(writer.close().status.success() && client.close().status.success());
}

#[test]
fn a_newer_client_listens_until_it_cancels() {
    let dir = store();
    // The one that writes has the directory: what the other hears of comes from another process.
    let mut writer = Client::open(dir.path(), Era::Stateless, &[]);
    let mut client = Client::open(dir.path(), Era::Stateless, &[]);
    let addresses = ["allsource://overview", "allsource://type/order.paid", "allsource://type/order.placed"];
    let wanted = json!({"resourceSubscriptions": addresses});
    let id = client.send("subscriptions/listen", json!({"notifications": wanted}));
    let acknowledged = client.next();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");
    assert_eq!(acknowledged["params"]["notifications"]["resourceSubscriptions"], json!(addresses));
    for address in addresses {
        assert_eq!(told(&mut client), (address.to_owned(), json!(id)));
    }
    pay(&mut writer, "order-2");
    assert_eq!(told(&mut client).0, addresses[0]);
    assert_eq!(told(&mut client).0, addresses[1]);
    client.send_line(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
            .to_string(),
    );
    assert!(writer.close().status.success());
    let ended = client.close();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn who_listens_may_leave() {
    for era in [Era::Handshake, Era::Stateless] {
        let dir = store();
        let mut client = Client::open(dir.path(), era, &[]);
        let queries = "allsource://queries";
        if era == Era::Handshake {
            client.ask("resources/subscribe", json!({"uri": queries}));
        } else {
            client
                .send("subscriptions/listen", json!({"notifications": {"resourceSubscriptions": [queries]}}));
            client.next();
            assert_eq!(told(&mut client).0, queries);
        }
        let id =
            client.send("tools/call", json!({"name": "query_events", "arguments": {"entity_id": "order-1"}}));
        let messages = [client.next(), client.next()];
        assert!(messages.iter().any(|message| message["id"] == json!(id)), "{messages:?}");
        assert!(messages.iter().any(|message| message["params"]["uri"] == queries), "{messages:?}");
        assert!(client.close().status.success());
    }
}
