//! *Is what is stored what was written, and does every file say the same?*
//!
//! Useful for: proving all of a store while it is in use, and building anew what can be derived. Not for: deciding what
//! an open may rely on ([`recover`](super::recover)), or what is proved at every read (each record, page and section by
//! its own checksum).
//!
//! **Invariant:** the log, the segments and the manifest are only read here.
//!
//! What is proved: the manifest; every checksum of log files, segments, envelopes and index files; that positions and
//! versions have no gap; that an index says exactly what its events say, which is found by making it anew; and that a
//! segment says what the log file says where both are there.

mod agreement;
mod files;
mod log;
mod repair;
mod segment;

pub(super) use repair::repair;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::branch::Branch;
use super::index::IndexDamage;
use super::segment::SegmentDamage;
use super::snapshot::Snapshot;
use super::view::{Range, Rows};
use crate::error::Error;
use crate::event::{Position, Version};

/// What to do about a damaged file that is derived from others.
const REBUILD: &str = "no event is lost: `allsource verify --repair` builds it anew";

/// What the names of the files of search indexes begin with.
const SEARCH_FILES: &str = "search/";

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to its directory.
    pub file: String,
    /// The byte at which it begins.
    pub offset: u64,
    /// The first position that cannot be read; 0 when none is known to be lost.
    pub first_position: Position,
    /// The last position that cannot be read; 0 when none is known to be lost.
    pub last_position: Position,
    /// What is wrong.
    pub reason: String,
}

impl Damage {
    /// Damage to a file as a whole, by which no position is known to be lost.
    pub(super) fn of_file(file: &str, reason: &str) -> Self {
        Self::of_positions(file, Position::ZERO, Position::ZERO, reason)
    }

    /// Damage that takes a stretch of positions with it.
    pub(super) fn of_positions(file: &str, first: Position, last: Position, reason: &str) -> Self {
        found(file, 0, first, last, reason)
    }

    /// What an error says of a file, which is `file` unless the error names another.
    pub(in crate::store) fn of_error(file: &str, error: &Error) -> Self {
        let named = error.details().get("file").and_then(serde_json::Value::as_str);
        let number =
            |name: &str| error.details().get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
        let first = number("position");
        Self {
            offset: number("offset"),
            first_position: Position::new(first),
            last_position: Position::new(number("last_position").max(first)),
            ..Self::of_file(named.unwrap_or(file), &error.to_string())
        }
    }

    fn of_index(damage: &IndexDamage, first: Position, last: Position) -> Self {
        let reason = format!("{} (it is about positions {first} to {last}); {REBUILD}", damage.reason);
        Self { offset: damage.offset, ..Self::of_file(&damage.file, &reason) }
    }

    /// Whether the file can be built anew from what it was made from: no event is lost with it.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        let ending = Path::new(&self.file).extension();
        self.file.starts_with(SEARCH_FILES)
            || ending
                .is_some_and(|ending| ["index", "rows", "states"].iter().any(|derived| ending == *derived))
    }

    /// Whether positions are known to be lost.
    pub(crate) fn loses_positions(&self) -> bool {
        self.last_position > Position::ZERO
    }
}

impl From<SegmentDamage> for Damage {
    fn from(damage: SegmentDamage) -> Self {
        let SegmentDamage { file, offset, first, last, reason } = damage;
        Self { file, offset, first_position: first, last_position: last, reason }
    }
}

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events that were read and proved.
    pub events: u64,
    /// Files that were read and proved.
    pub files: u64,
    /// What is not as it was written; empty means all is well.
    pub damage: Vec<Damage>,
    /// What was damaged and has been built anew since the store was opened, or left over by a crash and removed.
    pub repaired: Vec<Damage>,
}

/// Proves a branch up to its durable head; `known` is the damage that opening it found.
pub(super) fn verify(branch: &Branch, known: &[Damage]) -> VerifyReport {
    // Ordering: the hold first. No file that is named or listed below can go before it was looked at.
    let _hold = branch.discards.hold();
    let mut proof = Proof {
        branch,
        through: Position::ZERO,
        versions: HashMap::new(),
        compared: HashSet::new(),
        shared: branch.lineage.as_ref().map(|lineage| branch.snapshot().up_to(lineage.cut)),
        is_behind_a_gap: false,
        report: VerifyReport::default(),
    };
    let manifest = proof.manifest();
    // Ordering: the durable head first. The view that is loaded after it holds every position up to that head.
    proof.through = branch.durable();
    let view = branch.view();
    for stretches in view.ranges.chunk_by(|one, other| one.shares_rows_with(other)) {
        let Some(first) = stretches.first() else { continue };
        let behind = stretches.last().map_or(Position::ZERO, |last| last.index.last());
        match &first.rows {
            Rows::Log(log) => proof.log_file(log, stretches, behind.min(proof.through)),
            Rows::Segment(segment) => proof.segment(segment, stretches),
            Rows::Lost(_) => proof.is_behind_a_gap = true,
        }
    }
    proof.hot_segments(&manifest, &view);
    proof.other_indexes();
    let mut report = proof.report;
    if branch.lineage.is_none() {
        let (files, damage) = branch.states.verify();
        report.files += files;
        report.damage.extend(damage);
    }
    let is_known = |damage: &Damage| {
        known.iter().any(|one| one.file == damage.file && one.first_position == damage.first_position)
    };
    report.damage.retain(|damage| !is_known(damage));
    report.damage.splice(0..0, known.iter().cloned());
    report.repaired = branch.mending.lock().done().to_vec();
    report
}

/// A proof under way.
struct Proof<'a> {
    branch: &'a Branch,
    through: Position,
    /// The last version seen of each entity, by hash: 16 bytes an entity, and as much again for room.
    versions: HashMap<u64, u64>,
    /// The index files that were proved.
    compared: HashSet<String>,
    /// Of a fork: what it shares with its parent.
    shared: Option<Snapshot>,
    /// Positions before were lost when the store was opened, and versions with them.
    is_behind_a_gap: bool,
    report: VerifyReport,
}

impl Proof<'_> {
    /// Counts an event; says so when its version does not follow the one before.
    fn version_is_wrong(&mut self, entity: &str, version: Version) -> bool {
        self.report.events += 1;
        let last = self.versions.insert(xxh3_64(entity.as_bytes()), version.get());
        let last = last.or_else(|| self.version_at_cut(entity));
        // Behind damage the count of an entity goes on where the readable events go on.
        version.get() != last.unwrap_or(0) + 1 && self.report.damage.is_empty() && !self.is_behind_a_gap
    }

    /// The version that an entity of a fork had when it was cut off.
    fn version_at_cut(&self, entity: &str) -> Option<u64> {
        let parent = self.shared.as_ref()?;
        let heads = parent.entity_heads(&[entity]).ok()?;
        heads.into_iter().flatten().next().map(|head| head.version.get())
    }

    /// Notes what a stretch's index was found to be.
    fn index(&mut self, range: &Range, result: Result<(), IndexDamage>) {
        let (first, last) = (range.index.first(), range.index.last());
        self.report.damage.extend(result.err().map(|damage| Damage::of_index(&damage, first, last)));
    }
}

const WRONG_VERSION: &str = "the version is not one after the entity's version before";

fn found(
    file: &str,
    offset: usize,
    first_position: Position,
    last_position: Position,
    reason: &str,
) -> Damage {
    let (file, reason) = (file.to_owned(), reason.to_owned());
    Damage { file, offset: offset as u64, first_position, last_position, reason }
}
