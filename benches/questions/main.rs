//! Can an agent answer people's questions, in how many calls and tokens, and how long does it wait? See `benches/README.md`.
//!
//! `cargo bench --bench questions -- --data DIR [--work DIR] [--program FILE] [--only TEXT] [questions] [stdio]`: DIR holds the data
//! sets of [`sets`], compressed or not. Each becomes a store by `allsource import`; then the reference calls of `questions.jsonl` are
//! sent to the real program over its standard streams, and single `query_events` calls are timed the same way. `--work` names a
//! directory in which the stores are made and stay; `--program` another build; `--only` the questions whose id holds TEXT. Fails
//! when an answer is wrong.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench measures real time on real files, prints what it finds, and has nobody to report an error to"
)]

mod client;
mod latency;
mod pointer;
mod question;
mod replay;
mod sets;

use std::path::PathBuf;
use std::process::ExitCode;

use question::Question;
use sets::Sets;

/// What is to be measured, and where.
struct Plan {
    parts: Vec<String>,
    data: Option<PathBuf>,
    work: Option<PathBuf>,
    program: PathBuf,
    only: String,
}

impl Plan {
    fn of_arguments() -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_allsource"));
        let mut plan = Self { parts: Vec::new(), data: None, work: None, program, only: String::new() };
        // Cargo says `--bench` to every bench.
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("a value behind the option");
            match argument.as_str() {
                "--data" => plan.data = Some(value().into()),
                "--work" => plan.work = Some(value().into()),
                "--program" => plan.program = value().into(),
                "--only" => plan.only = value(),
                "questions" | "stdio" => plan.parts.push(argument),
                other => panic!("{other} is none of questions, stdio, --data, --work, --program, --only"),
            }
        }
        plan
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|named| named == part)
    }
}

fn main() -> ExitCode {
    pointer::prove();
    let plan = Plan::of_arguments();
    let Some(data) = &plan.data else {
        println!("questions: give the directory of the data sets with --data");
        return ExitCode::SUCCESS;
    };
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for a bench");
    let work = plan.work.clone().unwrap_or_else(|| scratch.path().to_owned());
    let sets = Sets { data: data.clone(), work, program: plan.program.clone() };
    let mut wrong = 0;
    if plan.has("questions") {
        let questions: Vec<Question> =
            Question::all().into_iter().filter(|question| question.id.contains(&plan.only)).collect();
        wrong = replay::measure(&sets, &questions);
    }
    if plan.has("stdio") {
        latency::measure(&sets);
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
