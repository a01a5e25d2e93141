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
