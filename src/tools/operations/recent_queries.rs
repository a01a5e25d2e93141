//! `recent_queries`: the queries that were asked in the last 7 days, for the resource that shows them.

use serde_json::{Value, json};

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::Result;
use crate::tools::Object;
use crate::tools::budget::{TOKENS_DEFAULT, fit, tokens_of};

/// What the members beside the queries may cost, in tokens.
const BESIDE_TOKENS: usize = 40;
/// The most tokens of one query's arguments; longer ones are cut at the mark `…+N`.
const ARGUMENTS_TOKENS_MAX: usize = 400;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "recent_queries", run };

#[expect(clippy::unnecessary_wraps, reason = "every operation of the table may fail")]
fn run(engine: &Engine, _: &Object, _: &Caller) -> Result<Object> {
    let recent = engine.queries().recent(engine.clock().now());
    let mut left = TOKENS_DEFAULT.saturating_sub(BESIDE_TOKENS);
    let (mut queries, total) = (Vec::new(), recent.len());
    for (at, id, query) in recent {
        let (arguments, _) = fit(Value::Object(query.arguments), ARGUMENTS_TOKENS_MAX);
        let query =
            json!({"query_id": id, "tool": query.tool, "arguments": arguments, "when": at.to_string()});
        let cost = tokens_of(&query) + 1;
        if cost > left {
            break;
        }
        left -= cost;
        queries.push(query);
    }
    let mut answer = Object::new();
    let more = total - queries.len();
    if more > 0 {
        answer.insert("more".to_owned(), more.into());
    }
    answer.insert("untrusted".to_owned(), json!(["/queries"]));
    answer.insert("queries".to_owned(), Value::Array(queries));
    Ok(answer)
}
