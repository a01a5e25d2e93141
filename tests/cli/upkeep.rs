//! Compaction and retention from a terminal.

use std::fs;

use super::{check, dir, lines, run, text};

#[test]
fn a_store_is_made_parquet_at_once() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(5_000)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let out = check(dir.path(), &["compact", "--hot-window", "0"], 0);
    assert!(
        out.starts_with(
            "log files written as Parquet: 1, deleted: 1; Parquet files merged: 0, now there: 1\n"
        ),
        "{out}"
    );
    assert!(out.contains(" bytes before, "), "{out}");
    let again = check(dir.path(), &["compact", "--hot-window", "0"], 0);
    assert!(again.starts_with("nothing to do: Parquet files: 1, "), "{again}");
    check(dir.path(), &["verify"], 0);
    check(dir.path(), &["compact", "--hot-window", "much"], 2);
}

#[test]
fn what_is_not_kept_any_longer_is_emptied_and_told() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(1_000)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    assert_eq!(check(dir.path(), &["retention", "list"], 0), "no policies: everything is kept\n");
    check(dir.path(), &["retention", "set", "order.*"], 2);
    check(dir.path(), &["retention", "set", "order.*", "--max-age", "soon"], 2);
    let set = check(dir.path(), &["retention", "set", "order.*", "--max-events", "100"], 0);
    assert_eq!(set, "\"order.*\" keeps 100 events\n");
    let would = check(dir.path(), &["retention", "run", "--dry-run"], 0);
    assert!(would.starts_with("would empty 900 events, "), "{would}");
    let done = check(dir.path(), &["retention", "run"], 0);
    assert_eq!(done, would.replace("would empty", "emptied"));
    assert_eq!(check(dir.path(), &["retention", "run"], 0), "nothing to empty\n");
    let told = check(dir.path(), &["query", "--type", "allsource.retention.applied", "--format", "jsonl"], 0);
    assert!(told.contains("allsource:retention") && told.contains("900"), "{told}");
    check(dir.path(), &["verify"], 0);
    check(dir.path(), &["retention", "clear", "order.*"], 0);
    let output = run(dir.path(), &["retention", "clear", "order.*"]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), "there is no policy for \"order.*\"\n".to_owned())
    );
}
