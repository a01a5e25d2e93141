//! May what a fork holds be dropped? Events that are nowhere else go only with a token of what they are, or with a person's word.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{ForkId, Promotion};
use crate::tools::answer::Step;
use crate::tools::argument::{Argument, Kind};
use crate::tools::call::Call;

/// The argument that carries the token.
pub(super) const TOKEN: Argument =
    Argument::optional("confirmation_token", Kind::Text, "Of the refusal that told what is lost");

/// Refuses to drop what the fork alone holds unless the call brings the token of just that, or a person agreed.
///
/// # Errors
/// `Invalid` (`confirmation_needed`) with the token and the call that sends it.
pub(super) fn check_agreed(call: &Call<'_>, id: &ForkId, what: &str) -> Result<()> {
    let info = call.engine.store().fork_info(id)?;
    let trial = Promotion { dry_run: true, ..Promotion::default() };
    let (left, token) = match call.engine.promote_fork(id, &trial, call.caller) {
        Ok(offered) if offered.duplicate => return Ok(()),
        Ok(offered) => (info.events().saturating_sub(offered.already_promoted), offered.diff),
        // What cannot be read can be thrown away all the same.
        Err(error) if error.kind() == ErrorKind::Corrupt => (info.events(), format!("{id}@{}", info.head)),
        // It is over already: whoever drops it says so.
        Err(_) => return Ok(()),
    };
    let given = call.arguments.text(TOKEN.name).or(call.caller.confirmed.as_deref());
    if left == 0 || given == Some(token.as_str()) {
        return Ok(());
    }
    let stale = given.map_or("", |_| "; the token is of another state of the fork");
    let events = if left == 1 { "1 event that is".to_owned() } else { format!("{left} events that are") };
    let message = format!(
        "{what} fork {id}: it holds {events} nowhere else{stale}; look at them with diff_fork, then send the call again with \
         confirmation_token"
    );
    let mut arguments = call.arguments.object().clone();
    arguments.insert(TOKEN.name.to_owned(), token.as_str().into());
    let step = Step::new(call.tool.name, Value::Object(arguments), "does it");
    Err(Error::new(ErrorKind::Invalid, "confirmation_needed", message)
        .with("argument", TOKEN.name)
        .with("events", left)
        .with("confirmation_token", token)
        .with("next_steps", vec![step.to_value()]))
}
