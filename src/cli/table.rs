//! Columns for people.

use std::io::{self, Write};

use serde_json::Value;

/// The widest column: 60 characters.
const WIDTH_MAX: usize = 60;

/// Writes rows, under their headings if `headed`; numbers stand to the right.
pub(super) fn write(
    out: &mut dyn Write,
    columns: &[String],
    rows: &[Vec<Value>],
    headed: bool,
) -> io::Result<()> {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let width_of = |at: usize| {
        let cells = cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain(columns.get(at).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width_of).collect();
    let numeric: Vec<bool> = (0..columns.len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).all(|value| value.is_number() || value.is_null()))
        .collect();
    let mut line = |cells: &[String]| {
        let mut text = String::new();
        for ((cell, width), right) in cells.iter().zip(&widths).zip(&numeric) {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if *right { (gap.as_str(), "") } else { ("", gap.as_str()) };
            text.push_str(before);
            text.push_str(cell);
            text.push_str(after);
            text.push_str("  ");
        }
        writeln!(out, "{}", text.trim_end())
    };
    if headed {
        line(columns)?;
    }
    cells.iter().try_for_each(|row| line(row))
}

/// A value in one line, without what would move a terminal's cursor.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = visible.clone().take(WIDTH_MAX).collect();
    if visible.count() > WIDTH_MAX {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let columns = ["position".to_owned(), "entity".to_owned(), "n".to_owned()];
        let rows = [vec![json!(7), json!("é\n"), json!(10)], vec![json!(12), json!("abcdefgh"), Value::Null]];
        let mut out = Vec::new();
        write(&mut out, &columns, &rows, true).expect("written");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text, "position  entity     n\n       7  é         10\n      12  abcdefgh\n");
    }
}
