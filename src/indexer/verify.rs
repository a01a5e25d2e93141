//! Are the indexes what was written?

use super::checkpoint::Checkpoint;
use super::tail::{KEYWORD_DIR, VECTOR_DIR};
use crate::error::Result;
use crate::event::Position;
use crate::search::{damaged_files, open_to_read, verify_vectors};
use crate::store::{Damage, Store};

/// What to do about it.
const REMEDY: &str = "no event is lost: `allsource verify --repair` makes the search index anew";

/// Proves the checksums of the last commit of both indexes, beside whoever writes them; nothing where there is none.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(crate) fn verify(store: &Store) -> Result<Vec<Damage>> {
    let (disk, dir) = (store.disk(), store.search_dir());
    let (keyword, vectors) = (dir.join(KEYWORD_DIR), dir.join(VECTOR_DIR));
    let mut damage: Vec<Damage> = damaged_files(disk, &keyword)?
        .into_iter()
        .map(|file| Damage {
            file: format!("search/{KEYWORD_DIR}/{file}"),
            offset: 0,
            first_position: Position::ZERO,
            last_position: Position::ZERO,
            reason: format!("its checksum is not what it was written with; {REMEDY}"),
        })
        .collect();
    let payload = open_to_read(disk, &keyword)?.and_then(|(_, payload)| payload);
    let checkpoint = payload.and_then(|payload| Checkpoint::parse(&payload)?.vectors);
    if let Some(checkpoint) = checkpoint {
        damage.extend(verify_vectors(disk.as_ref(), &vectors, &checkpoint).into_iter().map(|found| Damage {
            file: format!("search/{VECTOR_DIR}/{}", found.file),
            offset: found.offset,
            first_position: Position::ZERO,
            last_position: Position::ZERO,
            reason: format!(
                "{} (it is about positions {} to {}); {REMEDY}",
                found.reason, found.first, found.last
            ),
        }));
    }
    Ok(damage)
}
