//! `allsource search`: find events by words and by meaning.

use serde_json::Value;

use super::Terminal;
use super::answer::{ask, warnings};
use super::filter::FilterArgs;
use super::outcome::{Ended, Exit};
use super::searching::{SearchFlags, catch_up};
use super::table::cell;
use crate::door::Host;
use crate::engine::Caller;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Find events by their words, by what they are about, or by both at once.

Words alone are searched for as keywords and by meaning. Keywords know \"phrases\", prefix*, AND, OR, NOT, path:value, and ids, \
hashes and paths whole or in parts. The first search of a store indexes it, which is shown; a running server has done that \
already.";

const EXAMPLES: &str = "\
Examples:
  allsource search 'payment timed out'                          by words and by meaning
  allsource search --keywords 'gateway:eu-2 AND \"timed out\"'     by words alone
  allsource search --meaning 'customers who want their money back' --since now-30d
  allsource search --like 0198c7a2-…                            events like that one
  allsource search 'refactor the parser' --type 'commit.*' --format json";

/// The largest answer that a tool gives, in tokens.
const PAGE_TOKENS: u64 = 10_000;

/// What `search` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct SearchArgs {
    /// Words, searched for as keywords and by meaning
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
    /// Keywords, with \"phrases\", prefix*, AND, OR, NOT and path:value
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["words", "like"])]
    keywords: Option<String>,
    /// What it is about
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["words", "like"])]
    meaning: Option<String>,
    /// Events like the one with this id
    #[arg(long, value_name = "EVENT_ID", conflicts_with = "words")]
    like: Option<String>,
    /// The least score from 0 to 1 of what is found by meaning alone; ½ is close [default: 0.5]
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f32>,
    /// How words and meaning become one ranking
    #[arg(long, value_name = "HOW", value_parser = ["convex", "rrf"], default_value = "convex")]
    fusion: String,
    /// The most events
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: u64,
    /// Payload paths to show, such as payload.amount
    #[arg(long, value_name = "PATH,…", value_delimiter = ',')]
    fields: Vec<String>,
    /// How events are shown: columns, or one answer as an agent gets it
    #[arg(long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
    /// Go on from the `next_cursor` of an answer
    #[arg(long, value_name = "TOKEN")]
    cursor: Option<String>,
    /// Say how it was found
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    pub(super) search: SearchFlags,
}

impl SearchArgs {
    /// The tool that answers, and its arguments.
    fn to_call(&self) -> (&'static str, Object) {
        let mut arguments = self.filter.to_arguments();
        let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
        let words = self.words.join(" ");
        let by_meaning_alone = self.like.is_some() || (self.meaning.is_some() && self.keywords.is_none());
        let tool = if by_meaning_alone { "semantic_search_events" } else { "hybrid_search" };
        match (&self.like, &self.meaning) {
            (Some(id), _) => drop(set("like_event_id", id.as_str().into())),
            (None, Some(meaning)) if by_meaning_alone => drop(set("query", meaning.as_str().into())),
            (None, Some(meaning)) => drop(set("semantic_query", meaning.as_str().into())),
            (None, None) if !words.is_empty() => drop(set("semantic_query", words.as_str().into())),
            (None, None) => {}
        }
        if let Some(keywords) =
            self.keywords.as_deref().or(Some(words.as_str()).filter(|words| !words.is_empty()))
        {
            set("keywords", keywords.into());
        }
        if let Some(threshold) = self.threshold.filter(|_| by_meaning_alone) {
            set("threshold", f64::from(threshold).into());
        }
        if self.fusion != "convex" && !by_meaning_alone {
            set("fusion", self.fusion.as_str().into());
        }
        if !self.fields.is_empty() {
            set("fields", self.fields.clone().into());
        }
        if self.explain {
            set("explain", true.into());
        }
        match &self.cursor {
            Some(cursor) => set("cursor", cursor.as_str().into()),
            None => set("limit", self.limit.into()),
        };
        set("max_tokens", PAGE_TOKENS.into());
        (tool, arguments)
    }
}

/// Runs `allsource search`.
pub(super) fn run(search: &SearchArgs, host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let (tool, arguments) = search.to_call();
    catch_up(host, caller)?;
    let answer = ask(host, tool, &arguments, caller)?;
    for warning in warnings(&answer) {
        writeln!(terminal.err, "{warning}")?;
    }
    if search.format == "json" {
        writeln!(terminal.out, "{:#}", Value::Object(answer))?;
        return Ok(Exit::Done);
    }
    if let Some(explained) = answer.get("explain") {
        writeln!(terminal.err, "explain: {explained}")?;
    }
    show(&answer, terminal)?;
    if let Some(next) = answer.get("next_cursor").and_then(Value::as_str) {
        writeln!(terminal.err, "there are more: --cursor {next}")?;
    }
    Ok(Exit::Done)
}

/// Shows each hit on two lines: where it stands, and what it says.
fn show(answer: &Object, terminal: &mut Terminal<'_>) -> Ended<()> {
    let part = |name: &str| answer.get("table")?.get(name)?.as_array();
    let columns: Vec<&str> = part("columns").into_iter().flatten().filter_map(Value::as_str).collect();
    for row in part("rows").into_iter().flatten().filter_map(Value::as_array) {
        let (mut score, mut snippet, mut own) = (String::new(), String::new(), Vec::new());
        let mut place = Vec::new();
        for (column, value) in columns.iter().zip(row) {
            match *column {
                "score" => score = value.as_f64().map(|score| format!("{score:.3}")).unwrap_or_default(),
                "snippet" => snippet = cell(value),
                "position" | "timestamp" | "entity_id" | "event_type" => place.push(cell(value)),
                column if !value.is_null() => own.push(format!("{column} = {}", cell(value))),
                _ => {}
            }
        }
        writeln!(terminal.out, "{score}  {}", place.join("  "))?;
        for line in [own.join("  "), snippet].iter().filter(|line| !line.is_empty()) {
            writeln!(terminal.out, "       {line}")?;
        }
    }
    Ok(())
}
