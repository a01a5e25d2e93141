//! `sql`: the rows of a statement whole, for people and their files.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;
use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine, Wish};
use crate::error::{Error, Result};
use crate::sql::{Outcome, RunLimits, run as run_statement};
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "sql", run };

/// Of a person's statement: 5 minutes, 1,000,000 rows, 64 MiB.
const LIMITS: RunLimits =
    RunLimits { time_max: Duration::from_mins(5), rows_max: 1_000_000, bytes_max: 64 << 20 };

fn run(engine: &Engine, arguments: &Object, _: &Caller) -> Result<Object> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let now = engine.clock().now();
    let wish = Wish {
        as_of: text("as_of"),
        known_at: text("known_at"),
        as_of_position: arguments.get("as_of_position").and_then(Value::as_u64),
        time_zone: text("time_zone"),
        ..Wish::default()
    };
    let view = wish.over(engine.store().snapshot(), now)?;
    let outcome = run_statement(engine, &view, now, text("sql").unwrap_or_default(), LIMITS, false)?;
    let stream = encoded(&outcome)
        .map_err(|error| Error::internal("write rows as an Arrow stream").caused_by(error))?;
    let mut answer = Object::new();
    answer.insert("arrow".to_owned(), BASE64_STANDARD.encode(stream).into());
    answer.insert("rows".to_owned(), outcome.rows.into());
    answer.insert("exact".to_owned(), outcome.is_exact.into());
    answer.insert("misfits".to_owned(), outcome.misfits.into());
    answer.insert("damaged".to_owned(), outcome.damaged.into());
    Ok(answer)
}

/// The rows as a stream of Arrow IPC.
fn encoded(outcome: &Outcome) -> std::result::Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &outcome.schema)?;
    outcome.batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.into_inner()
}
