//! Proving everything that is kept: the store, the states folded from it, and the indexes over it.

use super::Engine;
use crate::error::Result;
use crate::indexer::{self, Rebuild};
use crate::store::{Damage, VerifyReport};

impl Engine {
    /// Proves all that is stored, as [`Store::verify`](crate::store::Store::verify) does; folds a sample of at most 64 saved states
    /// anew, of which one that differs is damage to the file of saved states, and is not used any more; and proves the checksums
    /// of the search indexes.
    #[must_use]
    pub fn verify(&self) -> VerifyReport {
        let mut report = self.store().verify();
        report.damage.extend(self.wrong_states());
        report.damage.extend(self.wrong_indexes());
        report
    }

    /// The same, but what is damaged and derived is built anew, as by [`Store::repair`](crate::store::Store::repair); saved states
    /// are forgotten and saved again as they are asked for, and search indexes are made anew in the background.
    ///
    /// # Errors
    /// Those of [`Store::repair`](crate::store::Store::repair).
    pub fn repair(&self) -> Result<VerifyReport> {
        if let Some(wrong) = self.wrong_states().first() {
            self.store().mend_states(wrong)?;
        }
        let mut report = self.store().repair()?;
        let wrong = self.wrong_indexes();
        if !wrong.is_empty() {
            self.indexer()?.rebuild(Rebuild::Everything)?;
            report.repaired.extend(wrong);
        }
        Ok(report)
    }

    /// What of the search indexes is not what was written; one that cannot be looked at is told in the log.
    fn wrong_indexes(&self) -> Vec<Damage> {
        indexer::verify(self.store()).unwrap_or_else(|error| {
            tracing::warn!("failed to {error}");
            Vec::new()
        })
    }
}
