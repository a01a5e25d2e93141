//! Which call reads on where the texts of events were cut? One with `event_ids`, `fields` and `text_offset`, ready to be sent.

use serde_json::{Value, json};

use super::Object;
use super::answer::Step;
use super::budget::tokens_of;
use super::table::segment;

/// What the call that reads on may cost in an answer, in tokens.
pub(super) const STEP_TOKENS: usize = 120;
/// What stands around the call in an answer: its member's name, and the pointer that says that it holds stored text.
const AROUND_TOKENS: usize = 14;
/// The most events that one call reads on.
const IDS_MAX: usize = 3;
/// The most texts of an event that one call reads on.
const FIELDS_MAX: usize = 4;
/// The columns of rows that are no places in an event, or never cut.
const NO_TEXTS: [&str; 4] = ["position", "timestamp", "score", "snippet"];

/// The events behind the rows of an answer, for whoever wants the rest of their texts.
#[derive(Debug, Default)]
pub(crate) struct ReadsOn {
    /// The event of each row.
    pub event_ids: Vec<String>,
    /// Which character of each text is the first one that is shown.
    pub offset: usize,
    /// What a call that reads the same events takes besides: their branch.
    pub beside: Object,
}

/// A text that was cut.
struct Cut {
    row: usize,
    path: String,
    shown: usize,
}

impl ReadsOn {
    /// The call that gives the rest of the first text that was cut, and of those that were cut with it; `None` where none was.
    /// `rows` is what the answer shows: a table, or a list of objects. `constant` is what is the same in all of them.
    pub(super) fn step(&self, rows: &Value, constant: Option<&Value>) -> Option<Step> {
        let mut cuts = Vec::new();
        if let Some(Value::Object(members)) = constant {
            cuts.extend(members.iter().filter_map(|(path, value)| cut_at(0, path.clone(), value)));
        }
        match rows {
            Value::Array(objects) => {
                objects.iter().enumerate().for_each(|(row, object)| in_object(row, object, &mut cuts));
            }
            table => in_table(table, &mut cuts),
        }
        let first = cuts.first()?;
        let with_it = |cut: &&Cut| cut.shown == first.shown;
        let fields = cuts.iter().filter(with_it).filter(|cut| cut.row == first.row);
        let mut fields: Vec<&str> = fields.map(|cut| cut.path.as_str()).take(FIELDS_MAX).collect();
        let rows = cuts.iter().filter(with_it).filter(|cut| cut.path == first.path).map(|cut| cut.row);
        let mut ids: Vec<&str> =
            rows.filter_map(|row| self.event_ids.get(row)).map(String::as_str).take(IDS_MAX).collect();
        loop {
            let mut arguments = self.beside.clone();
            arguments.insert("event_ids".to_owned(), json!(ids));
            arguments.insert("fields".to_owned(), json!(fields));
            arguments.insert("text_offset".to_owned(), (self.offset + first.shown).into());
            let step = Step::new("query_events", Value::Object(arguments), "the rest of the text");
            if tokens_of(&step.to_value()) + AROUND_TOKENS <= STEP_TOKENS {
                return (!ids.is_empty()).then_some(step);
            }
            // The first of each is what the call is about.
            if ids.len() > 1 {
                ids.pop();
            } else if fields.len() > 1 {
                fields.pop();
            } else {
                return None;
            }
        }
    }
}

/// Whether a text in the value was cut.
pub(super) fn has_cut(value: &Value) -> bool {
    match value {
        Value::String(text) => shown_of(text).is_some(),
        Value::Array(items) => items.iter().any(has_cut),
        Value::Object(members) => members.values().any(has_cut),
        _ => false,
    }
}

/// How many characters stand in front of the mark `…+N` with which a cut text ends.
pub(super) fn shown_of(text: &str) -> Option<usize> {
    let (shown, rest) = text.rsplit_once("…+")?;
    let is_mark = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    Some(shown.chars().count()).filter(|shown| is_mark && *shown > 0)
}

fn cut_at(row: usize, path: String, value: &Value) -> Option<Cut> {
    Some(Cut { row, path, shown: shown_of(value.as_str()?)? })
}

