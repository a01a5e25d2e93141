//! The life of a fork as an agent sees it, over the tools alone.

use serde_json::{Value, json};

use crate::engine::Writes;
use crate::event::{EventDraft, Timestamp};
use crate::tools::fixture::{NOW, Shop};

/// A shop with a fork on which three orders are cheaper and one is new.
fn cheaper() -> (Shop, String) {
    let shop = Shop::with_orders();
    let fork = shop.fork();
    let event = |entity: &str, total: u64| json!({"entity_id": entity, "event_type": "order.discounted", "payload": {"total": total}});
    let events = [event("order-7", 60), event("order-8", 70), event("order-9", 80), event("order-new", 5)];
    shop.ask("append_events", &json!({"branch": fork, "events": events}));
    (shop, fork)
}

/// Something that happens on main meanwhile.
fn note(shop: &Shop, entity: &str) {
    shop.append(vec![EventDraft::new(entity, "order.noted", r#"{"note":"x"}"#).expect("a draft")]);
}

fn state(shop: &Shop, branch: &str, entity: &str) -> Value {
    shop.ask("get_entity_state", &json!({"entity_id": entity, "branch": branch}))["state"].clone()
}

fn token(shop: &Shop, arguments: &Value) -> String {
    let body = shop.ask("promote_fork", arguments);
    body["confirmation_token"].as_str().expect("a token").to_owned()
}

#[test]
fn what_was_tried_is_compared_and_made_real_once() {
    let (shop, fork) = cheaper();
    assert_eq!(state(&shop, "main", "order-7")["total"], 70);
    assert_eq!(state(&shop, &fork, "order-7")["total"], 60);

    let diff = shop.ask("diff_fork", &json!({"fork_id": fork}));
    assert_eq!(
        (&diff["events"], &diff["entity_count"], &diff["new_entities"]),
        (&json!(4), &json!(4), &json!(1))
    );
    let total = &diff["summary"][0];
    assert_eq!((&total["event_type"], &total["field"]), (&json!("order.discounted"), &json!("total")));
    assert_eq!(total["before"], json!({"min": 70.0, "mean": 80.0, "max": 90.0}));
    assert_eq!(total["after"], json!({"min": 5.0, "mean": 53.75, "max": 80.0}));
    assert_eq!(total["examples"][0], json!(["order-7", 70, 60]));
    assert_eq!(
        diff["event_types"][0],
        json!({"event_type": "order.discounted", "added": 4, "before": 0, "entities": 4})
    );
    assert_eq!(diff["entities"][0]["versions"], json!([3, 4]));

    let dry = shop.ask("promote_fork", &json!({"fork_id": fork, "dry_run": true}));
    assert_eq!((&dry["dry_run"], &dry["events"]), (&json!(true), &json!(4)));
    assert_eq!(dry["confirmation_token"], diff["confirmation_token"], "the same difference");
    assert_eq!(state(&shop, "main", "order-7")["total"], 70);

    let done = shop.follow(&dry);
    assert_eq!(
        (&done["promoted"], &done["events"], &done["first_position"]),
        (&json!(true), &json!(4), &json!(271))
    );
    assert_eq!(state(&shop, "main", "order-7")["total"], 60);
    let again = shop.ask("promote_fork", &dry["next_steps"][0]["arguments"]);
    assert_eq!((&again["promoted"], &again["duplicate"]), (&json!(true), &json!(true)));
    let listed = shop.ask("list_forks", &json!({"fork_id": fork}));
    assert_eq!(listed["forks"][0]["promoted_at_position"], 271);
}

#[test]
fn the_pages_of_a_diff_have_every_entity_once() {
    let (shop, fork) = cheaper();
    let mut answer = shop.ask("diff_fork", &json!({"fork_id": fork, "limit": 3}));
    assert!(answer["summary"].is_array());
    let mut seen: Vec<Value> = Vec::new();
    loop {
        seen.extend(
            answer["entities"].as_array().expect("entities").iter().map(|one| one["entity_id"].clone()),
        );
        let Some(cursor) = answer.get("next_cursor").cloned() else { break };
        answer = shop.ask("diff_fork", &json!({"cursor": cursor}));
        assert!(answer.get("summary").is_none(), "once");
    }
    assert_eq!(seen, ["order-7", "order-8", "order-9", "order-new"]);
}

#[test]
fn a_promotion_without_a_token_is_told_how_to_get_one() {
    let (shop, fork) = cheaper();
    let body = shop.refused("promote_fork", &json!({"fork_id": fork}), "confirmation_needed");
    let step = &body["next_steps"][0];
    assert_eq!(step["tool"], "promote_fork");
    assert!(shop.ask("promote_fork", &step["arguments"])["confirmation_token"].is_string());
}

#[test]
fn a_token_of_another_difference_is_refused() {
    let (shop, fork) = cheaper();
    let token = token(&shop, &json!({"fork_id": fork, "dry_run": true}));
    let more = json!([{"entity_id": "order-1", "event_type": "order.discounted", "payload": {"total": 1}}]);
    shop.ask("append_events", &json!({"branch": fork, "events": more}));
    shop.refused("promote_fork", &json!({"fork_id": fork, "confirmation_token": token}), "diff_changed");
    let other = json!({"fork_id": fork, "entities": ["order-7"], "confirmation_token": token});
    shop.refused("promote_fork", &other, "diff_changed");
    shop.refused(
        "promote_fork",
        &json!({"fork_id": fork, "entities": ["order-2"], "dry_run": true}),
        "not_in_fork",
    );
    assert_eq!(state(&shop, "main", "order-7")["total"], 70);
}

#[test]
fn a_conflict_is_told_with_the_choices_there_are() {
    let (shop, fork) = cheaper();
    note(&shop, "order-8");
    let diff = shop.ask("diff_fork", &json!({"fork_id": fork}));
    let conflict =
        json!({"entity_id": "order-8", "version_at_cut": 3, "version_now": 4, "parent_positions": [271]});
    assert_eq!(diff["conflicts"], json!([conflict]));

    let dry = shop.ask("promote_fork", &json!({"fork_id": fork, "dry_run": true}));
    assert_eq!(
        (&dry["events"], &dry["conflict_count"], &dry["conflicts"][0]),
        (&json!(0), &json!(1), &conflict)
    );
    let given = dry["confirmation_token"].as_str().expect("a token");
    let refused = shop.ask("promote_fork", &json!({"fork_id": fork, "confirmation_token": given}));
    assert_eq!((&refused["promoted"], &refused["conflict_count"]), (&json!(false), &json!(1)));
    let steps: Vec<&Value> = dry["next_steps"].as_array().expect("steps").iter().collect();
    assert_eq!(steps.iter().map(|step| step["tool"].as_str()).collect::<Vec<_>>().len(), 3);

    let skip = shop.ask("promote_fork", &steps[0]["arguments"]);
    assert_eq!((&skip["events"], &skip["conflict_count"]), (&json!(3), &json!(1)));
    let skipped = shop.ask("promote_fork", &skip["next_steps"][0]["arguments"]);
    assert_eq!((&skipped["promoted"], &skipped["events"]), (&json!(true), &json!(3)));
    assert!(state(&shop, "main", "order-8")["total"] == 80);

    let rebase = shop.ask("promote_fork", &steps[1]["arguments"]);
    assert_eq!((&rebase["events"], &rebase["already_promoted"]), (&json!(1), &json!(3)));
    shop.ask("promote_fork", &rebase["next_steps"][0]["arguments"]);
    assert_eq!(state(&shop, "main", "order-8")["total"], 70);
}

#[test]
fn a_reset_that_is_refused_for_its_purpose_drops_nothing() {
    let (shop, fork) = cheaper();
    let asked = shop.refused("update_fork", &json!({"fork_id": fork, "reset": true}), "confirmation_needed");
    let mut call = asked["next_steps"][0]["arguments"].clone();
    call["purpose"] = "long ".repeat(300).into();
    let body = shop.refused("update_fork", &call, "bad_argument");
    assert_eq!(body["error"]["argument"], "purpose");
    assert_eq!(shop.ask("diff_fork", &json!({"fork_id": fork}))["events"], 4);
}

#[test]
fn what_is_discarded_can_be_restored() {
    let (shop, fork) = cheaper();
    let asked = shop.refused("discard_fork", &json!({"fork_id": fork}), "confirmation_needed");
    assert_eq!(asked["error"]["events"], 4);
    let stale = json!({"fork_id": fork, "confirmation_token": "d"});
    let stale = shop.refused("discard_fork", &stale, "confirmation_needed");
    assert!(stale["error"]["message"].as_str().is_some_and(|message| message.contains("another state")));
    let gone = shop.ask("discard_fork", &asked["next_steps"][0]["arguments"]);
    assert_eq!((&gone["state"], gone["restorable_until"].is_string()), (&json!("discarded"), true));
    let body = shop.refused("query_events", &json!({"branch": fork}), "fork_discarded");
    assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("update_fork")));
    assert!(shop.ask("list_forks", &json!({})).get("forks").is_none_or(|forks| forks == &json!([])));
    assert_eq!(shop.ask("list_forks", &json!({"include_over": true}))["forks"][0]["state"], "discarded");
    assert!(shop.ask("quick_stats", &json!({})).get("forks").is_none());

    shop.ask("update_fork", &json!({"fork_id": fork, "restore": true}));
    assert_eq!(state(&shop, &fork, "order-7")["total"], 60);
    assert_eq!(shop.ask("quick_stats", &json!({}))["forks"], 1);
}

#[test]
fn a_named_position_can_be_read_on_any_branch() {
    let (shop, fork) = cheaper();
    shop.ask("update_fork", &json!({"fork_id": "main", "tag": "v1"}));
    note(&shop, "order-7");
    let tagged = shop.ask("update_fork", &json!({"fork_id": fork, "tag": "v1", "tag_position": 272}));
    assert_eq!(tagged["tags"], json!({"v1": 272}));
    let count =
        |branch: &str| shop.ask("quick_stats", &json!({"branch": branch}))["counts"]["events"].clone();
    assert_eq!((count("main@v1"), count("main"), count("main@3")), (json!(270), json!(271), json!(3)));
    assert_eq!((count(&format!("{fork}@v1")), count(&fork)), (json!(272), json!(274)));
    assert_eq!(shop.ask("list_forks", &json!({}))["main_tags"], json!({"v1": 270}));
    shop.refused("query_events", &json!({"branch": "main@v2"}), "unknown_tag");
    let events = json!([{"entity_id": "a", "event_type": "t", "payload": {}}]);
    shop.refused("append_events", &json!({"branch": format!("{fork}@v1"), "events": events}), "bad_argument");
    let child =
        shop.ask("create_sandbox_fork", &json!({"purpose": "then", "from_branch": format!("{fork}@v1")}));
    assert_eq!((&child["cut"], &child["parent"]), (&json!(272), &json!(fork)));
    assert_eq!(shop.ask("update_fork", &json!({"fork_id": "main", "untag": "v1"}))["tags"], json!({}));
    shop.refused("update_fork", &json!({"fork_id": "main", "reset": true}), "bad_argument");
    shop.refused("update_fork", &json!({"fork_id": fork, "tag": "v2", "reset": true}), "bad_argument");
}

#[test]
fn a_reset_fork_begins_again_at_its_parents_end() {
    let (shop, fork) = cheaper();
    note(&shop, "order-7");
    let asked = shop.refused("update_fork", &json!({"fork_id": fork, "reset": true}), "confirmation_needed");
    let reset = shop.ask("update_fork", &asked["next_steps"][0]["arguments"]);
    assert_eq!((&reset["cut"], reset.get("events")), (&json!(271), None));
    assert_eq!(state(&shop, &fork, "order-7")["total"], 70);
    let diff = shop.ask("diff_fork", &json!({"fork_id": fork}));
    assert_eq!((&diff["events"], diff.get("confirmation_token")), (&json!(0), None));
}

#[test]
fn a_time_cuts_only_where_it_is_a_prefix() {
    let shop = Shop::with_orders();
    let at = |hours: i64| Timestamp::from_micros(NOW.as_micros() - hours * 3_600_000_000).to_string();
    let made = shop.ask("create_sandbox_fork", &json!({"purpose": "then", "as_of": at(10)}));
    assert_eq!(made["cut"], 260);
    let late = EventDraft::new("order-1", "order.noted", "{}").expect("a draft");
    let long_ago = Timestamp::from_micros(NOW.as_micros() - 20 * 3_600_000_000);
    shop.append(vec![late.at(long_ago)]);
    let body =
        shop.refused("create_sandbox_fork", &json!({"purpose": "then", "as_of": at(10)}), "not_a_prefix");
    let message = body["error"]["message"].as_str().expect("a message");
    assert!(message.contains("position 271") && message.contains("position 261"), "{message}");
    let known = shop.ask("create_sandbox_fork", &json!({"purpose": "now", "known_at": "now"}));
    assert_eq!(known["cut"], 270, "the last was recorded behind a clock that stands still");
    let both = json!({"purpose": "x", "as_of": at(1), "as_of_position": 3});
    shop.refused("create_sandbox_fork", &both, "bad_argument");
    let beyond = json!({"purpose": "x", "as_of_position": 999});
    shop.refused("create_sandbox_fork", &beyond, "position_beyond_head");
}

#[test]
fn the_same_call_makes_one_fork() {
    let shop = Shop::with_orders();
    let ask = json!({"purpose": "once", "idempotency_key": "k"});
    let (first, again) = (shop.ask("create_sandbox_fork", &ask), shop.ask("create_sandbox_fork", &ask));
    assert_eq!((&first["fork_id"], &again["duplicate"]), (&again["fork_id"], &json!(true)));
    let other = json!({"purpose": "twice", "idempotency_key": "k"});
    shop.refused("create_sandbox_fork", &other, "idempotency_conflict");
    assert_eq!(shop.ask("list_forks", &json!({}))["count"], 1);
}

#[test]
fn the_list_goes_on_where_it_ended() {
    let shop = Shop::with_orders();
    let mut made: Vec<String> = (0..5).map(|_| shop.fork()).collect();
    made.sort();
    let mut answer = shop.ask("list_forks", &json!({"limit": 2}));
    let mut seen = Vec::new();
    loop {
        let forks = answer["forks"].as_array().expect("forks");
        seen.extend(forks.iter().map(|fork| fork["fork_id"].as_str().expect("a name").to_owned()));
        let Some(step) = answer["next_steps"].get(0).cloned() else { break };
        answer = shop.ask("list_forks", &step["arguments"]);
    }
    assert_eq!(seen, made);
}

#[test]
fn a_fork_holds_no_more_than_its_quota() {
    let shop = Shop::with_orders();
    let made = shop.ask("create_sandbox_fork", &json!({"purpose": "small", "quota_events": 2}));
    let fork = made["fork_id"].as_str().expect("a name");
    let events = |count: usize| {
        let one = json!({"entity_id": "order-1", "event_type": "order.noted", "payload": {}});
        json!({"branch": fork, "events": vec![one; count]})
    };
    shop.ask("append_events", &events(2));
    let body = shop.refused("append_events", &events(1), "fork_quota");
    assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("update_fork")));
    shop.ask("update_fork", &json!({"fork_id": fork, "quota_events": 3}));
    shop.ask("append_events", &events(1));
}

