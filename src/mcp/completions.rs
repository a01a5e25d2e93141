//! *What could come next in this argument?* Names that the store holds, for the variables of resource templates and
//! the arguments of prompts.

use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};
use serde_json::{Value, json};

use super::uri;
use crate::door::Host;
use crate::engine::Caller;
use crate::event::quote;
use crate::tools::workflows;

/// Completes one argument. Whatever names no entity, type or branch has no completions, which is no mistake.
pub(crate) fn complete(
    host: &Host,
    caller: &Caller,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let argument = &request.argument;
    let (reference, is_known) = match &request.r#ref {
        Reference::Resource(template) => {
            let variable = matches!(
                (template.uri.as_str(), argument.name.as_str()),
                (uri::ENTITY, "entity_id") | (uri::TYPE, "event_type")
            );
            (template.uri.as_str(), variable)
        }
        Reference::Prompt(prompt) => {
            let mut arguments =
                workflows().iter().filter(|one| one.name == prompt.name).flat_map(|one| one.arguments);
            (prompt.name.as_str(), arguments.any(|known| known.name == argument.name))
        }
        other => (other.reference_type(), false),
    };
    if !is_known {
        let message =
            format!("there is no argument {} of {} to complete", quote(&argument.name), quote(reference));
        return Err(ErrorData::invalid_params(message, None));
    }
    let values = match argument.name.as_str() {
        kind @ ("entity_id" | "event_type" | "branch") => names(host, caller, kind, &argument.value)?,
        _ => Vec::new(),
    };
    let has_more = values.len() > CompletionInfo::MAX_VALUES;
    let values = values.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    let completion = CompletionInfo::with_pagination(values, None, has_more)
        .map_err(|reason| ErrorData::internal_error(reason, None))?;
    Ok(CompleteResult::new(completion))
}

/// The names of that kind that begin with `prefix`; one more than is shown, to know whether there are more.
fn names(host: &Host, caller: &Caller, kind: &str, prefix: &str) -> Result<Vec<String>, ErrorData> {
    let question = json!({"kind": kind, "prefix": prefix, "limit": CompletionInfo::MAX_VALUES + 1});
    let question = question.as_object().cloned().unwrap_or_default();
    let found = host
        .operate("complete", &question, caller)
        .map_err(|error| ErrorData::internal_error(format!("failed to complete: {error}"), None))?;
    let values = found.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
