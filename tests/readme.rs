//! What the README says about the tools and the commands is what the program says.

use std::fs;
use std::path::Path;
use std::process::Command;

use allsource::tools::TOOLS;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("a README")
}

/// What stands between two markers.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(begin).expect("the first marker");
    rest.split_once(end).expect("the last marker").0.trim()
}

/// The tool table as the README must hold it.
fn tool_table() -> String {
    let mut table = String::from("| tool | set | what it does |\n| --- | --- | --- |");
    for tool in TOOLS {
        let what = tool.description.split_inclusive(". ").next().unwrap_or_default().trim();
        let row = ["", &format!("`{}`", tool.name), tool.toolset, &what.replace('|', "\\|"), ""].join(" | ");
        table.push('\n');
        table.push_str(row.trim());
    }
    table
}

#[test]
fn the_tool_table_is_that_of_the_program() {
    let readme = readme();
    let found = between(&readme, "<!-- tools: checked by tests/readme.rs -->", "<!-- /tools -->");
    let expected = tool_table();
    assert_eq!(found, expected, "put this between the markers:\n{expected}\n");
}

#[test]
fn the_import_example_does_what_it_says() {
    let readme = readme();
    let line = between(&readme, "```json\n{\"id\"", "```");
    let command = between(&readme, "allsource import --data events --entity /ip", "logins.jsonl");
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("logins.jsonl"), format!("{{\"id\"{line}\n")).expect("written");
    let run = |arguments: &str| {
        let mut allsource = Command::new(env!("CARGO_BIN_EXE_allsource"));
        allsource.current_dir(dir.path()).args(arguments.split_whitespace()).output().expect("an output")
    };
    let output = run(&format!("import --data events --entity /ip {command} logins.jsonl"));
    assert!(output.status.success(), "{output:?}");
    let event = run("export --data events").stdout;
    let event: serde_json::Value = serde_json::from_slice(&event).expect("one event");
    let payload = event["payload"].to_string();
    assert!(readme.contains(&format!("`{payload}` is what remains")), "{payload}");
    assert_eq!(event["entity_id"], "10.0.0.7");
    assert_eq!(event["metadata"]["actor"], "ann");
    assert_eq!(event["timestamp"], "2024-05-02T08:15:00Z");
}

#[test]
fn every_command_is_in_the_readme() {
    let help = Command::new(env!("CARGO_BIN_EXE_allsource")).arg("--help").output().expect("help");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let commands =
        between(&help, "Commands:", "Options:").lines().filter_map(|line| line.split_whitespace().next());
    let readme = readme();
    for command in commands.filter(|command| *command != "help") {
        assert!(
            readme.contains(&format!("`allsource {command}")),
            "the README lacks `allsource {command} …`"
        );
    }
}
