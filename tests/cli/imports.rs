//! Imports: nothing twice, nothing lost in silence, nothing stored by a slip.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use super::{check, dir, exported, lines, run, run_with, text};

#[test]
fn the_same_file_twice_adds_nothing_and_a_grown_one_its_new_lines() {
    let dir = dir();
    let file = dir.path().join("events.jsonl");
    let import = |text: &str, said: &str| {
        fs::write(&file, text).expect("written");
        let out = check(dir.path(), &["import", "events.jsonl"], 0);
        assert!(out.starts_with(said), "{out}");
    };
    import(&lines(1_500), "1,500 events added ·");
    import(&lines(1_500), "0 events added, 1,500 were there before ·");
    import(&lines(3_700), "2,200 events added, 1,500 were there before ·");
    import(&lines(3_700), "0 events added, 3,700 were there before ·");
    import(&lines(1_500), "0 events added, 1,500 were there before ·");
}

#[test]
fn equal_lines_are_events_of_their_own() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(2) + &lines(2)).expect("written");
    let out = check(dir.path(), &["import", "x.jsonl"], 0);
    assert!(out.starts_with("4 events added ·"), "{out}");
}

#[test]
fn packed_files_and_standard_input_are_read_like_plain_ones() {
    let dir = dir();
    let packed = zstd::encode_all(lines(20).as_bytes(), 1).expect("packed");
    fs::write(dir.path().join("events.zst"), packed).expect("written");
    check(dir.path(), &["import", "events.zst"], 0);
    let output = run_with(dir.path(), &["import", "-"], &lines(30));
    assert!(text(&output.stdout).starts_with("10 events added, 20 were there before"), "{output:?}");
}

#[test]
fn a_bad_line_is_named_and_the_rest_goes_in() {
    let dir = dir();
    let good = lines(3);
    let text = format!(
        "{good}not json\n\n{{\"entity\":\"a\\u0000\",\"type\":\"t\"}}\n{{\"entity\":\"b\"}}\n{{\"entity\":\"c\",\"type\":\"t\"}}\n"
    );
    fs::write(dir.path().join("x.jsonl"), text).expect("written");
    let output = run(dir.path(), &["import", "x.jsonl"]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(out.starts_with("4 events added, 3 bad lines left out"), "{out}");
    for said in [
        "x.jsonl:4: is not JSON",
        "x.jsonl:6: entity_id has the control character U+0000",
        "x.jsonl:7: has no event type",
    ] {
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn strict_stops_at_the_first_bad_line() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), format!("{}oops\n{}", lines(3), lines(9))).expect("written");
    let out = check(dir.path(), &["import", "--strict", "x.jsonl"], 3);
    assert!(out.starts_with("3 events added, 1 bad line left out"), "{out}");
}

#[test]
fn an_event_that_the_store_refuses_does_not_take_its_batch_with_it() {
    let dir = dir();
    let rows = "id,entity,type,n\n1,a,t,1\n2,a,t,2\n3,a,t,3\n";
    fs::write(dir.path().join("x.csv"), rows).expect("written");
    let import = ["import", "--event-id", "id", "x.csv"];
    check(dir.path(), &import, 0);
    fs::write(dir.path().join("x.csv"), rows.replace("2,a,t,2", "2,a,t,99") + "4,a,t,4\n").expect("written");
    let output = run(dir.path(), &import);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stdout).starts_with("1 event added, 2 were there before, 1 bad line left out"),
        "{output:?}"
    );
    assert!(text(&output.stderr).contains("x.csv:3: is refused: "), "{output:?}");
}

#[test]
fn a_history_goes_in_once_and_grows() {
    let dir = dir();
    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-C"])
            .arg(dir.path())
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("git").success(), "{arguments:?}");
    };
    let commit = |file: &str, content: &str, message: &str| {
        fs::write(dir.path().join(file), content).expect("written");
        git(&["add", file]);
        git(&["commit", "-q", "-m", message]);
    };
    git(&["init", "-q"]);
    commit("a.txt", "1\n2\n", "first");
    commit("b c.txt", "1\n", "second\n\nwith a body");
    git(&["mv", "a.txt", "d.txt"]);
    git(&["commit", "-q", "-m", "third"]);
    let import = |said: &str| {
        let out = check(dir.path(), &["import", "--git", "."], 0);
        assert!(out.starts_with(said), "{out}");
    };
    import("7 events added ·");
    import("0 events added, 7 were there before ·");
    commit("d.txt", "1\n", "fourth");
    import("2 events added, 7 were there before ·");
    let file = exported(dir.path(), &["--entity", "file/d.txt"]);
    let types: Vec<_> = file.iter().map(|event| event["event_type"].as_str().expect("text")).collect();
    assert_eq!(types, ["file.renamed", "file.modified"]);
    assert_eq!(file[1]["payload"]["deletions"], json!(1));
    assert_eq!(file[1]["metadata"]["causation_id"], file[1]["payload"]["commit"]);
}

