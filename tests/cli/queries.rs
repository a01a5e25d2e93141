//! What `query` shows: pages, how they were found, and events that others can take.

use std::fs;

use serde_json::Value;

use super::{check, dir, exported, lines, run, text};

#[test]
fn a_page_says_how_to_go_on_and_a_cursor_shows_one() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(7)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let mut positions = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut arguments = vec!["query", "--limit", "2"];
        if let Some(cursor) = &cursor {
            arguments = vec!["query", "--cursor", cursor];
        }
        let output = run(dir.path(), &arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && out.lines().count() <= 4, "{out}\n{err}");
        let is_row = |line: &&str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        let rows = out.lines().filter(is_row).filter_map(|row| row.split_whitespace().next()?.parse().ok());
        positions.extend(rows.collect::<Vec<u64>>());
        match err.split_once("--cursor ") {
            Some((said, next)) => {
                assert!(out.contains("the same in all of these on this page: ") || !out.contains("the same"));
                assert!(
                    cursor.is_some() || said.starts_with("7 events match; see more with --limit"),
                    "{err}"
                );
                cursor = Some(next.trim().to_owned());
            }
            None => break,
        }
    }
    assert_eq!(positions, [7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_query_explains_how_each_page_was_found() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(7)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let explained = |arguments: &[&str]| {
        let output = run(dir.path(), &[&["query", "--entity", "order-3"], arguments].concat());
        assert!(output.status.success());
        text(&output.stderr)
    };
    assert!(!explained(&[]).contains("explain"));
    for format in ["table", "jsonl", "csv"] {
        let err = explained(&["--explain", "--format", format]);
        assert!(
            err.starts_with("explain: plan = index of one entity, examined = 1, log_stretches = 1, us = "),
            "{err}"
        );
    }
    let answer = check(dir.path(), &["query", "--explain", "--format", "json"], 0);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["explain"]["examined"], 7);
}

#[test]
fn a_query_as_csv_can_be_imported() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(70)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let query = ["query", "--entity", "order-3", "--order", "asc", "--format", "csv"];
    let rows = check(dir.path(), &query, 0);
    fs::write(dir.path().join("out.csv"), rows).expect("written");
    let out = check(dir.path(), &["import", "--data", "copy", "out.csv"], 0);
    assert!(out.starts_with("10 events added ·"), "{out}");
    let without_position = |mut events: Vec<Value>| {
        for event in &mut events {
            event.as_object_mut().expect("an object").shift_remove("position");
        }
        events
    };
    assert_eq!(
        without_position(exported(dir.path(), &["--data", "copy"])),
        without_position(exported(dir.path(), &["--entity", "order-3"]))
    );
}
