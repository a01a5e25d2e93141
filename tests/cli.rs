//! The command line keeps its word: counts are right, a second import adds nothing, exit codes say how it ended.

mod analyses;
mod backups;
mod forks;
mod imports;
mod queries;
mod upkeep;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs `allsource` in `dir` with `input` on its standard input.
fn run_with(dir: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_allsource"))
        .args(arguments)
        .current_dir(dir)
        .env_remove("ALLSOURCE_DATA")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that ends without reading its input closes it.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    run_with(dir, arguments, "")
}

/// Runs it and gives standard output; it must end with that exit code.
#[track_caller]
fn check(dir: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(dir, arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Some lines about seven orders, no two the same.
fn lines(count: usize) -> String {
    let line = |n: usize| {
        let at = format!("2024-01-01T00:{:02}:{:02}Z", n / 60 % 60, n % 60);
        json!({"entity": format!("order-{}", n % 7), "type": "order.changed", "time": at, "n": n}).to_string()
            + "\n"
    };
    (0..count).map(line).collect()
}

/// The export without what each store gives anew.
fn exported(dir: &Path, arguments: &[&str]) -> Vec<Value> {
    let out = check(dir, &[&["export"], arguments].concat(), 0);
    let events = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events
        .map(|mut event| {
            event.as_object_mut().expect("an object").shift_remove("recorded_at");
            event
        })
        .collect()
}

#[test]
fn an_export_comes_back_as_it_was() {
    let dir = dir();
    let odd = r#"{"entity":"ö 1","type":"A b","actor":"me","payload":{"z":12345678901234567890123,"a":[1.50,"\n\"x"]}}"#;
    fs::write(dir.path().join("x.jsonl"), format!("{odd}\n{}", lines(5))).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let before = exported(dir.path(), &[]);
    assert_eq!(before.len(), 6);
    assert_eq!(before[0]["payload"].to_string(), r#"{"z":12345678901234567890123,"a":[1.50,"\n\"x"]}"#);
    assert_eq!(before[0]["metadata"], json!({"actor": "me"}));
    for (format, file) in [("jsonl", "out.jsonl"), ("csv", "out.csv")] {
        check(dir.path(), &["export", "--format", format, "--output", file], 0);
        let out = check(dir.path(), &["import", "--data", format, file], 0);
        assert!(out.starts_with("6 events added ·"), "{out}");
        assert_eq!(exported(dir.path(), &["--data", format]), before, "{format}");
    }
}

#[test]
fn a_filter_chooses_what_is_exported_and_shown() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(70)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    assert_eq!(exported(dir.path(), &["--entity", "order-3"]).len(), 10);
    let rows = check(dir.path(), &["query", "--where", "payload.n >= 68", "--format", "jsonl"], 0);
    let found: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        found.iter().map(|event| event["payload"]["n"].clone()).collect::<Vec<_>>(),
        [json!(69), json!(68)]
    );
    let table = check(dir.path(), &["query", "--limit", "70", "--order", "asc"], 0);
    assert_eq!(table.lines().count(), 71, "{table}");
    let stats = check(dir.path(), &["stats"], 0);
    assert!(stats.contains("order.changed"), "{stats}");
}

#[test]
fn a_mistyped_directory_is_an_error_and_stays_absent() {
    let dir = dir();
    for command in [
        &["query"][..],
        &["stats"],
        &["export"],
        &["verify"],
        &["call", "quick_stats"],
        &["mcp", "--read-only"],
        &["mcp", "--writes", "none"],
    ] {
        let output = run(dir.path(), &[command, &["--data", "nowhere"]].concat());
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let err = text(&output.stderr);
        assert!(err.starts_with("error: failed to open the store nowhere: there is none"), "{err}");
    }
    assert!(!dir.path().join("nowhere").exists());
    fs::create_dir(dir.path().join("empty")).expect("a directory");
    check(dir.path(), &["query", "--data", "empty"], 1);
    assert_eq!(fs::read_dir(dir.path().join("empty")).expect("the directory").count(), 0);
}

#[test]
fn stats_show_every_type_unless_told_otherwise() {
    let dir = dir();
    let row = |n: usize| json!({"entity": "a", "type": format!("type-{n:02}")}).to_string() + "\n";
    let rows: String = (0..60).map(row).collect();
    fs::write(dir.path().join("x.jsonl"), rows).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let types = |arguments: &[&str]| check(dir.path(), arguments, 0).matches("type-").count();
    assert_eq!(types(&["stats"]), 60);
    assert_eq!(types(&["stats", "--limit", "5"]), 5);
    check(dir.path(), &["stats", "--limit", "0"], 2);
}

#[test]
fn wrong_usage_is_fatal_before_anything_happens() {
    let dir = dir();
    for arguments in [
        &["mcp", "--writes", "some"][..],
        &["mcp", "--readonly"],
        &["mcp", "--durability", "sometimes"],
        &["import"],
        &["query", "--limit", "many"],
        &["nothing"],
    ] {
        check(dir.path(), arguments, 2);
    }
    let output = run(dir.path(), &["mcp", "--toolsets", "everything"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no toolset \"everything\""), "{output:?}");
}

#[test]
fn any_tool_can_be_called_and_a_conflict_says_where_the_entity_is() {
    let dir = dir();
    let event = r#"{"branch":"main","events":[{"entity_id":"a","event_type":"t","payload":{}}],"expected_versions":{"a":0}}"#;
    check(dir.path(), &["call", "append_events", event], 0);
    let answer = check(dir.path(), &["call", "append_events", event], 1);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["error"]["current_version"], json!(1), "{answer}");
    let output = run_with(dir.path(), &["call", "quick_stats", "-"], "{\"metrics\": [\"counts\"]}");
    assert!(output.status.success(), "{output:?}");
    let listed = check(dir.path(), &["call", "--list"], 0);
    assert!(listed.contains("append_events "), "{listed}");
}

