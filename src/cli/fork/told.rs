//! How is a fork told about at a terminal? Lines and columns; what was stored is quoted or stands in a cell.

use serde_json::Value;

use crate::cli::outcome::Ended;
use crate::cli::{Terminal, table};
use crate::event::quote;
use crate::event::{counted, grouped};
use crate::tools::Object;

/// A number of events and of the entities that they belong to.
pub(super) fn events_of(events: u64, entities: u64) -> String {
    let noun = if entities == 1 { "entity" } else { "entities" };
    format!("{} of {} {noun}", counted(events, "event"), grouped(entities))
}

/// A fork in a line.
pub(super) fn line(fork: &Object) -> String {
    let text = |name: &str| fork.get(name).and_then(Value::as_str);
    let mut parts = vec![text("fork_id").unwrap_or_default().to_owned()];
    parts.push(quote(text("purpose").unwrap_or_default()));
    let cut = fork.get("cut").and_then(Value::as_u64).unwrap_or(0);
    parts.push(format!("forked from {} at position {cut}", text("parent").unwrap_or("main")));
    let events = fork.get("events").and_then(Value::as_u64).unwrap_or(0);
    if events > 0 {
        parts.push(format!("{} of its own", counted(events, "event")));
    }
    match (text("restorable_until"), text("expires_at")) {
        (Some(until), _) => parts.push(format!("discarded, can be restored until {until}")),
        (None, Some(at)) => parts.push(format!("expires at {at} unless it is used")),
        (None, None) => parts.push("stays until it is discarded".to_owned()),
    }
    parts.join(" · ")
}

/// A fork as a row of the list.
pub(super) fn row(fork: &Value) -> Vec<Value> {
    let field = |name: &str| fork.get(name).cloned();
    let promoted = field("promoted_at_position").map(|_| Value::from("promoted"));
    vec![
        field("fork_id").unwrap_or_default(),
        field("parent").unwrap_or_else(|| "main".into()),
        field("cut").unwrap_or_default(),
        field("events").unwrap_or_else(|| 0.into()),
        field("state").or(promoted).unwrap_or_else(|| "live".into()),
        field("expires_at").or(field("restorable_until")).unwrap_or_else(|| "never".into()),
        field("purpose").unwrap_or_default(),
    ]
}

/// What a fork changed: the summary, each entity, and what a promotion would meet.
pub(super) fn diff(diff: &Object, terminal: &mut Terminal<'_>) -> Ended<()> {
    summary(diff, terminal)?;
    let shown = list(diff, "entities");
    if !shown.is_empty() {
        writeln!(terminal.out)?;
        let columns = ["entity", "versions", "changes"].map(str::to_owned);
        let rows: Vec<Vec<Value>> = shown.iter().map(entity_row).collect();
        table::write(terminal.out, &columns, &rows, true)?;
    }
    if diff.contains_key("next_cursor") {
        writeln!(terminal.err, "there are more entities; --format json shows how to go on")?;
    }
    conflicts(diff, terminal)
}

/// What a fork changed, field by field.
pub(super) fn summary(diff: &Object, terminal: &mut Terminal<'_>) -> Ended<()> {
    let number = |name: &str| diff.get(name).and_then(Value::as_u64).unwrap_or(0);
    let new = match number("new_entities") {
        0 => String::new(),
        new => format!(", {new} of them new"),
    };
    writeln!(terminal.out, "{}{new}", events_of(number("events"), number("entity_count")))?;
    let fields = list(diff, "summary");
    if fields.is_empty() {
        return Ok(());
    }
    let columns = ["event_type", "field", "entities", "before", "after", "example"].map(str::to_owned);
    let rows: Vec<Vec<Value>> = fields.iter().map(field_row).collect();
    table::write(terminal.out, &columns, &rows, true)?;
    Ok(())
}

fn field_row(field: &Value) -> Vec<Value> {
    let part = |name: &str| field.get(name).cloned().unwrap_or_default();
    let numbers = |name: &str| {
        let number = |which: &str| field.get(name)?.get(which).map(plain);
        match (number("min"), number("mean"), number("max")) {
            (Some(min), Some(mean), Some(max)) if min == max => mean.into(),
            (Some(min), Some(mean), Some(max)) => format!("{min}..{max}, mean {mean}").into(),
            _ => Value::Null,
        }
    };
    let example = field.pointer("/examples/0").map(moved).unwrap_or_default();
    vec![
        part("event_type"),
        part("field"),
        part("entities"),
        numbers("before"),
        numbers("after"),
        example.into(),
    ]
}

/// A number without digits that say nothing.
fn plain(number: &Value) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `[what, before, after]` in words.
fn moved(change: &Value) -> String {
    let cell = |at: usize| match change.get(at) {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(value) => table::cell(value),
    };
    format!("{}: {} → {}", cell(0), cell(1), cell(2))
}

fn entity_row(entity: &Value) -> Vec<Value> {
    let version = |at: usize| entity.get("versions").and_then(|versions| versions.get(at)).map(plain);
    let versions = format!("{} → {}", version(0).unwrap_or_default(), version(1).unwrap_or_default());
    let changes = entity.get("changes").and_then(Value::as_array).into_iter().flatten();
    let changes = changes.map(moved).collect::<Vec<_>>().join("; ");
    vec![entity.get("entity_id").cloned().unwrap_or_default(), versions.into(), changes.into()]
}

/// The entities that went on on the parent, each with what it has there since the cut.
pub(super) fn conflicts(answer: &Object, terminal: &mut Terminal<'_>) -> Ended<()> {
    let conflicts = list(answer, "conflicts");
    for conflict in conflicts {
        let name = quote(conflict.get("entity_id").and_then(Value::as_str).unwrap_or_default());
        let version = |name: &str| conflict.get(name).map(plain).unwrap_or_default();
        let (cut, now) = (version("version_at_cut"), version("version_now"));
        let positions = conflict.get("parent_positions").and_then(Value::as_array).into_iter().flatten();
        let positions = positions.map(plain).collect::<Vec<_>>().join(", ");
        let at = if positions.is_empty() { String::new() } else { format!(", at position {positions}") };
        let broken = match conflict.get("condition_broken_by") {
            None => String::new(),
            Some(by) => format!("; the event at position {} breaks a condition of an append", plain(by)),
        };
        writeln!(terminal.out, "conflict: {name} was at version {cut} and is at {now}{at}{broken}")?;
    }
    let count = answer.get("conflict_count").and_then(Value::as_u64).unwrap_or(0);
    if count > conflicts.len() as u64 {
        writeln!(terminal.out, "conflicts in all: {count}")?;
    }
    Ok(())
}

fn list<'a>(answer: &'a Object, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fork_is_told_in_a_line() {
        let fork = json!({"fork_id": "f-k7m2x9qa", "purpose": "a\nb", "cut": 3, "events": 1, "expires_at": "2024-01-01T00:00:00Z"});
        assert_eq!(
            line(fork.as_object().expect("an object")),
            "f-k7m2x9qa · \"a\\u000ab\" · forked from main at position 3 · 1 event of its own · expires at 2024-01-01T00:00:00Z unless it is used"
        );
    }

    #[test]
    fn what_moved_is_told_in_words() {
        assert_eq!(moved(&json!(["order-7", 70, 60])), "order-7: 70 → 60");
        assert_eq!(moved(&json!(["order-8", null, "x"])), "order-8: nothing → x");
        assert_eq!(events_of(1, 1), "1 event of 1 entity");
        assert_eq!(events_of(4, 2), "4 events of 2 entities");
    }
}
