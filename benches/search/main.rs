//! How fast events become findable, what that costs, and how fast they are found; see `benches/README.md`.
//!
//! `cargo bench --bench search -- [indexing] [appends] [latency] [freshness] [--events N] [--file JSONL]`: the parts that
//! are named, or all, over N generated events (100,000), or over the lines of a file of JSON objects (it may end in
//! `.gz`), at most N. Prints one table for each part.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench measures real time on real files, prints what it finds, and has nobody to report an error to"
)]

mod appends;
mod events;
mod freshness;
mod indexing;
mod latency;
mod machine;
mod pace;
mod times;

use std::path::PathBuf;

use events::Source;

/// The events of a quick run.
const EVENTS: usize = 100_000;

/// What is to be measured.
struct Plan {
    parts: Vec<String>,
    events: usize,
    file: Option<PathBuf>,
}

impl Plan {
    fn of_arguments() -> Self {
        let mut plan = Self { parts: Vec::new(), events: EVENTS, file: None };
        // Cargo says `--bench` to every bench.
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--events" => {
                    let number = arguments.next().expect("a number behind --events");
                    plan.events = number.replace('_', "").parse().expect("a number behind --events");
                }
                "--file" => plan.file = Some(arguments.next().expect("a path behind --file").into()),
                part if ["indexing", "appends", "latency", "freshness"].contains(&part) => {
                    plan.parts.push(argument);
                }
                other => panic!("{other} is none of indexing, appends, latency, freshness, --events, --file"),
            }
        }
        plan
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|named| named == part)
    }
}

fn main() {
    let plan = Plan::of_arguments();
    let source = Source::new(plan.file.as_deref(), plan.events);
    println!("{} events {}\n", source.len(), source.describe());
    if plan.has("indexing") {
        indexing::measure(&source);
    }
    if plan.has("appends") {
        appends::measure(&source);
    }
    if plan.has("latency") {
        latency::measure(&source);
    }
    if plan.has("freshness") {
        freshness::measure(&source);
    }
}

/// A directory on the disk that the build is on, gone when it is dropped.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for a bench")
}
