//! How are the rows of a table of events read? A leaf of `DataFusion`'s plan over the store's own walk: indexes choose the
//! candidates, and of these only the wanted columns are read, in as many stretches of positions as there are processors.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{
    BooleanArray, RecordBatch, Scalar, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::kernels::cmp::{eq, lt_eq};
use datafusion::arrow::compute::{and, filter_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::stream;

use super::columns::{Batch, Columns, Origin, UTC};
use super::mistake::stored;
use crate::event::{NamePattern, Position, Timestamp};
use crate::store::{Column, Scan, ScanLimits, Snapshot};

/// The most text in one batch: 8 MiB, and what lies in the same pages.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// A table with fewer candidates than this is read in one stretch, in the order of positions.
const STRETCH_EVENTS_MIN: u64 = 50_000;

/// What the reading of tables has to tell besides rows.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Values of typed columns that were of another type, and read as NULL.
    pub misfits: AtomicU64,
    /// Events that could not be read because their bytes are damaged.
    pub damaged: AtomicU64,
    /// Events that were read.
    pub examined: AtomicU64,
    /// Pages of segments that were decoded.
    pub pages: AtomicU64,
}

impl Notes {
    fn add(counter: &AtomicU64, count: u64) {
        // Ordering: relaxed; the counters are read once everything was read.
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

/// What every row of a table must be, whatever the statement asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Must {
    /// The type of a view.
    pub event_type: Option<String>,
    /// The world's time of a time-travelling read.
    pub as_of: Option<Timestamp>,
}

/// The plan of reading some columns of some events.
#[derive(Clone)]
pub(super) struct EventsScan {
    snapshot: Snapshot,
    columns: Columns,
    must: Must,
    scan: Scan,
    limit: Option<usize>,
    stretches: Vec<(Position, Position)>,
    properties: Arc<PlanProperties>,
    notes: Arc<Notes>,
}

impl EventsScan {
    /// A plan that gives `columns` of what `scan` finds at least, at most `limit` of them, in at most `stretches_max` stretches.
    pub(super) fn new(
        snapshot: Snapshot,
        columns: Columns,
        must: Must,
        mut scan: Scan,
        limit: Option<usize>,
        stretches_max: usize,
        notes: Arc<Notes>,
    ) -> Self {
        if let Some(event_type) = &must.event_type {
            scan.filter.event_type = Some(NamePattern::Exact(event_type.clone()));
        }
        scan.filter.as_of = scan.filter.as_of.into_iter().chain(must.as_of).min();
        let high = scan.before.map_or(Position::MAX, Position::previous).min(snapshot.head());
        let stretches = stretches(scan.after, high, if limit.is_some() { 1 } else { stretches_max });
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&columns.schema)),
            Partitioning::UnknownPartitioning(stretches.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let properties = Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative));
        Self { snapshot, columns, must, scan, limit, stretches, properties, notes }
    }

    /// How many rows there are, where that is known without reading.
    fn rows(&self) -> Option<usize> {
        let Scan { filter, .. } = &self.scan;
        if self.limit.is_some() || filter.as_of.is_some() || self.snapshot.damaged() > 0 {
            return None;
        }
        let all = self.scan.after == Position::ZERO && self.scan.before.is_none();
        let counted = if all { self.snapshot.count(filter).ok().flatten() } else { None };
        counted.and_then(|count| usize::try_from(count).ok())
    }
}

/// Divides the positions behind `after` up to `high` evenly.
fn stretches(after: Position, high: Position, most: usize) -> Vec<(Position, Position)> {
    let events = high.get().saturating_sub(after.get());
    let most = u64::try_from(most).unwrap_or(1).max(1);
    let count = events.div_ceil(STRETCH_EVENTS_MIN).clamp(1, most);
    let step = events.div_ceil(count);
    (0..count)
        .map(|at| {
            let from = after.get() + at * step;
            (Position::new(from), Position::new((from + step).min(high.get())))
        })
        .collect()
}

impl fmt::Debug for EventsScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsScan").finish_non_exhaustive()
    }
}

impl DisplayAs for EventsScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            self.columns.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "EventsScan: columns=[{}]", names.join(", "))?;
        let filter = self.scan.filter.to_string();
        if !filter.is_empty() {
            write!(f, ", filter=[{filter}]")?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        match self.snapshot.reach(&self.scan) {
            Ok(page) => {
                let high = self.stretches.last().map_or(Position::ZERO, |(_, high)| *high);
                write!(
                    f,
                    ", positions={}..={high}, index={:?}, candidates={}, log_stretches={}, segments={}, ruled_out={}",
                    self.scan.after.next(),
                    page.plan,
                    page.examined,
                    page.work.log_stretches,
                    page.work.segments,
                    page.work.ruled_out
                )
            }
            Err(error) => write!(f, ", {error}"),
        }
    }
}

