//! Reading some columns of neighbouring rows.

use super::column::Column;
use super::cursor::Cursor;
use crate::error::Result;
use crate::store::log::generated_id;
use crate::store::read::ColumnSink;

impl Cursor<'_> {
    /// Gives the wanted columns of the first of `rows`, which rise: of as many as lie in the same pages. Gives how many they
    /// were; nothing is given when a page cannot be read.
    ///
    /// # Errors
    /// `Corrupt` (`segment_damaged`) when what is read is not what was written.
    pub(crate) fn give(
        &mut self,
        rows: &[u32],
        wanted: &[Column],
        sink: &mut impl ColumnSink,
    ) -> Result<usize> {
        let Some(&first) = rows.first() else { return Ok(0) };
        let mut end = u32::MAX;
        for &column in wanted {
            if let Some(stored) = self.stored(column) {
                end = end.min(self.page_end(stored, first)?);
            }
        }
        let rows = rows.get(..rows.partition_point(|row| *row < end)).unwrap_or_default();
        for &column in wanted {
            self.give_column(column, rows, sink)?;
        }
        Ok(rows.len())
    }

    /// The column whose pages hold what is wanted of `column`; `None` when no page does.
    fn stored(&self, column: Column) -> Option<Column> {
        let header = self.segment().header();
        match column {
            Column::Position => None,
            Column::Metadata if !header.has_metadata => None,
            Column::EventId if !header.has_given_ids => Some(Column::RecordedAt),
            stored => Some(stored),
        }
    }

    fn give_column(&mut self, column: Column, rows: &[u32], sink: &mut impl ColumnSink) -> Result<()> {
        let header = self.segment().header();
        let (id_key, makes_ids) = (header.id_key, !header.has_given_ids);
        match (column, self.stored(column)) {
            (Column::Position, _) => {
                for &row in rows {
                    sink.number(column, self.segment().position_of(row).get().cast_signed());
                }
            }
            (_, None) => rows.iter().for_each(|_| sink.text(column, None)),
            (Column::EventId, _) if makes_ids => {
                for &row in rows {
                    let recorded_at = self.recorded_at(row)?;
                    let id = generated_id(recorded_at, self.segment().position_of(row), id_key);
                    sink.text(column, Some(&id.to_string()));
                }
            }
            (_, Some(stored)) if stored.is_number() => {
                for &row in rows {
                    sink.number(column, self.number(stored, row)?);
                }
            }
            (_, Some(stored)) => {
                for &row in rows {
                    let (page, at) = self.page(stored, row)?;
                    let text = page.is_present(at).then(|| page.text(at)).flatten();
                    match text.map(std::str::from_utf8) {
                        Some(Ok(text)) => sink.text(column, Some(text)),
                        None if !page.is_present(at) => sink.text(column, None),
                        _ => return Err(self.unreadable(stored, row)),
                    }
                }
            }
        }
        Ok(())
    }
}
