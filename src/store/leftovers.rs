//! Removing what a crash left: files that the manifest does not name and that nobody can need.
//!
//! **Invariant:** no file that holds the only copy of an event is ever removed here: a log file goes only when segments
//! hold its positions.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::index::{RangeIndex, index_dir};
use super::log::log_dir;
use super::manifest::Manifest;
use super::recover::Recovery;
use super::segment::{SegmentEntry, SegmentName, segment_dir};
use super::verify::Damage;

/// Whether the log file of that name is one that was about to be deleted: it lies before the first that the manifest
/// names, and so in segments.
pub(super) fn is_retired(manifest: &Manifest, path: &Path) -> bool {
    let first = name(path).strip_suffix(".log").and_then(|digits| digits.parse::<u64>().ok());
    first.zip(manifest.log_files.first()).is_some_and(|(first, oldest)| first < *oldest)
}

impl Recovery<'_> {
    /// Removes log files that segments hold, segments that were never named or were replaced, and index files that are
    /// half written or serve no stretch of the view.
    pub(super) fn remove_leftovers(&mut self) {
        let named: Vec<_> = self.manifest.segments.iter().map(SegmentEntry::name).collect();
        let mut removed = self.remove_where(&log_dir(self.dir), |path| is_retired(&self.manifest, path));
        removed.extend(self.remove_where(&segment_dir(self.dir), |path| {
            SegmentName::parse(name(path)).is_some_and(|name| !named.contains(&name))
        }));
        let saved = || {
            self.view.ranges.iter().filter_map(|range| match &range.index {
                RangeIndex::File(file) => Some((range, file.name())),
                RangeIndex::Memory(_) => None,
            })
        };
        let used: HashSet<&str> = saved().map(|(_, name)| name).collect();
        // Rows lead into a log file and are of no use behind it.
        let leading: HashSet<&str> =
            saved().filter(|(range, _)| range.log().is_some()).map(|(_, name)| name).collect();
        removed.extend(self.remove_where(&index_dir(self.dir), |path| {
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("new") => true,
                Some("index") => !used.contains(name(path)),
                Some("rows") => !leading.contains(name(&path.with_extension("index"))),
                _ => false,
            }
        }));
        // An index file that cannot be used is told of already.
        removed.retain(|name| self.mended.iter().all(|mended| mended.file != *name));
        let left_over = |name: &String| Damage::of_file(name, "left over by a crash; removed");
        self.mended.extend(removed.iter().map(left_over));
    }

    /// Removes files and gives their names; one that cannot be removed harms nobody but takes up space.
    fn remove_where(&self, dir: &Path, is_leftover: impl Fn(&Path) -> bool) -> Vec<String> {
        let disk = self.options.disk.as_ref();
        let paths: Vec<PathBuf> = disk.list(dir).unwrap_or_default();
        let mut removed = Vec::new();
        for path in paths.iter().filter(|path| is_leftover(path)) {
            match disk.remove(path) {
                Ok(()) => {
                    tracing::info!("removed {}, which an interrupted step had left", path.display());
                    removed.push(name(path).to_owned());
                }
                Err(error) => {
                    tracing::warn!("failed to remove {}: {error}; remove it by hand", path.display());
                }
            }
        }
        removed
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
