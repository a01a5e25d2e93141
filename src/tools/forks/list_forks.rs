//! `list_forks`: which branches there are.

use serde_json::Value;

use super::told::fork;
use crate::error::{ErrorKind, Result};
use crate::store::{ForkId, ForkInfo, ForkListed, ForkState};
use crate::tools::answer::{Reply, Step};
use crate::tools::argument::{Argument, BUDGET, Field, Kind};
use crate::tools::call::Call;
use crate::tools::packing::Rows;
use crate::tools::{Hints, Tool};

/// The forks that an answer shows when nothing else is asked for.
const FORKS_DEFAULT: usize = 20;

const ARGUMENTS: &[Argument] = &[
    Argument::optional("fork_id", Kind::Text, "Only this fork"),
    Argument::optional("parent", Kind::Text, "Only forks of this branch"),
    Argument::optional("include_over", Kind::Flag, "Discarded and expired ones too"),
    Argument::optional("limit", Kind::Integer { min: 1, max: 200 }, "Most forks; 20"),
    Argument::optional("after_fork_id", Kind::Text, "Go on behind this one, in order of ids"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "list_forks",
    title: "List forks",
    toolset: "forks",
    description: "The sandbox forks there are, in order of their ids: purpose, parent (main unless said), cut (the last position \
                  shared with it), events of its own, when it expires, whether it was promoted, tags. include_over shows discarded \
                  ones, which update_fork restores for 24 h. For what a fork changed use diff_fork.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("count", "integer"),
        Field::new("main_tags", "object"),
        Field::new("forks", "array"),
    ],
    limit_default: FORKS_DEFAULT,
    example: r#"{"limit": 10}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let store = call.engine.store().main();
    let mut reply = Reply { head_position: Some(store.snapshot().head()), ..Reply::default() };
    if call.arguments.has("fork_id") {
        let info = store.fork_info(&call.fork_id()?)?;
        show(&mut reply, &[info]);
        return Ok(reply);
    }
    let after = call.arguments.text("after_fork_id").map(ForkId::parse).transpose()?;
    let parent = call.arguments.text("parent").map(str::to_owned);
    let (mut shown, mut count, mut last, mut has_more) = (Vec::new(), 0_u64, None, false);
    let is_wanted = |fork: &ForkListed| {
        (fork.state == ForkState::Live || call.arguments.flag("include_over"))
            && parent.as_ref().is_none_or(|parent| *parent == fork.parent)
    };
    for ForkListed { id, .. } in store.list_forks()?.into_iter().filter(is_wanted) {
        count += 1;
        if after.as_ref().is_none_or(|after| id > *after) {
            if shown.len() >= call.limit() {
                has_more = true;
                continue;
            }
            shown.extend(readable(&mut reply, store.fork_info(&id)));
            last = Some(id);
        }
    }
    reply.field("count", count);
    let tags = store.tags();
    if !tags.is_empty() {
        let tags = tags.into_iter().map(|(name, position)| (name, Value::from(position.get())));
        reply.field("main_tags", Value::Object(tags.collect()));
    }
    if let Some(last) = last.filter(|_| has_more) {
        let mut arguments = call.arguments.object().clone();
        arguments.insert("after_fork_id".to_owned(), last.as_str().into());
        reply.next_steps.push(Step::new("list_forks", arguments.into(), "the forks behind these"));
    }
    show(&mut reply, &shown);
    Ok(reply)
}

/// A fork that cannot be read is told of, and hides no other.
fn readable(reply: &mut Reply, info: Result<ForkInfo>) -> Option<ForkInfo> {
    match info {
        Ok(info) => Some(info),
        // It went meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            reply.warnings.push(format!("one fork cannot be read: failed to {error}"));
            None
        }
    }
}

fn show(reply: &mut Reply, forks: &[ForkInfo]) {
    reply.untrusted.push("/forks");
    let items = forks.iter().map(|info| Value::Object(fork(info))).collect();
    reply.rows = Some(Rows { columns: None, name: "forks", items, paging: None });
}
