//! The subcommands of `allsource fork`, and their flags.

use serde_json::Value;

use crate::cli::quantity::seconds;
use crate::tools::Object;

pub(in crate::cli) const LONG_ABOUT: &str = "\
Fork the store: a branch that shares everything up to its cut and goes on by itself. Making one copies nothing, whatever \
the store holds; main does not notice what is tried on it.

Every command that reads takes --branch: main, a fork's id, or either as it was at a tag or position (main@v1, \
f-k7m2x9qa@412). `allsource import --branch ID` tries an import. `fork diff` shows what changed, `fork promote` appends it to \
main, all of it or nothing, exactly once. A fork that nobody uses for 24 hours goes.

Examples:
  id=$(allsource fork create 'prices in cents')
  allsource import --branch $id corrections.jsonl
  allsource fork diff $id
  allsource fork promote $id
  allsource fork promote $id --entity order-7 --on-conflict skip --yes
  allsource fork tag main v1 && allsource stats --branch main@v1

Exit codes: 0 done, 1 failed, declined, or promotion stopped by conflicts.";

/// The subcommands of `allsource fork`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ForkArgs {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make a fork and print its id
    Create(CreateArgs),
    /// Show the forks there are
    List {
        /// Discarded and expired ones too
        #[arg(long)]
        all: bool,
        /// How they are shown
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Show what a fork changed, and what a promotion would meet
    Diff {
        /// The fork
        #[arg(value_name = "ID")]
        fork_id: String,
        /// How it is shown
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Append what a fork added to its parent
    Promote(PromoteArgs),
    /// Throw a fork away; it can be restored for 24 hours
    Discard {
        /// The fork
        #[arg(value_name = "ID")]
        fork_id: String,
    },
    /// Bring a discarded fork back
    Restore {
        /// The fork
        #[arg(value_name = "ID")]
        fork_id: String,
    },
    /// Name a position of a branch, to read it later as BRANCH@NAME
    Tag(TagArgs),
    /// Drop everything that a fork added, and fork its parent's present end
    Reset {
        /// The fork
        #[arg(value_name = "ID")]
        fork_id: String,
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
pub(super) struct CreateArgs {
    /// What it is for
    #[arg(value_name = "PURPOSE")]
    purpose: String,
    /// The branch to fork: main, a fork's id, or BRANCH@TAG
    #[arg(long, value_name = "BRANCH")]
    from: Option<String>,
    /// Fork behind this position instead of the last
    #[arg(long, value_name = "POSITION", conflicts_with = "known_at")]
    as_of_position: Option<u64>,
    /// Fork what the store knew at this time
    #[arg(long, value_name = "TIME")]
    known_at: Option<String>,
    /// How long it stays after its last use, such as 7d (s, m, h, d, w); 0 keeps it [default: 24h]
    #[arg(long, value_name = "AGE", value_parser = lifetime)]
    ttl: Option<u64>,
}

/// A lifetime; what is kept has none.
fn lifetime(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { seconds(text) }
}

impl CreateArgs {
    pub(super) fn to_arguments(&self) -> Object {
        let texts = [
            ("purpose", Some(self.purpose.as_str())),
            ("from_branch", self.from.as_deref()),
            ("known_at", self.known_at.as_deref()),
        ];
        let numbers = [("as_of_position", self.as_of_position), ("ttl_seconds", self.ttl)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text?))));
        let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name, Value::from(number?))));
        texts.chain(numbers).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct PromoteArgs {
    /// The fork
    #[arg(value_name = "ID")]
    pub(super) fork_id: String,
    /// Only what was done to this entity; may be given several times
    #[arg(long = "entity", value_name = "ENTITY")]
    pub(super) entities: Vec<String>,
    /// What becomes of entities that changed on the parent since: stop, leave them out, or append behind
    #[arg(long, value_name = "CHOICE", value_parser = ["abort", "skip", "rebase"], default_value = "abort")]
    pub(super) on_conflict: String,
    /// Show what would happen and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct TagArgs {
    /// The branch: main, or a fork's id
    #[arg(value_name = "BRANCH")]
    pub(super) branch: String,
    /// The name
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// The position to name instead of the last
    #[arg(long, value_name = "POSITION")]
    pub(super) position: Option<u64>,
    /// Take the name away
    #[arg(long, conflicts_with = "position")]
    pub(super) remove: bool,
}
