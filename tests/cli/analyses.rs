//! What `analyze` shows: a table for people, all of its pages, and a chart in a file.

use std::fs;

use super::{check, dir, lines, run, text};

#[test]
fn an_analysis_is_a_table_with_how_it_was_counted() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(70)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let output = run(dir.path(), &["analyze", "frequency", "--by", "entity_id", "--limit", "3"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert_eq!(out.lines().count(), 4, "{out}");
    assert_eq!(
        out.lines().nth(1).map(|line| line.split_whitespace().collect()),
        Some(vec!["order-0", "10", "0.1429"])
    );
    assert!(
        err.contains("counted as: SELECT entity_id, count(*)") && err.contains("there are more rows"),
        "{err}"
    );
    let all = check(dir.path(), &["analyze", "frequency", "--by", "payload.n", "--limit", "70"], 0);
    assert_eq!(all.lines().count(), 71, "{all}");
}

#[test]
fn a_chart_is_written_where_it_is_asked_for() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(70)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let out =
        check(dir.path(), &["analyze", "time_series", "--bucket", "10s", "--plot", "--svg", "c.svg"], 0);
    assert!(out.contains('█'), "{out}");
    let svg = fs::read_to_string(dir.path().join("c.svg")).expect("a chart");
    assert!(svg.starts_with("<svg") && svg.contains("<polyline"), "{svg}");
}

#[test]
fn a_wrong_analysis_is_refused_with_those_there_are() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(7)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let output = run(dir.path(), &["analyze", "funnels"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("frequency, time_series, funnel"), "{}", text(&output.stderr));
}
