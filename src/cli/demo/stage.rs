//! How the session looks: narration, calls and answers, short enough to be read as they pass.

use std::io;
use std::time::Duration;

use serde_json::Value;

use super::session::Reply;
use crate::cli::Terminal;
use crate::cli::table;
use crate::event::grouped;
use crate::tools::Object;

/// The most rows that are shown of a table, and lines of anything else.
const ROWS_MAX: usize = 6;
/// The most characters of one line.
const LINE_CHARS_MAX: usize = 108;
/// What the reader of a demo need not see.
const QUIET: [&str; 4] = ["query_id", "untrusted", "head_position", "branch"];

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Cyan,
    Yellow,
}

/// The place where the session is played.
pub(super) struct Stage<'s, 't> {
    terminal: &'s mut Terminal<'t>,
    calls: u64,
    time: Duration,
    tokens: u64,
}

impl<'s, 't> Stage<'s, 't> {
    pub(super) fn new(terminal: &'s mut Terminal<'t>) -> Self {
        Self { terminal, calls: 0, time: Duration::ZERO, tokens: 0 }
    }

    pub(super) fn terminal(&mut self) -> &mut Terminal<'t> {
        self.terminal
    }

    /// A heading.
    pub(super) fn scene(&mut self, title: &str) -> io::Result<()> {
        let title = self.styled(Style::Bold, title);
        writeln!(self.terminal.out, "\n{title}")?;
        self.terminal.out.flush()
    }

    /// A line of narration.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.terminal.out, "  {text}")?;
        self.terminal.out.flush()
    }

    /// A call as it is sent.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> io::Result<()> {
        let (arrow, arguments) = (self.styled(Style::Cyan, "→"), cut(&arguments.to_string(), LINE_CHARS_MAX));
        let tool = self.styled(Style::Cyan, tool);
        writeln!(self.terminal.out, "  {arrow} {tool} {arguments}")?;
        self.terminal.out.flush()
    }

    /// Its answer: what it took, and its gist.
    pub(super) fn answer(&mut self, reply: &Reply) -> io::Result<()> {
        let tokens = tokens_of(&reply.body);
        self.calls += 1;
        self.time += reply.time;
        self.tokens += tokens;
        let style = if reply.is_error { Style::Yellow } else { Style::Cyan };
        let arrow = self.styled(style, "←");
        let cost = format!("{:.1} ms · about {} tokens", reply.time.as_secs_f64() * 1e3, grouped(tokens));
        let cost = self.styled(Style::Dim, &cost);
        writeln!(self.terminal.out, "  {arrow} {cost}")?;
        for (name, value) in reply.body.iter().filter(|(name, _)| !QUIET.contains(&name.as_str())) {
            self.part(name, value)?;
        }
        self.terminal.out.flush()
    }

    /// What the whole session took.
    pub(super) fn totals(&mut self) -> io::Result<()> {
        let said = format!(
            "{} calls took {:.0} ms and gave about {} tokens of answers.",
            self.calls,
            self.time.as_secs_f64() * 1e3,
            grouped(self.tokens)
        );
        self.say(&said)
    }

    fn part(&mut self, name: &str, value: &Value) -> io::Result<()> {
        match value {
            Value::Object(part) if part.contains_key("columns") && part.contains_key("rows") => {
                self.rows(name, part)
            }
            Value::Object(part) if part.len() > 1 && value.to_string().len() > LINE_CHARS_MAX => {
                self.line(&format!("{name}:"))?;
                for (name, value) in part.iter().take(ROWS_MAX) {
                    self.line(&cut(&format!("  {name}: {}", flat(value)), LINE_CHARS_MAX))?;
                }
                self.left_out(part.len(), "fields")
            }
            Value::Array(items) if value.to_string().len() > LINE_CHARS_MAX => {
                self.line(&format!("{name}:"))?;
                for item in items.iter().take(ROWS_MAX) {
                    self.line(&cut(&format!("  {}", gist(item)), LINE_CHARS_MAX))?;
                }
                self.left_out(items.len(), "items")
            }
            Value::String(text) if text.chars().count() > LINE_CHARS_MAX => {
                self.line(&format!("{name}:"))?;
                let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
                for line in lines.iter().take(ROWS_MAX) {
                    self.line(&cut(&format!("  {line}"), LINE_CHARS_MAX))?;
                }
                self.left_out(lines.len(), "lines")
            }
            other => self.line(&cut(&format!("{name}: {}", flat(other)), LINE_CHARS_MAX)),
        }
    }

    fn rows(&mut self, name: &str, part: &Object) -> io::Result<()> {
        let list = |name: &str| part.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut columns: Vec<String> = list("columns").iter().map(table::cell).collect();
        let mut rows: Vec<Vec<Value>> =
            list("rows").iter().take(ROWS_MAX).filter_map(|row| row.as_array().cloned()).collect();
        if name != "table" {
            self.line(&format!("{name}:"))?;
        }
        let mut text = Vec::new();
        let mut dropped = 0;
        loop {
            text.clear();
            table::write(&mut text, &columns, &rows, true)?;
            let fits =
                String::from_utf8_lossy(&text).lines().all(|line| line.chars().count() <= LINE_CHARS_MAX);
            if fits || columns.len() <= 1 {
                break;
            }
            dropped += 1;
            // What a hit says, and how near it is, is what a search is for.
            let is_spared = |column: &String| ["score", "snippet"].contains(&column.as_str());
            let at = columns.iter().rposition(|column| !is_spared(column)).unwrap_or(columns.len() - 1);
            columns.remove(at);
            for row in rows.iter_mut().filter(|row| row.len() > at) {
                row.remove(at);
            }
        }
        for line in String::from_utf8_lossy(&text).lines() {
            self.line(line)?;
        }
        self.left_out(list("rows").len(), "rows")?;
        self.more(dropped, "columns")
    }

    /// Says how many were not shown of which all there are.
    fn left_out(&mut self, all: usize, what: &str) -> io::Result<()> {
        self.more(all.saturating_sub(ROWS_MAX), what)
    }

    fn more(&mut self, count: usize, what: &str) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let note = self.styled(Style::Dim, &format!("… and {count} more {what}"));
        writeln!(self.terminal.out, "    {note}")
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.terminal.out, "    {text}")
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if !self.terminal.color {
            return text.to_owned();
        }
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Cyan => "36",
            Style::Yellow => "33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// An item on one line; a call with its reason before it.
fn gist(item: &Value) -> String {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    match (text("tool"), text("why"), item.get("arguments")) {
        (Some(tool), Some(why), Some(arguments)) => flat(&Value::from(format!("{why}: {tool} {arguments}"))),
        _ => flat(item),
    }
}

/// A value on one line: texts bare, everything else as JSON, nothing that moves a terminal's cursor.
fn flat(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// At most `chars_max` characters, and how many were cut.
fn cut(text: &str, chars_max: usize) -> String {
    let more = text.chars().count().saturating_sub(chars_max);
    if more == 0 {
        return text.to_owned();
    }
    let short: String = text.chars().take(chars_max).collect();
    format!("{short}…+{more}")
}

/// A rough count, as good for any model: four bytes of JSON are about one token.
fn tokens_of(body: &Object) -> u64 {
    serde_json::to_string(body).map_or(0, |text| text.len() as u64 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_how_much() {
        assert_eq!(cut("abcdef", 4), "abcd…+2");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(flat(&Value::from("a\u{1b}[2Jb")), "a [2Jb");
    }
}
