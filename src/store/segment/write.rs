//! Writing a segment: its Parquet file, then its envelope.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};

use super::calls::CallsBuilder;
use super::column::{Column, PAGE_ROWS_MAX, properties, schema};
use super::format::{Chunk, Header, PagePlace, Place, SECTIONS};
use super::name::{SegmentEntry, SegmentName};
use super::sink::Sink;
use super::source::{SegmentSource, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Timestamp;
use crate::store::disk::{Disk, DiskFile};
use crate::store::options::PlantedBug;

/// The level of zstd. Level 9 saves 5 to 10 % of the bytes and takes 4 to 10 times as long, which whoever appends
/// meanwhile would feel.
const ZSTD_LEVEL: i32 = 3;

/// How a segment is written.
pub(crate) struct WriteSettings<'a> {
    /// Rows in a group; a group's dictionaries are in memory while it is written.
    pub group_rows: u32,
    /// Asked before each 1,024 values: whether to go on. It may wait, so that others get the disk and the processor.
    pub goes_on: &'a dyn Fn() -> bool,
    /// A deliberate fault.
    pub planted_bug: Option<PlantedBug>,
}

impl<'a> WriteSettings<'a> {
    /// The rows of a group: 131,072.
    pub(crate) const GROUP_ROWS: u32 = 1 << 17;

    /// The usual settings.
    pub(crate) fn new(goes_on: &'a dyn Fn() -> bool) -> Self {
        Self { group_rows: Self::GROUP_ROWS, goes_on, planted_bug: None }
    }
}

/// What the writer learns of the events as they pass.
#[derive(Default)]
struct Seen {
    recorded: Option<(i64, i64)>,
    emptied: u64,
    has_given_ids: bool,
    has_metadata: bool,
}

/// Writes the segment `name` of all that `source` has, over what a crash may have left of it: both files are durable when
/// this returns, and nothing refers to them yet.
///
/// # Errors
/// `Exhausted` (`disk_full`) when there is no room, `Unavailable` when the disk fails, `Closed` when
/// [`goes_on`](WriteSettings::goes_on) said no; what was written is removed. Errors of the source pass through.
pub(crate) fn write(
    disk: &dyn Disk,
    dir: &Path,
    name: SegmentName,
    source: &mut dyn SegmentSource,
    settings: &WriteSettings<'_>,
) -> Result<SegmentEntry> {
    let written = write_both(disk, dir, name, source, settings);
    if written.is_err() {
        // An unfinished file would only take up the space that may be missing.
        withdraw(disk, dir, name);
    }
    written
}

/// Removes what was written of a segment that nothing has named yet; the next open removes what is left of it.
pub(crate) fn withdraw(disk: &dyn Disk, dir: &Path, name: SegmentName) {
    let _ = disk.remove(&dir.join(name.file_name()));
    let _ = disk.remove(&dir.join(name.envelope_name()));
}

