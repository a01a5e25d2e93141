//! A value of a column as JSON, for those who read answers.

use datafusion::arrow::array::{Array, AsArray, UnionArray};
use datafusion::arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Number, Value};

use crate::event::{TimeZone, Timestamp};

/// How deep a value may nest; what lies deeper is shown as text.
const DEPTH_MAX: usize = 16;

/// The value of a row.
pub(crate) fn value(array: &dyn Array, row: usize, zone: TimeZone) -> Value {
    nested(array, row, zone, DEPTH_MAX)
}

fn nested(array: &dyn Array, row: usize, zone: TimeZone, depth: usize) -> Value {
    if row >= array.len() || array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float32 => number(f64::from(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Timestamp(unit, _) => time(array, *unit, row).in_zone(zone).to_string().into(),
        DataType::List(_) if depth > 0 => elements(&array.as_list::<i32>().value(row), zone, depth),
        DataType::LargeList(_) if depth > 0 => elements(&array.as_list::<i64>().value(row), zone, depth),
        DataType::Struct(fields) if depth > 0 => {
            let columns = array.as_struct().columns();
            let members = fields
                .iter()
                .zip(columns)
                .map(|(field, column)| (field.name().clone(), nested(column.as_ref(), row, zone, depth - 1)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        DataType::Union(..) if depth > 0 => match array.as_any().downcast_ref::<UnionArray>() {
            Some(union) => nested(union.value(row).as_ref(), 0, zone, depth - 1),
            None => Value::Null,
        },
        DataType::Dictionary(..) if depth > 0 => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys().get(row).copied().unwrap_or(usize::MAX);
            nested(dictionary.values().as_ref(), key, zone, depth - 1)
        }
        _ => shown(array, row).into(),
    }
}

fn elements(list: &dyn Array, zone: TimeZone, depth: usize) -> Value {
    (0..list.len()).map(|row| nested(list, row, zone, depth - 1)).collect()
}

/// What JSON has no number for is shown as text.
fn number(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
}

fn time(array: &dyn Array, unit: TimeUnit, row: usize) -> Timestamp {
    let micros = match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000),
        TimeUnit::Millisecond => {
            array.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1_000)
        }
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000),
    };
    Timestamp::from_micros(micros)
}

/// The value as the engine shows it: of decimals, dates, intervals and the like.
fn shown(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default();
    ArrayFormatter::try_new(array, &options)
        .and_then(|formatter| formatter.value(row).try_to_string())
        .unwrap_or_default()
}

/// The type of a column in a word.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Float32 | DataType::Float64 => "double".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::List(inner) | DataType::LargeList(inner) => format!("{}[]", type_name(inner.data_type())),
        known if known.is_integer() => "bigint".to_owned(),
        DataType::Decimal128(..) | DataType::Decimal256(..) => "decimal".to_owned(),
        DataType::Union(..) => "json".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}