fn in_table(table: &Value, cuts: &mut Vec<Cut>) {
    let list = |name: &str| table.get(name).and_then(Value::as_array).into_iter().flatten();
    let columns: Vec<&str> = list("columns").filter_map(Value::as_str).collect();
    for (row, cells) in list("rows").enumerate() {
        let cells = cells.as_array().into_iter().flatten();
        let named = columns.iter().zip(cells).filter(|(column, _)| !NO_TEXTS.contains(column));
        cuts.extend(named.filter_map(|(column, cell)| cut_at(row, (*column).to_owned(), cell)));
    }
}

/// In an event as an object: under `fields` stand paths, elsewhere the members of which paths are made.
fn in_object(row: usize, object: &Value, cuts: &mut Vec<Cut>) {
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Object(fields) if name == "fields" => {
                cuts.extend(fields.iter().filter_map(|(path, value)| cut_at(row, path.clone(), value)));
            }
            _ if NO_TEXTS.contains(&name.as_str()) => {}
            value => in_document(row, name.clone(), value, cuts),
        }
    }
}

fn in_document(row: usize, path: String, value: &Value, cuts: &mut Vec<Cut>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                in_document(row, format!("{path}{}", segment(key)), member, cuts);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                in_document(row, format!("{path}[{index}]"), item, cuts);
            }
        }
        text => cuts.extend(cut_at(row, path, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_on() -> ReadsOn {
        let event_ids = (0..9).map(|number| format!("e-{number}")).collect();
        ReadsOn { event_ids, offset: 0, beside: Object::new() }
    }

    #[track_caller]
    fn check(rows: &Value, constant: Option<&Value>, expected: Option<&Value>) {
        let step = reads_on().step(rows, constant).map(|step| step.to_value()["arguments"].clone());
        assert_eq!(step.as_ref(), expected, "{rows}");
    }

    #[test]
    fn cut_cells_of_a_table_are_read_on_by_their_columns() {
        let columns = json!(["position", "payload.a", "payload.b"]);
        let rows = json!([[1, "whole", "x"], [2, "abc…+7", "abc…+9"], [3, "abc…+1", "ab…+2"]]);
        let expected =
            json!({"event_ids": ["e-1", "e-2"], "fields": ["payload.a", "payload.b"], "text_offset": 3});
        check(&json!({"columns": columns, "rows": rows}), None, Some(&expected));
        check(&json!({"columns": columns, "rows": [[1, "no mark …+", "…+3"]]}), None, None);
    }

    #[test]
    fn cut_texts_of_objects_are_read_on_by_their_paths() {
        let event = json!({"event_id": "e-0", "payload": {"odd key": [{"t": "ab…+3"}], "n": 1}});
        let expected =
            json!({"event_ids": ["e-0"], "fields": ["payload[\"odd key\"][0].t"], "text_offset": 2});
        check(&json!([event]), None, Some(&expected));
        let named = json!([{"fields": {"payload.t": "abc…+3"}, "snippet": "…+3"}]);
        let expected = json!({"event_ids": ["e-0"], "fields": ["payload.t"], "text_offset": 3});
        check(&named, None, Some(&expected));
    }

    #[test]
    fn what_is_the_same_in_every_row_is_read_on_in_the_first() {
        let expected = json!({"event_ids": ["e-0"], "fields": ["payload.t"], "text_offset": 3});
        check(&json!({"columns": [], "rows": []}), Some(&json!({"payload.t": "abc…+3"})), Some(&expected));
    }

    #[test]
    fn the_call_stays_small() {
        let event_ids = vec!["i".repeat(256); 3];
        let long = ReadsOn { event_ids, ..ReadsOn::default() };
        let rows = json!([{"payload": {"a": "abc…+3"}}, {"payload": {"a": "abc…+3"}}]);
        let step = long.step(&rows, None).expect("a step").to_value();
        assert_eq!(step["arguments"]["event_ids"].as_array().map(Vec::len), Some(1), "{step}");
        let path = "x9".repeat(400);
        assert!(long.step(&json!([{"payload": {path: "abc…+3"}}]), None).is_none());
    }
}