fn write_both(
    disk: &dyn Disk,
    dir: &Path,
    name: SegmentName,
    source: &mut dyn SegmentSource,
    settings: &WriteSettings<'_>,
) -> Result<SegmentEntry> {
    let file_name = name.file_name();
    let failed = |error: std::io::Error| failed(&file_name, &error);
    disk.create_dir_all(dir).map_err(failed)?;
    let mut seen = Seen::default();
    let sink = Sink::new(create(disk, &dir.join(&file_name)).map_err(failed)?);
    let (metadata, parquet_bytes, blocks) = write_parquet(sink, &file_name, source, settings, &mut seen)?;
    let mut calls = CallsBuilder::new(ZSTD_LEVEL);
    let mut packed = Ok(());
    source.calls(&mut |row, attrs| {
        if packed.is_ok() && settings.planted_bug != Some(PlantedBug::ForgetCalls) {
            packed = calls.push(row, attrs);
        }
    })?;
    packed.map_err(failed)?;
    let (chunks, pages) = places(&metadata, settings.group_rows).ok_or_else(|| unknown(&file_name))?;
    let recorded = seen.recorded.ok_or_else(|| unknown(&file_name))?;
    let header = Header {
        first: name.first,
        last: name.last,
        generation: name.generation,
        parquet_bytes,
        id_key: source.id_key(),
        recorded: (Timestamp::from_micros(recorded.0), Timestamp::from_micros(recorded.1)),
        emptied: seen.emptied,
        has_given_ids: seen.has_given_ids && settings.planted_bug != Some(PlantedBug::DropIds),
        has_metadata: seen.has_metadata,
        group_rows: settings.group_rows,
        places: [Place::default(); SECTIONS],
    };
    let blocks = blocks.into_iter().flat_map(u32::to_le_bytes).collect();
    let envelope = header.encode([blocks, chunks, pages, calls.finish().map_err(failed)?]);
    let mut sink = Sink::new(create(disk, &dir.join(name.envelope_name())).map_err(failed)?);
    sink.write_all(&envelope).and_then(|()| sink.seal(settings.planted_bug)).map_err(failed)?;
    disk.sync_dir(dir).map_err(failed)?;
    Ok(SegmentEntry {
        first: name.first.get(),
        last: name.last.get(),
        generation: name.generation,
        parquet_bytes,
        envelope_bytes: envelope.len() as u64,
        envelope_crc: crc32c::crc32c(&envelope),
        emptied: seen.emptied,
        recorded_last: recorded.1,
    })
}

/// Creates a file over what an attempt before a crash left.
fn create(disk: &dyn Disk, path: &Path) -> std::io::Result<Arc<dyn DiskFile>> {
    match disk.remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => disk.create(path),
    }
}

fn write_parquet(
    sink: Sink,
    file_name: &str,
    source: &mut dyn SegmentSource,
    settings: &WriteSettings<'_>,
    seen: &mut Seen,
) -> Result<(ParquetMetaData, u64, Vec<u32>)> {
    let failed = |error| parquet_failed(file_name, error);
    let properties = properties(ZSTD_LEVEL, settings.group_rows as usize).map_err(failed)?;
    let mut file =
        SerializedFileWriter::new(sink, schema().map_err(failed)?, Arc::new(properties)).map_err(failed)?;
    let rows = u32::try_from(source.last().get().saturating_sub(source.first().get()).saturating_add(1))
        .map_err(|_| unknown(file_name))?;
    let mut values = Values::default();
    for group in chunks(0..rows, settings.group_rows) {
        let mut row_group = file.next_row_group().map_err(failed)?;
        for column in Column::ALL {
            let writer = row_group.next_column().map_err(failed)?;
            let mut writer = writer.ok_or_else(|| unknown(file_name))?;
            let mut filled = 0;
            for batch in chunks(group.clone(), PAGE_ROWS_MAX as u32) {
                if !(settings.goes_on)() {
                    let message = format!("write segment {file_name}: the store is being closed");
                    return Err(Error::new(ErrorKind::Closed, "closed", message));
                }
                source.read(column, batch, &mut values)?;
                seen.note(column, &values);
                write_values(column, &mut writer, &values, &mut filled).map_err(failed)?;
            }
            writer.close().map_err(failed)?;
        }
        row_group.close().map_err(failed)?;
    }
    let metadata = file.finish().map_err(failed)?;
    let sealed = file.inner_mut().seal(settings.planted_bug);
    let (bytes, blocks) = sealed.map_err(|error| self::failed(file_name, &error))?;
    Ok((metadata, bytes, blocks))
}

/// Cuts rows into stretches of at most `len`.
fn chunks(rows: Range<u32>, len: u32) -> impl Iterator<Item = Range<u32>> {
    let end = rows.end;
    rows.step_by(len as usize).map(move |start| start..start.saturating_add(len).min(end))
}

impl Seen {
    fn note(&mut self, column: Column, values: &Values) {
        let absent = || values.present.iter().filter(|&&present| present == 0).count() as u64;
        match column {
            Column::EventId => self.has_given_ids |= values.has_given_ids,
            Column::Payload => self.emptied += absent(),
            Column::Metadata => self.has_metadata |= !values.texts.is_empty(),
            Column::RecordedAt => {
                if let (Some(&first), Some(&last)) = (values.numbers.first(), values.numbers.last()) {
                    self.recorded = Some((self.recorded.map_or(first, |recorded| recorded.0), last));
                }
            }
            _ => {}
        }
    }
}

