//! Which tables are there? `events`, `entities`, `event_types`, and a view for each event type, by its name.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{CatalogProvider, MemTable, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{LogicalPlanBuilder, TableType, col, lit};
use parking_lot::Mutex;

use super::entities::EntitiesTable;
use super::events::EventsTable;
use super::ground::Ground;
use super::mistake::stored;
use crate::error::Result as StoreResult;
use crate::schema::Entry;

/// The catalog and the schema that every name is looked up in.
pub(super) const CATALOG: &str = "allsource";
pub(super) const SCHEMA: &str = "public";

/// The tables that there always are. An event type with one of these names has no view.
pub(super) const TABLES: [&str; 3] = ["events", "entities", "event_types"];

/// The tables of one statement.
#[derive(Debug)]
pub(super) struct Tables {
    ground: Ground,
    /// The event types and how many events have them, the most frequent first.
    types: Vec<(String, u64)>,
    views: Mutex<HashMap<String, Arc<EventsTable>>>,
}

impl Tables {
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(super) fn new(ground: Ground) -> StoreResult<Self> {
        let stats = ground.snapshot.stats()?;
        let types = stats.event_types.iter().map(|known| (known.event_type.as_str().to_owned(), known.count));
        Ok(Self { types: types.collect(), ground, views: Mutex::default() })
    }

    /// Every name that a statement can select from.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        TABLES.into_iter().chain(self.types.iter().map(|(name, _)| name.as_str()))
    }

    /// Whether an event type has that name and a view.
    pub(super) fn is_view(&self, name: &str) -> bool {
        !TABLES.contains(&name) && self.types.iter().any(|(known, _)| known == name)
    }

    /// The view of an event type.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(super) fn view(&self, event_type: &str) -> StoreResult<Arc<EventsTable>> {
        if let Some(known) = self.views.lock().get(event_type) {
            return Ok(Arc::clone(known));
        }
        let Ground { engine, snapshot, as_of, notes, .. } = &self.ground;
        let registry = engine.schemas(snapshot)?;
        let newest = registry.of_type(event_type).and_then(Entry::newest);
        let schema = newest.map(|version| version.schema.as_ref());
        let view = EventsTable::of_type(snapshot.clone(), event_type, schema, *as_of, Arc::clone(notes))?;
        let view = Arc::new(view);
        self.views.lock().insert(event_type.to_owned(), Arc::clone(&view));
        Ok(view)
    }

    /// How many events each type has.
    fn event_types(&self) -> Result<Arc<dyn TableProvider>> {
        if self.ground.as_of.is_some() {
            // The indexes count by position, not by time.
            let events = provider_as_source(Arc::new(self.events()));
            let plan = LogicalPlanBuilder::scan("events", events, None)?
                .aggregate([col("event_type")], [count(lit(1_i64)).alias("events")])?
                .build()?;
            return Ok(Arc::new(ViewTable::new(plan, None)));
        }
        let schema = Arc::new(Schema::new(vec![
            Field::new("event_type", DataType::Utf8View, false),
            Field::new("events", DataType::Int64, false),
        ]));
        let names = StringViewArray::from_iter_values(self.types.iter().map(|(name, _)| name));
        let counts = self.types.iter().map(|(_, count)| i64::try_from(*count).unwrap_or(i64::MAX));
        let counts = Int64Array::from_iter_values(counts);
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(names), Arc::new(counts)])?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }

    fn events(&self) -> EventsTable {
        let Ground { snapshot, as_of, notes, .. } = &self.ground;
        EventsTable::all(snapshot.clone(), *as_of, Arc::clone(notes))
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        self.names().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let table: Arc<dyn TableProvider> = match name {
            "events" => Arc::new(self.events()),
            "entities" => Arc::new(EntitiesTable::new(self.ground.clone())),
            "event_types" => self.event_types()?,
            name if self.is_view(name) => self.view(name).map_err(stored)?,
            _ => return Ok(None),
        };
        Ok(Some(table))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        let kind = if self.is_view(name) { TableType::View } else { TableType::Base };
        Ok(self.table_exist(name).then_some(kind))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }
}

/// The one schema there is.
#[derive(Debug)]
pub(super) struct Catalog(pub Arc<Tables>);

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == SCHEMA).then(|| Arc::clone(&self.0) as Arc<dyn SchemaProvider>)
    }
}
