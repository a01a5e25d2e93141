//! Building damaged files anew that are derived from others.

use super::{Damage, VerifyReport, verify};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::store::branch::Branch;
use crate::store::index::{index_dir, positions_of};
use crate::store::options::Mode;

/// Proves a branch, builds anew what is damaged and derived, and proves that once more.
///
/// # Errors
/// `Denied` when the branch is open for reading only, `Exhausted` and `Unavailable` when a disk is full or fails.
pub(in crate::store) fn repair(branch: &Branch, known: &[Damage]) -> Result<VerifyReport> {
    if branch.options.mode == Mode::Read {
        let message = "repair: the store is open for reading only, because it was opened so, takes no writes, or holds damage \
                       that no repair can undo; run `allsource verify` for what that is";
        return Err(Error::new(ErrorKind::Denied, "read_only", message));
    }
    let report = verify(branch, known);
    if !report.damage.iter().any(Damage::is_derived) {
        return Ok(report);
    }
    if let Some(damage) = report.damage.iter().find(|damage| damage.file.ends_with(".states")) {
        branch.mend_states(damage)?;
    }
    for damage in report.damage.iter().filter(|damage| damage.is_derived()) {
        let path = index_dir(&branch.dir).join(&damage.file);
        let Some((first, last)) = positions_of(&path) else { continue };
        let _turn = branch.take_turn()?;
        if !branch.mend(first, last, &damage.reason)? {
            // It serves no stretch: another index says what it did.
            let files = [path.with_extension("index"), path.with_extension("rows")];
            branch.discards.discard(files).map_err(|error| {
                let message = format!("remove {}", path.display());
                Error::new(ErrorKind::Unavailable, "index_not_removed", message).caused_by(error)
            })?;
            let removed = Damage::of_file(&damage.file, "it served no reader and was removed");
            branch.mending.lock().note(removed);
        }
    }
    Ok(verify(branch, known))
}

impl Branch {
    /// Removes every saved state because of damage to some: they are folded from their events, and saved again.
    pub(in crate::store) fn mend_states(&self, damage: &Damage) -> Result<()> {
        drop(self.states.forget(Position::ZERO)?);
        let reason =
            format!("removed; states are folded from the events, and saved again: {}", damage.reason);
        self.mending.lock().note(Damage { reason, ..damage.clone() });
        Ok(())
    }
}
