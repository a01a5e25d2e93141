//! `allsource completions`: the flags of every command, for a shell to complete.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Terminal;
use super::arguments::Cli;
use super::outcome::{Ended, Exit};

const EXAMPLES: &str = "\
Examples:
  allsource completions bash > ~/.local/share/bash-completion/completions/allsource
  allsource completions zsh > ~/.zfunc/_allsource
  allsource completions fish > ~/.config/fish/completions/allsource.fish";

/// What `completions` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Runs `allsource completions`.
pub(super) fn run(arguments: &CompletionsArgs, terminal: &mut Terminal<'_>) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "allsource", &mut script);
    terminal.out.write_all(&script)?;
    Ok(Exit::Done)
}
