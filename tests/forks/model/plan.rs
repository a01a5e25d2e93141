//! What to do to the store and to the lines.

use allsource::store::OnConflict;
use proptest::prelude::*;

use crate::machines::model::plan::{Plan, plan};

#[derive(Clone, Debug)]
pub enum Step {
    Append(Pick, Plan),
    /// Sends an earlier append again, to whatever branch.
    Again(Pick, prop::sample::Index),
    /// From the head, or from a position before it.
    Fork(Pick, Option<prop::sample::Index>),
    Reset(Pick),
    Promote(Pick, Chosen),
    Discard(Pick),
    Restore(Pick),
    Tag(Pick, prop::sample::Index),
    Compact,
    Reopen,
}

/// One of several lines; the newest is picked often, so that forks stand on forks on forks.
#[derive(Clone, Debug)]
pub enum Pick {
    Any(prop::sample::Index),
    Newest,
    Oldest,
}

impl Pick {
    pub fn of(&self, lines: &[usize]) -> Option<usize> {
        match self {
            Self::Any(_) if lines.is_empty() => None,
            Self::Any(index) => Some(*index.get(lines)),
            Self::Newest => lines.last().copied(),
            Self::Oldest => lines.first().copied(),
        }
    }
}

/// What of a fork is promoted.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The first entities that the fork touched, in order of their names; all if `None`.
    pub first: Option<usize>,
    pub on_conflict: OnConflict,
    pub twice: bool,
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        2 => any::<prop::sample::Index>().prop_map(Pick::Any),
        2 => Just(Pick::Newest),
        1 => Just(Pick::Oldest),
    ]
}

pub fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let on_conflict = prop::sample::select(vec![OnConflict::Abort, OnConflict::Skip, OnConflict::Rebase]);
    let chosen = (prop::option::weighted(0.4, 1..3_usize), on_conflict, prop::bool::weighted(0.3))
        .prop_map(|(first, on_conflict, twice)| Chosen { first, on_conflict, twice });
    prop_oneof![
        12 => (pick(), plan()).prop_map(|(pick, plan)| Step::Append(pick, plan)),
        2 => (pick(), index()).prop_map(|(pick, which)| Step::Again(pick, which)),
        6 => (pick(), prop::option::weighted(0.3, index())).prop_map(|(pick, cut)| Step::Fork(pick, cut)),
        2 => pick().prop_map(Step::Reset),
        5 => (pick(), chosen).prop_map(|(pick, chosen)| Step::Promote(pick, chosen)),
        1 => pick().prop_map(Step::Discard),
        2 => pick().prop_map(Step::Restore),
        1 => (pick(), index()).prop_map(|(pick, at)| Step::Tag(pick, at)),
        2 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}
