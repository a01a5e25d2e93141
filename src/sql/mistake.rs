//! What went wrong with a statement, said so that its writer can mend it: where, which name was perhaps meant, and the
//! statement as it might be.

use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError, TableReference};
use serde_json::json;

use crate::error::{Error, ErrorKind};
use crate::event::{nearest, quote};

/// How many names are offered for one that is not known.
const NEAREST_MAX: usize = 5;

/// An error of ours on its way through `DataFusion`; [`told`] takes it out again.
pub(super) fn stored(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What a statement could have named.
pub(super) struct Known {
    pub tables: Vec<String>,
    pub functions: Vec<String>,
}

/// An error of planning or running a statement.
pub(super) fn told(error: &DataFusionError, sql: &str, known: &Known) -> Error {
    match error.find_root() {
        DataFusionError::External(cause) => match cause.downcast_ref::<Error>() {
            Some(own) => own.copy(),
            None => failed(&cause.to_string()),
        },
        DataFusionError::SchemaError(mistake, _) => schema_mistake(mistake, sql),
        DataFusionError::SQL(mistake, _) => syntax_mistake(&mistake.to_string(), sql),
        DataFusionError::ResourcesExhausted(_) => {
            let message = "run the statement: it needs more than the 256 MiB that all statements have together; select fewer columns, filter or aggregate earlier, or add a LIMIT";
            Error::new(ErrorKind::Exhausted, "sql_memory", message)
        }
        DataFusionError::ArrowError(mistake, _) => match mistake.as_ref() {
            ArrowError::DivideByZero => {
                let message = "run the statement: it divides by zero; use nullif(divisor, 0)";
                Error::invalid("divide_by_zero", message)
            }
            mistake => failed(&mistake.to_string()),
        },
        DataFusionError::NotImplemented(what) => {
            let message = format!("run the statement: this is not supported: {}", first_line(what));
            Error::invalid("sql_unsupported", message)
        }
        root => planned(&root.message(), sql, known),
    }
}

/// A statement that cannot be read.
pub(super) fn syntax(error: &DataFusionError, sql: &str) -> Error {
    match error.find_root() {
        DataFusionError::SQL(mistake, _) => syntax_mistake(&mistake.to_string(), sql),
        other => syntax_mistake(&other.message(), sql),
    }
}

fn syntax_mistake(message: &str, sql: &str) -> Error {
    let message = message.trim_start_matches("sql parser error: ");
    if message.contains("recursion limit") {
        let message = "read the statement: it nests too deep; use WITH to name its parts";
        return Error::invalid("sql_too_deep", message);
    }
    let place = place_in(message);
    let near = place.and_then(|(line, column)| text_at(sql, line, column));
    let near = near.map(|near| format!(" near {}", quote(near))).unwrap_or_default();
    let error = Error::invalid("sql_syntax", format!("read the statement{near}: {}", first_line(message)));
    match place {
        Some((line, column)) => error.with("line", line).with("column", column),
        None => error,
    }
}

/// The line and column that a parser's message ends with.
fn place_in(message: &str) -> Option<(usize, usize)> {
    let (_, place) = message.rsplit_once("Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some((digits(line)?, digits(column)?))
}

/// Some characters from a place on.
fn text_at(sql: &str, line: usize, column: usize) -> Option<&str> {
    let line = sql.lines().nth(line.checked_sub(1)?)?;
    let from = line.char_indices().nth(column.checked_sub(1)?)?.0;
    let rest = line.get(from..)?;
    let end = rest.char_indices().nth(24).map_or(rest.len(), |(at, _)| at);
    rest.get(..end)
}

fn schema_mistake(mistake: &SchemaError, sql: &str) -> Error {
    match mistake {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let names: Vec<&str> = valid_fields.iter().map(|field| field.name.as_str()).collect();
            let relation = field.relation.as_ref().map(ToString::to_string);
            let is_table = relation.as_ref().is_some_and(|name| {
                !valid_fields
                    .iter()
                    .any(|field| field.relation.as_ref().is_some_and(|known| known.to_string() == *name))
            });
            if is_table && let Some(name) = relation {
                let known: Vec<&str> = valid_fields
                    .iter()
                    .filter_map(|field| field.relation.as_ref())
                    .map(TableReference::table)
                    .collect();
                return unknown("table or alias", "unknown_table", &name, &known, sql);
            }
            let error = unknown("column", "unknown_column", &field.name, &names, sql);
            if !names.contains(&"payload") || error.details().contains_key("nearest") {
                return error;
            }
            let name = field.name.replace('\'', "''");
            let hint = format!(
                "a field of the payload is payload->>'{name}', or {name} in the view of its event type; a text stands in single quotes: '{name}'"
            );
            error.with("hint", hint)
        }
        SchemaError::AmbiguousReference { field } => {
            let message = format!(
                "run the statement: the column {} is in more than one table; put the table's name and a dot before it",
                quote(&field.name)
            );
            Error::invalid("ambiguous_column", message)
        }
        other => failed(&other.to_string()),
    }
}

/// A name that is not there, with those that perhaps were meant, and the statement with the likeliest.
fn unknown(what: &str, code: &'static str, name: &str, names: &[&str], sql: &str) -> Error {
    let mut distinct: Vec<&str> = Vec::new();
    for name in names {
        if !distinct.contains(name) {
            distinct.push(name);
        }
    }
    let near = nearest(name, distinct.iter().copied(), NEAREST_MAX);
    let remedy = if let Some(near) = near.first() {
        format!("; did you mean {}?", quote(near))
    } else {
        let shown: Vec<String> = distinct.iter().take(12).map(|name| quote(name)).collect();
        let more = distinct.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("; there are {}{more}", shown.join(", "))
    };
    let error =
        Error::invalid(code, format!("run the statement: there is no {what} {}{remedy}", quote(name)));
    let error = match place_of(sql, name) {
        Some((line, column)) => error.with("line", line).with("column", column),
        None => error,
    };
    let Some(best) = near.first() else { return error };
    let example = json!({"tool": "run_sql", "arguments": {"sql": replaced(sql, name, best)}});
    error.with("nearest", near.clone()).with("example", example)
}

/// The line and column of a name, counted from 1.
fn place_of(sql: &str, name: &str) -> Option<(usize, usize)> {
    let at = sql.find(name)?;
    let before = sql.get(..at)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    Some((line, column))
}

/// The statement with another name, in quotes where it needs them.
fn replaced(sql: &str, name: &str, other: &str) -> String {
    let plain = other.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !other.starts_with(|c: char| c.is_ascii_digit());
    let other = if plain { other.to_owned() } else { format!("\"{}\"", other.replace('"', "\"\"")) };
    let quoted = format!("\"{name}\"");
    if sql.contains(&quoted) { sql.replace(&quoted, &other) } else { sql.replace(name, &other) }
}

/// What planning has to say in words alone.
fn planned(message: &str, sql: &str, known: &Known) -> Error {
    let tables: Vec<&str> = known.tables.iter().map(String::as_str).collect();
    let functions: Vec<&str> = known.functions.iter().map(String::as_str).collect();
    if let Some(name) = between(message, "table '", "' not found") {
        let name = name.trim_start_matches("allsource.public.").trim_start_matches("allsource.");
        return unknown("table or event type", "unknown_table", name, &tables, sql);
    }
    if let Some(name) = between(message, "Invalid function '", "'") {
        return unknown("function", "unknown_function", name, &functions, sql);
    }
    if let Some(name) = between(message, "able function '", "' not found") {
        return unknown("function", "unknown_function", name, &functions, sql);
    }
    failed(message)
}

fn between<'m>(message: &'m str, before: &str, behind: &str) -> Option<&'m str> {
    let (_, rest) = message.split_once(before)?;
    rest.split_once(behind).map(|(name, _)| name)
}

fn failed(message: &str) -> Error {
    let message = first_line(message);
    let hint = if message.contains("Utf8") && !message.contains("Candidate") {
        "; a text is made a number with cast(… as double)"
    } else {
        ""
    };
    Error::invalid("sql_failed", format!("run the statement: {message}{hint}"))
}

/// What comes behind the first lines are lists for people who wrote the engine.
fn first_line(message: &str) -> &str {
    let line = message.trim().lines().next().unwrap_or_default();
    line.trim_start_matches("Error during planning: ").trim_end()
}
