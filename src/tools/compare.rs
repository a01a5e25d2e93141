//! *How many were there before, then, or over there?* The other side of a count, and the difference.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::Reply;
use super::argument::{Argument, Kind};
use super::call::Call;
use crate::engine::{Tally, View, Wish, tally};
use crate::error::{Error, Result};
use crate::event::{Timestamp, quote};
use crate::store::Snapshot;

/// The argument of the tools that count.
pub(super) const COMPARE: Argument =
    Argument::optional("compare", Kind::Text, "Counts of previous, START/END or branch:ID too");
/// The most event types in the table: 10.
const TYPES_MAX: usize = 10;

/// Adds `compare` to the first page of an answer, where that was asked for: how many events match there, and how many more there
/// are here.
///
/// # Errors
/// `Invalid` (`bad_argument`) naming `compare`, and those of a branch or a time.
pub(super) fn add(call: &Call<'_>, here: &View, reply: &mut Reply) -> Result<()> {
    let Some(asked) = call.arguments.text("compare").filter(|_| call.cursor.is_none()) else { return Ok(()) };
    let named = |error: Error| error.with("argument", "compare");
    let (with, there) = other_side(call, here, asked).map_err(named)?;
    let clock = call.engine.clock().as_ref();
    let (here, there) = (tally(here, &[], clock)?, tally(&there, &[], clock)?);
    let mut compared =
        json!({"with": with, "matched": there.events, "difference": difference(here.events, there.events)});
    if let Some(members) = compared.as_object_mut() {
        if here.scanned_to.is_some() || there.scanned_to.is_some() {
            members.insert("complete".to_owned(), false.into());
        }
        let (rows, more) = by_type(&here, &there);
        if more > 0 {
            members.insert("more_types".to_owned(), more.into());
        }
        if !rows.is_empty() {
            let columns = ["event_type", "here", "there", "difference"];
            members.insert("by_type".to_owned(), json!({"columns": columns, "rows": rows}));
            reply.untrusted.push("/compare");
        }
    }
    reply.field("compare", compared);
    Ok(())
}

/// The view that is compared with, and how it is named in the answer.
fn other_side(call: &Call<'_>, here: &View, asked: &str) -> Result<(String, View)> {
    if let Some(branch) = asked.strip_prefix("branch:") {
        let (engine, point) = call.engine.branch_at(branch)?;
        let snapshot = engine.store().snapshot().timed_by(call.engine.clock());
        let snapshot = point.map_or(snapshot.clone(), |point| snapshot.up_to(point));
        return Ok((asked.to_owned(), call.wish().over(snapshot, call.now)?));
    }
    if let Some((start, end)) = asked.split_once('/') {
        return between(call, call.snapshot()?, start, end);
    }
    if asked != "previous" {
        let message = format!(
            "compare with {}: give previous (as long, right before since), START/END (two times) or branch:ID",
            quote(asked)
        );
        return Err(Error::invalid("bad_argument", message));
    }
    let filter = &here.filter;
    let Some(since) = filter.since else {
        let message = "compare with previous: since is missing, so nothing says how long the time before it is; give since, or START/END";
        return Err(Error::invalid("bad_argument", message));
    };
    let end = filter.until.unwrap_or_else(|| filter.as_of.unwrap_or(call.now));
    let length = end.as_micros().saturating_sub(since.as_micros());
    if length <= 0 {
        let message = format!(
            "compare with previous: since {since} is not before {end}; give until, or an earlier since"
        );
        return Err(Error::invalid("bad_argument", message));
    }
    let start = Timestamp::from_micros(since.as_micros().saturating_sub(length));
    between(call, call.snapshot()?, &start.to_string(), &since.to_string())
}

/// The same events between two other times.
fn between(call: &Call<'_>, snapshot: Snapshot, start: &str, end: &str) -> Result<(String, View)> {
    let wish = Wish { since: Some(start), until: Some(end), ..call.wish() };
    let view = wish.over(snapshot, call.now)?;
    let written = |time: Option<Timestamp>| time.map(|time| time.in_zone(view.zone).to_string());
    let (start, end) = (written(view.filter.since), written(view.filter.until));
    Ok((format!("{}/{}", start.unwrap_or_default(), end.unwrap_or_default()), view))
}