#[test]
fn an_import_that_cannot_begin_leaves_no_store() {
    let dir = dir();
    for arguments in [&["import", "--git", "."][..], &["import", "absent.jsonl"]] {
        check(dir.path(), arguments, 1);
        assert!(!dir.path().join(".allsource").exists(), "{arguments:?}");
    }
}

#[test]
fn a_mapped_place_that_is_in_no_row_is_refused_before_anything_is_stored() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(1_500)).expect("written");
    for (flag, place) in [
        ("--timestamp", "/times"),
        ("--event-id", "/times"),
        ("--actor", "/times"),
        ("--type", "/times"),
        ("--entity", "/times"),
    ] {
        let output = run(dir.path(), &["import", flag, place, "x.jsonl"]);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{err}");
        let said = format!("{flag} {place} is in none of its first 1,000 rows; near it are /time");
        assert!(err.contains(&said), "{err}");
    }
    assert!(exported(dir.path(), &[]).is_empty());
    let output = run(dir.path(), &["import", "--timestamp", "/times,", "x.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let err = text(&output.stderr);
    assert!(err.contains("--timestamp: 1,500 of 1,500 rows had none; they got the time of import"), "{err}");
}

#[test]
fn rows_without_a_mapped_value_are_counted_at_the_end() {
    let dir = dir();
    let rows: String = (0..30)
        .map(|n| match n % 10 {
            0 => format!("{{\"entity\":\"a\",\"type\":\"t\",\"n\":{n}}}\n"),
            _ => format!("{{\"entity\":\"a\",\"type\":\"t\",\"n\":{n},\"at\":{n}}}\n"),
        })
        .collect();
    fs::write(dir.path().join("x.jsonl"), rows).expect("written");
    let output = run(dir.path(), &["import", "--timestamp", "/at", "x.jsonl"]);
    let err = text(&output.stderr);
    assert!(
        err.contains("x.jsonl: --timestamp: 3 of 30 rows had none; they got the time of import\n"),
        "{err}"
    );
    let output = run(dir.path(), &["import", "--again", "x.jsonl"]);
    let err = text(&output.stderr);
    assert!(err.contains("entity /entity · type /type · no timestamp: the time of import\n"), "{err}");
}

#[test]
fn the_same_lines_with_another_mapping_are_refused() {
    let dir = dir();
    fs::write(dir.path().join("x.jsonl"), lines(2_500)).expect("written");
    check(dir.path(), &["import", "x.jsonl"], 0);
    let other = ["import", "--actor", "/n", "x.jsonl"];
    let output = run(dir.path(), &other);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let err = text(&output.stderr);
    assert!(err.contains("lines 1 to 1000 were imported before, from position 1 on"), "{err}");
    assert!(err.contains("order-0/order.changed") && err.contains("--again"), "{err}");
    assert_eq!(exported(dir.path(), &[]).len(), 2_500);
    let out = check(dir.path(), &["import", "x.jsonl"], 0);
    assert!(out.starts_with("0 events added, 2,500 were there before"), "{out}");
    let out = check(dir.path(), &[&other[..], &["--again"]].concat(), 0);
    assert!(out.starts_with("2,500 events added ·"), "{out}");
}

#[test]
fn a_flood_of_bad_lines_is_counted_by_reason() {
    let dir = dir();
    let rows = lines(5) + &"oops\n".repeat(1_200) + &"[1]\n".repeat(300);
    fs::write(dir.path().join("x.jsonl"), rows).expect("written");
    let output = run(dir.path(), &["import", "x.jsonl"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).starts_with("5 events added, 1,500 bad lines left out"), "{output:?}");
    let err = text(&output.stderr);
    assert_eq!(err.lines().filter(|line| line.starts_with("x.jsonl:")).count(), 21, "{err}");
    assert!(err.contains("and 1,480 more bad lines:\n  1,180 lines: is not JSON"), "{err}");
    assert!(err.contains("  300 lines: is an array, not a JSON object\n"), "{err}");
}
