//! What a search gives.

use super::scan::Scored;
use super::scope::Scope;
use crate::event::Position;

/// Which way a search takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VectorPath {
    /// The cheaper one, by what searches cost lately.
    #[default]
    Auto,
    /// Graphs where there are any, a scan of the rest.
    Graph,
    /// A scan of everything.
    Scan,
}

/// An event whose vector is like the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorHit {
    /// The event.
    pub position: Position,
    /// How like: 1 is the same direction, 0 nothing in common.
    pub cosine: f32,
}

/// What a search found, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorFound {
    /// The most alike first; of those that are equally so, the newest.
    pub hits: Vec<VectorHit>,
    /// What was done: `scan`, `graph`, `graph+scan`, or `none` where there was nothing to look at.
    pub path: &'static str,
    /// Vectors that could be found: the filter is over these.
    pub candidates: u64,
    /// What it cost.
    pub work: Work,
}

/// What a search cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Vectors that a scan looked at, by their sketches or their codes.
    pub scanned: u64,
    /// Vectors of a scan whose cosine was computed.
    pub rescored: u64,
    /// Graphs that were searched.
    pub graphs: u64,
    /// Vectors that these searches looked at.
    pub visited: u64,
}

impl VectorFound {
    /// There is nothing to look at, or for.
    pub(super) fn nothing() -> Self {
        Self { path: "none", ..Self::default() }
    }
}

/// The events behind the best of what was scored.
pub(super) fn hits(scopes: &[Scope<'_>], scored: Vec<Scored>, depth: usize) -> Vec<VectorHit> {
    let mut hits: Vec<VectorHit> = Vec::new();
    let mut worst = f32::NEG_INFINITY;
    for scored in best(scored, depth) {
        if hits.len() >= depth && scored.cosine < worst {
            break;
        }
        let Some(scope) = scopes.get(scored.scope as usize) else { continue };
        let positions = scope.positions_of(scored.ordinal).take(depth);
        hits.extend(positions.map(|position| VectorHit { position, cosine: scored.cosine }));
        worst = scored.cosine;
    }
    hits.sort_unstable_by(|a, b| b.cosine.total_cmp(&a.cosine).then(b.position.cmp(&a.position)));
    hits.truncate(depth);
    hits
}

/// The best, in order; of those that are equally good, the ones that came last.
fn best(mut scored: Vec<Scored>, depth: usize) -> Vec<Scored> {
    let order = |a: &Scored, b: &Scored| {
        b.cosine.total_cmp(&a.cosine).then(b.scope.cmp(&a.scope)).then(b.ordinal.cmp(&a.ordinal))
    };
    if scored.len() > depth && depth > 0 {
        scored.select_nth_unstable_by(depth - 1, order);
    }
    scored.truncate(depth);
    scored.sort_unstable_by(order);
    scored
}
