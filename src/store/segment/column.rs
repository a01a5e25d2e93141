//! The columns of a segment, and how Parquet keeps each of them.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::Result;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};

/// The most rows in a page: 1,024.
pub(super) const PAGE_ROWS_MAX: usize = 1_024;
/// What a page of names holds before it ends: 8 KiB. A look-up decodes all of it for one of its values.
const NAME_PAGE_BYTES: usize = 8 << 10;
/// What a page of documents holds before it ends: 14 KiB. With the last document, if it is of usual size, and the lengths
/// it stays below 16 KiB; a page always holds one document at least, whatever its size.
const DOCUMENT_PAGE_BYTES: usize = 14 << 10;
/// The largest dictionary of a column: 16 KiB. A column with more names goes on without one.
const DICTIONARY_BYTES_MAX: usize = 16 << 10;
/// How often the bloom filter in the Parquet file, for other readers, lets a strange entity pass: 1 in 100.
const BLOOM_FALSE_RATE: f64 = 0.01;

const SCHEMA: &str = "
message event {
  required int64 position (INTEGER(64, true));
  required binary event_id (STRING);
  required binary tenant_id (STRING);
  required binary entity_id (STRING);
  required int64 version (INTEGER(64, true));
  required binary event_type (STRING);
  required int64 timestamp (TIMESTAMP(MICROS, true));
  required int64 recorded_at (TIMESTAMP(MICROS, true));
  optional binary payload (STRING);
  optional binary metadata (STRING);
}";

/// A column, in the order in which they lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Position,
    EventId,
    TenantId,
    EntityId,
    Version,
    EventType,
    Timestamp,
    RecordedAt,
    Payload,
    Metadata,
}

/// How many columns there are.
pub(super) const COLUMNS: usize = 10;

impl Column {
    pub(super) const ALL: [Self; COLUMNS] = [
        Self::Position,
        Self::EventId,
        Self::TenantId,
        Self::EntityId,
        Self::Version,
        Self::EventType,
        Self::Timestamp,
        Self::RecordedAt,
        Self::Payload,
        Self::Metadata,
    ];

    /// Its name, in Parquet and in SQL.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::EventId => "event_id",
            Self::TenantId => "tenant_id",
            Self::EntityId => "entity_id",
            Self::Version => "version",
            Self::EventType => "event_type",
            Self::Timestamp => "timestamp",
            Self::RecordedAt => "recorded_at",
            Self::Payload => "payload",
            Self::Metadata => "metadata",
        }
    }

    /// Its place among the columns.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// Whether its values are numbers; else they are text.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Position | Self::Version | Self::Timestamp | Self::RecordedAt)
    }

    /// Whether a row may have no value in it.
    pub(super) const fn is_optional(self) -> bool {
        matches!(self, Self::Payload | Self::Metadata)
    }

    /// Whether few different values are expected.
    const fn has_dictionary(self) -> bool {
        matches!(self, Self::TenantId | Self::EventType)
    }

    /// Whether other readers get the smallest and greatest value of each page; of documents these would only cost memory.
    const fn has_statistics(self) -> bool {
        !matches!(self, Self::EventId | Self::TenantId | Self::Payload | Self::Metadata)
    }

    const fn encoding(self) -> Encoding {
        match self {
            Self::Position | Self::Version | Self::Timestamp | Self::RecordedAt => {
                Encoding::DELTA_BINARY_PACKED
            }
            // Generated ids differ from their neighbours in their last digits alone.
            Self::EventId => Encoding::DELTA_BYTE_ARRAY,
            Self::TenantId | Self::EntityId | Self::EventType | Self::Payload | Self::Metadata => {
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
        }
    }

    /// What a page holds before it ends, in bytes.
    pub(super) const fn page_bytes(self) -> usize {
        if self.is_optional() { DOCUMENT_PAGE_BYTES } else { NAME_PAGE_BYTES }
    }
}

/// The schema of every segment.
pub(super) fn schema() -> Result<TypePtr> {
    parse_message_type(SCHEMA).map(Arc::new)
}

/// How the columns are written, at a level of zstd.
pub(super) fn properties(level: i32, rows_per_group: usize) -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("allsource ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_max_row_group_row_count(Some(rows_per_group))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_write_batch_size(PAGE_ROWS_MAX)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]));
    for column in Column::ALL {
        let path = || ColumnPath::from(column.name());
        let statistics =
            if column.has_statistics() { EnabledStatistics::Page } else { EnabledStatistics::None };
        builder = builder
            .set_column_dictionary_enabled(path(), column.has_dictionary())
            .set_column_encoding(path(), column.encoding())
            .set_column_statistics_enabled(path(), statistics)
            .set_column_data_page_size_limit(path(), column.page_bytes());
    }
    let entity = ColumnPath::from(Column::EntityId.name());
    Ok(builder
        .set_column_bloom_filter_enabled(entity.clone(), true)
        .set_column_bloom_filter_fpp(entity, BLOOM_FALSE_RATE)
        .build())
}
