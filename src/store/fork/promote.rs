//! *How does what was tried become what is?* The events of a fork go to its parent in one frame, or not at all.
//!
//! **Invariant:** an event of a fork is on its parent at most once, however often and with whatever choice it is promoted: it
//! keeps its id, and ids are stored once.

use super::{ForkId, Forks};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, Position, Version};
use crate::store::manifest::PromotedAs;
use crate::store::open::Store;

/// The metadata member that says from which fork an event came.
pub(crate) const FORK: &str = "$fork";
/// How often a promotion looks again because the parent moved while it looked: 16 times.
const TRIES_MAX: usize = 16;

/// What becomes of an entity whose history on the parent went on since the cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Nothing is promoted, and the conflicts are told.
    #[default]
    Abort,
    /// Its events stay on the fork alone.
    Skip,
    /// Its events go behind those of the parent.
    Rebase,
}

/// What of a fork is to be promoted, and how.
#[derive(Clone, Debug, Default)]
pub struct Promotion {
    /// The entities; all of them if empty.
    pub entities: Vec<EntityId>,
    /// What becomes of entities in conflict.
    pub on_conflict: OnConflict,
    /// Say what would happen, change nothing.
    pub dry_run: bool,
    /// The [`diff`](Promoted::diff) that was looked at: another one is a conflict.
    pub diff: Option<String>,
}

/// An entity whose history on the parent went on since the cut, or of which an append on the fork rested on a condition
/// that does not hold on the parent.
#[derive(Clone, Debug, PartialEq)]
pub struct PromotionConflict {
    /// The entity.
    pub entity_id: EntityId,
    /// Its version at the cut.
    pub version_at_cut: Version,
    /// Its version on the parent now.
    pub version_now: Version,
    /// What the parent has of it since the cut, at most 20.
    pub parent_positions: Vec<Position>,
    /// The event of the parent that a condition of an append on the fork forbids.
    pub condition_broken_by: Option<Position>,
}

/// What a promotion did, or would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Promoted {
    /// Names what the fork added and what was chosen of it: the same as long as both are.
    pub diff: String,
    /// Events stored on the parent; with a dry run those that would be.
    pub events: u64,
    /// The entities that they belong to.
    pub entities: u64,
    /// The first of their positions, when something was stored.
    pub first_position: Option<Position>,
    /// Events that an earlier promotion stored.
    pub already_promoted: u64,
    /// The conflicts found. With [`OnConflict::Abort`] nothing is stored when there are any.
    pub conflicts: Vec<PromotionConflict>,
    /// The same promotion was made before: nothing was written.
    pub duplicate: bool,
    /// The parent's last position.
    pub head: Position,
}

impl Store {
    /// Promotes what a fork added to its parent, in one append with the idempotency key `promote:<fork>:<diff>`.
    ///
    /// An entity is in conflict when its version on the parent is not the one at the cut any more, or when an append to the fork
    /// rested on a condition that does not hold on the parent since. Events keep their ids, timestamps and metadata; metadata
    /// gets a member `$fork` with the fork's id and the position and time at which it was recorded there.
    ///
    /// # Errors
    /// `Conflict` (`diff_changed`) when the fork added something since the diff was looked at, `NotFound` when there is no such
    /// fork or no such entity on it, `Exhausted` when the parent is a fork whose quota is full, and those of
    /// [`append`](Self::append).
    pub fn promote_fork(&self, id: &ForkId, promotion: &Promotion) -> Result<Promoted> {
        self.forks().promote(id, promotion)
    }
}

impl Forks {
    fn promote(&self, id: &ForkId, promotion: &Promotion) -> Result<Promoted> {
        if !promotion.dry_run {
            self.check_writable()?;
        }
        let offer = self.offer(id, promotion)?;
        if promotion.diff.as_ref().is_some_and(|diff| *diff != offer.diff) {
            let message = format!(
                "promote fork {id}: it, or what was chosen of it, is not what was looked at; look at the diff again"
            );
            return Err(Error::new(ErrorKind::Conflict, "diff_changed", message).with("diff", offer.diff));
        }
        let mut tries = TRIES_MAX;
        loop {
            tries -= 1;
            match offer.promote(promotion) {
                // The parent moved between the look and the append: look again, so that the report is whole.
                Err(error) if tries > 0 && is_race(&error) => {}
                Ok(promoted) => {
                    self.note_promoted(id, &promoted, promotion)?;
                    return Ok(promoted);
                }
                Err(error) => return Err(error.context(format!("promote fork {id}"))),
            }
        }
    }

    /// Notes in the fork where its events went. The parent's frame alone decides; without the note it is found there.
    fn note_promoted(&self, id: &ForkId, promoted: &Promoted, promotion: &Promotion) -> Result<()> {
        let Some(position) = promoted.first_position.filter(|_| !promotion.dry_run) else { return Ok(()) };
        let at = self.main.options.clock.now().as_micros();
        let key = key_of(id, &promoted.diff);
        let mut state = self.loaded()?;
        let noted = self.change(&mut state, id, |manifest| {
            if let Some(entry) = &mut manifest.fork {
                entry.promoted = Some(PromotedAs { key, position: position.get(), at });
            }
        });
        if let Err(error) = noted {
            tracing::warn!("failed to note that fork {id} was promoted: {error}; its parent tells");
        }
        Ok(())
    }
}

fn is_race(error: &Error) -> bool {
    ["version_conflict", "condition_conflict"].contains(&error.code())
}

pub(super) fn key_of(id: &ForkId, diff: &str) -> String {
    format!("promote:{id}:{diff}")
}
