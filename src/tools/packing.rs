//! How do rows become a page? As many as fit are kept, and a cursor says where the next page begins.

use serde_json::{Value, json};

use super::budget::{cut, cut_strings, fit, tokens, tokens_of};
use super::cursor::Cursor;
use super::cut_texts::{STEP_TOKENS, has_cut};
use crate::event::Position;

/// What a cursor may cost, in tokens; kept free until it is known whether one is needed.
const CURSOR_TOKENS: usize = 60;
/// The columns that a table keeps whatever they cost: position, timestamp, entity and type.
const COLUMNS_MIN: usize = 4;

/// Rows that are packed into what the budget leaves.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The columns of a table; without them the rows are objects.
    pub columns: Option<Vec<String>>,
    /// The field that holds the objects, such as `events`.
    pub name: &'static str,
    /// The rows.
    pub items: Vec<Value>,
    /// How the next page is reached when not every row fits.
    pub paging: Option<Paging>,
}

/// How the pages of an answer follow each other.
#[derive(Debug)]
pub(crate) struct Paging {
    /// A cursor whose place is filled in.
    pub cursor: Cursor,
    /// The position of each row; of a ranking also those that come behind them.
    pub places: Vec<Position>,
    /// Where the page after all of these rows begins; `None` when there is none.
    pub next: Option<Position>,
    /// The places are a ranking: the next page begins with the first of them that is not shown.
    pub is_ranked: bool,
}

/// The rows of a page.
pub(super) struct Packed {
    /// The field that holds them.
    pub name: &'static str,
    /// The table, or the list of objects.
    pub value: Value,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
    /// What was cut or left out.
    pub warning: Option<String>,
}

impl Rows {
    /// What the cursor may cost; of a ranking that gets at most a sixth of the answer.
    pub(super) fn cursor_tokens(&mut self, tokens_max: usize) -> usize {
        let Some(paging) = self.paging.as_mut().filter(|paging| paging.is_ranked) else {
            return CURSOR_TOKENS;
        };
        loop {
            let cost = paging.after(0, self.items.len()).map_or(0, |cursor| tokens(&cursor) + 4);
            if cost <= tokens_max / 6 || paging.places.len() <= self.items.len() {
                return cost;
            }
            let carried = paging.places.len() - self.items.len();
            paging.places.truncate(self.items.len() + carried / 2);
        }
    }

    /// Whether there are cut texts, or will be when the rows are packed.
    pub(super) fn may_be_cut(&self, tokens_max: usize) -> bool {
        let is_large = |first: &Value| tokens_of(first) > tokens_max.saturating_sub(STEP_TOKENS) / 2;
        self.items.iter().any(has_cut) || self.items.first().is_some_and(is_large)
    }

    /// Keeps as many rows as fit; the first one stays, cut if it must be.
    pub(super) fn pack(self, tokens_max: usize) -> Packed {
        let Self { mut columns, name, mut items, paging } = self;
        let header = match &mut columns {
            Some(columns) => 12 + drop_columns(columns, &mut items, tokens_max / 2),
            None => 5 + tokens(name),
        };
        let room = tokens_max.saturating_sub(header);
        let mut used = 0;
        let total = items.len();
        let kept = items
            .iter()
            .take_while(|item| {
                used += tokens_of(item) + 1;
                used <= room
            })
            .count();
        let mut warning = None;
        if kept > 0 && kept < total && paging.is_none() {
            warning =
                Some(format!("{} more rows did not fit; raise max_tokens or name fields", total - kept));
        }
        let kept = if kept == 0 && total > 0 {
            items.truncate(1);
            items = items.into_iter().map(|item| fit_row(item, room)).collect();
            warning = Some("the first row is larger than the budget and was cut at the marks …+N".to_owned());
            1
        } else {
            items.truncate(kept);
            kept
        };
        let next_cursor = paging.and_then(|paging| paging.after(kept, total));
        let name = if columns.is_some() { "table" } else { name };
        let value = match columns {
            Some(columns) => json!({"columns": columns, "rows": items}),
            None => Value::Array(items),
        };
        Packed { name, value, next_cursor, warning }
    }
}

impl Paging {
    /// The cursor of the page after `kept` of `total` rows.
    pub(crate) fn after(&self, kept: usize, total: usize) -> Option<String> {
        if self.is_ranked {
            let ranked = self.places.get(kept..).filter(|rest| !rest.is_empty())?.to_vec();
            return Some(Cursor { ranked, ..self.cursor.clone() }.encode());
        }
        let place = if kept < total {
            kept.checked_sub(1).and_then(|last| self.places.get(last)).copied()
        } else {
            self.next
        };
        place.map(|place| Cursor { place, ..self.cursor.clone() }.encode())
    }
}

/// Drops columns from the right until their names fit into `tokens_max`; gives what the names that stay cost.
fn drop_columns(columns: &mut Vec<String>, items: &mut [Value], tokens_max: usize) -> usize {
    let mut kept = 0;
    let mut cost = 2;
    for column in columns.iter() {
        let more = tokens_of(&Value::from(column.as_str())) + 1;
        if cost + more > tokens_max && kept >= COLUMNS_MIN {
            break;
        }
        cost += more;
        kept += 1;
    }
    columns.truncate(kept);
    for row in items.iter_mut().filter_map(Value::as_array_mut) {
        row.truncate(kept);
    }
    cost
}

/// One row cut to fit: a table's row keeps its cells, an object its shape as long as possible.
fn fit_row(row: Value, tokens_max: usize) -> Value {
    for chars_max in [32_000, 16_000, 8_000, 4_000, 2_000, 1_000, 500, 250, 120, 60, 30, 15] {
        let (candidate, _) = cut_strings(row.clone(), chars_max);
        if tokens_of(&candidate) < tokens_max {
            return candidate;
        }
    }
    match row {
        Value::Array(cells) => cells.into_iter().map(smallest).collect(),
        other => fit(other, tokens_max.saturating_sub(1)).0,
    }
}

/// A cell of which little more is left than that it is there.
fn smallest(cell: Value) -> Value {
    match cell {
        Value::String(text) => cut(&text, 8).into(),
        Value::Array(_) | Value::Object(_) => cut(&cell.to_string(), 8).into(),
        Value::Number(number) if number.to_string().len() > 24 => cut(&number.to_string(), 8).into(),
        short => short,
    }
}
