//! The tables of events: all of them, and one view for each event type.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use serde_json::Value;

use super::columns::Columns;
use super::fields::Inferred;
use super::pushdown::{is_usable, scan_of, support};
use super::scan::{EventsScan, Must, Notes};
use crate::error::Result as StoreResult;
use crate::event::{Filter, NamePattern, Timestamp};
use crate::store::{Order, Scan, ScanLimits, Snapshot};

/// How many of the newest and of the oldest events of a type are looked at to find its fields: 150 each.
const SAMPLED: usize = 150;

/// A table of events.
pub(super) struct EventsTable {
    snapshot: Snapshot,
    columns: Columns,
    must: Must,
    notes: Arc<Notes>,
}

impl EventsTable {
    /// All events of a snapshot that had happened by `as_of`.
    pub(super) fn all(snapshot: Snapshot, as_of: Option<Timestamp>, notes: Arc<Notes>) -> Self {
        Self { snapshot, columns: Columns::of_events(), must: Must { event_type: None, as_of }, notes }
    }

    /// Those of one type, the fields of their payloads as columns: typed by the registered `schema` where it speaks of them,
    /// else by what a sample holds.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(super) fn of_type(
        snapshot: Snapshot,
        event_type: &str,
        schema: Option<&Value>,
        as_of: Option<Timestamp>,
        notes: Arc<Notes>,
    ) -> StoreResult<Self> {
        let filter = Filter {
            event_type: Some(NamePattern::Exact(event_type.to_owned())),
            as_of,
            ..Filter::default()
        };
        let mut inferred = Inferred::default();
        for order in [Order::Descending, Order::Ascending] {
            let scan = Scan { filter: filter.clone(), order, ..Scan::default() };
            let limits = ScanLimits { events_max: SAMPLED, ..ScanLimits::default() };
            for event in snapshot.scan(&scan, &limits)?.events.iter().filter(|event| !event.emptied) {
                inferred.add(&event.payload.to_value());
            }
        }
        if let Some(schema) = schema {
            inferred.declare(schema);
        }
        let columns = Columns::of_type(inferred.finish());
        let must = Must { event_type: Some(event_type.to_owned()), as_of };
        Ok(Self { snapshot, columns, must, notes })
    }

    /// Which columns it has.
    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }
}

impl std::fmt::Debug for EventsTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventsTable").field("must", &self.must).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for EventsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns.schema)
    }

    fn table_type(&self) -> TableType {
        if self.must.event_type.is_some() { TableType::View } else { TableType::Base }
    }

    fn supports_filters_pushdown(&self, conditions: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let usable = |condition: &&Expr| support(is_usable(&self.columns, condition));
        Ok(conditions.iter().map(usable).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        conditions: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(EventsScan::new(
            self.snapshot.clone(),
            self.columns.project(projection)?,
            self.must.clone(),
            scan_of(&self.columns, conditions),
            limit,
            session.config().target_partitions(),
            Arc::clone(&self.notes),
        )))
    }
}