impl ExecutionPlan for EventsScan {
    fn name(&self) -> &'static str {
        "EventsScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a scan of events has no inputs") }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a scan of events has no inputs") }
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.columns.schema);
        if args.partition().is_none()
            && let Some(rows) = self.rows()
        {
            statistics.num_rows = Precision::Exact(rows);
        }
        Ok(Arc::new(statistics))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(&(after, high)) = self.stretches.get(partition) else {
            return internal_err!("a scan of events has {} stretches, not {partition}", self.stretches.len());
        };
        let scan = Scan { after, before: Some(high.next()), ..self.scan.clone() };
        let rows_max = context.session_config().batch_size();
        let reading = Reading::new(self, scan, rows_max);
        let batches = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next()?.map(|batch| (batch, reading)))
        });
        let schema = Arc::clone(&self.columns.schema);
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, batches))))
    }
}

/// A stretch that is being read.
struct Reading {
    snapshot: Snapshot,
    scan: Scan,
    must: Must,
    /// What is given, and behind it what is only looked at.
    columns: Columns,
    given: SchemaRef,
    wanted: Vec<Column>,
    rows_max: usize,
    left: Option<usize>,
    is_over: bool,
    notes: Arc<Notes>,
}

impl Reading {
    fn new(plan: &EventsScan, scan: Scan, rows_max: usize) -> Self {
        let looked_at = [
            plan.must.event_type.as_ref().map(|_| Column::EventType),
            plan.must.as_of.map(|_| Column::Timestamp),
        ];
        let columns = plan.columns.with(looked_at.into_iter().flatten());
        let mut wanted = columns.stored();
        if wanted.is_empty() {
            // Something must be read to count rows by.
            wanted.push(Column::Position);
        }
        Self {
            snapshot: plan.snapshot.clone(),
            scan,
            must: plan.must.clone(),
            given: Arc::clone(&plan.columns.schema),
            columns,
            wanted,
            rows_max,
            left: plan.limit,
            is_over: false,
            notes: Arc::clone(&plan.notes),
        }
    }

    /// The next rows; `None` behind the last.
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        while !self.is_over && self.left != Some(0) {
            let rows_max = self.left.map_or(self.rows_max, |left| left.min(self.rows_max));
            let limits =
                ScanLimits { events_max: rows_max, bytes_max: BATCH_BYTES_MAX, ..ScanLimits::default() };
            let mut batch = Batch::new(&self.columns, &self.wanted, rows_max);
            let page =
                self.snapshot.columns(&self.scan, &limits, &self.wanted, &mut batch).map_err(stored)?;
            Notes::add(&self.notes.misfits, batch.misfits());
            Notes::add(&self.notes.damaged, page.damaged);
            Notes::add(&self.notes.examined, page.examined);
            Notes::add(&self.notes.pages, page.work.pages_decoded);
            self.is_over = page.complete;
            self.scan.after = page.scanned_to.unwrap_or(self.scan.after);
            let mut batch = self.narrow(batch.finish()?)?;
            if let Some(left) = &mut self.left {
                batch = batch.slice(0, batch.num_rows().min(*left));
                *left -= batch.num_rows();
            }
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The rows that must be given, without what was only looked at.
    fn narrow(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let mut mask: Option<BooleanArray> = None;
        let looked_at = |column: Column| {
            let at = self.columns.origins.iter().position(|origin| *origin == Origin::Stored(column));
            at.map(|at| batch.column(at))
        };
        if let (Some(event_type), Some(types)) = (&self.must.event_type, looked_at(Column::EventType)) {
            mask = Some(eq(types, &Scalar::new(StringViewArray::from(vec![event_type.as_str()])))?);
        }
        if let (Some(as_of), Some(times)) = (self.must.as_of, looked_at(Column::Timestamp)) {
            let as_of = TimestampMicrosecondArray::from(vec![as_of.as_micros()]).with_timezone(UTC);
            let before = lt_eq(times, &Scalar::new(as_of))?;
            mask = Some(match mask {
                Some(mask) => and(&mask, &before)?,
                None => before,
            });
        }
        let Some(mask) = mask else { return Ok(batch) };
        let batch = filter_record_batch(&batch, &mask)?;
        let given: Vec<usize> = (0..self.given.fields().len()).collect();
        Ok(batch.project(&given)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_divided_without_gap_or_repeat() {
        for (after, high, most) in [(0, 0, 4), (0, 10, 4), (5, 200_007, 2), (7, 1_000_000, 3), (10, 3, 2)] {
            let found = stretches(Position::new(after), Position::new(high), most);
            assert!((1..=most).contains(&found.len()), "{found:?}");
            let mut next = after;
            for (from, to) in &found {
                assert_eq!(from.get(), next);
                next = to.get().max(from.get());
            }
            assert_eq!(next, high.max(after), "{found:?}");
        }
    }
}