/// Writes the values of at most a page's rows; `filled` is how many bytes of text the page has that is being filled.
fn write_values(
    column: Column,
    writer: &mut SerializedColumnWriter<'_>,
    values: &Values,
    filled: &mut usize,
) -> Result<(), ParquetError> {
    if column.is_number() {
        return writer.typed::<Int64Type>().write_batch(&values.numbers, None, None).map(|_| ());
    }
    let writer = writer.typed::<ByteArrayType>();
    let (mut texts, mut present) = (values.texts.as_slice(), values.present.as_slice());
    // The writer ends a page only between two calls, so each call brings what makes a page full, and no more.
    while !texts.is_empty() || !present.is_empty() {
        let fills = |text: &ByteArray| {
            *filled += text.len();
            *filled >= column.page_bytes()
        };
        let full = texts.iter().position(fills);
        if full.is_some() {
            *filled = 0;
        }
        let count = full.map_or(texts.len(), |at| at + 1);
        let (now, later) = texts.split_at_checked(count).unwrap_or((texts, &[]));
        texts = later;
        if column.is_optional() {
            let rows = if later.is_empty() { present.len() } else { rows_of(present, count) };
            let (rows, rest) = present.split_at_checked(rows).unwrap_or((present, &[]));
            present = rest;
            writer.write_batch(now, Some(rows), None)?;
        } else {
            writer.write_batch(now, None, None)?;
        }
    }
    Ok(())
}

/// How many rows there are up to the one that has the value number `count`.
fn rows_of(present: &[i16], count: usize) -> usize {
    let with_value = present.iter().enumerate().filter(|(_, present)| **present == 1);
    with_value.map(|(row, _)| row + 1).nth(count.saturating_sub(1)).unwrap_or(present.len())
}

/// The sections `chunks` and `pages` of the envelope; `None` when the writer did not say where its pages lie.
fn places(metadata: &ParquetMetaData, group_rows: u32) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut chunks, mut pages) = (Vec::new(), Vec::new());
    let index = metadata.offset_index()?;
    let mut number = 0_u32;
    for ((group, columns), first_row) in
        metadata.row_groups().iter().zip(index).zip((0..).step_by(group_rows as usize))
    {
        for (chunk, index) in group.columns().iter().zip(columns) {
            let (start, len) = chunk.byte_range();
            let locations = index.page_locations();
            let count = u32::try_from(locations.len()).ok()?;
            Chunk { start, end: start.checked_add(len)?, first_page: number, pages: count }
                .encode(&mut chunks);
            number += count;
            for location in locations {
                PagePlace {
                    offset: u64::try_from(location.offset).ok()?,
                    first_row: u32::checked_add(first_row, u32::try_from(location.first_row_index).ok()?)?,
                }
                .encode(&mut pages);
            }
        }
    }
    Some((chunks, pages))
}

fn unknown(file_name: &str) -> Error {
    Error::internal(format!("write segment {file_name}: there is nothing in it, or its pages have no place"))
}

fn parquet_failed(file_name: &str, error: ParquetError) -> Error {
    match &error {
        ParquetError::External(cause) => match cause.downcast_ref::<std::io::Error>() {
            Some(error) => failed(file_name, error),
            None => Error::internal(format!("write segment {file_name}")).caused_by(error),
        },
        _ => Error::internal(format!("write segment {file_name}")).caused_by(error),
    }
}

fn failed(file_name: &str, error: &std::io::Error) -> Error {
    if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        let message = format!(
            "make room for segment {file_name}: {error}; free space: its events stay in the log until then"
        );
        return Error::new(ErrorKind::Exhausted, "disk_full", message);
    }
    Error::new(ErrorKind::Unavailable, "disk_failed", format!("write segment {file_name}: {error}"))
}
