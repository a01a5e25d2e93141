//! The table of entities: each as it was at the moment that is read, its state folded from its events.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, Int64Builder, RecordBatch, RecordBatchOptions, StringViewBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;

use super::columns::{Columns, UTC};
use super::ground::Ground;
use super::mistake::stored;
use super::pushdown::{is_usable, scan_of, support};
use crate::engine::Moment;
use crate::error::{Error, ErrorKind};
use crate::event::{EntityId, NamePattern, Position, Timestamp, Version};

/// The most entities of which a table is made: 1,000,000, whose names take some 50 MB.
const ENTITIES_MAX: usize = 1_000_000;
/// How many entities are folded between two looks at the clock.
const BATCH: usize = 256;

const ENTITY_ID: &str = "entity_id";
const VERSION: &str = "version";
const STATE: &str = "state";
const LAST_TYPE: &str = "last_event_type";
const LAST_TIMESTAMP: &str = "last_timestamp";
const LAST_POSITION: &str = "last_position";

/// The table.
#[derive(Debug)]
pub(super) struct EntitiesTable {
    ground: Ground,
    schema: SchemaRef,
}

impl EntitiesTable {
    pub(super) fn new(ground: Ground) -> Self {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()));
        let schema = Schema::new(vec![
            Field::new(ENTITY_ID, DataType::Utf8View, false),
            Field::new(VERSION, DataType::Int64, false),
            Field::new(STATE, DataType::Utf8View, true),
            Field::new(LAST_TYPE, DataType::Utf8View, false),
            Field::new(LAST_TIMESTAMP, time, false),
            Field::new(LAST_POSITION, DataType::Int64, false),
        ]);
        Self { ground, schema: Arc::new(schema) }
    }

    /// The entities that fulfil what the conditions say of their names.
    fn names(&self, conditions: &[Expr]) -> Result<Vec<EntityId>> {
        let snapshot = &self.ground.snapshot;
        let found = match scan_of(&Columns::of_events(), conditions).filter.entity_id {
            Some(NamePattern::Exact(name)) => {
                let Ok(entity) = EntityId::new(name.as_str()) else { return Ok(Vec::new()) };
                let is_there = snapshot.entity_head(&entity).map_err(stored)?.is_some();
                return Ok(is_there.then_some(entity).into_iter().collect());
            }
            Some(NamePattern::Prefix(prefix)) => snapshot.entity_ids(&prefix, ENTITIES_MAX + 1),
            None => snapshot.entity_ids("", ENTITIES_MAX + 1),
        };
        let found = found.map_err(stored)?;
        if found.len() > ENTITIES_MAX {
            let message = format!(
                "read the table entities: there are more than {ENTITIES_MAX}; narrow them with entity_id LIKE 'prefix%', or group the table events by entity_id"
            );
            return Err(stored(Error::new(ErrorKind::Exhausted, "too_many_entities", message)));
        }
        Ok(found)
    }
}

#[async_trait]
impl TableProvider for EntitiesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, conditions: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let columns = Columns::of_events();
        let names = |condition: &&Expr| {
            let all = condition.column_refs();
            all.iter().all(|column| column.name == ENTITY_ID) && is_usable(&columns, condition)
        };
        let usable = |condition: &&Expr| support(names(condition));
        Ok(conditions.iter().map(usable).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        conditions: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => Arc::clone(&self.schema),
        };
        let names: Arc<[EntityId]> = self.names(conditions)?.into();
        let parts = if limit.is_some() { 1 } else { session.config().target_partitions().max(1) };
        let step = names.len().div_ceil(parts).max(1);
        let part = |at: usize| -> Arc<dyn PartitionStream> {
            let range = (at * step).min(names.len())..((at + 1) * step).min(names.len());
            Arc::new(Part {
                ground: self.ground.clone(),
                schema: Arc::clone(&schema),
                names: Arc::clone(&names),
                range,
            })
        };
        let parts = (0..parts).map(part).collect();
        Ok(Arc::new(StreamingTableExec::try_new(Arc::clone(&schema), parts, None, [], false, limit)?))
    }
}

