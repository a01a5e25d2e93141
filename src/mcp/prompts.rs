//! *Which ways of working does the store teach?* The workflows, each a page about this store.

use rmcp::model::{ErrorData, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::{Value, json};

use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::tools::{Object, Workflow, workflows};

/// Every prompt.
pub(crate) fn list() -> Vec<Prompt> {
    workflows().iter().map(describe).collect()
}

fn describe(workflow: &Workflow) -> Prompt {
    let arguments = workflow.arguments.iter().map(|argument| {
        PromptArgument::new(argument.name)
            .with_description(argument.description)
            .with_required(argument.required)
    });
    Prompt::new(workflow.name, Some(workflow.description), Some(arguments.collect()))
        .with_title(workflow.title)
}

/// The prompt with that name, filled in with its arguments and facts of the store.
pub(crate) fn get(
    host: &Host,
    caller: &Caller,
    name: &str,
    arguments: Object,
) -> Result<GetPromptResult, ErrorData> {
    let mut question = Object::new();
    question.insert("name".to_owned(), name.into());
    question.insert("arguments".to_owned(), Value::Object(arguments));
    let page = host.operate("prompt", &question, caller).map_err(|error| refusal(&error))?;
    let text = page.get("text").and_then(Value::as_str).unwrap_or_default();
    let result = GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]);
    Ok(match workflows().iter().find(|workflow| workflow.name == name) {
        Some(workflow) => result.with_description(workflow.description),
        None => result,
    })
}

/// The client's mistakes are wrong parameters; anything else is the server's failure.
fn refusal(error: &Error) -> ErrorData {
    let message = format!("failed to {error}");
    let data = Some(json!({"code": error.code(), "details": error.details()}));
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::NotFound => ErrorData::invalid_params(message, data),
        _ => ErrorData::internal_error(message, data),
    }
}
