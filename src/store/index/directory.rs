//! Where index files lie and what they are called: `<first>-<last>.index` and `.rows`, twenty digits each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::IndexFile;
use crate::error::Error;
use crate::event::Position;
use crate::store::disk::Disk;

/// The directory of a branch's index files.
pub(crate) fn index_dir(branch: &Path) -> PathBuf {
    branch.join("index")
}

/// The name of the index file of these positions.
pub(crate) fn file_name(first: Position, last: Position) -> String {
    format!("{:020}-{:020}.index", first.get(), last.get())
}

/// The positions that an index file or its rows file is about, by its name.
pub(crate) fn positions_of(path: &Path) -> Option<(Position, Position)> {
    if !path.extension().is_some_and(|ending| ending == "index" || ending == "rows") {
        return None;
    }
    let (first, last) = path.file_stem()?.to_str()?.split_once('-')?;
    Some((Position::new(first.parse().ok()?), Position::new(last.parse().ok()?)))
}

/// Every index file in `dir` that can be opened, in order of first positions.
///
/// One that cannot is left out and shown to `refused`: the log or a segment holds all that it would say.
pub(crate) fn list_indexes(
    disk: &dyn Disk,
    dir: &Path,
    mut refused: impl FnMut(&Path, Error),
) -> Vec<Arc<IndexFile>> {
    let paths = disk.list(dir).unwrap_or_default();
    let indexes = paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "index"));
    let opened = indexes.filter_map(|path| match IndexFile::open(disk, path) {
        Ok(index) => Some(Arc::new(index)),
        Err(error) => {
            refused(path, error);
            None
        }
    });
    opened.collect()
}
