//! Calling a tool from a command, and turning its refusal into an error for people.

use serde_json::Value;

use super::outcome::Ended;
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::tools::Object;

/// The answer of a tool; a refusal is an error with the same words.
pub(super) fn ask(host: &Host, name: &str, arguments: &Object, caller: &Caller) -> Ended<Object> {
    let answer = host.call(name, arguments, caller);
    if answer.is_error {
        return Err(refused(&answer.body).into());
    }
    Ok(answer.body)
}

/// What a tool's error says.
pub(super) fn refused(body: &Object) -> Error {
    let error = body.get("error");
    let field = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
    let message = field("message").unwrap_or("read the answer: it is an error without a message").to_owned();
    let kind = field("kind").and_then(ErrorKind::from_name).unwrap_or(ErrorKind::Invalid);
    Error::new(kind, field("code").unwrap_or("refused").to_owned(), message)
}

/// The warnings of an answer.
pub(super) fn warnings(body: &Object) -> impl Iterator<Item = &str> {
    body.get("warnings").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
