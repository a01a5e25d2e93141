//! Finding the segments of a branch whose manifest is lost, by their names and what their envelopes say of them.

use std::path::Path;

use super::format::Header;
use super::name::{SegmentEntry, SegmentName};
use crate::store::disk::Disk;

/// The segments in a directory that follow one another from position 1, and the key of their generated ids.
///
/// Of several that begin alike, the one that holds most is taken, of those the last written. A stretch of which there is
/// none, although a later one is there, has an entry of generation 0: no file has that.
pub(crate) fn found_segments(disk: &dyn Disk, dir: &Path) -> (Vec<SegmentEntry>, Option<u64>) {
    let paths = disk.list(dir).unwrap_or_default();
    let names = paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    let names = names.filter_map(|path| SegmentName::parse(path.file_name()?.to_str()?));
    let mut found: Vec<(SegmentEntry, Option<u64>)> =
        names.filter_map(|name| entry(disk, dir, name)).collect();
    found.sort_unstable_by_key(|(entry, key)| (entry.first, key.is_some(), entry.last, entry.generation));
    let (mut chain, mut next) = (Vec::new(), 1);
    while let Some(begin) = found.iter().map(|(entry, _)| entry.first).filter(|first| *first >= next).min() {
        if begin > next {
            chain.push(missing(next, begin - 1));
        }
        let Some((best, _)) = found.iter().rfind(|(entry, _)| entry.first == begin) else { break };
        chain.push(*best);
        next = best.last.saturating_add(1);
    }
    let id_key = found.iter().find_map(|(_, key)| *key);
    (chain, id_key)
}

/// The entry of the segment of that name, and its key when its envelope can be believed.
fn entry(disk: &dyn Disk, dir: &Path, name: SegmentName) -> Option<(SegmentEntry, Option<u64>)> {
    let parquet_bytes = disk.open(&dir.join(name.file_name()), false).and_then(|file| file.size()).ok()?;
    let envelope = disk.open(&dir.join(name.envelope_name()), false).and_then(|file| file.map());
    let envelope = envelope.unwrap_or_default();
    let header = Header::decode(&envelope).ok().filter(|header| {
        let said = (header.first, header.last, header.generation, header.parquet_bytes);
        said == (name.first, name.last, name.generation, parquet_bytes)
    });
    let entry = SegmentEntry {
        first: name.first.get(),
        last: name.last.get(),
        generation: name.generation,
        parquet_bytes,
        envelope_bytes: envelope.len() as u64,
        envelope_crc: crc32c::crc32c(&envelope),
        emptied: header.as_ref().map_or(0, |header| header.emptied),
        recorded_last: header.as_ref().map_or(0, |header| header.recorded.1.as_micros()),
    };
    Some((entry, header.map(|header| header.id_key)))
}

fn missing(first: u64, last: u64) -> SegmentEntry {
    SegmentEntry {
        first,
        last,
        generation: 0,
        parquet_bytes: 0,
        envelope_bytes: 0,
        envelope_crc: 0,
        emptied: 0,
        recorded_last: 0,
    }
}
