//! *What can be attached to a conversation without a call?* The store as a whole, the latest queries, an entity, an event type: as JSON
//! text, made of what the tools answer and within their budget.

use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::{Value, json};

use super::uri::{self, Target};
use crate::door::Host;
use crate::engine::Caller;
use crate::event::quote;
use crate::tools::Object;

const JSON: &str = "application/json";
/// The size of each of a resource's two parts, in tokens.
const PART_TOKENS: usize = 2_500;

/// The resources that have a fixed address.
pub(crate) fn list() -> Vec<Resource> {
    let overview = Resource::new(uri::OVERVIEW, "overview")
        .with_title("The store")
        .with_description("What the store holds: counts, event types, fields, time range, limits.")
        .with_mime_type(JSON);
    let queries = Resource::new(uri::QUERIES, "queries")
        .with_title("Recent queries")
        .with_description(
            "The queries of the last 7 days, newest first: query_id for refine, tool, arguments, when.",
        )
        .with_mime_type(JSON);
    vec![overview, queries]
}

/// The resources that are named by what they show.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let entity = ResourceTemplate::new(uri::ENTITY, "entity")
        .with_title("An entity")
        .with_description("Its state now and its latest events. The id is percent-encoded.")
        .with_mime_type(JSON);
    let event_type = ResourceTemplate::new(uri::TYPE, "type")
        .with_title("An event type")
        .with_description("Its counts and fields, and a sample of its events. The name is percent-encoded.")
        .with_mime_type(JSON);
    vec![entity, event_type]
}

/// Reads what `address` names.
pub(crate) fn read(host: &Host, caller: &Caller, address: &str) -> Result<ReadResourceResult, ErrorData> {
    let ask = |tool: &str, arguments: Value| answer(host, caller, address, tool, arguments);
    let body = match Target::parse(address) {
        Some(Target::Overview) => Value::Object(ask("quick_stats", json!({}))?),
        Some(Target::Queries) => {
            let queries = host.operate("recent_queries", &Object::new(), caller);
            Value::Object(queries.map_err(|error| failed(address, &error.to_string(), None))?)
        }
        Some(Target::Entity(id)) => {
            let state = ask("get_entity_state", json!({"entity_id": id, "max_tokens": PART_TOKENS}))?;
            let events = ask("query_events", json!({"entity_id": exactly(&id), "max_tokens": PART_TOKENS}))?;
            json!({"state": state, "latest_events": events})
        }
        Some(Target::Type(name)) => {
            let filter = json!({"event_type": exactly(&name), "max_tokens": PART_TOKENS});
            let stats = ask("quick_stats", filter.clone())?;
            if stats.get("counts").and_then(|counts| counts.get("events")) == Some(&json!(0)) {
                return Err(not_found(address, &format!("there is no event of type {}", quote(&name))));
            }
            json!({"stats": stats, "sample": ask("sample_events", filter)?})
        }
        None => {
            let known =
                format!("it is none of {}, {}, {}, {}", uri::OVERVIEW, uri::QUERIES, uri::ENTITY, uri::TYPE);
            return Err(not_found(address, &known));
        }
    };
    let contents = ResourceContents::text(body.to_string(), address).with_mime_type(JSON);
    Ok(ReadResourceResult::new(vec![contents]))
}

/// The name as a filter that matches it alone: a trailing `*` would mean a prefix.
fn exactly(name: &str) -> String {
    match name.strip_suffix('*') {
        Some(stem) => format!("{stem}\\*"),
        None => name.to_owned(),
    }
}

fn answer(
    host: &Host,
    caller: &Caller,
    address: &str,
    tool: &str,
    arguments: Value,
) -> Result<Object, ErrorData> {
    let Value::Object(arguments) = arguments else {
        return Err(ErrorData::internal_error("a resource asked a tool without an object", None));
    };
    let answer = host.call(tool, &arguments, caller);
    if !answer.is_error {
        return Ok(answer.body);
    }
    let error = answer.body.get("error").cloned().unwrap_or_default();
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("kind") == "not_found" {
        return Err(not_found(address, text("message")));
    }
    let reason = text("message").to_owned();
    Err(failed(address, &reason, Some(error)))
}

fn failed(address: &str, reason: &str, error: Option<Value>) -> ErrorData {
    ErrorData::internal_error(format!("failed to read {}: {reason}", quote(address)), error)
}

fn not_found(address: &str, reason: &str) -> ErrorData {
    let message = format!("there is no resource {}: {reason}", quote(address));
    ErrorData::resource_not_found(message, Some(json!({"uri": address})))
}
