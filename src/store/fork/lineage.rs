//! *What does a fork see of its parent?* The parent's current files up to the cut.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::event::Position;
use crate::store::branch::Branch;
use crate::store::view::View;

/// What a fork stands on.
pub(crate) struct Lineage {
    /// The branch that it was forked from.
    pub parent: Arc<Branch>,
    /// The last position that it shares with that one.
    pub cut: Position,
    /// What was made last, and of what: it stays good until one of the two changes.
    made: ArcSwapOption<Made>,
}

struct Made {
    parent: Arc<View>,
    own: Arc<View>,
    whole: Arc<View>,
}

impl Lineage {
    pub(super) fn new(parent: Arc<Branch>, cut: Position) -> Self {
        Self { parent, cut, made: ArcSwapOption::empty() }
    }

    /// The fork's own view behind what it shares with its parent.
    pub(crate) fn complete(&self, own: Arc<View>) -> Arc<View> {
        let parent = self.parent.whole_view();
        let made = self.made.load();
        let is_of_these =
            |made: &&Arc<Made>| Arc::ptr_eq(&made.parent, &parent) && Arc::ptr_eq(&made.own, &own);
        if let Some(made) = made.as_ref().filter(is_of_these) {
            return Arc::clone(&made.whole);
        }
        let whole = Arc::new(own.on(&parent, self.cut, self.parent.id_key));
        self.made.store(Some(Arc::new(Made { parent, own, whole: Arc::clone(&whole) })));
        whole
    }
}
