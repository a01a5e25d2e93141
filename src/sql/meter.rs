//! What must be added to a plan so that its limits hold?
//!
//! 1. A value that is made once and then stands in every row (of a join, a window, a subquery) is copied into each; a large one would
//!    take all memory at a stroke, outside of what `DataFusion` counts. So what comes out of an aggregation, and what goes
//!    into a join, an unnesting, a window or a subquery, is looked at value by value.
//! 2. A window over everything holds everything, uncounted: here it is counted.
//! 3. A join makes millions of rows of one batch without a pause: here it makes one after each, so that it can be stopped.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;

use super::guard::bytes_in;
use super::mistake::stored;
use crate::error::{Error, ErrorKind};

/// The largest value that is copied into many rows: 128 KiB.
const VALUE_BYTES_MAX: usize = 128 << 10;
/// The most that a window may make by putting its largest value into each of its rows: 1 GiB.
const WINDOW_BYTES_MAX: usize = 1 << 30;

/// The plan with what keeps it within its limits.
///
/// # Errors
/// Those of rebuilding a plan.
pub(super) fn metered(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(plan.transform_up(|plan| watched(plan).map(Transformed::yes))?.data)
}

fn watched(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        // What a partial one gives is its own state, which nobody copies.
        let is_whole = !matches!(aggregate.mode(), AggregateMode::Partial | AggregateMode::PartialReduce);
        return Ok(if is_whole { Arc::new(Meter { input: plan, holds: false }) } else { plan });
    }
    let is_join = plan.is::<CrossJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<SortMergeJoinExec>()
        || plan.is::<UnnestExec>();
    let holds = plan.is::<WindowAggExec>();
    if !is_join && !holds && !plan.is::<BoundedWindowAggExec>() && !plan.is::<ScalarSubqueryExec>() {
        return Ok(plan);
    }
    // The first input of a subquery is what it is a part of.
    let passed = usize::from(plan.is::<ScalarSubqueryExec>());
    let input = |(at, input): (usize, &Arc<dyn ExecutionPlan>)| -> Arc<dyn ExecutionPlan> {
        let input = Arc::clone(input);
        if at < passed { input } else { Arc::new(Meter { input, holds }) }
    };
    let inputs = plan.children().into_iter().enumerate().map(input).collect();
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    let plan = plan.replace_children(inputs, options)?;
    Ok(if is_join { Arc::new(CooperativeExec::new(plan)) } else { plan })
}

/// Looks at what goes through; if `holds`, counts it as held until all of it went through.
#[derive(Debug)]
struct Meter {
    input: Arc<dyn ExecutionPlan>,
    holds: bool,
}

impl DisplayAs for Meter {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

impl ExecutionPlan for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return internal_err!("a meter has one input") };
        Ok(Arc::new(Self { input, holds: self.holds }))
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return internal_err!("a meter has one input") };
        Ok(Arc::new(Self { input, holds: self.holds }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut tally = Tally {
            held: self.holds.then(|| MemoryConsumer::new("window").register(context.memory_pool())),
            rows: 0,
            largest: 0,
        };
        let schema = self.input.schema();
        let batches = self.input.execute(partition, context)?;
        let looked_at = batches.map(move |batch| {
            let batch = batch?;
            tally.add(&batch)?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, looked_at)))
    }
}

/// What went through so far.
struct Tally {
    held: Option<MemoryReservation>,
    rows: usize,
    /// The bytes of the largest value.
    largest: usize,
}

impl Tally {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let values = batch.columns().iter().map(largest_value);
        self.largest = values.max().unwrap_or_default().max(self.largest);
        self.rows = self.rows.saturating_add(batch.num_rows());
        if self.largest > VALUE_BYTES_MAX {
            return Err(too_large(&format!(
                "a value of {} bytes would be copied from row to row, and 128 KiB is the most",
                self.largest
            )));
        }
        let Some(held) = &self.held else { return Ok(()) };
        if self.largest.saturating_mul(self.rows) > WINDOW_BYTES_MAX {
            return Err(too_large("a window over so many rows of so long texts may take more than 1 GiB"));
        }
        held.try_grow(batch.get_array_memory_size())
    }
}

fn too_large(what: &str) -> DataFusionError {
    let message = format!(
        "run the statement: {what}; select fewer and shorter columns before you join or aggregate them"
    );
    stored(Error::new(ErrorKind::Exhausted, "too_large", message))
}

/// The bytes of the largest value of a column whose values have no fixed size.
fn largest_value(column: &ArrayRef) -> usize {
    let is_fixed =
        column.data_type().is_primitive() || matches!(column.data_type(), DataType::Boolean | DataType::Null);
    if is_fixed { 0 } else { (0..column.len()).map(|row| bytes_in(column, row)).max().unwrap_or_default() }
}
