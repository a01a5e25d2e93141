//! The subcommands of `allsource schema`, and their flags.

use std::path::PathBuf;

use crate::schema::{Enforcement, Mode};

pub(in crate::cli) const LONG_ABOUT: &str = "\
Say what payloads must look like: a JSON Schema for an event type, or for all types with a prefix (order.*).

A schema is registered in versions, and kept in the store itself: it is what it was at any time, forks see their own, and \
promoting a fork promotes its schemas. A new version must be compatible with the one before (--mode); what is appended and does \
not fit is let through with a warning, or refused (--enforcement reject).

Examples:
  allsource schema infer order.placed > order.json     what the stored events look like
  allsource schema register order.placed order.json --enforcement reject
  allsource schema register order.placed order-v2.json --dry-run
  allsource schema register order.placed order-v2.json --mode none --upcast '[{\"rename\": [\"payload.sum\", \"total\"]}]'
  allsource schema list order.placed
  allsource schema validate --type 'order.*'

Exit codes: 0 done, 1 failed, refused as incompatible, or (validate) some events do not fit.";

/// The subcommands of `allsource schema`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SchemaArgs {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Register a schema, its next version, or how a subject is kept
    Register(RegisterArgs),
    /// Show what is registered; of one subject the schema itself
    List(ListArgs),
    /// Check stored events, and name those that do not fit
    Validate(ValidateArgs),
    /// Print a schema that stored events have
    Infer {
        /// The event type, or a prefix with a trailing *
        #[arg(value_name = "SUBJECT")]
        subject: String,
        /// The branch to read: main, a fork's id, or BRANCH@TAG
        #[arg(long, value_name = "BRANCH")]
        branch: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// The answer as an agent gets it
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct RegisterArgs {
    /// The event type, or a prefix with a trailing *
    #[arg(value_name = "SUBJECT")]
    pub(super) subject: String,
    /// The file with the JSON Schema; - reads standard input; left out, only settings change
    #[arg(value_name = "FILE", conflicts_with = "infer")]
    pub(super) file: Option<PathBuf>,
    /// Make the schema from what is stored
    #[arg(long)]
    pub(super) infer: bool,
    /// What a new version must be compatible with [default: backward, or as before]
    #[arg(long, value_name = "MODE", value_parser = clap::builder::PossibleValuesParser::new(Mode::NAMES))]
    pub(super) mode: Option<String>,
    /// What becomes of appends that do not fit [default: warn, or as before]
    #[arg(long, value_name = "WHAT", value_parser = clap::builder::PossibleValuesParser::new(Enforcement::NAMES))]
    pub(super) enforcement: Option<String>,
    /// How payloads of the version before become ones of this: a JSON array of rename, move, default, drop
    #[arg(long, value_name = "JSON")]
    pub(super) upcast: Option<String>,
    /// Judge it and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The branch to register it on: main, or a fork's id
    #[arg(long, value_name = "BRANCH", default_value = crate::engine::MAIN)]
    pub(super) branch: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// One subject, or an event type
    #[arg(value_name = "SUBJECT")]
    pub(super) subject: Option<String>,
    /// This version instead of the newest
    #[arg(long, value_name = "N", requires = "subject")]
    pub(super) version: Option<u64>,
    /// As it was registered up to this position
    #[arg(long, value_name = "POSITION")]
    pub(super) as_of_position: Option<u64>,
    /// As it was registered by this time
    #[arg(long, value_name = "TIME")]
    pub(super) known_at: Option<String>,
    /// The branch to read: main, a fork's id, or BRANCH@TAG
    #[arg(long, value_name = "BRANCH")]
    pub(super) branch: Option<String>,
    /// How it is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// By this subject's schema
    #[arg(long, value_name = "SUBJECT")]
    pub(super) subject: Option<String>,
    /// By the JSON Schema in this file; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(super) schema: Option<PathBuf>,
    /// Only this event type; a trailing * takes all that begin so
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) event_type: Option<String>,
    /// From this time on
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// The branch to read: main, a fork's id, or BRANCH@TAG
    #[arg(long, value_name = "BRANCH")]
    pub(super) branch: Option<String>,
    /// The most misfits to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u64,
    /// How it is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
}