/// Some of the entities.
#[derive(Clone, Debug)]
struct Part {
    ground: Ground,
    schema: SchemaRef,
    names: Arc<[EntityId]>,
    range: Range<usize>,
}

/// An entity at the moment.
struct Found {
    version: Version,
    position: Position,
    timestamp: Timestamp,
    event_type: String,
    state: Option<String>,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = stream::try_unfold(self.clone(), |mut part| async move {
            if part.range.is_empty() {
                return Ok(None);
            }
            let end = (part.range.start + BATCH).min(part.range.end);
            let batch = part.batch(part.range.start..end)?;
            part.range.start = end;
            Ok(Some((batch, part)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

impl Part {
    fn wants(&self, column: &str) -> bool {
        self.schema.column_with_name(column).is_some()
    }

    fn batch(&self, range: Range<usize>) -> Result<RecordBatch> {
        let mut rows = Vec::with_capacity(range.len());
        for entity in self.names.get(range).unwrap_or_default() {
            if let Some(found) = self.find(entity)? {
                rows.push((entity, found));
            }
        }
        let columns = self.schema.fields().iter().map(|field| column(field.name(), &rows)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// What is wanted of an entity; `None` when it had no event yet.
    fn find(&self, entity: &EntityId) -> Result<Option<Found>> {
        let Ground { engine, snapshot, as_of, .. } = &self.ground;
        let mut found = if self.wants(STATE) || as_of.is_some() {
            let moment = Moment { snapshot, as_of: *as_of, version: None };
            let state = engine.state_at(entity, moment, false).map_err(stored)?;
            if let Some(stopped) = state.scanned_to {
                let message = format!(
                    "fold the state of {entity}: it took longer than 2 s and got to position {stopped}; run the statement again, it goes on from there"
                );
                return Err(stored(Error::new(ErrorKind::Exhausted, "state_too_long", message)));
            }
            let Some(last) = &state.folded.last else { return Ok(None) };
            Found {
                version: last.version,
                position: last.position,
                timestamp: last.timestamp,
                event_type: String::new(),
                state: state.folded.state.as_ref().map(ToString::to_string),
            }
        } else {
            let Some(head) = snapshot.entity_head(entity).map_err(stored)? else { return Ok(None) };
            Found {
                version: head.version,
                position: head.position,
                timestamp: Timestamp::MIN,
                event_type: String::new(),
                state: None,
            }
        };
        if (self.wants(LAST_TYPE) || self.wants(LAST_TIMESTAMP))
            && let Some(last) = snapshot.event(found.position).map_err(stored)?
        {
            found.timestamp = last.timestamp;
            last.event_type.as_str().clone_into(&mut found.event_type);
        }
        Ok(Some(found))
    }
}

fn column(name: &str, rows: &[(&EntityId, Found)]) -> ArrayRef {
    let texts = |text: &dyn Fn(&(&EntityId, Found)) -> Option<String>| -> ArrayRef {
        let mut builder = StringViewBuilder::with_capacity(rows.len());
        for row in rows {
            builder.append_option(text(row));
        }
        Arc::new(builder.finish())
    };
    let numbers = |number: &dyn Fn(&Found) -> u64| -> ArrayRef {
        let mut builder = Int64Builder::with_capacity(rows.len());
        for (_, found) in rows {
            builder.append_value(number(found).cast_signed());
        }
        Arc::new(builder.finish())
    };
    match name {
        VERSION => numbers(&|found| found.version.get()),
        LAST_POSITION => numbers(&|found| found.position.get()),
        LAST_TIMESTAMP => {
            let mut builder = TimestampMicrosecondBuilder::with_capacity(rows.len()).with_timezone(UTC);
            for (_, found) in rows {
                builder.append_value(found.timestamp.as_micros());
            }
            Arc::new(builder.finish())
        }
        LAST_TYPE => texts(&|(_, found)| Some(found.event_type.clone())),
        STATE => texts(&|(_, found)| found.state.clone()),
        _ => texts(&|(entity, _)| Some(entity.as_str().to_owned())),
    }
}
