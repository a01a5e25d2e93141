//! *Is an index file what was written, and does it say what its events say?*
//!
//! **Invariant:** an index is made from its events alone, byte for byte the same each time, so a file agrees with them,
//! in every list and every count, exactly when making it anew gives the same bytes.

use std::sync::OnceLock;

use super::build::encode_state;
use super::file::IndexFile;
use super::format::{Section, rows_are_whole};
use super::memory::MemoryIndex;
use crate::event::Position;

/// What is wrong with an index file or its rows file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexDamage {
    /// The file, without its directory.
    pub file: String,
    /// The offset in it at which what is wrong begins.
    pub offset: u64,
    /// What is wrong, as a sentence fragment.
    pub reason: String,
}

/// Whether a checksum was found right; asked once.
#[derive(Default)]
pub(super) struct Proof(OnceLock<bool>);

impl Proof {
    pub(super) fn holds(&self, check: impl FnOnce() -> bool) -> bool {
        *self.0.get_or_init(check)
    }

    /// What was found, if it was asked.
    pub(super) fn known(&self) -> Option<bool> {
        self.0.get().copied()
    }
}

impl IndexFile {
    /// Proves every checksum.
    ///
    /// # Errors
    /// The first place that is not what was written.
    pub(crate) fn verify(&self) -> Result<(), IndexDamage> {
        for section in Section::ALL {
            let place = self.place(section);
            if self.raw(section).is_none_or(|bytes| crc32c::crc32c(bytes) != place.crc) {
                let reason = format!("its section {} is not what was written", section.name());
                return Err(self.wrong(place.offset, reason));
            }
        }
        if self.rows().is_none_or(rows_are_whole) {
            Ok(())
        } else {
            let reason = "its rows are not what was written".to_owned();
            Err(IndexDamage { file: self.rows_name(), offset: 0, reason })
        }
    }

    /// Compares the file to `made`, which was made from the events that the file is about; `log_end` is the offset behind
    /// them where they lie in a log file.
    ///
    /// # Errors
    /// The first place that says something else than the events do.
    pub(crate) fn agrees_with(&self, made: &MemoryIndex, log_end: Option<u64>) -> Result<(), IndexDamage> {
        // Of a segment the offset in the log file, which is gone, is all that cannot be known any more.
        let end = log_end.unwrap_or(self.log_end());
        let Ok((index, rows)) =
            made.with(|state| encode_state(state, self.first(), self.last(), end, self.header().layout))
        else {
            return Err(self.wrong(0, "its positions are not those of its events".to_owned()));
        };
        if let Some(offset) = difference(self.bytes(), &index) {
            let part = self.section_at(offset).map_or("header", Section::name);
            return Err(self.wrong(offset, format!("its {part} does not say what its events say")));
        }
        match self.rows().and_then(|own| difference(own, &rows)) {
            Some(offset) if log_end.is_some() => {
                let reason = "it does not lead to its events".to_owned();
                Err(IndexDamage { file: self.rows_name(), offset, reason })
            }
            _ => Ok(()),
        }
    }

    /// Whether a section was used and found not to be what was written.
    pub(crate) fn is_known_damaged(&self) -> bool {
        self.proofs().any(|proved| proved == Some(false))
    }

    /// Proves every section that was not proved before, as using it would.
    pub(crate) fn prove(&self) -> bool {
        Section::ALL.into_iter().all(|section| self.section(section).is_ok()) && self.prove_rows().is_ok()
    }

    /// The positions that it is about, as words.
    pub(crate) fn positions(&self) -> (Position, Position) {
        (self.first(), self.last())
    }

    fn section_at(&self, offset: u64) -> Option<Section> {
        Section::ALL.into_iter().find(|section| {
            let place = self.place(*section);
            (place.offset..place.offset + place.len).contains(&offset)
        })
    }

    fn wrong(&self, offset: u64, reason: String) -> IndexDamage {
        IndexDamage { file: self.name().to_owned(), offset, reason }
    }
}

/// Where two files differ first.
fn difference(one: &[u8], other: &[u8]) -> Option<u64> {
    if one == other {
        return None;
    }
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    Some(differs.unwrap_or(one.len().min(other.len())) as u64)
}
