//! A prompt for statements, with history and completion.

use std::borrow::Cow;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper};
use serde_json::Value;

use super::super::Terminal;
use super::super::outcome::{Ended, Exit};
use super::Format;
use super::output::{Rows, write};
use crate::error::{Error, ErrorKind};

/// The statements that are remembered: 1,000.
const HISTORY_MAX: usize = 1_000;
/// The words that are completed beside names.
const WORDS: [&str; 32] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "WITH",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "BETWEEN",
    "IS NULL",
    "IS NOT NULL",
    "DISTINCT",
    "UNION ALL",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "DESC",
    "OVER",
    "PARTITION BY",
    "count(*)",
    "date_trunc('day', timestamp)",
];
/// Every name that a statement may use.
const NAMES: &str =
    "SELECT DISTINCT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'";
/// The functions that read the store.
const TABLES: [&str; 3] = ["events_at('", "state_at('", "search_events('"];

/// Reads statements and shows their rows until the end of input.
pub(super) fn run(ask: &dyn Fn(&str) -> Result<Rows, Error>, terminal: &mut Terminal<'_>) -> Ended {
    let cannot = |error: ReadlineError| {
        Error::new(ErrorKind::Unavailable, "no_terminal", "read from the terminal").caused_by(error)
    };
    let mut editor: Editor<Names, FileHistory> = Editor::new().map_err(cannot)?;
    editor.set_max_history_size(HISTORY_MAX).map_err(cannot)?;
    editor.set_helper(Some(Names::of(ask)));
    let history = history_file();
    if let Some(path) = &history {
        // None yet is no reason to stop.
        let _ = editor.load_history(path);
    }
    writeln!(terminal.out, "One SELECT, ended by ;  Tab completes, Ctrl-D leaves.")?;
    loop {
        terminal.out.flush()?;
        match editor.readline("sql> ") {
            Ok(line) => {
                let statement = line.trim().trim_end_matches(';').trim();
                if statement.is_empty() {
                    continue;
                }
                // A history that cannot be kept is no reason to stop.
                let _ = editor.add_history_entry(line.as_str());
                show(&ask(statement), terminal)?;
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(cannot(error).into()),
        }
    }
    if let Some(path) = &history {
        let _ = editor.save_history(path);
    }
    Ok(Exit::Done)
}

fn show(answer: &Result<Rows, Error>, terminal: &mut Terminal<'_>) -> Ended<()> {
    match answer {
        Err(error) => writeln!(terminal.err, "error: failed to {error}")?,
        Ok(rows) => {
            write(rows, Format::Table, None, terminal)?;
            for note in rows.notes() {
                writeln!(terminal.err, "warning: {note}")?;
            }
        }
    }
    Ok(())
}

/// Where statements are remembered: in the directory that the XDG base directory specification gives for state.
fn history_file() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let dir = state.or_else(home)?.join("allsource");
    std::fs::create_dir_all(&dir).ok()?;
    Some(dir.join("sql_history"))
}

/// What can be completed.
struct Names(Vec<String>);

impl Names {
    fn of(ask: &dyn Fn(&str) -> Result<Rows, Error>) -> Self {
        let mut names: Vec<String> = WORDS.into_iter().chain(TABLES).map(str::to_owned).collect();
        if let Ok(rows) = ask(NAMES) {
            let cells = rows.values().flatten();
            names.extend(cells.filter_map(|cell| match cell {
                Value::String(name) => Some(name),
                _ => None,
            }));
        }
        names.sort();
        names.dedup();
        Self(names)
    }
}

impl Completer for Names {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..at).unwrap_or_default();
        let start =
            before.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).map_or(0, |at| at + 1);
        let word = before.get(start..).unwrap_or_default();
        let folded = word.to_lowercase();
        let fits = |name: &&String| !word.is_empty() && name.to_lowercase().starts_with(&folded);
        Ok((start, self.0.iter().filter(fits).cloned().collect()))
    }
}

impl Validator for Names {
    /// A statement may take several lines; it ends with a semicolon.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input().trim();
        let is_over = text.is_empty() || text.ends_with(';');
        Ok(if is_over { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Borrowed(line)
    }
}

impl Helper for Names {}
