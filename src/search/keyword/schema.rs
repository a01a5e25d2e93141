//! The fields of the index, and how an event becomes a document of it.

use std::array;
use std::iter;

use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf, Value};
use tantivy::schema::{
    Document, FAST, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::store::Compressor;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{IndexSettings, IndexSortByField, Order};

use super::document::text_of;
use super::streams::BodyTokenizer;
use crate::event::Event;

/// The version of what is indexed and how. An index that was made by another one is made anew.
pub(super) const FORMAT: &str = "1";

/// The fields of the index. They are numbered in the order in which they are declared.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the field of fields is called what it holds")]
pub(super) struct Fields {
    /// Everything that is scored, with positions for phrases.
    pub(super) body: Field,
    /// Tokens with their paths, see [`fields`](super::fields).
    pub(super) fields: Field,
    /// The event type as it is, for filters.
    pub(super) event_type: Field,
    /// The entity id as it is, for filters.
    pub(super) entity_id: Field,
    /// The position, by which documents are sorted, the newest first.
    pub(super) position: Field,
    /// The timestamp in µs.
    pub(super) timestamp: Field,
}

/// The name of the column of positions.
pub(super) const POSITION: &str = "position";
/// The name of the column of timestamps.
pub(super) const TIMESTAMP: &str = "timestamp";

impl Fields {
    /// The schema, and its fields.
    pub(super) fn schema() -> (Schema, Self) {
        let text = |tokenizer: &str, record, norms| {
            let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(record);
            TextOptions::default().set_indexing_options(indexing.set_fieldnorms(norms))
        };
        let mut schema = Schema::builder();
        // The names carry the format, so that another format is another schema.
        let body = format!("body{FORMAT}");
        let column = NumericOptions::from(FAST);
        let fields = Self {
            body: schema.add_text_field(&body, text("body", IndexRecordOption::WithFreqsAndPositions, true)),
            fields: schema.add_text_field("fields", text("fields", IndexRecordOption::Basic, false)),
            event_type: schema.add_text_field("event_type", text("raw", IndexRecordOption::Basic, false)),
            entity_id: schema.add_text_field("entity_id", text("raw", IndexRecordOption::Basic, false)),
            position: schema.add_u64_field(POSITION, column.clone()),
            timestamp: schema.add_i64_field(TIMESTAMP, column),
        };
        (schema.build(), fields)
    }

    /// The event as a document.
    pub(super) fn document(self, event: &Event) -> EventDocument {
        EventDocument {
            fields: self,
            position: event.position.get(),
            timestamp: event.timestamp.as_micros(),
            event_type: event.event_type.as_str().to_owned(),
            entity_id: event.entity_id.as_str().to_owned(),
            text: text_of(event),
        }
    }
}

/// Nothing is stored and documents lie newest first, so that of equal scores the search meets the newest first and need not
/// look at the others.
pub(super) fn settings() -> IndexSettings {
    IndexSettings {
        sort_by_field: Some(IndexSortByField { field: POSITION.to_owned(), order: Order::Desc }),
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// The analysis of each field.
pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    let body = BodyTokenizer::default();
    manager.register("fields", body.fields());
    manager.register("body", body);
    manager
}

/// What Tantivy's worker takes apart, on its thread.
#[derive(Debug)]
pub(super) struct EventDocument {
    fields: Fields,
    position: u64,
    timestamp: i64,
    event_type: String,
    entity_id: String,
    text: String,
}

impl Document for EventDocument {
    type Value<'a> = FieldValue<'a>;
    type FieldsValuesIter<'a> = array::IntoIter<(Field, FieldValue<'a>), 6>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        [
            (self.fields.body, FieldValue::Text(&self.text)),
            (self.fields.fields, FieldValue::Text(&self.text)),
            (self.fields.event_type, FieldValue::Text(&self.event_type)),
            (self.fields.entity_id, FieldValue::Text(&self.entity_id)),
            (self.fields.position, FieldValue::Unsigned(self.position)),
            (self.fields.timestamp, FieldValue::Signed(self.timestamp)),
        ]
        .into_iter()
    }
}

/// A value of a field, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum FieldValue<'a> {
    /// To be tokenized.
    Text(&'a str),
    /// A position.
    Unsigned(u64),
    /// A time.
    Signed(i64),
}

impl<'a> Value<'a> for FieldValue<'a> {
    type ArrayIter = iter::Empty<Self>;
    type ObjectIter = iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match self {
            Self::Text(text) => ReferenceValueLeaf::Str(text),
            Self::Unsigned(number) => ReferenceValueLeaf::U64(*number),
            Self::Signed(number) => ReferenceValueLeaf::I64(*number),
        })
    }
}
