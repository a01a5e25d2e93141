//! An outcome drawn with characters, for whoever reads text.

use serde_json::Value;

use super::number::{count, float};
use super::outcome::{Drawing, Outcome, short};

/// The widest line: 60 characters.
const WIDTH: usize = 60;
/// The most lines: 20.
const LINES_MAX: usize = 20;
/// The widest name: 28 characters.
const LABEL_MAX: usize = 28;
/// The widest number: 10 characters.
const NUMBER_MAX: usize = 10;
/// Eighths of a character, from the left.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// Eighths of a line, from below.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// At most 20 lines of at most 60 characters; `None` when there is nothing to draw.
pub(crate) fn plot(outcome: &Outcome) -> Option<String> {
    let drawing = outcome.drawing.as_ref().filter(|_| !outcome.rows.is_empty())?;
    let lines = match drawing.values.as_slice() {
        values if drawing.is_line && (values.len() > 1 || outcome.rows.len() > LINES_MAX) => {
            sparklines(outcome, values)
        }
        [value, ..] => bars(outcome, drawing, *value),
        [] => return None,
    };
    Some(lines.join("\n"))
}

fn number_at(row: &[Value], at: usize) -> Option<f64> {
    row.get(at).and_then(Value::as_f64)
}

/// A bar for each row, to the right of its name.
fn bars(outcome: &Outcome, drawing: &Drawing, value: usize) -> Vec<String> {
    let rows: Vec<(String, Option<f64>)> = outcome
        .rows
        .iter()
        .take(LINES_MAX)
        .map(|row| (drawing.label(row, LABEL_MAX), number_at(row, value)))
        .collect();
    let widest = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let most = rows.iter().filter_map(|(_, value)| *value).map(f64::abs).fold(0.0, f64::max);
    let room = WIDTH.saturating_sub(widest + NUMBER_MAX + 2);
    let line = |(label, value): &(String, Option<f64>)| {
        let gap = " ".repeat(widest - label.chars().count());
        let told = value.map_or_else(|| "-".to_owned(), written);
        let bar = value.map_or_else(String::new, |value| bar(value.abs(), most, room));
        format!("{label}{gap} {bar} {told}")
    };
    rows.iter().map(line).collect()
}

/// A bar of at most `room` characters, in eighths of one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and 480")]
fn bar(value: f64, most: f64, room: usize) -> String {
    if most <= 0.0 {
        return String::new();
    }
    let eighths = (value / most * float(count(room * 8))).round() as usize;
    let rest = EIGHTHS.get(eighths % 8).filter(|_| !eighths.is_multiple_of(8));
    "█".repeat(eighths / 8).chars().chain(rest.copied()).collect()
}

/// A line of small columns for each of the values, each on its own scale.
fn sparklines(outcome: &Outcome, values: &[usize]) -> Vec<String> {
    let name = |at: usize| short(outcome.columns.get(at).map_or("", String::as_str), LABEL_MAX);
    let shown = || values.iter().copied().take(LINES_MAX);
    let widest = shown().map(|at| name(at).chars().count()).max().unwrap_or(0);
    // What follows the columns: the least and the most.
    let room = WIDTH.saturating_sub(widest + 2 * NUMBER_MAX + 3).max(1);
    let step = outcome.rows.len().div_ceil(room).max(1);
    let line = |at: usize| {
        let columns: Vec<Option<f64>> = outcome.rows.chunks(step).map(|rows| average(rows, at)).collect();
        let numbers = || columns.iter().flatten().copied();
        let (least, most) = (numbers().fold(f64::MAX, f64::min), numbers().fold(f64::MIN, f64::max));
        let drawn: String =
            columns.iter().map(|value| value.map_or(' ', |value| level(value, least, most))).collect();
        let name = name(at);
        let gap = " ".repeat(widest - name.chars().count());
        let range =
            if least > most { "-".to_owned() } else { format!("{}–{}", written(least), written(most)) };
        format!("{name}{gap} {drawn} {range}")
    };
    shown().map(line).collect()
}

fn average(rows: &[Vec<Value>], at: usize) -> Option<f64> {
    let numbers: Vec<f64> = rows.iter().filter_map(|row| number_at(row, at)).collect();
    super::quantile::mean(&numbers)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and 7")]
fn level(value: f64, least: f64, most: f64) -> char {
    let part = if most > least { (value - least) / (most - least) } else { 0.5 };
    let top = float(count(LEVELS.len())) - 1.0;
    LEVELS.get((part * top).round() as usize).copied().unwrap_or(' ')
}

/// A number in at most ten characters.
fn written(value: impl std::borrow::Borrow<f64>) -> String {
    let value = *value.borrow();
    let text = match value.abs() {
        size if size >= 1e9 => format!("{value:.2e}"),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    };
    text.chars().take(NUMBER_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(rows: Vec<Vec<Value>>, drawing: Drawing) -> Outcome {
        let width = rows.first().map_or(0, Vec::len);
        let columns = (0..width).map(|at| format!("c{at}")).collect();
        Outcome { columns, rows, drawing: Some(drawing), ..Outcome::default() }
    }

    #[track_caller]
    fn check(outcome: &Outcome) -> String {
        let text = plot(outcome).expect("a plot");
        assert!(text.lines().count() <= LINES_MAX, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        text
    }

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        let rows =
            vec![vec![json!("a"), json!(8)], vec![json!("bb"), json!(4)], vec![json!("c"), json!(null)]];
        let text = check(&outcome(rows, Drawing::bars(&[0], 1)));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].matches('█').count(), 2 * lines[1].matches('█').count());
        assert!(lines[0].ends_with(" 8") && lines[2].ends_with(" -"), "{text}");
    }

    #[test]
    fn however_many_rows_and_however_long_the_names_it_fits() {
        let rows = |n: usize| {
            (0..n).map(|n| vec![json!("x\u{202e}".repeat(90)), json!(n * n), json!(-3.25)]).collect()
        };
        check(&outcome(rows(500), Drawing::bars(&[0], 1)));
        check(&outcome(rows(500), Drawing::lines([1, 2])));
        let text = check(&outcome(rows(15_000), Drawing::lines([1])));
        assert!(text.contains('▁') && text.contains('█') && !text.contains('\u{202e}'), "{text}");
        assert_eq!(plot(&outcome(Vec::new(), Drawing::lines([1]))), None);
    }
}
