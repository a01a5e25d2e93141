//! The rows of an input: lines of JSON, or records of CSV, both as members of an object.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;

use super::mapping::{EXPORT_FIELDS, is_export};
use super::members::{Member, push_string, take_apart};
use crate::event::counted;

/// The longest line: 16 MiB, enough for the largest payload written with escapes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// How the rows of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON Lines: one JSON object a line.
    Jsonl,
    /// CSV with a header line; commas, semicolons or tabs.
    Csv,
}

/// One row: where it stands, the bytes that identify it, and its members or why it has none.
pub(super) struct Row<'a> {
    pub(super) line: u64,
    pub(super) bytes: &'a [u8],
    pub(super) members: Result<&'a [Member<'a>], String>,
}

/// What is done with each row.
pub(super) type Each<'e> = dyn FnMut(Row<'_>) -> ControlFlow<()> + 'e;

impl Format {
    /// The format of that name: `jsonl` or `csv`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "jsonl" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The format that a file's name tells, or else its first visible byte.
    pub(super) fn detect(name: &str, text: &mut dyn BufRead) -> io::Result<Self> {
        let name = name.to_ascii_lowercase();
        let name = [".gz", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        if [".jsonl", ".ndjson", ".json"].iter().any(|end| name.ends_with(end)) {
            return Ok(Self::Jsonl);
        }
        if [".csv", ".tsv"].iter().any(|end| name.ends_with(end)) {
            return Ok(Self::Csv);
        }
        let start = text.fill_buf()?;
        match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') | None => Ok(Self::Jsonl),
            Some(_) => Ok(Self::Csv),
        }
    }

    /// Gives every row to `each` until it breaks; blank lines are none.
    pub(super) fn read(self, text: Box<dyn BufRead + Send>, each: &mut Each<'_>) -> io::Result<()> {
        match self {
            Self::Jsonl => read_lines(text, each),
            Self::Csv => read_records(text, each),
        }
    }
}

fn read_lines(mut text: Box<dyn BufRead + Send>, each: &mut Each<'_>) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(4 << 10);
    for line in 1.. {
        bytes.clear();
        if (&mut text).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let too_long = bytes.len() > LINE_BYTES_MAX && bytes.last() != Some(&b'\n');
        if too_long {
            skip_line(&mut text)?;
        }
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() {
            continue;
        }
        let apart = if too_long {
            Err(format!("is longer than {} MiB; split it, or store the bulk elsewhere", LINE_BYTES_MAX >> 20))
        } else {
            std::str::from_utf8(trimmed)
                .map_err(|error| format!("is not UTF-8 from its byte {} on", error.valid_up_to() + 1))
                .and_then(take_apart)
        };
        let members = apart.as_deref().map_err(Clone::clone);
        if each(Row { line, bytes: trimmed, members }).is_break() {
            break;
        }
    }
    Ok(())
}

fn skip_line(text: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = text.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        if let Some(at) = buffer.iter().position(|&byte| byte == b'\n') {
            text.consume(at + 1);
            return Ok(());
        }
        let bytes = buffer.len();
        text.consume(bytes);
    }
}

fn read_records(mut text: Box<dyn BufRead + Send>, each: &mut Each<'_>) -> io::Result<()> {
    let delimiter = delimiter_of(text.fill_buf()?);
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text);
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|name| name.trim().to_owned()).collect(),
        Err(error) => return Err(io::Error::other(error)),
    };
    let ours = is_export(&header.iter().map(|name| Member::raw(name, "1")).collect::<Vec<_>>());
    let mut record = csv::StringRecord::new();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let before = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {
                for cell in &record {
                    bytes.extend_from_slice(cell.as_bytes());
                    bytes.push(0x1f);
                }
                let members: Vec<_> = header
                    .iter()
                    .zip(&record)
                    .filter_map(|(name, cell)| {
                        Some(Member::raw(name, cell_as_json(cell, ours && is_json(name))?))
                    })
                    .collect();
                let line = record.position().map_or(before, csv::Position::line);
                if each(Row { line, bytes: &bytes, members: Ok(&members) }).is_break() {
                    return Ok(());
                }
            }
            Err(error) => {
                let line = error.position().map_or(before, csv::Position::line);
                let reason = match error.into_kind() {
                    csv::ErrorKind::Io(error) => return Err(error),
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("has {} but the header has {expected_len}", counted(len, "cell"))
                    }
                    csv::ErrorKind::Utf8 { err, .. } => {
                        format!("is not UTF-8 in its cell {}", err.field() + 1)
                    }
                    _ => "is not CSV".to_owned(),
                };
                if each(Row { line, bytes: &[], members: Err(reason) }).is_break() {
                    return Ok(());
                }
            }
        }
    }
}

