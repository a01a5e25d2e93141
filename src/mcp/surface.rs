//! *Which tools does this server offer?* The table, cut down by what whoever started the server asked for.
//!
//! **Invariant:** a tool that is left out cannot be called, and a name that selects nothing stops the start: a
//! restriction that silently restricts nothing is worse than none.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::engine::{Caller, Limits, Writes};
use crate::error::{Error, Result};
use crate::event::{nearest, quote};
use crate::tools::{ON_REQUEST, TOOLS, Tool};

/// The tool that reads files, and does so only where somebody said where they are.
const IMPORT: &str = "import_events";

/// What a server offers and allows; the default offers every tool but those of the sets `lab` and `schema`, and allows every write.
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
    /// Do not record calls on the branch `audit`.
    pub no_audit: bool,
    /// How much one client may take.
    pub limits: Limits,
    /// The directory below which clients may have files imported; without it that tool is not offered.
    pub import_root: Option<PathBuf>,
}

/// The tools that a server offers, in the table's order.
pub(crate) struct Surface {
    tools: Vec<&'static Tool>,
    writes: Writes,
    audited: bool,
    limits: Limits,
    import_root: Option<PathBuf>,
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
                (everything && !ON_REQUEST.contains(&tool.toolset))
                    || selects(&options.toolsets, tool.toolset)
                    || selects(&options.tools, tool.name)
            })
            .filter(|tool| !selects(&options.exclude_tools, tool.name))
            .filter(|tool| tool.name != IMPORT || options.import_root.is_some())
            .collect();
        let (writes, limits, import_root) = (options.writes, options.limits, options.import_root.clone());
        let surface = Self { tools, writes, audited: !options.no_audit, limits, import_root };
        if surface.listed().next().is_none() {
            let message = if surface.tools.is_empty() {
                "offer tools: --toolsets, --tools and --exclude-tools leave none; loosen one of them"
            } else {
                "offer tools: only tools that write are chosen but --writes none leaves none of them; \
                 choose others or allow writes"
            };
            return Err(Error::invalid("no_tools", message));
        }
        Ok(surface)
    }

    /// What clients may change.
    pub(crate) fn writes(&self) -> Writes {
        self.writes
    }

    /// A caller with what this server allows.
    pub(crate) fn caller(&self) -> Caller {
        let Self { writes, audited, limits, .. } = *self;
        Caller { writes, audited, limits, import_root: self.import_root.clone(), ..Caller::default() }
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
    let near = nearest(unknown, known.iter().copied(), 1);
    let hint = near.first().map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    let message =
        format!("read {flag}: there is no {what} {}; {hint}there are {}", quote(unknown), known.join(", "));
    Err(Error::invalid("unknown_tool", message).with("nearest", near).with("known", known.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[track_caller]
    fn check(options: &ServeOptions, expected: &[&str]) {
        let surface = Surface::new(options).expect("valid options");
        let listed: Vec<&str> = surface.listed().map(|tool| tool.name).collect();
        assert_eq!(listed, expected);
    }

    #[track_caller]
    fn refused(options: &ServeOptions, message: &str) {
        let Err(error) = Surface::new(options) else { panic!("the options must be refused") };
        assert!(error.to_string().contains(message), "{error}");
    }

    fn all_but(left_out: &[&str]) -> Vec<&'static str> {
        let usual = TOOLS.iter().filter(|tool| !ON_REQUEST.contains(&tool.toolset)).map(|tool| tool.name);
        usual.filter(|name| !left_out.contains(name) && *name != IMPORT).collect()
    }

    #[test]
    fn everything_is_offered_unless_somebody_says_otherwise() {
        check(&ServeOptions::default(), &all_but(&[]));
    }

    #[test]
    fn sets_and_names_add_up_and_exclusions_win() {
        let mut options = ServeOptions { tools: list(&["quick_stats"]), ..ServeOptions::default() };
        check(&options, &["quick_stats"]);
        options.toolsets = list(&["write"]);
        check(&options, &["quick_stats", "append_events"]);
        options.exclude_tools = list(&["quick_stats"]);
        check(&options, &["append_events"]);
        check(&ServeOptions { toolsets: list(&["lab"]), ..ServeOptions::default() }, &["run_experiment"]);
    }

    #[test]
    fn files_are_imported_only_where_somebody_said_where_they_are() {
        let mut options = ServeOptions { tools: list(&["quick_stats", IMPORT]), ..ServeOptions::default() };
        check(&options, &["quick_stats"]);
        options.import_root = Some("/data".into());
        check(&options, &["quick_stats", IMPORT]);
        assert_eq!(Surface::new(&options).expect("valid options").caller().import_root, options.import_root);
    }

    #[test]
    fn a_read_only_server_lists_no_write_tool_but_knows_it() {
        let options = ServeOptions { writes: Writes::None, ..ServeOptions::default() };
        let writing = ["create_sandbox_fork", "promote_fork", "discard_fork", "update_fork", "append_events"];
        check(&options, &all_but(&writing));
        assert!(Surface::new(&options).expect("valid options").find("append_events").is_some());
    }

    #[test]
    fn a_read_only_server_of_write_tools_alone_does_not_start() {
        let toolsets = list(&["write"]);
        refused(&ServeOptions { writes: Writes::None, toolsets, ..ServeOptions::default() }, "leaves none");
    }

    #[test]
    fn unknown_names_are_fatal_and_name_the_nearest() {
        let options = ServeOptions { exclude_tools: list(&["append_event"]), ..ServeOptions::default() };
        refused(&options, "did you mean append_events?");
        refused(
            &ServeOptions { toolsets: list(&["writes"]), ..ServeOptions::default() },
            "did you mean write?",
        );
        refused(
            &ServeOptions { tools: list(&["zzz"]), ..ServeOptions::default() },
            "there is no tool \"zzz\"",
        );
        let none = ServeOptions {
            tools: list(&["quick_stats"]),
            exclude_tools: list(&["quick_stats"]),
            ..ServeOptions::default()
        };
        refused(&none, "leave none");
    }
}
