//! `discard_fork`: throws a fork away.

use super::dropping::{TOKEN, check_agreed};
use super::told::{FORK_ID, fork};
use crate::engine::check_fork_writes;
use crate::error::Result;
use crate::tools::answer::Reply;
use crate::tools::argument::{Argument, BUDGET, Field, LIMIT_DEFAULT};
use crate::tools::call::Call;
use crate::tools::{Hints, Tool};

const ARGUMENTS: &[Argument] = &[FORK_ID, TOKEN];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "discard_fork",
    title: "Discard fork",
    toolset: "forks",
    description: "Throw a fork away: it is hidden at once and removed for good after 24 h; until then update_fork with restore \
                  brings it back. One with events that were not promoted is refused with a confirmation_token: look at \
                  diff_fork, then send it. Main and what was promoted stay as they are. Forks made of it go on working.",
    hints: Hints { read_only: false, destructive: true, idempotent: true, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("fork_id", "string"),
        Field::new("state", "string"),
        Field::new("events", "integer"),
        Field::new("purpose", "string"),
        Field::new("restorable_until", "string"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"fork_id": "f-k7m2x9qa"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    check_fork_writes(call.caller)?;
    let id = call.fork_id()?;
    check_agreed(call, &id, "discard")?;
    let info = call.engine.store().discard_fork(&id)?;
    let mut fields = fork(&info);
    fields.retain(|name, _| TOOL.fields.iter().any(|field| field.name == name));
    let mut reply = Reply { fields, ..Reply::default() };
    reply.untrusted.push("/purpose");
    Ok(reply)
}
