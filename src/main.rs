//! The `allsource` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    allsource::cli::run(std::env::args_os())
}