/// The fields of an export that hold JSON.
fn is_json(name: &str) -> bool {
    EXPORT_FIELDS.iter().skip(7).any(|field| *field == name)
}

/// Of comma, semicolon and tab the one that the header line has most of.
fn delimiter_of(start: &[u8]) -> u8 {
    let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| header.split(|&byte| byte == wanted).count();
    [b'\t', b';', b','].into_iter().max_by_key(|&byte| count(byte)).unwrap_or(b',')
}

/// A cell as JSON: numbers, booleans, objects and arrays as they are, anything else as text, an empty one not at all.
fn cell_as_json(cell: &str, json: bool) -> Option<Cow<'_, str>> {
    if cell.is_empty() {
        return None;
    }
    let looks = matches!(cell.as_bytes().first(), Some(b'-' | b'0'..=b'9' | b'{' | b'['));
    let is_value =
        || serde_json::from_str::<&serde_json::value::RawValue>(cell).is_ok_and(|raw| raw.get() == cell);
    if matches!(cell, "true" | "false") || ((looks || json) && is_value()) {
        return Some(Cow::Borrowed(cell));
    }
    let mut text = String::with_capacity(cell.len() + 2);
    push_string(&mut text, cell);
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(format: Format, text: &str) -> Vec<(u64, Result<String, String>)> {
        let mut rows = Vec::new();
        let text: Box<dyn BufRead + Send> = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
        let mut each = |row: Row<'_>| {
            let written = row.members.map(|members| {
                members
                    .iter()
                    .map(|member| format!("{}={}", member.name, member.raw))
                    .collect::<Vec<_>>()
                    .join(" ")
            });
            rows.push((row.line, written));
            ControlFlow::Continue(())
        };
        format.read(text, &mut each).expect("read");
        rows
    }

    #[track_caller]
    fn check(format: Format, text: &str, expected: &[(u64, Result<&str, &str>)]) {
        let found = rows(format, text);
        let found: Vec<_> = found
            .iter()
            .map(|(line, row)| (*line, row.as_ref().map(String::as_str).map_err(String::as_str)))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_are_counted_with_the_blank_ones() {
        check(Format::Jsonl, "{\"a\":1}\r\n\n  \n{\"a\":2}", &[(1, Ok("a=1")), (4, Ok("a=2"))]);
    }

    #[test]
    fn a_bad_line_does_not_stop_the_others() {
        check(
            Format::Jsonl,
            "{\"a\":1}\n[2]\n{\"a\":3}\n",
            &[(1, Ok("a=1")), (2, Err("is an array, not a JSON object")), (3, Ok("a=3"))],
        );
    }

    #[test]
    fn a_line_beyond_the_limit_is_skipped_whole() {
        let text = format!("{}\n{{\"a\":1}}\n", "x".repeat(LINE_BYTES_MAX + 10));
        check(
            Format::Jsonl,
            &text,
            &[(1, Err("is longer than 16 MiB; split it, or store the bulk elsewhere")), (2, Ok("a=1"))],
        );
    }

    #[test]
    fn cells_keep_the_type_that_they_show() {
        check(
            Format::Csv,
            "id,n,zip,ok,empty,text\n1,1.50,007,true,,\"a \"\"b\"\"\nc\"\n2,-3,1e3,no,,x\n",
            &[
                (2, Ok(r#"id=1 n=1.50 zip="007" ok=true text="a \"b\"\nc""#)),
                (4, Ok(r#"id=2 n=-3 zip=1e3 ok="no" text="x""#)),
            ],
        );
    }

    #[test]
    fn a_record_with_too_few_cells_is_bad_and_the_next_is_good() {
        check(
            Format::Csv,
            "a;b\n1\n2;3\n",
            &[(2, Err("has 1 cell but the header has 2")), (3, Ok("a=2 b=3"))],
        );
    }

    #[test]
    fn the_format_is_told_by_the_name_or_the_first_byte() {
        let check = |name: &str, text: &str, expected: Format| {
            let found = Format::detect(name, &mut io::Cursor::new(text)).expect("detected");
            assert_eq!(found, expected, "{name}");
        };
        check("x.JSONL.gz", "", Format::Jsonl);
        check("x.tsv", "{", Format::Csv);
        check("-", " \n{\"a\":1}", Format::Jsonl);
        check("-", "a,b\n", Format::Csv);
    }
}
