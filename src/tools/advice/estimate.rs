//! What will a call of a plan cost? About how many tokens its answer has at most, and how many milliseconds it takes.
//!
//! Tokens follow from how many rows are shown and how large payloads are; times from how many events must be read, at rates
//! that were measured on two cores with everything in the page cache ([`Rates`]).

use serde_json::Value;

use super::facts::Facts;
use crate::tools::{Object, TOOLS};

/// What an answer has beside its rows, in tokens.
const FIXED: u64 = 40;
/// Position, time, entity and type of a row, in tokens.
const ROW: u64 = 30;
/// A field of a payload in a row, in tokens.
const CELL: u64 = 7;
/// The most fields of payloads that a row shows.
const CELLS_MAX: u64 = 8;
/// The most tokens of an answer.
const ANSWER_MAX: u64 = 5_000;

/// Events read in a millisecond.
struct Rates;

impl Rates {
    /// Each event looked at, its payload with it.
    const SCANNED: u64 = 400;
    /// Columns read from segments and folded by SQL.
    const IN_SQL: u64 = 5_000;
    /// Walked through by an analysis.
    const ANALYSED: u64 = 800;
}

/// What a call costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) tokens: u64,
    pub(super) ms: u64,
}

/// What a call with these arguments costs; `rows` is how many match, where that is known.
pub(super) fn of(facts: &Facts<'_>, tool: &str, arguments: &Object, rows: Option<u64>) -> Cost {
    let events = facts.profile.stats.events;
    let bytes = facts.profile.payload_bytes.0 as u64;
    let types = facts.profile.types.len().min(20) as u64;
    let (tokens, ms) = match tool {
        "quick_stats" => (FIXED + 60 + types * 45, 5),
        "sample_events" => (FIXED + shown(arguments, "sample_size", 10, None) * row(facts, arguments), 5),
        "query_events" => {
            let shown = shown(arguments, "limit", default_limit(tool), rows);
            // An index leads to a name or a time; a condition is tried on every event that it leaves.
            let read = if arguments.contains_key("where") {
                rows.map_or(events, |rows| rows.min(events))
            } else {
                shown
            };
            (FIXED + shown * row(facts, arguments), 1 + read / Rates::SCANNED)
        }
        "hybrid_search" | "semantic_search_events" => {
            let shown = shown(arguments, "limit", default_limit(tool), rows);
            (FIXED + shown * (row(facts, arguments) + 10), 10 + events / 100_000)
        }
        "get_entity_state" => {
            let state = 2 * FIXED + bytes / 2;
            let more = ["provenance", "compare_as_of", "compare_version"];
            (if more.iter().any(|name| arguments.contains_key(*name)) { 2 * state } else { state }, 1)
        }
        "run_sql" => (FIXED + 200, 5 + events / Rates::IN_SQL),
        "analyze_events" => (FIXED + 300, 5 + events / Rates::ANALYSED),
        _ => (FIXED + 60, 2),
    };
    Cost { tokens: tokens.min(ANSWER_MAX), ms }
}

/// How many rows an answer shows.
fn shown(arguments: &Object, name: &str, default: u64, rows: Option<u64>) -> u64 {
    let asked = arguments.get(name).and_then(Value::as_u64).unwrap_or(default);
    rows.map_or(asked, |rows| rows.min(asked))
}

fn default_limit(tool: &str) -> u64 {
    TOOLS.iter().find(|one| one.name == tool).map_or(0, |tool| tool.limit_default as u64)
}

/// The tokens of one row.
fn row(facts: &Facts<'_>, arguments: &Object) -> u64 {
    if arguments.contains_key("event_ids") {
        // Whole events.
        return 2 * ROW + facts.profile.payload_bytes.0 as u64 / 4;
    }
    let named = arguments.get("fields").and_then(Value::as_array).map(|fields| fields.len() as u64);
    let fields = facts.profile.types.iter().map(|one| one.fields.len() as u64).max().unwrap_or_default();
    ROW + CELL * named.unwrap_or(fields).min(CELLS_MAX)
}