/// The types with the greatest differences, and how many more differ or occur.
fn by_type(here: &Tally, there: &Tally) -> (Vec<Value>, usize) {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (event_type, count) in &here.types {
        counts.entry(event_type.as_str()).or_default().0 = *count;
    }
    for (event_type, count) in &there.types {
        counts.entry(event_type.as_str()).or_default().1 = *count;
    }
    let mut counts: Vec<(&str, (u64, u64))> = counts.into_iter().collect();
    counts.sort_by_key(|(_, (here, there))| std::cmp::Reverse(here.abs_diff(*there)));
    let more = counts.len().saturating_sub(TYPES_MAX);
    let rows = counts.into_iter().take(TYPES_MAX);
    (rows.map(|(name, (here, there))| json!([name, here, there, difference(here, there)])).collect(), more)
}

fn difference(here: u64, there: u64) -> i64 {
    let size = i64::try_from(here.abs_diff(there)).unwrap_or(i64::MAX);
    if here < there { -size } else { size }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tools::fixture::Shop;

    #[track_caller]
    fn check(shop: &Shop, arguments: &Value, matched: u64, difference: i64, by_type: &Value) {
        for tool in ["query_events", "quick_stats"] {
            let answer = shop.ask(tool, arguments);
            let compared = &answer["compare"];
            assert_eq!(compared["matched"], matched, "{tool} {arguments}: {answer}");
            assert_eq!(compared["difference"], difference, "{tool} {arguments}: {answer}");
            assert_eq!(compared["by_type"]["rows"], *by_type, "{tool} {arguments}: {answer}");
        }
    }

    #[test]
    fn the_time_before_another_time_and_a_branch_are_the_other_side() {
        let shop = Shop::with_orders();
        // An event an hour, three types in turn; the last is of now.
        let last = json!({"since": "now-2h", "until": "now", "compare": "previous"});
        check(
            &shop,
            &last,
            2,
            0,
            &json!([["order.placed", 1, 0, 1], ["order.shipped", 0, 1, -1], ["order.paid", 1, 1, 0]]),
        );
        let other = json!({"event_type": "order.paid", "since": "now-6h", "compare": "now-9h/now-8h"});
        check(&shop, &other, 0, 2, &json!([["order.paid", 2, 0, 2]]));
        let fork = shop.fork();
        let event = json!({"entity_id": "order-4", "event_type": "order.returned", "payload": {}});
        shop.ask("append_events", &json!({"branch": fork, "events": [event]}));
        let branch = json!({"entity_id": "order-4", "compare": format!("branch:{fork}")});
        let rows = json!([
            ["order.returned", 0, 1, -1],
            ["order.paid", 1, 1, 0],
            ["order.placed", 1, 1, 0],
            ["order.shipped", 1, 1, 0]
        ]);
        check(&shop, &branch, 4, -1, &rows);
        let back = json!({"entity_id": "order-4", "branch": fork, "compare": "branch:main", "event_type": "order.returned"});
        check(&shop, &back, 0, 1, &json!([["order.returned", 1, 0, 1]]));
    }

    #[test]
    fn a_comparison_goes_with_a_refined_query() {
        let shop = Shop::with_orders();
        let first = shop.ask("query_events", &json!({"since": "now-3h", "event_type": "order.paid"}));
        let compared = shop.ask("query_events", &json!({"refine": first["query_id"], "compare": "previous"}));
        assert_eq!(compared["compare"]["matched"], 1, "{compared}");
        assert_eq!(compared["compare"]["difference"], 0, "{compared}");
    }

    #[test]
    fn what_cannot_be_compared_names_the_argument() {
        let shop = Shop::with_orders();
        for (asked, code) in [
            (json!({"compare": "previous"}), "bad_argument"),
            (json!({"compare": "last month"}), "bad_argument"),
            (json!({"compare": "2024-13-01/now"}), "not_a_time"),
            (json!({"compare": "branch:f-00000000"}), "unknown_branch"),
        ] {
            let body = shop.refused("query_events", &asked, code);
            assert_eq!(body["error"]["argument"], "compare", "{body:?}");
        }
    }
}
