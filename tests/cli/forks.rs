//! Forks from a terminal: tried, looked at, promoted or thrown away.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{check, dir, lines, run, run_with, text};
use crate::mcp::{Client, Era};

/// A store of seven orders with a fork on which one of them changed and one is new.
fn with_fork() -> (TempDir, String) {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(70)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let id = check(dir.path(), &["fork", "create", "other totals"], 0).trim().to_owned();
    import_on(dir.path(), &id, &[("order-3", 900), ("order-x", 901)]);
    (dir, id)
}

fn import_on(dir: &Path, branch: &str, orders: &[(&str, u64)]) {
    let line = |(entity, n): &(&str, u64)| {
        json!({"entity": entity, "type": "order.changed", "time": "2024-02-01", "n": n}).to_string() + "\n"
    };
    fs::write(dir.join("y.jsonl"), orders.iter().map(line).collect::<String>()).expect("written");
    let out = check(dir, &["import", "--branch", branch, "y.jsonl"], 0);
    assert!(out.starts_with(&format!("{} event", orders.len())), "{out}");
}

fn count(dir: &Path, branch: &str) -> Value {
    let stats = check(dir, &["stats", "--branch", branch, "--format", "json"], 0);
    serde_json::from_str::<Value>(&stats).expect("JSON")["counts"]["events"].clone()
}

#[test]
fn every_reading_command_takes_a_branch() {
    let (dir, id) = with_fork();
    assert_eq!((count(dir.path(), "main"), count(dir.path(), &id)), (json!(70), json!(72)));
    assert_eq!(count(dir.path(), &format!("{id}@71")), 71);
    let export = |branch: &str| check(dir.path(), &["export", "--branch", branch], 0).lines().count();
    assert_eq!((export("main"), export(&id), export(&format!("{id}@71")), export("main@3")), (70, 72, 71, 3));
    let query = ["query", "--branch", &id, "--entity", "order-x", "--format", "jsonl"];
    assert_eq!(check(dir.path(), &query, 0).lines().count(), 1);
    assert_eq!(check(dir.path(), &["query", "--entity", "order-x", "--format", "jsonl"], 0), "");
    let verified = check(dir.path(), &["verify", "--branch", &id], 0);
    assert!(verified.contains("as they were written"), "{verified}");
    check(dir.path(), &["verify"], 0);
    let output = run(dir.path(), &["stats", "--branch", "f-aaaaaaaa"]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("f-aaaaaaaa"), "{err}");
    check(dir.path(), &["import", "--branch", &format!("{id}@71"), "x.jsonl"], 1);
}

#[test]
fn a_promotion_shows_asks_and_does() {
    let (dir, id) = with_fork();
    let diff = check(dir.path(), &["fork", "diff", &id], 0);
    assert!(diff.starts_with("2 events of 2 entities, 1 of them new\n"), "{diff}");
    assert!(diff.contains("order-3") && diff.contains("order-x"), "{diff}");
    let would = check(dir.path(), &["fork", "promote", &id, "--dry-run"], 0);
    assert!(would.ends_with("would promote 2 events of 2 entities to main\n"), "{would}");

    for said in ["n\n", "\n", ""] {
        let output = run_with(dir.path(), &["fork", "promote", &id], said);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.starts_with("promote 2 events of 2 entities to main? [y/N] "), "{err}");
        assert!(err.ends_with("nothing was promoted\n"), "{err}");
    }
    assert_eq!(count(dir.path(), "main"), 70);
    let output = run_with(dir.path(), &["fork", "promote", &id], "y\n");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(out.ends_with("promoted 2 events of 2 entities to main, from position 71 on\n"), "{out}");
    let again = check(dir.path(), &["fork", "promote", &id, "--yes"], 0);
    assert!(again.ends_with("was promoted before: 2 events of 2 entities\n"), "{again}");
    assert_eq!(count(dir.path(), "main"), 72);
    let list = check(dir.path(), &["fork", "list"], 0);
    assert!(list.contains(&id) && list.contains("promoted") && list.contains("other totals"), "{list}");
}

#[test]
fn conflicts_stop_a_promotion_and_are_told() {
    let (dir, id) = with_fork();
    import_on(dir.path(), "main", &[("order-3", 1)]);
    let output = run(dir.path(), &["fork", "promote", &id, "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(out.contains("conflict: \"order-3\" was at version 10 and is at 11, at position 71\n"), "{out}");
    assert!(err.contains("--on-conflict skip"), "{err}");
    assert_eq!(count(dir.path(), "main"), 71);
    let skip = check(dir.path(), &["fork", "promote", &id, "--on-conflict", "skip", "--yes"], 0);
    assert!(skip.ends_with("promoted 1 event of 1 entity to main, from position 72 on\n"), "{skip}");
    let one = ["fork", "promote", &id, "--entity", "order-3", "--on-conflict", "rebase", "--yes"];
    let rebased = check(dir.path(), &one, 0);
    assert!(rebased.ends_with("promoted 1 event of 1 entity to main, from position 73 on\n"), "{rebased}");
}

#[test]
fn a_fork_is_named_reset_discarded_and_restored() {
    let (dir, id) = with_fork();
    assert_eq!(check(dir.path(), &["fork", "tag", &id, "tried"], 0), format!("{id}@tried  position 72\n"));
    check(dir.path(), &["fork", "tag", "main", "v1", "--position", "5"], 0);
    assert_eq!(count(dir.path(), "main@v1"), 5);
    let child = check(dir.path(), &["fork", "create", "then", "--from", &format!("{id}@tried")], 0);
    assert_eq!(count(dir.path(), child.trim()), 72);
    check(dir.path(), &["fork", "discard", child.trim()], 0);
    let reset = check(dir.path(), &["fork", "reset", &id], 1);
    assert_eq!(reset, "", "a discarded fork that can be restored still stands on it");
    check(dir.path(), &["fork", "tag", &id, "tried", "--remove"], 0);

    let gone = check(dir.path(), &["fork", "discard", &id], 0);
    assert!(gone.contains("can be restored until"), "{gone}");
    check(dir.path(), &["stats", "--branch", &id], 1);
    assert!(!check(dir.path(), &["fork", "list"], 0).contains(&id));
    assert!(check(dir.path(), &["fork", "list", "--all"], 0).contains("discarded"));
    check(dir.path(), &["fork", "restore", &id], 0);
    assert_eq!(count(dir.path(), &id), 72);

    let plain = check(dir.path(), &["fork", "create", "again", "--ttl", "0"], 0).trim().to_owned();
    import_on(dir.path(), &plain, &[("order-5", 7)]);
    check(dir.path(), &["fork", "reset", &plain], 0);
    assert_eq!(count(dir.path(), &plain), 70);
}

/// Whoever serves agents that may not change main still has a person at a terminal who may.
#[test]
fn a_person_promotes_beside_a_server_that_leaves_main_alone() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(7)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let store = dir.path().join(".allsource");
    let mut client = Client::open(&store, Era::Handshake, &["--writes", "forks"]);
    let made = client.done("create_sandbox_fork", json!({"purpose": "by an agent"}));
    let id = made["fork_id"].as_str().expect("a name").to_owned();
    let events = json!([{"entity_id": "order-1", "event_type": "order.changed", "payload": {"n": 0}}]);
    client.done("append_events", json!({"branch": id, "events": events}));
    check(dir.path(), &["fork", "promote", &id, "--yes"], 0);
    assert_eq!(client.done("quick_stats", json!({}))["counts"]["events"], 8);
    assert!(client.close().status.success());
}
