//! What is wrong with an answer, whatever was asked? Its size, its kind of error, and whether that names the mistake.

use serde_json::{Map, Value};

use super::known::Answered;

/// The tokens of an answer unless somebody asks for another size.
const TOKENS_DEFAULT: u64 = 5_000;
/// The most tokens of an answer.
const TOKENS_MAX: u64 = 10_000;

/// The size in tokens that the answer to these arguments may have. A mistake in `max_tokens` gets the usual size.
pub(crate) fn budget(arguments: &Map<String, Value>) -> usize {
    let asked = arguments.get("max_tokens").and_then(Value::as_u64).filter(|asked| *asked >= 500);
    usize::try_from(asked.unwrap_or(TOKENS_DEFAULT).min(TOKENS_MAX)).expect("some thousands")
}

/// What is wrong with the answer to a call whose arguments are as the table wants them; it may be refused for what they
/// mean.
pub(crate) fn of_valid(arguments: &Map<String, Value>, answered: &Answered) -> Option<String> {
    bad_anyway(arguments, answered).or_else(|| answered.is_error.then(|| broken(answered)).flatten())
}

/// What is wrong with the answer to a call whose argument `fault` is a mistake. Arguments by chance may hold another one, which
/// is as good to name: `is_refused_anyway` asks without the first.
pub(crate) fn of_invalid(
    arguments: &Map<String, Value>,
    fault: &str,
    answered: &Answered,
    is_refused_anyway: impl FnOnce() -> bool,
) -> Option<String> {
    bad_anyway(arguments, answered).or_else(|| {
        if !answered.is_error {
            return Some(format!("the mistake in {fault} was taken"));
        }
        broken(answered).or_else(|| unnamed(answered, fault).filter(|_| !is_refused_anyway()))
    })
}

fn bad_anyway(arguments: &Map<String, Value>, answered: &Answered) -> Option<String> {
    answered.defect.clone().or_else(|| too_large(arguments, answered))
}

fn too_large(arguments: &Map<String, Value>, answered: &Answered) -> Option<String> {
    let (tokens, budget) = (allsource::tools::tokens(&answered.body.to_string()), budget(arguments));
    (tokens > budget).then(|| format!("{tokens} tokens, {budget} allowed"))
}

/// An error that no caller can have made.
fn broken(answered: &Answered) -> Option<String> {
    let error = &answered.body["error"];
    let is_ours = !error["kind"].is_string()
        || ["internal", "corrupt", "closed"].iter().any(|kind| error["kind"] == **kind);
    is_ours.then(|| format!("a defect of ours: {error}"))
}

fn unnamed(answered: &Answered, name: &str) -> Option<String> {
    let error = &answered.body["error"];
    let argument = error["argument"].as_str().unwrap_or_default();
    let message = error["message"].as_str().unwrap_or_default();
    let is_named = argument.starts_with(name) || message.contains(name);
    (!is_named).then(|| format!("names no argument at fault: {error}"))
}
