//! Backups from a terminal.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::json;

use super::{check, dir, exported, lines, run, text};

/// A backup is made beside a running server, read by every command as it is, and becomes a store.
#[test]
fn a_backup_is_made_beside_a_server_and_restored() {
    let dir = dir();
    fs::write(dir.path().join("orders.jsonl"), lines(50)).expect("a file");
    check(dir.path(), &["import", "orders.jsonl", "--data", "store"], 0);
    let mut server = Command::new(env!("CARGO_BIN_EXE_allsource"))
        .args(["mcp", "--data", "store"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello});
    writeln!(server.stdin.as_mut().expect("a pipe"), "{hello}").expect("the server reads");
    let mut first = [0];
    server.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("the server answers");

    let out = check(dir.path(), &["backup", "--data", "store", "saved"], 0);
    assert!(out.starts_with("50 events are in saved · files: "), "{out}");
    assert_eq!(exported(dir.path(), &["--data", "saved"]), exported(dir.path(), &["--data", "store"]));
    check(dir.path(), &["verify", "--data", "saved"], 0);
    let output = run(dir.path(), &["import", "orders.jsonl", "--data", "saved"]);
    assert!(text(&output.stderr).contains("it is a backup"), "{}", text(&output.stderr));
    server.kill().expect("the server lives");
    server.wait().expect("the server ends");

    let out = check(dir.path(), &["restore", "--data", "again", "saved"], 0);
    assert!(out.starts_with("50 events are in again · files: "), "{out}");
    assert_eq!(exported(dir.path(), &["--data", "again"]), exported(dir.path(), &["--data", "store"]));
    check(dir.path(), &["restore", "--data", "again", "saved"], 1);
    check(dir.path(), &["verify", "--data", "again"], 0);
}

/// A read-only server on a backup was refused, with the advice to make it read-only.
#[test]
fn a_server_reads_a_backup() {
    let dir = dir();
    fs::write(dir.path().join("orders.jsonl"), lines(5)).expect("a file");
    check(dir.path(), &["import", "orders.jsonl", "--data", "store"], 0);
    check(dir.path(), &["backup", "--data", "store", "saved"], 0);
    let mut server = Command::new(env!("CARGO_BIN_EXE_allsource"))
        .args(["mcp", "--read-only", "--data", "saved"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello});
    writeln!(server.stdin.take().expect("a pipe"), "{hello}").expect("the server reads");
    let output = server.wait_with_output().expect("the server ends");
    assert!(text(&output.stdout).contains("serverInfo"), "{}", text(&output.stdout));
    assert!(output.status.success());
}

/// Reading commands made an empty store where one had lost its branch.
#[test]
fn a_directory_that_lost_its_store_is_not_given_an_empty_one() {
    let dir = dir();
    fs::create_dir_all(dir.path().join("store/tenants")).expect("a directory");
    for command in ["stats", "verify", "export"] {
        let output = run(dir.path(), &[command, "--data", "store"]);
        assert_eq!(output.status.code(), Some(1), "{command}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("there is none"), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read_dir(dir.path().join("store/tenants")).expect("a directory").count(), 0);
}
