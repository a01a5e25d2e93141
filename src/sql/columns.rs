//! Which columns does a table of events have, and how are they filled from stored values?

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringViewBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;

use super::fields::{FieldKind, Fields};
use crate::event::filter::Step;
use crate::store::{Column, ColumnSink};

/// The columns of an event, in the order in which a person reads them.
const COLUMNS: [Column; 9] = [
    Column::Position,
    Column::Timestamp,
    Column::EntityId,
    Column::EventType,
    Column::Version,
    Column::Payload,
    Column::Metadata,
    Column::EventId,
    Column::RecordedAt,
];

/// A field of the payload that a view shows as a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PayloadField {
    /// The name of the column.
    pub name: String,
    /// Where it lies in the payload.
    pub steps: Vec<Step>,
    /// What it holds.
    pub kind: FieldKind,
}

/// Where a column of a table comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    /// A column of the store.
    Stored(Column),
    /// A field of the payload.
    Payload(PayloadField),
}

/// The columns of a table of events.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub schema: SchemaRef,
    pub origins: Vec<Origin>,
}

impl Columns {
    /// Those of the table `events`.
    pub(super) fn of_events() -> Self {
        Self::new(COLUMNS.into_iter().map(Origin::Stored).collect())
    }

    /// Those of the view of one event type: what every event has but its type, with the fields of its payload in the middle.
    pub(super) fn of_type(fields: Vec<PayloadField>) -> Self {
        let (before, behind) = COLUMNS.split_at(5);
        let stored = |columns: &'static [Column]| {
            columns
                .iter()
                .filter(|column| **column != Column::EventType)
                .map(|column| Origin::Stored(*column))
        };
        let fields = fields.into_iter().map(Origin::Payload);
        Self::new(stored(before).chain(fields).chain(stored(behind)).collect())
    }

    fn new(origins: Vec<Origin>) -> Self {
        let fields: Vec<ArrowField> = origins.iter().map(field).collect();
        Self { schema: Arc::new(Schema::new(fields)), origins }
    }

    /// Some of these columns.
    pub(super) fn project(&self, projection: Option<&Vec<usize>>) -> Result<Self> {
        let Some(projection) = projection else { return Ok(self.clone()) };
        let schema = Arc::new(self.schema.project(projection)?);
        let origins = projection.iter().filter_map(|at| self.origins.get(*at).cloned()).collect();
        Ok(Self { schema, origins })
    }

    /// These columns, and behind them others of the store that are not among them.
    pub(super) fn with(&self, others: impl Iterator<Item = Column>) -> Self {
        let others = others.map(Origin::Stored).filter(|other| !self.origins.contains(other));
        Self::new(self.origins.iter().cloned().chain(others).collect())
    }

    /// What must be read of the store to fill them.
    pub(super) fn stored(&self) -> Vec<Column> {
        let mut stored = Vec::new();
        for origin in &self.origins {
            let column = match origin {
                Origin::Stored(column) => *column,
                Origin::Payload(_) => Column::Payload,
            };
            if !stored.contains(&column) {
                stored.push(column);
            }
        }
        stored
    }
}

/// Whether a column of an event is one that every table of events has.
pub(super) fn is_stored_name(name: &str) -> bool {
    COLUMNS.iter().any(|column| column.name() == name)
}

fn field(origin: &Origin) -> ArrowField {
    match origin {
        Origin::Stored(column) => {
            let is_optional = matches!(column, Column::Payload | Column::Metadata);
            ArrowField::new(column.name(), stored_type(*column), is_optional)
        }
        Origin::Payload(field) => ArrowField::new(&field.name, field.kind.data_type(), true),
    }
}

/// Times are microseconds in UTC; positions and versions signed, so that differences may be negative.
pub(super) fn stored_type(column: Column) -> DataType {
    match column {
        Column::Position | Column::Version => DataType::Int64,
        Column::Timestamp | Column::RecordedAt => {
            DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
        }
        _ => DataType::Utf8View,
    }
}

/// The zone of every time in a table.
pub(super) const UTC: &str = "+00:00";

enum Builder {
    Number(Int64Builder),
    Time(TimestampMicrosecondBuilder),
    Text(StringViewBuilder),
}

/// Fills some columns, row by row.
pub(super) struct Batch {
    columns: Columns,
    stored: Vec<(Column, Builder)>,
    /// What is read of payloads, where that is needed.
    fields: Option<Fields>,
    rows: usize,
    bytes: usize,
    /// The column by which rows are counted: each is given once a row.
    counted: Column,
}

impl Batch {
    pub(super) fn new(columns: &Columns, wanted: &[Column], rows: usize) -> Self {
        let stored = columns.origins.iter().filter_map(|origin| match origin {
            Origin::Stored(column) => Some((*column, builder(*column, rows))),
            Origin::Payload(_) => None,
        });
        let fields: Vec<PayloadField> = columns
            .origins
            .iter()
            .filter_map(|origin| match origin {
                Origin::Payload(field) => Some(field.clone()),
                Origin::Stored(_) => None,
            })
            .collect();
        Self {
            columns: columns.clone(),
            stored: stored.collect(),
            fields: (!fields.is_empty()).then(|| Fields::new(fields)),
            rows: 0,
            bytes: 0,
            counted: wanted.first().copied().unwrap_or(Column::Position),
        }
    }

    /// How many values of typed fields were of another type, and read as NULL.
    pub(super) fn misfits(&self) -> u64 {
        self.fields.as_ref().map_or(0, |fields| fields.misfits)
    }

    pub(super) fn finish(self) -> Result<RecordBatch> {
        let mut fields = self.fields.map(Fields::finish).unwrap_or_default().into_iter();
        let mut stored = self.stored.into_iter();
        let arrays: Vec<ArrayRef> = self
            .columns
            .origins
            .iter()
            .filter_map(|origin| match origin {
                Origin::Stored(_) => stored.next().map(|(_, builder)| finished(builder)),
                Origin::Payload(_) => fields.next(),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(self.columns.schema, arrays, &options)?)
    }
}

impl ColumnSink for Batch {
    fn number(&mut self, column: Column, value: i64) {
        self.rows += usize::from(column == self.counted);
        match self.stored.iter_mut().find(|(own, _)| *own == column) {
            Some((_, Builder::Number(builder))) => builder.append_value(value),
            Some((_, Builder::Time(builder))) => builder.append_value(value),
            _ => {}
        }
    }

    fn text(&mut self, column: Column, value: Option<&str>) {
        self.rows += usize::from(column == self.counted);
        if let Some((_, Builder::Text(builder))) = self.stored.iter_mut().find(|(own, _)| *own == column) {
            self.bytes += value.map_or(0, str::len);
            builder.append_option(value);
        }
        if column == Column::Payload
            && let Some(fields) = &mut self.fields
        {
            fields.push(value.unwrap_or("null"));
        }
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

fn builder(column: Column, rows: usize) -> Builder {
    match stored_type(column) {
        DataType::Int64 => Builder::Number(Int64Builder::with_capacity(rows)),
        DataType::Timestamp(..) => {
            Builder::Time(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone(UTC))
        }
        _ => Builder::Text(StringViewBuilder::with_capacity(rows)),
    }
}

fn finished(builder: Builder) -> ArrayRef {
    match builder {
        Builder::Number(mut builder) => Arc::new(builder.finish()),
        Builder::Time(mut builder) => Arc::new(builder.finish()),
        Builder::Text(mut builder) => Arc::new(builder.finish()),
    }
}

/// A column of a payload field while it is filled.
pub(super) enum FieldBuilder {
    Integer(Int64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
    Text(StringViewBuilder),
}