#[test]
fn who_may_not_write_may_only_look() {
    let (mut shop, fork) = cheaper();
    shop.caller.writes = Writes::None;
    for (tool, arguments) in [
        ("create_sandbox_fork", json!({"purpose": "x"})),
        ("promote_fork", json!({"fork_id": fork, "dry_run": true})),
        ("discard_fork", json!({"fork_id": fork})),
        ("update_fork", json!({"fork_id": fork, "ttl_seconds": 0})),
    ] {
        shop.refused(tool, &arguments, "writes_denied");
    }
    shop.ask("list_forks", &json!({}));
    shop.ask("diff_fork", &json!({"fork_id": fork}));
}

/// The token shows that the difference is current, not that a person agreed.
#[test]
fn who_may_only_fork_changes_main_only_with_a_persons_word() {
    let (mut shop, fork) = cheaper();
    shop.caller.writes = Writes::Forks;
    let dry = shop.ask("promote_fork", &json!({"fork_id": fork, "dry_run": true}));
    let token = dry["confirmation_token"].as_str().expect("a token").to_owned();
    assert!(dry.get("next_steps").is_none(), "{dry}");
    let command = format!("allsource fork promote {fork}");
    assert!(dry["warnings"][0].as_str().is_some_and(|warning| warning.contains(&command)), "{dry}");
    let promote = json!({"fork_id": fork, "confirmation_token": token});
    let body = shop.refused("promote_fork", &promote, "writes_denied");
    assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains(&command)));
    shop.refused("promote_fork", &json!({"fork_id": fork, "confirmed": token}), "unknown_argument");
    shop.caller.confirmed = Some("another".to_owned());
    shop.refused("promote_fork", &promote, "diff_changed");
    assert_eq!(state(&shop, "main", "order-7")["total"], 70);

    let child = shop.ask("create_sandbox_fork", &json!({"purpose": "deeper", "from_branch": fork}));
    let events = json!([{"entity_id": "order-7", "event_type": "order.discounted", "payload": {"total": 1}}]);
    shop.ask("append_events", &json!({"branch": child["fork_id"], "events": events}));
    shop.caller.confirmed = None;
    let dry = shop.ask("promote_fork", &json!({"fork_id": child["fork_id"], "dry_run": true}));
    assert_eq!(dry["parent"], json!(fork));
    shop.follow(&dry);
    assert_eq!(state(&shop, &fork, "order-7")["total"], 1);

    shop.caller.confirmed = Some(self::token(&shop, &json!({"fork_id": fork, "dry_run": true})));
    assert_eq!(shop.ask("promote_fork", &json!({"fork_id": fork}))["promoted"], true);
    assert_eq!(state(&shop, "main", "order-7")["total"], 1);
}

#[test]
fn main_is_no_fork_and_a_fork_has_a_purpose() {
    let shop = Shop::with_orders();
    for tool in ["diff_fork", "promote_fork", "discard_fork"] {
        let body = shop.refused(tool, &json!({"fork_id": "main"}), "bad_argument");
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("is no fork")));
    }
    shop.refused("create_sandbox_fork", &json!({"purpose": " "}), "bad_argument");
}
