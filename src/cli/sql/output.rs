//! Rows as a table, CSV, JSON or Parquet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::ipc::reader::StreamReader;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};

use super::super::export::write_record;
use super::super::outcome::Ended;
use super::super::{Terminal, table};
use super::Format;
use crate::error::{Error, ErrorKind, Result};
use crate::event::TimeZone;
use crate::event::counted;
use crate::sql::value;
use crate::tools::Object;

/// The columns of what EXPLAIN gives.
const EXPLAINED: [&str; 2] = ["plan_type", "plan"];

/// What a statement gave.
pub(super) struct Rows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// How many rows there are, kept or not.
    total: u64,
    is_exact: bool,
    misfits: u64,
    damaged: u64,
}

impl Rows {
    /// Reads what the operation answers.
    ///
    /// # Errors
    /// `Internal` when it is no such answer.
    pub(super) fn decode(answer: &Object) -> Result<Self> {
        let strange = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::internal("read the rows of the answer").caused_by(error)
        };
        let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
        let text = answer.get("arrow").and_then(Value::as_str).unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(text).map_err(|error| strange(error.into()))?;
        let reader = StreamReader::try_new(bytes.as_slice(), None).map_err(|error| strange(error.into()))?;
        let schema = reader.schema();
        let batches: std::result::Result<Vec<_>, _> = reader.collect();
        Ok(Self {
            schema,
            batches: batches.map_err(|error| strange(error.into()))?,
            total: number("rows"),
            is_exact: answer.get("exact").and_then(Value::as_bool).unwrap_or_default(),
            misfits: number("misfits"),
            damaged: number("damaged"),
        })
    }

    fn kept(&self) -> u64 {
        self.batches.iter().map(|batch| u64::try_from(batch.num_rows()).unwrap_or_default()).sum()
    }

    /// Whether all rows came.
    pub(super) fn is_whole(&self) -> bool {
        self.kept() >= self.total
    }

    /// What a person should know about them.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.is_whole() {
            let more = if self.is_exact { "" } else { "at least " };
            notes.push(format!(
                "only the first {} of {more}{} came; use ORDER BY with LIMIT and OFFSET for the rest",
                counted(self.kept(), "row"),
                self.total
            ));
        }
        if self.misfits > 0 {
            notes.push(format!(
                "{} did not have the type of the column and read as NULL; payload->>'field' gives the text",
                counted(self.misfits, "value")
            ));
        }
        if self.damaged > 0 {
            notes.push(format!(
                "{} left out; `allsource verify` says where",
                counted(self.damaged, "damaged event")
            ));
        }
        notes
    }

    fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The values, row by row.
    pub(super) fn values(&self) -> impl Iterator<Item = Vec<Value>> {
        self.batches.iter().flat_map(|batch| {
            (0..batch.num_rows()).map(|row| {
                batch.columns().iter().map(|column| value(column.as_ref(), row, TimeZone::UTC)).collect()
            })
        })
    }
}

/// Writes rows to a file, or to standard output.
pub(super) fn write(
    rows: &Rows,
    format: Format,
    output: Option<&Path>,
    terminal: &mut Terminal<'_>,
) -> Ended<()> {
    let Some(path) = output else { return write_to(rows, format, terminal.out) };
    let cannot = |error: Box<dyn std::error::Error + Send + Sync>| {
        let message = format!("write {}: check the path and the space on its disk", path.display());
        Error::new(ErrorKind::Unavailable, "output_failed", message).caused_by(error)
    };
    #[expect(clippy::disallowed_methods, reason = "the user's own file, outside every data directory")]
    let file = File::create(path).map_err(|error| cannot(error.into()))?;
    let mut file = BufWriter::new(file);
    if format == Format::Parquet {
        write_parquet(rows, &mut file).map_err(|error| cannot(error.into()))?;
    } else {
        write_to(rows, format, &mut file)?;
    }
    file.flush().map_err(|error| cannot(error.into()))?;
    writeln!(terminal.err, "{} written to {}", counted(rows.kept(), "row"), path.display())?;
    Ok(())
}

fn write_to(rows: &Rows, format: Format, out: &mut dyn Write) -> Ended<()> {
    let names = rows.names();
    match format {
        Format::Csv => {
            write_record(out, &names)?;
            for row in rows.values() {
                let cells: Vec<String> = row.iter().map(cell).collect();
                write_record(out, &cells)?;
            }
        }
        Format::Json => {
            for row in rows.values() {
                let object: Map<String, Value> = names.iter().cloned().zip(row).collect();
                writeln!(out, "{}", Value::Object(object))?;
            }
        }
        Format::Table | Format::Parquet if names == EXPLAINED => {
            // A plan is lines, each as long as it is.
            let plans = rows.values().filter_map(|row| row.into_iter().nth(1));
            plans
                .filter_map(|plan| plan.as_str().map(str::to_owned))
                .try_for_each(|plan| writeln!(out, "{plan}"))?;
        }
        Format::Table | Format::Parquet => {
            let values: Vec<Vec<Value>> = rows.values().collect();
            table::write(out, &names, &values, true)?;
        }
    }
    Ok(())
}

/// A cell of CSV: texts as they are, nothing for NULL.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text as plain text, which every reader of Parquet knows.
fn write_parquet(rows: &Rows, file: impl Write + Send) -> parquet::errors::Result<()> {
    let plain = |known: &DataType| match known {
        DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    };
    let fields: Vec<Field> = rows
        .schema
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), plain(field.data_type()), field.is_nullable()))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None)?;
    for batch in &rows.batches {
        let columns = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| cast(column, field.data_type()));
        let columns: Vec<_> = columns.collect::<std::result::Result<_, _>>()?;
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    writer.close()?;
    Ok(())
}