#[test]
fn damage_is_found_named_and_told_by_the_exit_code() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(5_000)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    check(dir.path(), &["verify"], 0);
    let log = fs::read_dir(dir.path().join(".allsource/tenants/default/main/log")).expect("a log");
    let log = log.map(|entry| entry.expect("an entry").path()).next().expect("a log file");
    let mut bytes = fs::read(&log).expect("read");
    bytes[20_000] ^= 1;
    fs::write(&log, bytes).expect("written");
    let out = check(dir.path(), &["verify"], 4);
    assert!(out.starts_with("damaged: ") && out.contains("positions"), "{out}");
    let output = run(dir.path(), &["import", "x.jsonl"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(20_000)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_allsource"))
        .arg("export")
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 64];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("some output");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn every_command_explains_itself_with_examples() {
    let dir = dir();
    for command in [
        "demo",
        "mcp",
        "import",
        "query",
        "stats",
        "export",
        "verify",
        "compact",
        "retention",
        "snapshot",
        "salvage",
        "call",
        "completions",
    ] {
        let help = check(dir.path(), &[command, "--help"], 0);
        assert!(help.contains("Examples:\n  ") && help.lines().count() > 15, "{command}: {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(check(dir.path(), &["completions", shell], 0).contains("allsource"));
    }
}

/// The demo's closing words, which it says only when every step went as told.
const LAST_WORDS: &str = "give it to your agent";

#[test]
fn the_demo_plays_on_the_shop_again_and_again() {
    let dir = dir();
    for (turn, arguments) in [("first", &["demo", "--shop"][..]), ("second", &["demo"])] {
        let out = check(dir.path(), arguments, 0);
        assert!(out.contains("This is no git repository") == (turn == "second"), "{out}");
        assert!(out.contains("version_conflict") && out.trim_end().ends_with(LAST_WORDS), "{turn}: {out}");
    }
    check(&dir.path().join(".allsource-demo"), &["verify", "--data", "."], 0);
}

#[test]
fn the_demo_plays_on_a_history() {
    let dir = dir();
    let commit = |n: usize| {
        let content = "line\n".repeat(n * 3 + 1);
        format!(
            "commit refs/heads/main\ncommitter Ann <ann@example.org> {} +0000\ndata 7\nchange\n\n\
             M 100644 inline src/file{}.rs\ndata {}\n{content}\n",
            1_700_000_000 + n * 1_000,
            n % 3,
            content.len()
        )
    };
    let history: String = (0..60).map(commit).collect();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(dir.path()).args(arguments).stdin(Stdio::piped()).stderr(Stdio::null());
        git.spawn().expect("git")
    };
    assert!(git(&["init", "-q", "-b", "main"]).wait().expect("git").success());
    let mut import = git(&["fast-import", "--quiet"]);
    import.stdin.take().expect("a pipe").write_all(history.as_bytes()).expect("written");
    assert!(import.wait().expect("git").success());
    let out = check(dir.path(), &["demo"], 0);
    assert!(out.contains("commit.created") && out.trim_end().ends_with(LAST_WORDS), "{out}");
}

#[test]
fn states_are_saved_ahead_of_time() {
    let dir = dir();
    let line = |n: usize| {
        let entity = if n < 120 { "order-long" } else { "order-short" };
        json!({"entity_id": entity, "event_type": "order.changed", "payload": {"n": n}}).to_string() + "\n"
    };
    fs::write(dir.path().join("orders.jsonl"), (0..130).map(line).collect::<String>()).expect("a file");
    check(dir.path(), &["import", "orders.jsonl", "--data", "store"], 0);
    let snapshot = |arguments: &[&str], code| {
        check(dir.path(), &[&["snapshot", "--data", "store"], arguments].concat(), code)
    };
    assert_eq!(snapshot(&[], 0), "states saved: 1; entities with too few events to need one: 1\n");
    assert_eq!(snapshot(&["order-s*"], 0), "states saved: 0; entities with too few events to need one: 1\n");
    assert_eq!(snapshot(&["order-short", "order-none"], 1), "states saved: 1\n");
    let states = dir.path().join("store/tenants/default/main/states/000001.states");
    let state = || {
        check(
            dir.path(),
            &["call", "--data", "store", "get_entity_state", r#"{"entity_id": "order-long"}"#],
            0,
        )
    };
    let answer = state();
    check(dir.path(), &["verify", "--data", "store"], 0);

    let mut bytes = fs::read(&states).expect("saved states");
    bytes[100] ^= 1;
    fs::write(&states, bytes).expect("changed");
    let damaged = check(dir.path(), &["verify", "--data", "store"], 4);
    assert!(
        damaged.contains("damaged: 000001.states at byte 32: the saved state that begins here is not what"),
        "{damaged}"
    );
    let without_ids =
        |answer: &str| answer.lines().filter(|line| !line.contains("query_id")).collect::<String>();
    assert_eq!(without_ids(&state()), without_ids(&answer));
    let repaired = check(dir.path(), &["verify", "--data", "store", "--repair"], 0);
    assert!(repaired.contains("repaired: 000001.states at byte 32: removed"), "{repaired}");
    check(dir.path(), &["verify", "--data", "store"], 0);
    assert_eq!(without_ids(&state()), without_ids(&answer));
    fs::remove_dir_all(states.parent().expect("a directory")).expect("deleted");
    assert_eq!(without_ids(&state()), without_ids(&answer));
    check(dir.path(), &["verify", "--data", "store"], 0);
}

/// Every reading command said "writes are refused and reads skip damage: write to log file 000…", `salvage` refused with
/// the words that had sent people to it, and the counts were called exact.
#[test]
fn a_store_without_its_manifest_is_read_verified_and_salvaged() {
    let dir = dir();
    fs::write(dir.path().join("orders.jsonl"), lines(50)).expect("a file");
    check(dir.path(), &["import", "orders.jsonl", "--data", "store"], 0);
    fs::remove_file(dir.path().join("store/tenants/default/main/manifest.json")).expect("a manifest");

    let output = run(dir.path(), &["stats", "--data", "store"]);
    assert_eq!(output.status.code(), Some(0));
    let err = text(&output.stderr);
    assert_eq!(err.matches("the store is damaged: writes are refused").count(), 1, "{err}");
    assert_eq!(err.matches("damaged: manifest.json").count(), 1, "{err}");
    assert!(
        check(dir.path(), &["verify", "--data", "store"], 4)
            .contains("damaged: manifest.json: it is missing")
    );
    let salvaged = check(dir.path(), &["salvage", "--data", "store", "--to", "saved"], 0);
    assert!(salvaged.contains("50 events are in saved; 0 positions could not be read"), "{salvaged}");
    check(dir.path(), &["verify", "--data", "saved"], 0);
}
