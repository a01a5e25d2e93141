//! What does the branch `audit` say of a call?

use std::time::Duration;

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use super::budget::tokens;
use super::refusal::BRANCH_NAMES;
use super::{Answer, Object, Tool};
use crate::engine::Called;

/// What is recorded of a call.
pub(super) fn called(tool: &Tool, given: &Object, answer: &Answer, time: Duration) -> Called {
    let text = |object: &Object, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = |value: Option<&Value>| value.and_then(Value::as_array).map(Vec::len);
    let rows = list(answer.body.get("table").and_then(|table| table.get("rows")))
        .or_else(|| ["events", "hits"].into_iter().find_map(|name| list(answer.body.get(name))));
    let error = answer.body.get("error").and_then(|error| error.get("code"));
    Called {
        tool: tool.name,
        arguments_hash: xxh3_128(Value::Object(given.clone()).to_string().as_bytes()),
        branch: BRANCH_NAMES.iter().find_map(|name| text(given, name)),
        query_id: text(&answer.body, "query_id"),
        rows: rows.unwrap_or_default(),
        tokens: tokens(&serde_json::to_string(&answer.body).unwrap_or_default()),
        took: time,
        error: error.and_then(Value::as_str).filter(|_| answer.is_error).map(str::to_owned),
    }
}
