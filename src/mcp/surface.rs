//! *Which tools does this server offer?* The table, cut down by what whoever started the server asked for.
//!
//! **Invariant:** a tool that is left out cannot be called, and a name that selects nothing stops the start: a
//! restriction that silently restricts nothing is worse than none.

use std::collections::BTreeSet;

use crate::engine::Writes;
use crate::error::{Error, Result};
use crate::tools::{TOOLS, Tool};
use serde_json::Value;

/// What a server offers and allows; the default offers every tool and allows every write.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// What its clients may change.
    pub writes: Writes,
    /// Only the tools of these sets (and those of [`tools`](Self::tools)); empty for no restriction.
    pub toolsets: Vec<String>,
    /// Only these tools (and those of [`toolsets`](Self::toolsets)); empty for no restriction.
    pub tools: Vec<String>,
    /// Without these tools, whatever else says so.
    pub exclude_tools: Vec<String>,
}

/// The tools that a server offers, in the table's order.
pub(crate) struct Surface {
    tools: Vec<&'static Tool>,
    writes: Writes,
}

impl Surface {
    /// # Errors
    /// `Invalid` for a name that no tool or set has, or when nothing is left to offer.
    pub(crate) fn new(options: &ServeOptions) -> Result<Self> {
        let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
        let sets: Vec<&str> =
            TOOLS.iter().map(|tool| tool.toolset).collect::<BTreeSet<_>>().into_iter().collect();
        known("--toolsets", "toolset", &options.toolsets, &sets)?;
        known("--tools", "tool", &options.tools, &names)?;
        known("--exclude-tools", "tool", &options.exclude_tools, &names)?;

        let everything = options.toolsets.is_empty() && options.tools.is_empty();
        let selects = |list: &[String], name: &str| list.iter().any(|item| item == name);
        let tools: Vec<&'static Tool> = TOOLS
            .iter()
            .filter(|tool| {
                everything || selects(&options.toolsets, tool.toolset) || selects(&options.tools, tool.name)
            })
            .filter(|tool| !selects(&options.exclude_tools, tool.name))
            .collect();
        if tools.is_empty() {
            let message =
                "offer tools: --toolsets, --tools and --exclude-tools leave none; loosen one of them";
            return Err(Error::invalid("no_tools", message));
        }
        Ok(Self { tools, writes: options.writes })
    }

    /// What clients may change.
    pub(crate) fn writes(&self) -> Writes {
        self.writes
    }

    /// The tool with that name, when it is offered. A write tool of a read-only server is found: it answers that
    /// writing is denied, which says more than that there is no such tool.
    pub(crate) fn find(&self, name: &str) -> Option<&'static Tool> {
        self.tools.iter().copied().find(|tool| tool.name == name)
    }

    /// The tools to list: those that can do something.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &'static Tool> {
        let read_only = self.writes == Writes::None;
        self.tools.iter().copied().filter(move |tool| tool.hints.read_only || !read_only)
    }
}

fn known(flag: &str, what: &str, given: &[String], known: &[&str]) -> Result<()> {
    let Some(unknown) = given.iter().find(|name| !known.contains(&name.as_str())) else { return Ok(()) };
    let name = Value::from(unknown.as_str());
    let message = format!("read {flag}: there is no {what} {name}; there are {}", known.join(", "));
    Err(Error::invalid("unknown_tool", message).with("known", known.to_vec()))
}
