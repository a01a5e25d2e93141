//! What of a set a search may find: the filter, brought down to rows and ordinals.

use std::iter::Peekable;
use std::sync::Arc;

use super::bits::Bits;

use super::set::SetView;
use crate::event::Position;
use crate::search::positions::PositionSet;

/// What of a set a search may find: rows, and the ordinals that have such a row.
pub(super) struct Scope<'a> {
    /// The set.
    pub(super) set: &'a Arc<SetView>,
    /// Rows from here on are too new.
    rows_end: u32,
    /// Ordinals from here on have no row that is old enough.
    pub(super) ordinals_end: u32,
    /// The rows that a filter leaves, where there is one.
    rows: Option<Bits>,
    /// The ordinals that have a row left, where these are not all.
    ordinals: Option<Bits>,
    /// How many ordinals have a row left.
    pub(super) count: u64,
}

impl<'a> Scope<'a> {
    /// What positions up to `through` leave of a set, `None` if nothing.
    fn through(set: &'a Arc<SetView>, through: Position) -> Option<Self> {
        let rows = through.get().checked_sub(set.first.get())?.saturating_add(1);
        let rows_end = u32::try_from(rows).unwrap_or(u32::MAX).min(set.row_count());
        let all = set.ordinals();
        let mut scope =
            Self { set, rows_end, ordinals_end: all, rows: None, ordinals: None, count: u64::from(all) };
        if rows_end < set.row_count() {
            scope.cut();
        } else if let Some(gone) = &set.gone {
            scope.count = gone.ordinals.len();
            scope.ordinals = Some(gone.ordinals.clone());
        }
        Some(scope)
    }

    /// Leaves the ordinals that the first rows have.
    fn cut(&mut self) {
        let mut ordinals = Bits::none_of(self.set.ordinals());
        self.ordinals_end = 0;
        for row in 0..self.rows_end {
            if let Some(ordinal) = self.set.ordinal_of(row) {
                ordinals.insert(ordinal);
                self.ordinals_end = self.ordinals_end.max(ordinal + 1);
            }
        }
        self.count = ordinals.len();
        self.ordinals = Some(ordinals);
    }

    /// Leaves the rows that a filter names, and their ordinals.
    fn filter(&mut self, allowed: &mut Peekable<impl Iterator<Item = Position>>) {
        let end = self.set.position_of(self.rows_end);
        let mut rows = Bits::none_of(self.rows_end);
        let mut ordinals = Bits::none_of(self.set.ordinals());
        while let Some(position) = allowed.next_if(|position| *position < end) {
            let row = self.set.row_of(position);
            if let Some((row, ordinal)) = row.and_then(|row| Some((row, self.set.ordinal_of(row)?))) {
                rows.insert(row);
                ordinals.insert(ordinal);
            }
        }
        self.count = ordinals.len();
        (self.rows, self.ordinals) = (Some(rows), Some(ordinals));
    }

    /// Which of the 64 ordinals from 64 × `block` on may be found.
    pub(super) fn word(&self, block: usize) -> u64 {
        let left = (self.ordinals_end as usize).saturating_sub(block * 64);
        let inside = if left >= 64 { u64::MAX } else { (1 << left) - 1 };
        self.ordinals.as_ref().map_or(inside, |ordinals| ordinals.word(block) & inside)
    }

    /// How many blocks of 64 ordinals there are.
    pub(super) fn blocks(&self) -> usize {
        (self.ordinals_end as usize).div_ceil(64)
    }

    /// Whether an ordinal may be found.
    pub(super) fn keeps(&self, ordinal: u32) -> bool {
        self.ordinals.as_ref().is_none_or(|ordinals| ordinals.contains(ordinal))
            && ordinal < self.ordinals_end
    }

    /// The positions that may be found of an ordinal, newest first.
    pub(super) fn positions_of(&self, ordinal: u32) -> impl Iterator<Item = Position> + '_ {
        let kept = |row: &u32| match &self.rows {
            Some(rows) => rows.contains(*row),
            None => *row < self.rows_end && !self.set.is_gone(*row),
        };
        self.set.rows_of(ordinal).filter(kept).map(|row| self.set.position_of(row))
    }
}

/// What of each set a search may find, of those where there is something. Each set comes with the last position that counts of
/// it; none begins before that of the one before it.
pub(super) fn scopes<'a>(
    sets: impl Iterator<Item = (&'a Arc<SetView>, Position)>,
    allowed: Option<&PositionSet>,
    through: Option<Position>,
) -> Vec<Scope<'a>> {
    let mut allowed = allowed.map(|allowed| allowed.iter().peekable());
    let mut scopes = Vec::with_capacity(sets.size_hint().0);
    for (set, last) in sets {
        let through = through.map_or(last, |through| through.min(last));
        let Some(mut scope) = Scope::through(set, through) else { continue };
        if let Some(allowed) = &mut allowed {
            scope.filter(allowed);
        }
        if scope.count > 0 {
            scopes.push(scope);
        }
    }
    scopes
}
