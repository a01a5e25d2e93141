//! The tools that an agent sees are a contract: a change of one shows up as a changed snapshot.

use allsource::tools::{TOOLS, Tool};
use serde_json::json;

/// What a client learns of a tool before it calls it.
fn contract(tool: &Tool) -> serde_json::Value {
    json!({
        "name": tool.name,
        "title": tool.title,
        "toolset": tool.toolset,
        "description": tool.description,
        "hints": {
            "read_only": tool.hints.read_only,
            "destructive": tool.hints.destructive,
            "idempotent": tool.hints.idempotent,
            "open_world": tool.hints.open_world,
        },
        "input_schema": tool.input_schema(),
        "output_schema": tool.output_schema(),
    })
}

#[test]
fn every_tool_is_as_it_was_released() {
    for tool in TOOLS {
        insta::assert_json_snapshot!(tool.name, contract(tool));
    }
}
