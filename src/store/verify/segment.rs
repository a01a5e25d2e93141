//! Proving segments: those that are read, and those of which the log file is still there.

use std::sync::Arc;

use super::agreement::compare;
use super::{Damage, Proof, WRONG_VERSION};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Position};
use crate::store::index::{MemoryIndex, RangeIndex, index_rows};
use crate::store::manifest::Manifest;
use crate::store::options::Mode;
use crate::store::segment::{Segment, SegmentEntry, segment_dir};
use crate::store::view::{Range, View};

impl Proof<'_> {
    /// Proves a segment that is read, and the index files of its stretches.
    pub(super) fn segment(&mut self, segment: &Arc<Segment>, stretches: &[Arc<Range>]) {
        self.report.files += 2;
        let damage = segment.verify(&|| true);
        let is_damaged = !damage.is_empty();
        self.report.damage.extend(damage.into_iter().map(Damage::from));
        for range in stretches {
            let made = MemoryIndex::new(range.index.first());
            let mut wrong = None;
            let id_key = self.branch.id_key;
            let indexed =
                index_rows(segment, range.index.last(), id_key, &made, Mode::Read, &mut |event: &Event| {
                    if self.version_is_wrong(event.entity_id.as_str(), event.version) && wrong.is_none() {
                        wrong = Some(event.position);
                    }
                });
            if let Some(position) = wrong {
                let file = segment.name().file_name();
                self.report.damage.push(Damage::of_positions(&file, position, position, WRONG_VERSION));
            }
            if let (Err(error), false) = (indexed, is_damaged) {
                self.report.damage.push(Damage::of_error(&segment.name().file_name(), &error));
            }
            if let RangeIndex::File(file) = &range.index {
                self.report.files += 1;
                self.compared.insert(file.name().to_owned());
            }
            if let Some(result) = compare(range, &made, None) {
                self.index(range, result);
            }
        }
    }

    /// Proves the segments of which the log file is still there, and that both say the same.
    pub(super) fn hot_segments(&mut self, manifest: &Manifest, view: &View) {
        let is_read = |entry: &SegmentEntry| {
            view.ranges.iter().any(|range| range.segment().is_some_and(|own| own.entry() == entry))
        };
        let cold = manifest.cold().len();
        for entry in manifest.segments.iter().skip(cold).filter(|entry| !is_read(entry)) {
            self.report.files += 2;
            let disk = self.branch.options.disk.as_ref();
            let pages = Arc::clone(&self.branch.pages);
            let damage = match Segment::open(disk, &segment_dir(&self.branch.dir), entry, pages) {
                Ok(segment) => hot_damage(&segment, view),
                Err(error) => vec![Damage::of_error(&entry.name().file_name(), &error)],
            };
            self.report.damage.extend(damage.into_iter().map(in_the_log_too));
        }
    }
}

/// What is wrong with a segment, or with what it says.
fn hot_damage(segment: &Segment, view: &View) -> Vec<Damage> {
    let damage = segment.verify(&|| true);
    if !damage.is_empty() {
        return damage.into_iter().map(Damage::from).collect();
    }
    let logs = view.ranges.iter().filter_map(|range| range.log());
    let Some(log) = logs.into_iter().find(|log| log.first() == segment.first()) else { return Vec::new() };
    match segment.compare(log, &|| true) {
        Err(error) if is_of(&error, segment) => vec![Damage::of_error(&segment.name().file_name(), &error)],
        // What is wrong with the log file was found there.
        _ => Vec::new(),
    }
}

fn is_of(error: &Error, segment: &Segment) -> bool {
    let named = error.details().get("file").and_then(serde_json::Value::as_str);
    let name = segment.name();
    error.kind() == ErrorKind::Corrupt
        && named.is_some_and(|named| named == name.file_name() || named == name.envelope_name())
}

/// Damage by which no position is lost as long as the log file is there.
fn in_the_log_too(damage: Damage) -> Damage {
    let (first, last) = (damage.first_position, damage.last_position);
    let at = if last > Position::ZERO { format!(" (positions {first} to {last})") } else { String::new() };
    let reason = format!(
        "{}{at}; no event is lost: the log file holds them too, and does not go before the segment was written anew",
        damage.reason
    );
    Damage { first_position: Position::ZERO, last_position: Position::ZERO, reason, ..damage }
}
