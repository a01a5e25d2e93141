//! Running a statement to its end, or to a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_plan::displayable;
use futures::StreamExt;

use super::ground::Ground;
use super::scan::Notes;
use super::session::{Prepared, runtime};
use crate::engine::{Engine, View};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Timestamp;

/// How many rows beyond those that are kept are counted: 100,000.
const COUNTED_ROWS_MAX: usize = 100_000;
/// How often it is asked whether anybody still waits: every 20 ms.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often whoever asked is told that it still runs: every 500 ms.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// The most characters of a plan that is shown.
const PLAN_CHARS_MAX: usize = 6_000;

/// Where a statement ends at the latest.
#[expect(clippy::struct_field_names, reason = "each is the most of something")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunLimits {
    /// The longest it runs.
    pub time_max: Duration,
    /// The most rows that are kept.
    pub rows_max: usize,
    /// The most bytes of rows that are kept.
    pub bytes_max: usize,
}

impl RunLimits {
    /// Of an agent's statement: 10 s, 10,000 rows, 32 MiB.
    pub(crate) const AGENT: Self =
        Self { time_max: Duration::from_secs(10), rows_max: 10_000, bytes_max: 32 << 20 };
}

/// What came out of a statement.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows that were kept.
    pub batches: Vec<RecordBatch>,
    /// How many rows there are; at least so many when it is not exact.
    pub rows: u64,
    /// Whether that is all of them.
    pub is_exact: bool,
    /// Values of typed columns that were of another type and read as NULL.
    pub misfits: u64,
    /// Events that could not be read because their bytes are damaged.
    pub damaged: u64,
    /// How it was done, where that was asked for.
    pub explained: Option<Explained>,
}

/// How a statement was run.
#[derive(Debug)]
pub(crate) struct Explained {
    /// The plan, a line for each step, from the last to the first.
    pub plan: String,
    /// How many events were read.
    pub examined: u64,
    /// How many pages of segments were decoded.
    pub pages_decoded: u64,
}

impl Outcome {
    /// How many rows were kept.
    pub(crate) fn kept(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// Runs a statement over a view of a branch; of its filter, only `as_of` counts. `now` is what relative times count from.
///
/// # Errors
/// `Invalid` when it cannot be read, is no SELECT, names what is not there, or fails; `Exhausted` (`sql_timeout`,
/// `sql_memory`, `too_large`); `Corrupt` when stored bytes are not what was written.
pub(crate) fn run(
    engine: &Engine,
    view: &View,
    now: Timestamp,
    sql: &str,
    limits: RunLimits,
    explain: bool,
) -> Result<Outcome> {
    let ground = Ground {
        engine: engine.clone(),
        snapshot: view.snapshot.clone(),
        as_of: view.filter.as_of,
        now,
        zone: view.zone,
        notes: Arc::new(Notes::default()),
    };
    // Not a timer of the runtime: where every thread of it is busy, none looks at the clock.
    let (done, outcome) = mpsc::sync_channel(1);
    let sql = sql.to_owned();
    let task = runtime()?.spawn(async move {
        let outcome = answer(ground, sql, limits, explain).await;
        // Who asked may have gone.
        let _ = done.send(outcome);
    });
    let (received, left) = wait(&outcome, limits.time_max, engine);
    match received {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Disconnected) => {
            let message = "run the statement: it met a defect of the SQL engine; write it in another way";
            Err(Error::new(ErrorKind::Invalid, "sql_failed", message))
        }
        Err(RecvTimeoutError::Timeout) if !left.is_zero() => {
            task.abort();
            let (code, why) = if engine.is_cancelled() {
                ("cancelled", "its client cancelled it")
            } else {
                ("call_time", "the time of one call is up (--max-call-ms); ask for less at a time")
            };
            Err(Error::new(ErrorKind::Exhausted, code, format!("run the statement: {why}")))
        }
        Err(RecvTimeoutError::Timeout) => {
            task.abort();
            let message = format!(
                "run the statement: it took longer than {} s; filter by event_type, entity_id, timestamp or position, or aggregate fewer rows",
                limits.time_max.as_secs()
            );
            Err(Error::new(ErrorKind::Exhausted, "sql_timeout", message))
        }
    }
}

/// What a statement came to, once it ends, its time is up or nobody waits for it; and how much of its time was left.
fn wait(
    outcome: &Receiver<Result<Outcome>>,
    time_max: Duration,
    engine: &Engine,
) -> (std::result::Result<Result<Outcome>, RecvTimeoutError>, Duration) {
    let (mut left, mut told) = (time_max, Duration::ZERO);
    loop {
        let slice = left.min(LOOK_EVERY);
        left = left.saturating_sub(slice);
        let waited = time_max.saturating_sub(left);
        if waited.saturating_sub(told) >= TELL_EVERY {
            told = waited;
            engine.tell_waited(waited, time_max, "ms the statement has run, of those it may");
        }
        match outcome.recv_timeout(slice) {
            Err(RecvTimeoutError::Timeout) if !left.is_zero() && !engine.is_over() => {}
            received => return (received, left),
        }
    }
}

async fn answer(ground: Ground, sql: String, limits: RunLimits, explain: bool) -> Result<Outcome> {
    let notes = Arc::clone(&ground.notes);
    let prepared = Prepared::new(ground, &sql).await?;
    let mut rows = prepared.start()?;
    let mut outcome = Outcome {
        schema: rows.schema(),
        batches: Vec::new(),
        rows: 0,
        is_exact: true,
        misfits: 0,
        damaged: 0,
        explained: None,
    };
    let (mut kept, mut bytes) = (0, 0_usize);
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| prepared.told(&error))?;
        outcome.rows += u64::try_from(batch.num_rows()).unwrap_or_default();
        if kept < limits.rows_max && bytes < limits.bytes_max {
            let batch = batch.slice(0, batch.num_rows().min(limits.rows_max - kept));
            kept += batch.num_rows();
            bytes = bytes.saturating_add(batch.get_array_memory_size());
            outcome.batches.push(batch);
        }
        let counted = usize::try_from(outcome.rows).unwrap_or(usize::MAX).saturating_sub(kept);
        if counted > COUNTED_ROWS_MAX {
            outcome.is_exact = false;
            break;
        }
    }
    // Ordering: relaxed; whoever added has given its last rows.
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    outcome.misfits = read(&notes.misfits);
    outcome.damaged = read(&notes.damaged);
    if explain {
        let plan = displayable(prepared.plan.as_ref()).indent(false).to_string();
        outcome.explained = Some(Explained {
            plan: plan.chars().take(PLAN_CHARS_MAX).collect(),
            examined: read(&notes.examined),
            pages_decoded: read(&notes.pages),
        });
    }
    Ok(outcome)
}
