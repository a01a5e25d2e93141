//! `allsource analyze`: what many events add up to.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::answer::{refused, warnings};
use super::filter::FilterArgs;
use super::outcome::{Ended, Exit};
use super::{Terminal, table};
use crate::analysis::Analysis;
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::tools::{Image, Object};

pub(super) const LONG_ABOUT: &str = "\
Answer one question about many events: how often, how many a week, how many take a row of steps, what follows what, how \
long it takes, who comes back, what occurs together, whether it rises, what is unusual, what is odd. It is the tool \
analyze_events, with the same answer.";

const EXAMPLES: &str = "\
Examples:
  allsource analyze frequency --by metadata.actor
  allsource analyze time_series --type order.placed --bucket week --plot
  allsource analyze time_series --by event_type --bucket day --svg days.svg
  allsource analyze funnel                                    the commonest paths
  allsource analyze funnel --steps order.placed,order.paid,order.shipped --window 14d
  allsource analyze transitions --where \"payload.lifecycle = 'COMPLETE'\"
  allsource analyze duration --steps order.placed,order.shipped
  allsource analyze frequency --value payload.total --aggregate p95
  allsource analyze profile

Exit codes: 0 done (also when nothing matches), 1 failed.";

/// The largest answer that a tool gives, in tokens.
const ANSWER_TOKENS: u64 = 10_000;
/// The most rows of one page, whatever was asked for.
const PAGE_ROWS_MAX: u64 = 1_000;

/// What `analyze` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct AnalyzeArgs {
    /// The question
    #[arg(value_name = "ANALYSIS", value_parser = Analysis::NAMES)]
    analysis: String,
    /// Event types in order, for funnel and duration
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    steps: Vec<String>,
    /// Whose events they are: a path [default: the entity]
    #[arg(long, value_name = "PATH")]
    key: Option<String>,
    /// The longest time from the first step to the last, such as 14d
    #[arg(long, value_name = "LENGTH")]
    window: Option<String>,
    /// minute, hour, day, week, month, quarter, year, or a length such as 15m [default: one that fits]
    #[arg(long, value_name = "BUCKET")]
    bucket: Option<String>,
    /// The path that groups
    #[arg(long, value_name = "PATH")]
    by: Option<String>,
    /// The path that is measured
    #[arg(long, value_name = "PATH")]
    value: Option<String>,
    /// count, distinct, sum, mean, min, max or a percentile such as p95 [default: count; with --value mean]
    #[arg(long, value_name = "AGGREGATE")]
    aggregate: Option<String>,
    /// Sketches of bounded size instead of exact results; their error is said
    #[arg(long)]
    approximate: bool,
    /// The most rows
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u64,
    /// Also draw it with characters
    #[arg(long)]
    plot: bool,
    /// Also draw it as an image into this file, replacing what it holds
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The answer as an agent gets it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

impl AnalyzeArgs {
    fn to_arguments(&self) -> Object {
        let mut arguments = self.filter.to_arguments();
        let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
        set("analysis", self.analysis.as_str().into());
        let texts = [
            ("key", &self.key),
            ("window", &self.window),
            ("bucket", &self.bucket),
            ("by", &self.by),
            ("value", &self.value),
            ("aggregate", &self.aggregate),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                set(name, text.as_str().into());
            }
        }
        if !self.steps.is_empty() {
            set("steps", self.steps.clone().into());
        }
        for (name, flag) in [("approximate", self.approximate), ("plot", self.plot)] {
            if flag {
                set(name, true.into());
            }
        }
        if self.svg.is_some() {
            set("format", "svg".into());
        }
        set("max_tokens", ANSWER_TOKENS.into());
        arguments
    }
}

/// Runs `allsource analyze`.
pub(super) fn run(analyze: &AnalyzeArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let mut arguments = analyze.to_arguments();
    let mut left = analyze.limit;
    let mut is_first = true;
    loop {
        if is_first {
            arguments.insert("limit".to_owned(), left.clamp(1, PAGE_ROWS_MAX).into());
        }
        let answer = host.call("analyze_events", &arguments, caller);
        if answer.is_error {
            return Err(refused(&answer.body).into());
        }
        let body = answer.body;
        for warning in warnings(&body) {
            writeln!(terminal.err, "warning: {warning}")?;
        }
        if let (Some(path), Some(image)) = (&analyze.svg, &answer.image) {
            save(path, image)?;
            writeln!(terminal.err, "chart written to {}", path.display())?;
        }
        if analyze.json {
            writeln!(terminal.out, "{:#}", Value::Object(body))?;
            return Ok(Exit::Done);
        }
        if is_first {
            write_beside(&body, terminal)?;
        }
        left = left.saturating_sub(write_table(&body, left, is_first, terminal)?);
        let Some(next) = body.get("next_cursor").filter(|_| left > 0) else {
            if body.contains_key("next_cursor") {
                writeln!(terminal.err, "there are more rows; see them with --limit")?;
            }
            return Ok(Exit::Done);
        };
        is_first = false;
        arguments.retain(|name, _| name == "max_tokens");
        arguments.insert("cursor".to_owned(), next.clone());
    }
}

/// What stands beside the rows, before them: facts on standard output, how it was counted on standard error.
fn write_beside(body: &Object, terminal: &mut Terminal<'_>) -> Ended<()> {
    for name in ["worst_step", "facts"] {
        let members = body.get(name).and_then(Value::as_object);
        for (member, value) in members.into_iter().flatten() {
            let owner = if name == "facts" { "" } else { "worst step, " };
            writeln!(terminal.out, "{owner}{member}: {}", table::cell(value))?;
        }
    }
    if let Some(plot) = body.get("plot").and_then(Value::as_str) {
        writeln!(terminal.out, "{plot}\n")?;
    }
    if let Some(said) = body.get("sql").or_else(|| body.get("definition")).and_then(Value::as_str) {
        writeln!(terminal.err, "counted as: {said}")?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the user's own file, outside every data directory")]
fn save(path: &Path, image: &Image) -> Result<(), Error> {
    fs::write(path, &image.text).map_err(|error| {
        let message = format!("write {}: check the path and the space on its disk", path.display());
        Error::new(ErrorKind::Unavailable, "output_failed", message).caused_by(error)
    })
}

/// Writes a page; says how many rows it has.
fn write_table(body: &Object, left: u64, is_first: bool, terminal: &mut Terminal<'_>) -> Ended<u64> {
    let part = |name: &str| body.get("table")?.get(name)?.as_array();
    let columns: Vec<String> =
        part("columns").into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let rows: Vec<Vec<Value>> = part("rows")
        .into_iter()
        .flatten()
        .filter_map(|row| row.as_array().cloned())
        .take(usize::try_from(left).unwrap_or(usize::MAX))
        .collect();
    if rows.is_empty() && is_first {
        writeln!(terminal.err, "nothing to show")?;
    } else {
        table::write(terminal.out, &columns, &rows, is_first)?;
    }
    Ok(rows.len() as u64)
}
